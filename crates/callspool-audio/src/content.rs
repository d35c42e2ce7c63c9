//! What the first bytes of an answer look like: the audio that was asked for, or the error text that came instead.
//!
//! A provider that has no audio answers with XML (Twilio), JSON (others) or HTML (a proxy in between), at times
//! with a 200; naming which one it was is half of the diagnosis.

use std::fmt;

use callspool_domain::audio::AudioFormat;

/// What the first bytes of an answer look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Audio in one of the formats we know.
    Audio(AudioFormat),
    /// An XML document, such as Twilio's `<TwilioResponse>` errors.
    Xml,
    /// A JSON object or array.
    Json,
    /// An HTML page.
    Html,
    /// Something else.
    Unknown,
}

impl Content {
    /// How many first bytes [`Content::of`] wants to see; fewer are fine where the whole answer is shorter.
    pub(crate) const HEAD_BYTES: usize = 64;

    /// Names what begins with `head`. A shorter piece of a signature counts as the signature, so that audio cut off
    /// within its first bytes is told as cut off.
    pub(crate) fn of(head: &[u8]) -> Self {
        if is_wav(head) {
            Self::Audio(AudioFormat::Wav)
        } else if is_mp3(head) {
            Self::Audio(AudioFormat::Mp3)
        } else {
            Self::of_text(head)
        }
    }

    fn of_text(head: &[u8]) -> Self {
        let text = head.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(head).trim_ascii_start().to_ascii_lowercase();
        match text.first() {
            Some(b'{' | b'[') => Self::Json,
            Some(b'<')
                if [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|tag| text.starts_with(tag)) =>
            {
                Self::Html
            }
            Some(b'<') => Self::Xml,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Audio(format) => write!(f, "{} audio", format.extension()),
            Self::Xml => f.write_str("an XML document"),
            Self::Json => f.write_str("JSON"),
            Self::Html => f.write_str("an HTML page"),
            Self::Unknown => f.write_str("bytes of no known kind"),
        }
    }
}

/// `RIFF`, four bytes of length, `WAVE`.
fn is_wav(head: &[u8]) -> bool {
    let (riff, rest) = head.split_at(head.len().min(4));
    let wave = rest.get(4..).unwrap_or_default();
    !riff.is_empty() && b"RIFF".starts_with(riff) && b"WAVE".starts_with(&wave[..wave.len().min(4)])
}

/// An ID3v2 tag, or the sync bits of a layer III frame.
fn is_mp3(head: &[u8]) -> bool {
    match head {
        [b'I'] | [b'I', b'D'] | [b'I', b'D', b'3', ..] | [0xFF] => true,
        [0xFF, second, ..] => second & 0b1110_0110 == 0b1110_0010,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_answer_is_named() {
        let twilio = b"<?xml version='1.0' encoding='UTF-8'?>\n<TwilioResponse><RestException><Code>20404</Code>";
        assert_eq!(Content::of(twilio), Content::Xml);
        assert_eq!(Content::of(b"\xEF\xBB\xBF\r\n<TwilioResponse/>"), Content::Xml);
        assert_eq!(Content::of(b" {\"code\": 20404}"), Content::Json);
        assert_eq!(Content::of(b"<!DOCTYPE HTML><html>"), Content::Html);
        assert_eq!(Content::of(b"\n<html lang=en>"), Content::Html);
        assert_eq!(Content::of(b"RIFF\x00\x00\x00\x00AVI "), Content::Unknown);
        assert_eq!(Content::of(b"RIFX\x00\x00\x00\x00WAVE"), Content::Unknown);
        assert_eq!(Content::of(b"not found"), Content::Unknown);
        assert_eq!(Content::of(b"\xFF\xFE<\0h\0"), Content::Unknown);
        assert_eq!(Content::of(b"\xFF\xF1\x50\x80"), Content::Unknown, "AAC is no layer III");
    }

    #[test]
    fn a_piece_of_a_signature_counts_as_the_signature() {
        for length in 1..12 {
            assert_eq!(Content::of(&b"RIFF\x24\x00\x00\x00WAVE"[..length]), Content::Audio(AudioFormat::Wav));
        }
        for head in [&b"I"[..], b"ID", b"ID3", b"\xFF", b"\xFF\xFB", b"\xFF\xE3"] {
            assert_eq!(Content::of(head), Content::Audio(AudioFormat::Mp3));
        }
    }
}
