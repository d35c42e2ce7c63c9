//! Starting and stopping recordings of a running call
//! (<https://www.twilio.com/docs/voice/api/recording#create-a-recording-for-a-call>).
//!
//! Guarantee: each request is sent once. Starting is not repeatable: whoever got no answer lists the call's recordings
//! before he asks again. Stopping is.

use callspool_domain::call::CallStatus;
use callspool_domain::recording::Track;
use callspool_domain::{CallSid, Code, RecordingSid, StepFailure};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{ERROR_BYTES, RecordingResource, Twilio, read_resource, refusal, wire};
use crate::http::{Response, read_capped};

/// The newest recordings of a call that are looked at: many more than one call ever has.
const LISTED: &str = "100";

/// How a call is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct HowToRecord<'a> {
    /// Where its recording is announced, as it begins, completes or is absent.
    pub callback: &'a str,
    /// Which voices. Both come on two channels; one comes on one.
    pub track: Track,
    /// `do-not-trim` or `trim-silence`.
    pub trim: &'static str,
}

/// What came of a request to start a recording.
#[derive(Debug, Clone)]
pub enum Started {
    /// It runs.
    Running(Box<RecordingResource>),
    /// The call is not in progress (21220), or not known: the provider's words.
    NotInProgress(String),
}

/// What came of a request to stop a recording.
#[derive(Debug, Clone)]
pub enum Stopped {
    /// It is stopped now.
    Now(Box<RecordingResource>),
    /// There was nothing to stop: the provider's words.
    NotRunning(String),
}

impl Twilio {
    /// Starts a recording of a call. Not repeatable; see the module.
    pub async fn start_recording(&self, call: &CallSid, how: HowToRecord<'_>) -> Result<Started, StepFailure> {
        let what = format!("starting the recording of call {call}");
        let channels = if how.track == Track::Mixed { "dual" } else { "mono" };
        let form = [
            ("RecordingStatusCallback", how.callback),
            ("RecordingStatusCallbackMethod", "POST"),
            ("RecordingStatusCallbackEvent", "in-progress"),
            ("RecordingStatusCallbackEvent", "completed"),
            ("RecordingStatusCallbackEvent", "absent"),
            ("RecordingChannels", channels),
            ("RecordingTrack", how.track.provider_word()),
            ("Trim", how.trim),
        ];
        let url = self.url(&["Calls", call.as_str(), "Recordings.json"])?;
        let response = self.send(self.request(Method::POST, url).form(&form), &what).await?;
        if response.status().is_success() {
            let resource = read(response, &what, |body| wire::read_of(body, &self.account.sid, call)).await?;
            return Ok(Started::Running(Box::new(resource)));
        }
        self.unless(response, &what, &[wire::INVALID_CALL_STATE]).await.map(Started::NotInProgress)
    }

    /// Stops a recording that hangs under this call or conference.
    pub async fn stop_recording(&self, call: &CallSid, recording: &RecordingSid) -> Result<Stopped, StepFailure> {
        let what = format!("stopping recording {recording}");
        let under = if call.is_call() { "Calls" } else { "Conferences" };
        let url = self.url(&[under, call.as_str(), "Recordings", &format!("{recording}.json")])?;
        let response = self.send(self.request(Method::POST, url).form(&[("Status", "stopped")]), &what).await?;
        if response.status().is_success() {
            let resource = read(response, &what, |body| wire::read(body, recording)).await?;
            return Ok(Stopped::Now(Box::new(resource)));
        }
        let over = [wire::INVALID_CALL_STATE, wire::NOT_IN_A_STATE];
        self.unless(response, &what, &over).await.map(Stopped::NotRunning)
    }

    /// The newest recordings of a call; none where the provider does not know it.
    pub async fn call_recordings(&self, call: &CallSid) -> Result<Vec<RecordingResource>, StepFailure> {
        let what = format!("listing the recordings of call {call}");
        let mut url = self.url(&["Calls", call.as_str(), "Recordings.json"])?;
        url.query_pairs_mut().append_pair("PageSize", LISTED);
        let response = self.send(self.request(Method::GET, url), &what).await?;
        match response.status() {
            StatusCode::OK => read(response, &what, wire::read_list).await,
            StatusCode::NOT_FOUND => Ok(Vec::new()),
            _ => Err(self.refusal(response, &what).await),
        }
    }

    /// The provider's word for the state of a call; `None` where it does not know it.
    pub async fn call_status(&self, call: &CallSid) -> Result<Option<CallStatus>, StepFailure> {
        let what = format!("reading call {call}");
        let url = self.url(&["Calls", &format!("{call}.json")])?;
        let response = self.send(self.request(Method::GET, url), &what).await?;
        match response.status() {
            StatusCode::OK => {
                read(response, &what, |body| {
                    let call: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
                    let status = call["status"].as_str().ok_or("there is no status in it")?;
                    Ok(Some(CallStatus::new(status)))
                })
                .await
            }
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(response, &what).await),
        }
    }

    /// The provider's words, where it knows no such thing or refuses with one of these numbers; else a failure.
    async fn unless(&self, response: Response, what: &str, numbers: &[i64]) -> Result<String, StepFailure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let body = read_capped(response, ERROR_BYTES).await.unwrap_or_default();
        let expected = status == StatusCode::NOT_FOUND
            || status.is_client_error() && wire::error_code(&body).is_some_and(|number| numbers.contains(&number));
        if expected { Ok(wire::message(&body)) } else { Err(refusal(status, &headers, &body, what)) }
    }
}

/// Reads a whole answer.
async fn read<T>(
    response: Response,
    what: &str,
    parse: impl FnOnce(&[u8]) -> Result<T, String>,
) -> Result<T, StepFailure> {
    let body = read_resource(response, what).await?;
    parse(&body).map_err(|cause| StepFailure::new(Code::ProviderUnreadable, format!("{what}: {cause}")))
}
