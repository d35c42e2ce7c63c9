//! A recording's audio: only of a completed one, in the format and with the channels asked for, streamed.

use std::convert::Infallible;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use callspool_domain::RecordingSid;
use callspool_domain::audio::AudioFormat;
use futures::StreamExt;
use http::header;

use super::audio::{Audio, Media};
use super::rest::{Query, Refusal};
use super::state::World;
use super::{Account, Encryption};

pub(super) fn answer(
    world: &World,
    account: &Account,
    sid: &RecordingSid,
    format: AudioFormat,
    path: &str,
    query: &Query,
) -> Result<Response, Refusal> {
    let spec = world
        .ledger()
        .recording(sid)
        .filter(|recording| recording.spec.account == account.sid && recording.status == "completed")
        .map(|recording| recording.spec.clone())
        .ok_or_else(|| Refusal::not_found(path))?;
    if format == AudioFormat::Mp3 && (spec.has_no_mp3 || spec.encryption.is_some()) {
        return Err(Refusal::bad_request(16109, "Cannot fetch .mp3 encrypted recording".to_owned()));
    }
    let audio = spec.audio;
    if let Some(encryption) = spec.encryption {
        return encrypted(sid, &audio, &encryption, query.get("RequestedChannels"), path);
    }
    let channels = channels(&audio, query.get("RequestedChannels"))?;
    let media = Media::new(sid, &audio, format, channels);
    let media_type = match format {
        AudioFormat::Wav => "audio/x-wav",
        AudioFormat::Mp3 => "audio/mpeg",
    };
    let head = [(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_LENGTH, media.length().to_string())];
    Ok((head, Body::from_stream(media.pieces().map(Ok::<_, Infallible>))).into_response())
}

/// Nothing of what is encrypted can be mixed; the documentation does not say what comes of the wish.
fn encrypted(
    sid: &RecordingSid,
    audio: &Audio,
    encryption: &Encryption,
    requested: Option<&str>,
    path: &str,
) -> Result<Response, Refusal> {
    if requested.is_some() {
        return Err(Refusal::bad_request(20001, "RequestedChannels of an encrypted recording".to_owned()));
    }
    let file = Media::new(sid, audio, AudioFormat::Wav, audio.channels).bytes();
    let sealed = encryption.seal(sid, file).ok_or_else(|| Refusal::not_found(path))?;
    Ok(([(header::CONTENT_TYPE, "audio/x-wav")], sealed).into_response())
}

fn channels(audio: &Audio, requested: Option<&str>) -> Result<u16, Refusal> {
    match requested {
        None => Ok(audio.channels),
        Some("1") => Ok(1),
        Some("2") if audio.channels == 2 => Ok(2),
        Some("2") => Err(Refusal::bad_request(16113, "Dual-channel download of a mono recording".to_owned())),
        Some(other) => Err(Refusal::bad_request(20001, format!("RequestedChannels must be 1 or 2, not {other}"))),
    }
}
