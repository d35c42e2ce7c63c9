//! What a test may do to the stand-in directly, and see of it.

use callspool_domain::audio::AudioFormat;
use callspool_domain::{CallSid, RecordingSid, Secret};

use super::audio::Media;
use super::state::{Call, NewRecording, Recording};
use super::{Route, Twilio};

impl Twilio {
    /// Adds a recording that nobody is told about.
    pub fn add_recording(&self, spec: NewRecording) -> RecordingSid {
        self.world().add_recording(spec).sid
    }

    /// Adds a call leg of two minutes that is over.
    pub fn add_call(&self, call: Call) {
        self.world().ledger().calls.push(call);
    }

    /// A call's sid that was not given out before.
    pub fn new_call_sid(&self) -> CallSid {
        self.world().draw_call_sid()
    }

    /// Shows this `Date` in every answer from now on, as if its clock were another one.
    pub fn show_date(&self, date: &str) {
        self.world().show_date(date);
    }

    /// Puts a recording into another state, e.g. `processing`, without telling anybody. No effect on an unknown one.
    pub fn set_status(&self, sid: &RecordingSid, status: &str) {
        if let Some(recording) = self.world().ledger().recording_mut(sid) {
            status.clone_into(&mut recording.status);
        }
    }

    /// Deletes a recording behind everybody's back. No effect on an unknown one.
    pub fn delete(&self, sid: &RecordingSid) {
        let now = self.world().clock.now();
        if let Some(recording) = self.world().ledger().recording_mut(sid) {
            recording.deleted = Some(now);
            "deleted".clone_into(&mut recording.status);
        }
    }

    /// One recording as the provider keeps it.
    pub fn recording(&self, sid: &RecordingSid) -> Option<Recording> {
        self.world().ledger().recording(sid).cloned()
    }

    /// Every recording there ever was, in the order they were made.
    pub fn recordings(&self) -> Vec<Recording> {
        self.world().ledger().recordings.clone()
    }

    /// The deleted recordings, in the order they were made.
    pub fn deleted(&self) -> Vec<RecordingSid> {
        let ledger = self.world().ledger();
        let deleted = ledger.recordings.iter().filter(|recording| recording.deleted.is_some());
        deleted.map(|recording| recording.sid.clone()).collect()
    }

    /// How often a recording's audio was asked for.
    pub fn media_requests(&self, sid: &RecordingSid) -> u64 {
        self.count_of(Route::Media, sid.as_str())
    }

    /// SHA-256, in hexadecimal, of the bytes of a recording's file with all its channels.
    pub fn media_sha256(&self, sid: &RecordingSid, format: AudioFormat) -> Option<String> {
        let audio = self.recording(sid)?.spec.audio;
        Some(Media::new(sid, &audio, format, audio.channels).sha256())
    }

    /// The length in bytes of a recording's file with all its channels.
    pub fn media_length(&self, sid: &RecordingSid, format: AudioFormat) -> Option<u64> {
        let audio = self.recording(sid)?.spec.audio;
        Some(Media::new(sid, &audio, format, audio.channels).length())
    }

    /// The credentials that came to this host (`127.0.0.1:port`), each once.
    pub fn authorizations(&self, host: &str) -> Vec<Secret> {
        let mut seen: Vec<Secret> = Vec::new();
        for authorization in self.requests().into_iter().filter(|request| request.host == host) {
            seen.extend(authorization.authorization.filter(|secret| !seen.contains(secret)));
        }
        seen
    }

    pub(super) fn world(&self) -> &super::World {
        &self.service().0
    }
}
