//! The outside world of the end-to-end benchmark: the stand-ins for Twilio and S3, and the recordings to be moved.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use callspool_domain::{AccountSid, Clock, RecordingSid};
use callspool_sandbox::twilio::{Audio, NewRecording, Word};
use callspool_sandbox::{S3, S3Options, Twilio, TwilioOptions};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::signer::Signer as _;
use reqwest::{Method, Url};

use crate::callbacks::{ACCOUNT, TOKEN};
use crate::pipe::Transfer;
use crate::spread::Latencies;

/// How many callbacks are under way at a time.
const CALLERS: usize = 8;
/// Longer than any run.
const SIGNED_FOR: Duration = Duration::from_secs(3600);

/// The running stand-ins; what they keep goes when they go.
#[derive(Debug)]
pub struct World {
    /// The provider.
    pub twilio: Twilio,
    /// The archive.
    pub s3: S3,
    s3_options: S3Options,
    /// The recordings at the provider.
    pub recordings: Vec<RecordingSid>,
}

impl World {
    /// Starts the stand-ins and makes recordings of so many bytes, one a call.
    pub async fn with(recordings: usize, bytes: u64) -> Result<Self> {
        let account = AccountSid::parse(ACCOUNT)?;
        let twilio = Twilio::start(TwilioOptions::new(Clock::System, account.clone(), TOKEN)).await?;
        let s3_options = S3Options::default();
        let s3 = S3::start(s3_options.clone()).await?;
        let add = |_| {
            let recording = NewRecording::new(account.clone(), Audio::wav_bytes(bytes));
            twilio.add_recording(recording.of_call(twilio.new_call_sid()))
        };
        let recordings: Vec<RecordingSid> = (0..recordings).map(add).collect();
        have_memory(recordings.len() as u64 * bytes)?;
        Ok(Self { twilio, s3, s3_options, recordings })
    }

    /// The settings of a callspool in this world.
    pub fn settings(&self, folder: &Path) -> Vec<(&'static str, String)> {
        vec![
            ("TWILIO_ACCOUNT_SID", ACCOUNT.to_owned()),
            ("TWILIO_AUTH_TOKEN", TOKEN.to_owned()),
            ("TWILIO_API_URL", self.twilio.base_url().to_owned()),
            ("ARCHIVE_URL", format!("s3://{}", self.s3_options.bucket)),
            ("S3_ENDPOINT", self.s3.base_url().to_owned()),
            ("AWS_ACCESS_KEY_ID", self.s3_options.access_key.clone()),
            ("AWS_SECRET_ACCESS_KEY", self.s3_options.secret_key.expose().to_owned()),
            ("DATABASE_URL", format!("sqlite://{}", folder.join("callspool.db").display())),
        ]
    }

    /// Announces every recording as completed, each for a job of its own; returns when all callbacks are acknowledged,
    /// and how long each took.
    pub async fn announce(&self, callspool: &str) -> Result<Latencies> {
        let announce = async |(n, sid): (usize, &RecordingSid)| {
            let url = format!("http://{callspool}/api/twilio/recording?job=JOB{n}");
            let began = Instant::now();
            let answer = self.twilio.announce_status(sid, &url, Word::Completed).await.context("unknown recording")?;
            ensure!(answer.is_accepted(), "a callback was refused: {answer:?}");
            Ok::<_, anyhow::Error>(began.elapsed())
        };
        let callbacks = stream::iter(self.recordings.iter().enumerate().map(announce));
        Ok(Latencies::of(callbacks.buffer_unordered(CALLERS).try_collect().await?))
    }

    /// Where a plain pipe gets every recording, and where it puts it. Its URLs are signed beforehand.
    pub async fn transfers(&self) -> Result<Vec<Transfer>> {
        let bucket = self.bucket()?;
        let mut transfers = Vec::with_capacity(self.recordings.len());
        for sid in &self.recordings {
            let mut from =
                Url::parse(&format!("{}/2010-04-01/Accounts/{ACCOUNT}/Recordings/{sid}.wav", self.twilio.base_url()))?;
            // Only a URL without a host can't have them.
            from.set_username(ACCOUNT).and_then(|()| from.set_password(Some(TOKEN))).unwrap_or_default();
            let to = bucket.signed_url(Method::PUT, &format!("pipe/{sid}.wav").into(), SIGNED_FOR).await?;
            transfers.push(Transfer { from: from.into(), to: to.into() });
        }
        Ok(transfers)
    }

    fn bucket(&self) -> Result<AmazonS3> {
        let builder = AmazonS3Builder::new()
            .with_endpoint(self.s3.base_url())
            .with_allow_http(true)
            .with_region("us-east-1")
            .with_bucket_name(&self.s3_options.bucket)
            .with_access_key_id(&self.s3_options.access_key)
            .with_secret_access_key(self.s3_options.secret_key.expose());
        Ok(builder.build()?)
    }

    /// Fails where a stand-in was asked something that no correct client asks.
    pub fn check(&self) -> Result<()> {
        let unexpected = [self.twilio.unexpected_requests(), self.s3.unexpected_requests()].concat();
        ensure!(unexpected.is_empty(), "the stand-ins refused requests: {unexpected:?}");
        Ok(())
    }
}

/// Makes this machine have so many bytes of memory free for the objects to come. A virtual machine gets memory from its host
/// as it is touched first, which costs more than all the rest, and gives it back some seconds after it was freed: without
/// this, whichever side comes later pays less.
fn have_memory(bytes: u64) -> Result<()> {
    let mut memory = vec![0_u8; usize::try_from(bytes)?];
    memory.iter_mut().step_by(4096).for_each(|page| *page = 1);
    drop(std::hint::black_box(memory));
    Ok(())
}
