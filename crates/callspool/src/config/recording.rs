//! In which form recordings are fetched, under which key they are kept, and when the provider's copy may go.

use std::path::Path;
use std::time::Duration;

use callspool_clients::provider::{Channels, PrivateKeys};
use callspool_domain::PublicKeySid;
use callspool_domain::audio::AudioFormat;
use callspool_domain::key::{DEFAULT_KEY, KeyTemplate};

use super::Settings;

/// Which URL is written into the job's record (`RECORDING_LINK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkStyle {
    /// `{APP_URL}/r/{recording}`, which lasts.
    Permanent,
    /// One that plays without further rights until it expires.
    Signed,
    /// The archive's own address, for a bucket that anybody may read.
    Public,
}

/// What happens to a recording.
#[derive(Debug, Clone)]
pub struct RecordingSettings {
    /// The container asked for.
    pub format: AudioFormat,
    /// The channels asked for.
    pub channels: Channels,
    /// The keys that open what the provider encrypts.
    pub keys: PrivateKeys,
    /// The key template.
    pub key: KeyTemplate,
    /// Which URL is written into the job's record.
    pub link: LinkStyle,
    /// The life of a signed URL.
    pub link_ttl: Duration,
    /// The delay before release; `None` keeps the provider's copy.
    pub delete_after: Option<Duration>,
    /// How long a recording that we started may run; `None` lets it run as long as its call.
    pub max: Option<Duration>,
    /// Whether a recording of a call without a job may be released.
    pub release_without_job: bool,
}

/// S3 signs for at most 7 days
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-presigned-url.html>).
const LONGEST_TTL: Duration = Duration::from_secs(7 * 86_400);

const DEFAULT_MAX: Duration = Duration::from_secs(3600);
/// Shorter recordings are nobody's wish, but those of who left out a zero or took the unit for another.
const SHORTEST_MAX: Duration = Duration::from_secs(60);

impl RecordingSettings {
    pub(super) fn read(settings: &mut Settings) -> Self {
        let format = match settings.text_or("RECORDING_FORMAT", "wav").as_str() {
            "wav" => AudioFormat::Wav,
            "mp3" => AudioFormat::Mp3,
            _ => {
                settings.problem("RECORDING_FORMAT", "must be wav or mp3");
                AudioFormat::Wav
            }
        };
        let channels = match settings.text_or("RECORDING_CHANNELS", "as-recorded").as_str() {
            "as-recorded" => Channels::AsRecorded,
            "dual" => Channels::Dual,
            "mono" => Channels::Mono,
            _ => {
                settings.problem("RECORDING_CHANNELS", "must be as-recorded, dual or mono");
                Channels::AsRecorded
            }
        };
        let link_ttl = settings.duration("RECORDING_LINK_TTL").unwrap_or(Duration::from_secs(15 * 60));
        if link_ttl.is_zero() || link_ttl > LONGEST_TTL {
            settings.problem("RECORDING_LINK_TTL", "must be from 1s to 7d");
        }
        Self {
            format,
            channels,
            keys: private_keys(settings),
            key: key(settings),
            link: link(settings),
            link_ttl,
            delete_after: settings.duration_or_never("TWILIO_DELETE_AFTER", None),
            max: max(settings),
            release_without_job: settings.truth("RELEASE_WITHOUT_JOB", false),
        }
    }
}

/// `RECORDING_PUBLIC_URL=true` is the older name of `public`.
fn link(settings: &mut Settings) -> LinkStyle {
    let public = settings.truth("RECORDING_PUBLIC_URL", false);
    match (settings.text("RECORDING_LINK").as_deref(), public) {
        (None | Some("public"), true) | (Some("public"), false) => LinkStyle::Public,
        (None | Some("permanent"), false) => LinkStyle::Permanent,
        (Some("signed"), false) => LinkStyle::Signed,
        (Some("permanent" | "signed"), true) => {
            settings.problem("RECORDING_PUBLIC_URL", "disagrees with RECORDING_LINK");
            LinkStyle::Permanent
        }
        _ => {
            settings.problem("RECORDING_LINK", "must be permanent, signed or public");
            LinkStyle::Permanent
        }
    }
}

/// `CR…=file` pairs: a public key's sid is one of a kind over all accounts, so one list serves them all.
fn private_keys(settings: &mut Settings) -> PrivateKeys {
    const NAME: &str = "TWILIO_RECORDING_KEYS";
    let list = settings.text(NAME).unwrap_or_default();
    let mut keys = PrivateKeys::default();
    for pair in list.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let Some((sid, file)) = pair.split_once('=').map(|(sid, file)| (sid.trim(), file.trim())) else {
            // It may be a key that was pasted here, so it is not repeated.
            settings.problem(NAME, "must be CR…=file pairs with commas between");
            continue;
        };
        match PublicKeySid::parse(sid) {
            Ok(sid) => match keys.add(sid.clone(), Path::new(file)) {
                Ok(true) => {}
                Ok(false) => settings.problem(NAME, format!("names {sid} twice")),
                Err(error) => settings.problem(NAME, format!("{sid}: {file} {error}")),
            },
            Err(error) => settings.problem(NAME, format!("must be CR…=file pairs: {error}")),
        }
    }
    keys
}

fn max(settings: &mut Settings) -> Option<Duration> {
    let max = settings.duration_or_never("RECORDING_MAX", Some(DEFAULT_MAX));
    if max.is_some_and(|max| max < SHORTEST_MAX) {
        settings.problem("RECORDING_MAX", "must be at least 1m, or never");
    }
    max
}

#[expect(clippy::expect_used, reason = "the default template is a constant that a test parses")]
fn key(settings: &mut Settings) -> KeyTemplate {
    let text = settings.text_or("RECORDING_KEY", DEFAULT_KEY);
    KeyTemplate::parse(&text).unwrap_or_else(|error| {
        settings.problem("RECORDING_KEY", error);
        KeyTemplate::parse(DEFAULT_KEY).expect("the default template is valid")
    })
}
