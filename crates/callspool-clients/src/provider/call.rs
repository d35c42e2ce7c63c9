//! A call as the provider knows it, as far as it is asked: which call it is a leg of.

use callspool_domain::{CallSid, Code, StepFailure};
use reqwest::{Method, StatusCode};
use serde::Deserialize;

use super::{Twilio, read_resource};

/// <https://www.twilio.com/docs/voice/api/call-resource#call-properties>
#[derive(Deserialize)]
struct Resource {
    sid: CallSid,
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
                let body = read_resource(response, &what).await?;
                let unreadable = |cause: String| StepFailure::new(Code::ProviderUnreadable, format!("{what}: {cause}"));
                let resource: Resource =
                    serde_json::from_slice(&body).map_err(|error| unreadable(error.to_string()))?;
                if resource.sid != *call {
                    return Err(unreadable(format!("the answer is about {}", resource.sid)));
                }
                Ok(resource.parent_call_sid)
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response, &what).await),
        }
    }
}
