//! Invariant 6 for transfers: a recording goes from the provider into the archive in memory that does not grow with it.
//!
//! A binary of its own, since it measures the whole process: the stand-ins for the provider and the store included, which
//! stream as well.
#![expect(clippy::expect_used, reason = "a helper that can't do its work ends the test")]

use callspool_clients::archive::{
    AwsCredentials, BucketConfig, Held, LocalFolder, ObjectFacts, PartBudget, PutOutcome, S3Config, Sse,
};
use callspool_clients::provider::{Channels, MediaForm};
use callspool_clients::{Archive, Http, HttpOptions, Twilio, TwilioAccount};
use callspool_domain::audio::{AudioFacts, AudioFormat};
use callspool_domain::recording::Contents;
use callspool_domain::{AccountSid, CallSid, Clock, Secret, Source};
use callspool_sandbox::twilio::{Audio, NewRecording};
use callspool_sandbox::{S3, S3Options, TwilioOptions};
use futures::StreamExt as _;
use url::Url;

const RECORDING_BYTES: u64 = 120 * 1024 * 1024;
/// A part of 8 MiB, the stand-ins' own buffers, the allocator's slack, and tests' code pages: far below the recording.
const ALLOWED_BYTES: u64 = 40 * 1024 * 1024;

#[tokio::test]
async fn a_recording_of_any_size_passes_in_the_memory_of_a_part() {
    let account = AccountSid::parse(&format!("AC{}", "0".repeat(32))).expect("sid");
    let provider = TwilioOptions::new(Clock::System, account.clone(), "token");
    let provider = callspool_sandbox::Twilio::start(provider).await.expect("provider");
    let store = S3::start(S3Options::default()).await.expect("store");
    let folder = tempfile::tempdir().expect("folder");
    let http = Http::new(&HttpOptions { system_proxy: false, ..HttpOptions::default() }).expect("client");
    let twilio = Twilio::new(
        &http,
        TwilioAccount {
            sid: account.clone(),
            user: account.to_string(),
            password: Secret::new("token"),
            base_url: Url::parse(provider.base_url()).expect("url"),
        },
    );
    let bucket = S3Config {
        bucket: "recordings".to_owned(),
        prefix: None,
        region: "us-east-1".to_owned(),
        endpoint: Some(Url::parse(store.base_url()).expect("url")),
        credentials: AwsCredentials::Static {
            access_key_id: "sandbox".to_owned(),
            secret_access_key: Secret::new("sandbox-secret"),
            session_token: None,
        },
        sse: Sse::None,
    };
    let budget = PartBudget::default();
    let before = peak_bytes();
    let root = folder.path().join("archive");
    let local = Archive::open_folder(&root, LocalFolder::establish(&root, "01FOLDER").await).await;
    for archive in [local, Archive::open_bucket(&http, &BucketConfig::S3(bucket)).expect("archive")] {
        let recording = provider.add_recording(NewRecording::new(account.clone(), Audio::wav_bytes(RECORDING_BYTES)));
        let form = MediaForm { format: AudioFormat::Wav, channels: Channels::AsRecorded };
        let mut media = twilio.media(&recording, form).await.expect("media");
        let facts = ObjectFacts {
            call: CallSid::placeholder(None, &recording),
            recording: recording.clone(),
            account: account.clone(),
            source: Source::default(),
            job: None,
            contents: Contents::Audio(AudioFormat::Wav),
        };
        let mut upload = archive.put("a.wav", facts, media.content_length, &budget).await.expect("begun");
        while let Some(chunk) = media.body.next().await {
            upload.write(&chunk.expect("chunk")).await.expect("written");
        }
        let ready = upload.finish().await.expect("whole");
        let written = ready.fingerprint().clone();
        assert_eq!(written.bytes, RECORDING_BYTES);
        assert_eq!(ready.publish(&accepted(), Held::Nothing).await, Ok(PutOutcome::Stored));
        assert_eq!(archive.fingerprint("a.wav").await, Ok(written));
    }
    let grown = peak_bytes() - before;
    assert!(grown < ALLOWED_BYTES, "the process grew by {grown} bytes");
}

/// The most memory this process ever held (<https://man7.org/linux/man-pages/man5/proc_pid_status.5.html>).
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("number") * 1024
}

fn accepted() -> AudioFacts {
    let (format, channels, peaks) = (AudioFormat::Wav, Vec::new(), Vec::new());
    AudioFacts { format, sample_rate: 8000, duration_ms: 0, channels, peaks }
}
