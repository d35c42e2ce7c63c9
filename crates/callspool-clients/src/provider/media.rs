//! A recording's audio at the provider, as a stream that never stalls in silence.
//!
//! What the bytes are is not judged here: an XML or JSON body under status 200 goes to the audio parser, which refuses it.

use bytes::Bytes;
use callspool_domain::audio::AudioFormat;
use callspool_domain::{Code, RecordingSid, StepFailure};
use futures::StreamExt as _;
use futures::stream;
use reqwest::header::{CONTENT_RANGE, CONTENT_TYPE, HeaderValue, RANGE};
use reqwest::{Method, StatusCode};

use super::{ERROR_BYTES, Twilio, refusal, wire};
use crate::http::{Breakage, Broken, ByteStream, Response, read_capped};

/// `RECORDING_CHANNELS`: which form to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    /// As many as were recorded.
    AsRecorded,
    /// Both sides apart, where there are two: a mono recording comes mono.
    Dual,
    /// Both sides mixed.
    Mono,
}

/// The form of the media to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaForm {
    /// The container.
    pub format: AudioFormat,
    /// The channels.
    pub channels: Channels,
}

/// A recording's audio on its way.
pub struct Media {
    /// How many bytes the provider announced.
    pub content_length: Option<u64>,
    /// What it calls them.
    pub content_type: Option<String>,
    /// The form they come in: the one asked for, or the nearest to be had.
    pub form: MediaForm,
    /// The bytes. It ends with a failure where the connection breaks, stalls, or ends before `content_length`.
    pub body: ByteStream,
}

/// The answer to a request for a part of the audio.
pub enum RangedMedia {
    /// The provider does not serve parts, or was not asked for one: the whole.
    Whole(Media),
    /// The part, and where it lies in the whole (`Content-Range`).
    Part {
        /// The bytes of the part.
        media: Media,
        /// As the provider wrote it.
        content_range: HeaderValue,
    },
    /// 416: there is no such part.
    Unsatisfiable {
        /// As the provider wrote it, `bytes */length`.
        content_range: Option<HeaderValue>,
    },
}

impl Twilio {
    /// The audio of a recording, in this form or the nearest to be had. 404 is [`Code::MediaNotReady`]; what the provider says about the recording tells whether
    /// it will ever be.
    pub async fn media(&self, recording: &RecordingSid, form: MediaForm) -> Result<Media, StepFailure> {
        let what = format!("fetching the media of {recording}");
        let (response, form) = self.media_response(recording, form, None, &what).await?;
        match response.status() {
            StatusCode::OK => Ok(self.stream(response, form, what)),
            _ => Err(self.media_refusal(response, &what).await),
        }
    }

    /// The audio for a listener, or the part of it that `range` asks for (an HTTP `Range` value, passed on as it is).
    pub async fn media_range(
        &self,
        recording: &RecordingSid,
        form: MediaForm,
        range: Option<&HeaderValue>,
    ) -> Result<RangedMedia, StepFailure> {
        let what = format!("playing the media of {recording}");
        let (response, form) = self.media_response(recording, form, range, &what).await?;
        let content_range = response.headers().get(CONTENT_RANGE).cloned();
        match (response.status(), content_range) {
            (StatusCode::OK, _) => Ok(RangedMedia::Whole(self.stream(response, form, what))),
            (StatusCode::PARTIAL_CONTENT, Some(content_range)) => {
                Ok(RangedMedia::Part { media: self.stream(response, form, what), content_range })
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, content_range) => Ok(RangedMedia::Unsatisfiable { content_range }),
            _ => Err(self.media_refusal(response, &what).await),
        }
    }

    /// Asks for the form; where it is refused for this recording, for the next best, as Twilio advises
    /// (<https://www.twilio.com/docs/voice/api/recording#fetch-a-recordings-media-file>): WAV where there is no MP3 because
    /// the account encrypts, one channel where there are no two, and what was recorded where nothing can be mixed.
    async fn media_response(
        &self,
        recording: &RecordingSid,
        form: MediaForm,
        range: Option<&HeaderValue>,
        what: &str,
    ) -> Result<(Response, MediaForm), StepFailure> {
        let mut form = form;
        loop {
            let response = self.ask(recording, form, range, what).await?;
            if response.status() != StatusCode::BAD_REQUEST {
                return Ok((response, form));
            }
            let headers = response.headers().clone();
            let body = read_capped(response, ERROR_BYTES).await.unwrap_or_default();
            let has_no_mp3 = wire::error_code(&body) == Some(wire::MP3_OF_ENCRYPTED);
            form = match form {
                MediaForm { format: AudioFormat::Mp3, .. } if has_no_mp3 => {
                    MediaForm { format: AudioFormat::Wav, ..form }
                }
                MediaForm { channels: Channels::Dual, .. } => MediaForm { channels: Channels::Mono, ..form },
                MediaForm { channels: Channels::Mono, .. } => MediaForm { channels: Channels::AsRecorded, ..form },
                MediaForm { channels: Channels::AsRecorded, .. } => {
                    return Err(refusal(StatusCode::BAD_REQUEST, &headers, &body, what));
                }
            };
        }
    }

    async fn ask(
        &self,
        recording: &RecordingSid,
        form: MediaForm,
        range: Option<&HeaderValue>,
        what: &str,
    ) -> Result<Response, StepFailure> {
        let mut url = self.recording_url(recording, &format!(".{}", form.format.extension()))?;
        let channels = match form.channels {
            Channels::AsRecorded => None,
            Channels::Dual => Some("2"),
            Channels::Mono => Some("1"),
        };
        if let Some(channels) = channels {
            url.query_pairs_mut().append_pair("RequestedChannels", channels);
        }
        let mut request = self.request(Method::GET, url);
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        self.send(request, what).await
    }

    async fn media_refusal(&self, response: Response, what: &str) -> StepFailure {
        let missing = response.status() == StatusCode::NOT_FOUND;
        let failure = self.refusal(response, what).await;
        if missing { StepFailure { code: Code::MediaNotReady, ..failure } } else { failure }
    }

    fn stream(&self, response: Response, form: MediaForm, what: String) -> Media {
        let content_length = response.content_length();
        let content_type = response.headers().get(CONTENT_TYPE);
        let content_type = content_type.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let flow = Flow { twilio: self.clone(), response, what, content_length, received: 0 };
        let body = stream::try_unfold(flow, async |mut flow| {
            let chunk = flow.next().await?;
            Ok(chunk.map(|chunk| (chunk, flow)))
        });
        Media { content_length, content_type, form, body: body.boxed() }
    }
}

/// A body on its way, and what to say when it breaks.
struct Flow {
    twilio: Twilio,
    response: Response,
    what: String,
    content_length: Option<u64>,
    received: u64,
}

impl Flow {
    async fn next(&mut self) -> Result<Option<Bytes>, StepFailure> {
        let chunk = self.response.chunk().await.map_err(|broken| self.ended(&broken))?;
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    fn ended(&self, broken: &Broken) -> StepFailure {
        let (what, received) = (&self.what, self.received);
        match (broken.how, self.content_length) {
            (Breakage::EndedEarly, Some(length)) => StepFailure::new(
                Code::MediaTruncated,
                format!("{what}: {received} of the {length} bytes announced came; it is fetched again"),
            ),
            _ => self.twilio.broken(broken, &format!("{what}, after {received} bytes,")),
        }
    }
}
