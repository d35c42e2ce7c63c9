//! What the tests share: clients, ids, and the audio facts of an accepted recording.

use std::time::Duration;

use callspool_clients::archive::{Fingerprint, Fingerprinter, ObjectFacts};
use callspool_clients::{Http, HttpOptions};
use callspool_domain::audio::{AudioFacts, AudioFormat, ChannelFacts};
use callspool_domain::recording::Contents;
use callspool_domain::{AccountSid, CallSid, JobId, RecordingSid, Source};

pub(crate) const HEX: &str = "0123456789abcdef0123456789abcdef";

/// A client that waits for as long as any test may take.
pub(crate) fn http() -> Http {
    client(Duration::from_secs(60))
}

/// A client that soon loses its patience, for servers that never answer.
pub(crate) fn impatient() -> Http {
    client(Duration::from_millis(300))
}

fn client(read_timeout: Duration) -> Http {
    let options = HttpOptions { read_timeout, system_proxy: false, ..HttpOptions::default() };
    Http::new(&options).expect("client")
}

pub(crate) fn account() -> AccountSid {
    AccountSid::parse(&format!("AC{HEX}")).expect("sid")
}

pub(crate) fn recording() -> RecordingSid {
    RecordingSid::parse(&format!("RE{HEX}")).expect("sid")
}

pub(crate) fn facts() -> ObjectFacts {
    ObjectFacts {
        recording: recording(),
        call: CallSid::parse(&format!("CA{HEX}")).expect("sid"),
        account: account(),
        source: Source::default(),
        job: Some(JobId::parse("JOB456").expect("job")),
        contents: Contents::Audio(AudioFormat::Wav),
    }
}

/// What the audio parser would have said.
pub(crate) fn audio() -> AudioFacts {
    let channel = ChannelFacts { peak_dbfs: -3.0, rms_dbfs: -20.0, silence_ratio: 0.1, clipped_ratio: 0.0 };
    AudioFacts {
        format: AudioFormat::Wav,
        sample_rate: 8000,
        duration_ms: 12_340,
        channels: vec![channel, channel],
        peaks: Vec::new(),
    }
}

pub(crate) fn fingerprint(bytes: &[u8]) -> Fingerprint {
    let mut passed = Fingerprinter::new();
    passed.update(bytes);
    passed.finish()
}

/// Bytes that differ all along, so that a part in the wrong place is noticed.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(length).collect()
}
