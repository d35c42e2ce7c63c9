//! What comes instead of audio, and what a refusal says.

use callspool_audio::{AudioError, AudioFormat, Content, Parser};

use crate::support::{parse, parse_in_pieces};

const TWILIO_404: &[u8] = b"<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>20404</Code>\
    <Message>The requested resource was not found</Message><Status>404</Status></RestException></TwilioResponse>";
const JSON_404: &[u8] = br#"{"code": 20404, "message": "The requested resource was not found", "status": 404}"#;
const PROXY_PAGE: &[u8] = b"<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body></body></html>";

#[test]
fn an_error_text_in_place_of_audio_is_refused_and_named() {
    for format in [AudioFormat::Wav, AudioFormat::Mp3] {
        for (body, found) in [
            (TWILIO_404, Content::Xml),
            (JSON_404, Content::Json),
            (PROXY_PAGE, Content::Html),
            (b"upstream request timeout", Content::Unknown),
            (b"{}", Content::Json),
        ] {
            let refusal = Err(AudioError::NotAudio { wanted: format, found });
            assert_eq!(parse(format, body), refusal);
            assert_eq!(parse_in_pieces(format, body, 1), refusal);
        }
    }
}

#[test]
fn an_error_text_is_refused_before_it_ends() {
    let mut parser = Parser::new(AudioFormat::Wav);
    assert!(parser.push(&TWILIO_404[..100]).is_err());
}

#[test]
fn an_empty_body_holds_no_audio() {
    for format in [AudioFormat::Wav, AudioFormat::Mp3] {
        assert_eq!(parse(format, b""), Err(AudioError::Empty));
    }
}

#[test]
fn an_error_is_final() {
    let mut parser = Parser::new(AudioFormat::Mp3);
    let refusal = parser.push(TWILIO_404);
    assert!(refusal.is_err());
    assert_eq!(parser.push(b"more"), refusal);
    assert_eq!(parser.finish().map(drop), refusal);
}

#[test]
fn a_refusal_says_what_and_where() {
    let refusal = |format, body: &[u8]| parse(format, body).expect_err("bad").to_string();
    assert_eq!(refusal(AudioFormat::Wav, TWILIO_404), "expected wav audio, got an XML document");
    assert_eq!(refusal(AudioFormat::Mp3, PROXY_PAGE), "expected mp3 audio, got an HTML page");
    assert_eq!(refusal(AudioFormat::Wav, b""), "it holds no audio");
    assert_eq!(refusal(AudioFormat::Wav, b"RIFF\0\0"), "cut off: 6 of 12 bytes of the RIFF header came");
    assert_eq!(
        refusal(AudioFormat::Wav, &crate::support::wav16(1, &[0; 100])[..100]),
        "cut off: 56 of 200 bytes of samples came"
    );
}

#[test]
fn a_parser_can_move_between_threads() {
    fn assert_send_and_sync<T: Send + Sync>() {}
    assert_send_and_sync::<Parser>();
}
