//! Where a recording's bytes come from, what they are, and whether they can be opened.

use callspool_clients::provider::{Channels, Media, MediaForm, Opener, Unopened};
use callspool_domain::StepFailure;
use callspool_domain::audio::{AudioFormat, Expected};
use callspool_domain::failure::Code;
use callspool_domain::recording::{Contents, EncryptionDetails, Place, Status};
use callspool_store::RecordingRow;

use super::Stop;
use super::inspector::Inspector;
use crate::lifecycle::{Account, App};

/// Twilio can mix and recode nothing that it has encrypted; MP3 it refuses
/// (<https://www.twilio.com/docs/api/errors/16109>).
const AS_ENCRYPTED: MediaForm = MediaForm { format: AudioFormat::Wav, channels: Channels::AsRecorded };

/// What is to be done with a recording's bytes.
pub(super) enum Way {
    /// They are audio.
    Plain,
    /// They are opened on the way.
    Open(Box<Opener>),
    /// They stay as they are, for this reason.
    Seal(EncryptionDetails, Unopened),
}

/// A recording's bytes on their way.
pub(super) struct Source {
    pub(super) media: Media,
    pub(super) inspector: Inspector,
    pub(super) object: Object,
}

/// What they will be in the archive.
pub(super) struct Object {
    /// What it holds.
    pub(super) contents: Contents,
    /// The form in which the provider gave it.
    form: MediaForm,
    /// Why it stays sealed, where it does.
    because: Option<Unopened>,
}

impl Object {
    /// Where the object is among the recording's copies.
    pub(super) fn place(&self) -> Place {
        match self.contents {
            Contents::Audio(_) => Place::Archive,
            Contents::Sealed(_) => Place::Sealed,
        }
    }

    /// What the provider said, as far as it applies to the form that came: conferences are served mono unless asked
    /// otherwise (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file>).
    pub(super) fn expected(&self, recording: &RecordingRow) -> Expected {
        let conference = recording.provider_source.as_deref().is_some_and(|source| source.contains("Conference"));
        let channels = match self.form.channels {
            Channels::Mono => Some(1),
            Channels::Dual => Some(2),
            Channels::AsRecorded if conference => None,
            Channels::AsRecorded => recording.channels,
        };
        Expected { duration_seconds: recording.duration_seconds, channels }
    }

    /// Why it stays sealed, in a sentence; empty for audio.
    pub(super) fn because(&self) -> String {
        match (&self.contents, &self.because) {
            (Contents::Sealed(details), Some(because)) => {
                format!("encrypted with {}, and {because}", details.public_key_sid)
            }
            _ => String::new(),
        }
    }

    /// What came instead of what was asked for.
    pub(super) fn instead(&self, asked: MediaForm) -> Vec<&'static str> {
        let came = self.form;
        let mut instead = Vec::new();
        if came.format != asked.format {
            instead.push(came.format.extension());
        }
        if came.channels != asked.channels {
            instead.push(match came.channels {
                Channels::AsRecorded => "as-recorded",
                Channels::Dual => "dual",
                Channels::Mono => "mono",
            });
        }
        instead
    }
}

/// The form that the settings ask for: those of the call's number or assistant, else those for all.
pub(super) fn asked(app: &App, recording: &RecordingRow) -> MediaForm {
    let settings = &app.config.recording;
    MediaForm { format: recording.format.unwrap_or(settings.format), channels: settings.channels }
}

/// Decides by what is known of the recording's encryption, asking the provider where that is not enough. `None`: it is
/// sealed already, and there is no key for it.
pub(super) async fn way(app: &App, account: &Account, recording: &RecordingRow) -> Result<Option<Way>, Stop> {
    if !recording.encrypted {
        return Ok(Some(Way::Plain));
    }
    let details = match &recording.encryption {
        Some(details) => details.clone(),
        None => learn(app, account, recording).await?.ok_or_else(|| {
            let sid = &recording.sid;
            let detail = format!(
                "{sid} is encrypted, and the provider says nothing that would open it; it stays there, and the Twilio \
                 Console should show its EncryptionDetails"
            );
            StepFailure::new(Code::MediaEncrypted, detail)
        })?,
    };
    match app.config.recording.keys.opener(&details) {
        Ok(opener) => Ok(Some(Way::Open(Box::new(opener)))),
        Err(because) if recording.status == Status::Announced => Ok(Some(Way::Seal(details, because))),
        Err(Unopened::NoKey) => Ok(None),
        Err(because) => {
            let (sid, key) = (&recording.sid, &details.public_key_sid);
            let detail = format!(
                "{sid} is encrypted with {key}, and {because}; it stays sealed; correct TWILIO_RECORDING_KEYS, then retry"
            );
            Err(StepFailure::new(Code::MediaKeyWrong, detail).into())
        }
    }
}

/// Asks the provider what it takes to open the recording, and remembers it. `None` where it says nothing of the kind.
async fn learn(app: &App, account: &Account, recording: &RecordingRow) -> Result<Option<EncryptionDetails>, Stop> {
    let resource = account.client.recording(&recording.sid).await?;
    let details = resource.and_then(|resource| resource.announcement.encryption);
    if let Some(details) = &details {
        app.store.note_encryption(&recording.sid, details).await?;
    }
    Ok(details)
}

/// What was taken for plain audio is not: where the provider says by now that it is encrypted, the step begins again.
pub(super) async fn is_encrypted_after_all(app: &App, account: &Account, recording: &RecordingRow) -> Result<(), Stop> {
    if !recording.encrypted && learn(app, account, recording).await?.is_some() {
        return Err(Stop::NotYet(app.clock.now()));
    }
    Ok(())
}

/// Opens the stream of the recording's bytes.
pub(super) async fn open(app: &App, account: &Account, recording: &RecordingRow, way: Way) -> Result<Source, Stop> {
    let (media, contents, inspector, because) = match way {
        Way::Plain => {
            let asked = asked(app, recording);
            let media = account.client.media(&recording.sid, asked).await?;
            let format = media.form.format;
            if format != asked.format {
                is_encrypted_after_all(app, account, recording).await?;
            }
            (media, Contents::Audio(format), Inspector::audio(format, None), None)
        }
        Way::Open(opener) => {
            let media = encrypted_media(app, account, recording).await?;
            let format = AudioFormat::Wav;
            (media, Contents::Audio(format), Inspector::audio(format, Some(opener)), None)
        }
        Way::Seal(details, because) => {
            let media = account.client.media(&recording.sid, AS_ENCRYPTED).await?;
            (media, Contents::Sealed(details), Inspector::sealed(), Some(because))
        }
    };
    let form = media.form;
    Ok(Source { media, inspector, object: Object { contents, form, because } })
}

/// The provider's copy is the one that lasts. Ours is opened where the provider has none any more, or a bad one.
async fn encrypted_media(app: &App, account: &Account, recording: &RecordingRow) -> Result<Media, Stop> {
    if recording.bad_sha256.is_some()
        && let Some(media) = sealed_media(app, recording).await?
    {
        return Ok(media);
    }
    match account.client.media(&recording.sid, AS_ENCRYPTED).await {
        Err(failure) if failure.code == Code::MediaNotReady => {
            sealed_media(app, recording).await?.ok_or_else(|| failure.into())
        }
        media => Ok(media?),
    }
}

/// Our own copy of what the provider encrypted.
async fn sealed_media(app: &App, recording: &RecordingRow) -> Result<Option<Media>, Stop> {
    let Some(sealed) = recording.sealed.as_ref().filter(|sealed| sealed.verified_at.is_some()) else { return Ok(None) };
    let object = app.archive.read(&sealed.object_key, None).await?;
    Ok(object.map(|object| Media {
        content_length: Some(object.size),
        content_type: None,
        form: AS_ENCRYPTED,
        body: object.body,
    }))
}
