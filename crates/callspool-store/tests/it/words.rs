//! What the outside says and what steps find out, with everything that does not matter filled in.

use callspool_domain::audio::{AudioFacts, AudioFormat, ChannelFacts, Finding};
use callspool_domain::line::{Event, Line, Said, permanent_link};
use callspool_domain::recording::{Announcement, Place, ProviderStatus, Track};
use callspool_domain::{AccountSid, CallSid, JobId, Lane, RecordingSid, StepName, Timestamp};
use callspool_store::{Archived, Callback, Claimed, OwedLine, ProviderAnswer, Receipt, VerifiedBy};

use crate::scene::{Scene, at};

pub(crate) fn recording(n: u32) -> RecordingSid {
    RecordingSid::parse(&format!("RE{n:032x}")).expect("a sid")
}

pub(crate) fn call(n: u32) -> CallSid {
    CallSid::parse(&format!("CA{n:032x}")).expect("a sid")
}

pub(crate) fn account() -> AccountSid {
    AccountSid::parse(&format!("AC{:032x}", 1)).expect("a sid")
}

pub(crate) fn job(name: &str) -> JobId {
    JobId::parse(name).expect("a job id")
}

/// The provider says `word` about recording `n` of call `n`.
pub(crate) fn said(n: u32, word: &str) -> Announcement {
    Announcement {
        recording: recording(n),
        account: account(),
        call: call(n),
        status: ProviderStatus::new(word),
        provider_source: Some("RecordVerb".to_owned()),
        track: Track::Mixed,
        duration_seconds: (word == "completed").then_some(10),
        channels: (word == "completed").then_some(2),
        started_at: Some(at(0)),
        error_code: None,
        encrypted: false,
        encryption: None,
    }
}

/// The same as a callback.
pub(crate) fn callback(n: u32, word: &str) -> Callback {
    callback_of(said(n, word), None)
}

pub(crate) fn callback_of(announcement: Announcement, job: Option<&str>) -> Callback {
    let fields = vec![
        ("RecordingSid".to_owned(), announcement.recording.to_string()),
        ("RecordingStatus".to_owned(), announcement.status.as_str().to_owned()),
        ("CallSid".to_owned(), announcement.call.to_string()),
    ];
    Callback { announcement, job: job.map(self::job), source: None, started: None, fields }
}

/// A good archive copy of recording `n` at `key`.
pub(crate) fn good(n: u32, key: &str) -> Archived {
    let channel = ChannelFacts { peak_dbfs: -3.0, rms_dbfs: -20.0, silence_ratio: 0.1, clipped_ratio: 0.0 };
    Archived {
        recording: recording(n),
        object_key: key.to_owned(),
        bytes: 160_044,
        sha256: "ab".repeat(32),
        crc64: u64::MAX - 5,
        audio: AudioFacts {
            format: AudioFormat::Wav,
            sample_rate: 8000,
            duration_ms: 10_000,
            channels: vec![channel; 2],
            peaks: vec![0, 128, 255],
        },
        findings: Vec::new(),
        verified_by: VerifiedBy::Checksum,
        instead: Vec::new(),
    }
}

/// The same with something doubtful about it.
pub(crate) fn doubtful(n: u32, key: &str) -> Archived {
    Archived { findings: vec![Finding::Silent], ..good(n, key) }
}

pub(crate) fn receipt(now: Timestamp) -> Receipt {
    Receipt {
        provider_answer: ProviderAnswer::Deleted,
        archive_key: "a key".to_owned(),
        sha256: "ab".repeat(32),
        bytes: 160_044,
        verified_at: now,
    }
}

/// An owed line as the link step writes it.
pub(crate) fn line_of(owed: &OwedLine) -> Line {
    let url = permanent_link("https://calls.example.com", &owed.recording);
    let said = match owed.event {
        Event::Recording => Said::Recording { url },
        Event::Pending => Said::Pending { url },
        Event::NoRecording => Said::NoRecording { reason: owed.reason.clone().unwrap_or_default() },
        Event::Moved => Said::Moved { url, to: owed.moved_to.clone().expect("where it went") },
        Event::LinkRenewed => Said::LinkRenewed { url },
    };
    Line { recording: owed.recording.clone(), at: owed.at, source: owed.source.clone(), said }
}

impl Scene {
    /// The provider says that recording `n` of call `n` is completed; `?job=` where given.
    pub(crate) async fn completed(&self, n: u32, job: Option<&str>, now: Timestamp) {
        let recorded = self.store.record_callback(callback_of(said(n, "completed"), job), now).await;
        assert!(recorded.expect("a durable callback").new);
    }

    /// Claims the one step that is due in a lane, and checks what it is.
    pub(crate) async fn claim_one(&self, name: StepName, now: Timestamp) -> Claimed {
        let mut claimed = self.claim(name.lane(), 10, now).await;
        assert_eq!(claimed.iter().map(|claimed| claimed.name).collect::<Vec<_>>(), [name]);
        claimed.remove(0)
    }

    /// Recording `n` is announced, claimed, archived and verified.
    pub(crate) async fn archived(&self, n: u32, job: Option<&str>, now: Timestamp) {
        self.completed(n, job, now).await;
        self.archive(n, now).await;
    }

    /// Claims the archive step of recording `n`, which is the only one due, and finishes it.
    pub(crate) async fn archive(&self, n: u32, now: Timestamp) {
        let claimed = self.claim_one(StepName::Archive, now).await;
        let key = self.allocate(n, now).await;
        let finished = self.store.finish_archived(&claimed.lease, good(n, &key), now).await;
        assert!(finished.expect("a finish"));
    }

    pub(crate) async fn allocate(&self, n: u32, now: Timestamp) -> String {
        self.store.allocate_key(&recording(n), Place::Archive, vec![format!("key-{n}.wav")], now).await.expect("a key")
    }

    /// Writes every owed line of `job` as the link step would, and finishes it.
    pub(crate) async fn link(&self, job: &str, now: Timestamp) {
        let claimed = self.claim_one(StepName::Link, now).await;
        let job = self::job(job);
        let owed = self.store.owed_lines(std::slice::from_ref(&job)).await.expect("lines");
        let lines: Vec<_> = owed.iter().map(line_of).collect();
        let finished = self.store.finish_linked(&claimed.lease, &job, &lines, None, now).await;
        assert!(finished.expect("a finish"));
    }

    /// The kinds of a recording's events, oldest first.
    pub(crate) async fn kinds(&self, n: u32) -> Vec<String> {
        let events = self.store.recording_events(&recording(n), 100).await.expect("events");
        events.into_iter().map(|event| event.kind).collect()
    }

    /// How many steps of a lane are due.
    pub(crate) async fn due(&self, lane: Lane, now: Timestamp) -> bool {
        self.store.next_due(lane).await.expect("a time").is_some_and(|due| due <= now)
    }
}
