//! A call as the provider knows it, as far as it is asked: which call it is a leg of.

use callspool_domain::{CallSid, Code, StepFailure};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{RESOURCE_BYTES, Twilio};
use crate::http::read_capped;

/// <https://www.twilio.com/docs/voice/api/call-resource#call-properties>
#[derive(Deserialize)]
struct Resource {
    parent_call_sid: Option<CallSid>,
}

impl Twilio {
    /// The call that this one is a leg of; `None` where it is none, or the provider does not know it.
    pub async fn parent_call(&self, call: &CallSid) -> Result<Option<CallSid>, StepFailure> {
        let what = format!("reading call {call}");
        let url = self.url(&["Calls", &format!("{call}.json")])?;
        let response = self.send(self.request(Method::GET, url), &what).await?;
        match response.status() {
            StatusCode::OK => {
                let body = read_capped(response, RESOURCE_BYTES).await;
                let body = body.map_err(|error| StepFailure::new(Code::ProviderReset, format!("{what}: {error}")))?;
                let resource: Resource = serde_json::from_slice(&body)
                    .map_err(|error| StepFailure::new(Code::ProviderUnreadable, format!("{what}: {error}")))?;
                Ok(resource.parent_call_sid)
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response, &what).await),
        }
    }
}
