//! How long the tags around the frames are; what they say is of no interest.
//!
//! Sources: <https://id3.org/id3v2.4.0-structure> §3.1, <https://id3.org/ID3v1>,
//! <https://wiki.hydrogenaudio.org/index.php?title=Ape_Tags_Header>.

pub(super) const ID3V2_HEADER_BYTES: usize = 10;

/// The whole tag.
pub(super) const ID3V1_BYTES: usize = 128;

pub(super) const APE_HEADER_BYTES: usize = 32;

/// How many bytes of the tag follow its header; `None` where the length is not written as the format demands.
pub(super) fn id3v2_bytes_left(header: &[u8]) -> Option<u64> {
    const HAS_FOOTER: u8 = 0b0001_0000;
    const FOOTER_BYTES: u64 = 10;
    // Four digits of seven bits, so that no length looks like a frame.
    let digits = &header[6..10];
    let size = digits.iter().fold(0, |size, digit| size << 7 | u64::from(*digit));
    let footer = if header[5] & HAS_FOOTER == 0 { 0 } else { FOOTER_BYTES };
    digits.iter().all(|digit| *digit < 0x80).then_some(size + footer)
}

/// How many bytes of an APEv2 tag follow its header.
pub(super) fn ape_bytes_left(header: &[u8]) -> u64 {
    u64::from(u32::from_le_bytes([header[12], header[13], header[14], header[15]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id3v2_length_has_seven_bits_a_byte() {
        assert_eq!(id3v2_bytes_left(b"ID3\x04\x00\x00\x00\x00\x02\x01"), Some(257));
        assert_eq!(id3v2_bytes_left(b"ID3\x04\x00\x10\x00\x00\x02\x01"), Some(267));
        assert_eq!(id3v2_bytes_left(b"ID3\x04\x00\x00\x7F\x7F\x7F\x7F"), Some((1 << 28) - 1));
        assert_eq!(id3v2_bytes_left(b"ID3\x04\x00\x00\x00\x00\x80\x01"), None);
    }
}
