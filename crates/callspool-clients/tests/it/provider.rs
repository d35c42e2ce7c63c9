//! The provider's client against a provider that breaks in every way named in the issue.

use std::time::Duration;

use callspool_clients::provider::{Channels, Deletion, Media, MediaForm, RangedMedia};
use callspool_clients::{Http, Twilio, TwilioAccount};
use callspool_domain::audio::AudioFormat;
use callspool_domain::recording::Track;
use callspool_domain::{Clock, Code, RecordingSid, Secret, StepFailure};
use callspool_sandbox::twilio::{Audio, KeyPair, NewRecording, Number, Route, TwilioOptions};
use callspool_sandbox::{BodyKind, Fault};
use futures::TryStreamExt as _;
use reqwest::StatusCode;
use reqwest::header::HeaderValue;
use url::Url;

use crate::raw::Raw;
use crate::world::{account, fingerprint, http, impatient, recording};

const TOKEN: &str = "a-token-nobody-may-see";
const AS_RECORDED: MediaForm = MediaForm { format: AudioFormat::Wav, channels: Channels::AsRecorded };

fn client(http: &Http, base_url: &str) -> Twilio {
    let base_url = Url::parse(base_url).expect("url");
    let user = account().to_string();
    Twilio::new(http, TwilioAccount { sid: account(), user, password: Secret::new(TOKEN), base_url })
}

/// A provider with one two-channel recording of three seconds.
async fn provider() -> (callspool_sandbox::Twilio, RecordingSid) {
    provider_with(Audio::seconds(3)).await
}

async fn provider_with(audio: Audio) -> (callspool_sandbox::Twilio, RecordingSid) {
    let options = TwilioOptions::new(Clock::System, account(), TOKEN);
    let provider = callspool_sandbox::Twilio::start(options).await.expect("provider");
    let recording = provider.add_recording(NewRecording::new(account(), audio));
    (provider, recording)
}

/// Reads a body to its end.
async fn drain(media: Media) -> Result<Vec<u8>, StepFailure> {
    let whole = media.body.try_fold(Vec::new(), async |mut whole, chunk| {
        whole.extend_from_slice(&chunk);
        Ok(whole)
    });
    whole.await
}

async fn fetch(twilio: &Twilio, recording: &RecordingSid) -> Result<Vec<u8>, StepFailure> {
    drain(twilio.media(recording, AS_RECORDED).await?).await
}

#[tokio::test]
async fn a_recording_is_read_in_the_shape_of_a_callback() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    let resource = twilio.recording(&sid).await.expect("answer").expect("known");
    let said = resource.announcement;
    assert_eq!((said.recording, said.account, said.track), (sid.clone(), account(), Track::Mixed));
    assert_eq!((said.duration_seconds, said.channels), (Some(3), Some(2)));
    assert!(said.status.is_completed() && !said.encrypted && !resource.deleted);
    assert!(resource.created_at.is_some());
    assert!(twilio.recording(&recording()).await.expect("answer").is_none());
    provider.delete(&sid);
    assert!(twilio.recording(&sid).await.expect("answer").expect("kept for a while").deleted);
    assert_eq!(provider.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn media_arrives_byte_for_byte_in_both_formats() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    for format in [AudioFormat::Wav, AudioFormat::Mp3] {
        let form = MediaForm { format, channels: Channels::Dual };
        let media = twilio.media(&sid, form).await.expect("media");
        assert_eq!(media.content_length, provider.media_length(&sid, format));
        assert!(media.content_type.as_ref().is_some_and(|kind| kind.starts_with("audio/")));
        let bytes = drain(media).await.expect("whole");
        assert_eq!(Some(fingerprint(&bytes).sha256), provider.media_sha256(&sid, format));
    }
    assert_eq!(provider.unexpected_requests(), Vec::<String>::new());
}

#[tokio::test]
async fn a_mono_recording_asked_for_with_two_channels_comes_with_one() {
    let (provider, sid) = provider_with(Audio::seconds(1).mono()).await;
    let form = MediaForm { format: AudioFormat::Wav, channels: Channels::Dual };
    let media = client(&http(), provider.base_url()).media(&sid, form).await.expect("media");
    assert_eq!(media.content_length, provider.media_length(&sid, AudioFormat::Wav));
    assert_eq!(media.form, MediaForm { channels: Channels::Mono, ..form });
    assert_eq!(provider.media_requests(&sid), 2);
}

#[tokio::test]
async fn an_encrypted_recording_comes_as_it_is_whatever_form_is_asked_for() {
    let (provider, _) = provider().await;
    let pair = KeyPair::generate("CR00000000000000000000000000000001").expect("a key pair");
    let spec = NewRecording::new(account(), Audio::seconds(1));
    let sid = provider.add_recording(NewRecording { encryption: pair.encryption().ok(), ..spec });
    let twilio = client(&http(), provider.base_url());
    for format in [AudioFormat::Wav, AudioFormat::Mp3] {
        for channels in [Channels::Dual, Channels::Mono, Channels::AsRecorded] {
            let media = twilio.media(&sid, MediaForm { format, channels }).await.expect("media");
            assert_eq!(media.form, AS_RECORDED);
            let wav = provider.media_length(&sid, AudioFormat::Wav).expect("known");
            assert_eq!(media.content_length, Some(wav + 16));
        }
    }
    let said = twilio.recording(&sid).await.expect("an answer").expect("known").announcement;
    assert_eq!(said.encryption.expect("details").public_key_sid.as_str(), pair.sid);
}

#[tokio::test]
async fn every_refusal_has_its_code_on_every_path() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    for (status, code) in [
        (401, Code::ProviderUnauthorized),
        (403, Code::ProviderForbidden),
        (429, Code::ProviderThrottled),
        (400, Code::ProviderRejected),
        (307, Code::ProviderRejected),
        (500, Code::ProviderUnavailable),
        (503, Code::ProviderUnavailable),
    ] {
        let status = StatusCode::from_u16(status).expect("status");
        let fault = Fault::Status { code: status, retry_after: Some(7), body: BodyKind::Own };
        provider.faults().everywhere(&fault);
        let failures = [
            twilio.recording(&sid).await.map(drop).expect_err("refused"),
            twilio.media(&sid, AS_RECORDED).await.map(drop).expect_err("refused"),
            twilio.media_range(&sid, AS_RECORDED, None).await.map(drop).expect_err("refused"),
            twilio.delete(&sid).await.map(drop).expect_err("refused"),
        ];
        for failure in failures {
            assert_eq!(failure.code, code, "{failure}");
            assert_eq!(failure.retry_after, Some(Duration::from_secs(7)), "{failure}");
            assert!(failure.detail.contains(sid.as_str()) && !failure.detail.contains(TOKEN), "{failure}");
        }
        provider.faults().clear_all();
    }
}

#[tokio::test]
async fn media_that_is_not_there_yet_is_told_from_a_recording_that_is_not_there() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    provider.set_status(&sid, "processing");
    assert_eq!(fetch(&twilio, &sid).await.expect_err("not ready").code, Code::MediaNotReady);
    assert!(twilio.recording(&sid).await.expect("answer").is_some());
}

#[tokio::test]
async fn a_body_that_breaks_ends_with_what_broke_it() {
    let (provider, sid) = provider().await;
    let twilio = client(&impatient(), provider.base_url());
    for (fault, code) in [
        (Fault::Refuse, Code::ProviderReset),
        (Fault::CutAfter(20_000), Code::ProviderReset),
        (Fault::Truncate { bytes: 20_000, announced: true }, Code::MediaTruncated),
        (Fault::Stall(20_000), Code::ProviderStalled),
        (Fault::Hang, Code::ProviderStalled),
    ] {
        provider.faults().next(Route::Media, fault.clone());
        let failure = fetch(&twilio, &sid).await.expect_err("broken");
        assert_eq!(failure.code, code, "{fault:?}: {failure}");
    }
    assert!(fetch(&twilio, &sid).await.is_ok(), "nothing of it lasts");
}

#[tokio::test]
async fn a_slow_body_is_no_stalled_one() {
    let (provider, sid) = provider_with(Audio::wav_bytes(4000)).await;
    let every = Duration::from_millis(20);
    provider.faults().next(Route::Media, Fault::Drip { bytes: 100, every });
    let bytes = fetch(&client(&impatient(), provider.base_url()), &sid).await.expect("slow, but whole");
    assert_eq!(Some(bytes.len() as u64), provider.media_length(&sid, AudioFormat::Wav));
}

#[tokio::test]
async fn bytes_that_are_no_audio_are_left_to_the_parser() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    provider.faults().next(Route::Media, Fault::WrongBody { body: BodyKind::Xml, disguised: true });
    assert!(fetch(&twilio, &sid).await.expect("bytes").starts_with(b"<?xml"));
}

#[tokio::test]
async fn a_resource_that_makes_no_sense_is_unreadable() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    for body in [BodyKind::Html, BodyKind::Json, BodyKind::Empty] {
        provider.faults().next(Route::Recording, Fault::WrongBody { body, disguised: false });
        assert_eq!(twilio.recording(&sid).await.map(drop).expect_err("nonsense").code, Code::ProviderUnreadable);
    }
}

#[tokio::test]
async fn a_deletion_is_sent_once_and_a_second_one_finds_it_gone() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    provider.faults().next(Route::Delete, Fault::LostReply);
    assert_eq!(twilio.delete(&sid).await.expect_err("no reply").code, Code::ProviderReset);
    assert_eq!(provider.count_of(Route::Delete, sid.as_str()), 1);
    assert_eq!(provider.deleted(), std::slice::from_ref(&sid));
    assert_eq!(twilio.delete(&sid).await, Ok(Deletion::AlreadyGone));
    let other = provider.add_recording(NewRecording::new(account(), Audio::seconds(1)));
    assert_eq!(twilio.delete(&other).await, Ok(Deletion::Deleted));
}

#[tokio::test]
async fn a_provider_that_is_down_is_unreachable() {
    let (provider, sid) = provider().await;
    let twilio = client(&http(), provider.base_url());
    provider.go_down().await;
    assert_eq!(twilio.recording(&sid).await.map(drop).expect_err("down").code, Code::ProviderUnreachable);
    assert_eq!(twilio.delete(&sid).await.expect_err("down").code, Code::ProviderUnreachable);
    provider.come_back().await.expect("up");
    assert!(fetch(&twilio, &sid).await.is_ok());
}

#[tokio::test]
async fn a_redirect_is_refused_and_takes_no_credentials_along() {
    let elsewhere = Raw::start("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let location = elsewhere.url.join("2010-04-01/x").expect("url");
    let answer =
        format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let provider = Raw::start(answer).await;
    let twilio = client(&http(), provider.url.as_str());
    let failures = [
        twilio.recording(&recording()).await.map(drop).expect_err("redirected"),
        twilio.media(&recording(), AS_RECORDED).await.map(drop).expect_err("redirected"),
        twilio.delete(&recording()).await.map(drop).expect_err("redirected"),
    ];
    assert!(failures.iter().all(|failure| failure.code == Code::ProviderRejected), "{failures:?}");
    assert_eq!(elsewhere.heads(), Vec::<String>::new());
    assert_eq!(provider.heads().len(), 3);
}

#[tokio::test]
async fn parts_are_passed_on_where_the_provider_serves_them() {
    let part = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nContent-Length: 3\r\nConnection: close\r\n\r\ncde";
    let provider = Raw::start(part).await;
    let twilio = client(&http(), provider.url.as_str());
    let range = HeaderValue::from_static("bytes=2-4");
    let answer = twilio.media_range(&recording(), AS_RECORDED, Some(&range)).await.expect("part");
    let RangedMedia::Part { media, content_range } = answer else { panic!("not a part") };
    assert_eq!(content_range, "bytes 2-4/10");
    assert_eq!(drain(media).await.expect("bytes"), b"cde");
    assert!(provider.heads()[0].to_lowercase().contains("range: bytes=2-4"));

    let beyond = "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n";
    let provider = Raw::start(beyond).await;
    let answer = client(&http(), provider.url.as_str()).media_range(&recording(), AS_RECORDED, Some(&range)).await;
    assert!(matches!(answer, Ok(RangedMedia::Unsatisfiable { content_range: Some(_) })));
}

#[tokio::test]
async fn an_endless_error_is_cut_and_cleaned_before_it_is_shown() {
    let answer =
        format!("HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\n{{\"message\":\"\u{1b}[2J{}\"}}", "x".repeat(9000));
    let provider = Raw::start(answer).await;
    let failure = client(&http(), provider.url.as_str()).delete(&recording()).await.expect_err("refused");
    assert!(failure.detail.len() < 500 && !failure.detail.contains('\u{1b}'), "{}", failure.detail);
}

#[tokio::test]
async fn nothing_prints_the_password() {
    let twilio = client(&http(), "http://127.0.0.1:1");
    let failure = twilio.recording(&recording()).await.map(drop).expect_err("nobody is there");
    assert!(!format!("{twilio:?} {failure:?}").contains(TOKEN));
}

#[tokio::test]
async fn what_an_account_is_set_to_is_read_page_by_page_and_with_every_fault_named() {
    let (provider, _) = provider().await;
    let twilio = client(&http(), provider.base_url());
    for n in 0..101 {
        provider.add_number(Number::new(account(), &format!("+1500555{n:04}"), "https://calls.example.com/voice"));
    }
    let numbers = twilio.phone_numbers().await.expect("numbers");
    assert!(numbers.complete && numbers.items.len() == 101 && numbers.items[0].takes_calls());
    assert_eq!(provider.count(Route::Numbers), 2);
    assert_eq!(twilio.applications().await.expect("applications").items.len(), 0);
    assert_eq!(twilio.account_status().await.expect("status"), "active");
    assert!(twilio.may_read_recordings().await.expect("rights").0.is_some());
    twilio.may_read_calls().await.expect("rights");
    for (fault, code) in [
        (Fault::status(StatusCode::UNAUTHORIZED), Code::ProviderUnauthorized),
        (Fault::status(StatusCode::FORBIDDEN), Code::ProviderForbidden),
        (Fault::throttled(1), Code::ProviderThrottled),
        (Fault::status(StatusCode::BAD_GATEWAY), Code::ProviderUnavailable),
        (Fault::status(StatusCode::FOUND), Code::ProviderRejected),
        (Fault::CutAfter(10), Code::ProviderReset),
        (Fault::WrongBody { body: BodyKind::Html, disguised: true }, Code::ProviderUnreadable),
    ] {
        provider.faults().next(Route::Numbers, fault.clone());
        let failure = twilio.phone_numbers().await.expect_err("a fault");
        assert_eq!(failure.code, code, "{fault:?}: {failure}");
        assert!(!failure.detail.contains(TOKEN));
    }
    assert_eq!(provider.unexpected_requests(), Vec::<String>::new());
}
