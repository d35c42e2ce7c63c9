//! The four bytes at the start of every frame, and the Info frame that encoders put in front of the audio.
//!
//! Sources: ISO/IEC 11172-3 §2.4.1.3 and 13818-3 §2.4.2.3; MPEG 2.5 and the Info frame are conventions
//! (<http://gabriel.mp3-tech.org/mp3infotag.html>).

const BITRATES_KBPS_1: [u32; 14] = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
const BITRATES_KBPS_2: [u32; 14] = [8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// What the header of a layer III frame says, as far as it matters to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FrameHeader {
    version: Version,
    bitrate: u32,
    sample_rate: u32,
    channels: u16,
    padded: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
    /// MPEG 2 at half its sample rates; the one that telephone audio at 8 kHz needs.
    TwoAndAHalf,
}

impl FrameHeader {
    pub(super) fn parse(bytes: [u8; 4]) -> Result<Self, &'static str> {
        let [sync, kind, rates, mode] = bytes;
        if sync != 0xFF || kind & 0b1110_0000 != 0b1110_0000 {
            return Err("there is no frame");
        }
        let version = match kind >> 3 & 0b11 {
            0b00 => Version::TwoAndAHalf,
            0b10 => Version::Two,
            0b11 => Version::One,
            _ => return Err("the frame's MPEG version is reserved"),
        };
        if kind >> 1 & 0b11 != 0b01 {
            return Err("the frame is not of layer III");
        }
        let bitrates = if version == Version::One { BITRATES_KBPS_1 } else { BITRATES_KBPS_2 };
        let bitrate = match usize::from(rates >> 4) {
            0 => return Err("frames of free format are not supported"),
            index => bitrates.get(index - 1).ok_or("the frame's bit rate is reserved")? * 1000,
        };
        let full_rate = [44_100, 48_000, 32_000].get(usize::from(rates >> 2 & 0b11));
        let sample_rate = full_rate.ok_or("the frame's sample rate is reserved")? / version.rate_divisor();
        let channels = if mode >> 6 == 0b11 { 1 } else { 2 };
        Ok(Self { version, bitrate, sample_rate, channels, padded: rates & 0b10 != 0 })
    }

    pub(super) fn sample_rate(self) -> u32 {
        self.sample_rate
    }

    pub(super) fn channels(self) -> u16 {
        self.channels
    }

    /// Samples of each channel in the frame.
    pub(super) fn samples(self) -> usize {
        if self.version == Version::One { 1152 } else { 576 }
    }

    /// The whole frame's length: 24 to 1,441 bytes.
    pub(super) fn frame_bytes(self) -> usize {
        (self.samples() as u32 / 8 * self.bitrate / self.sample_rate) as usize + usize::from(self.padded)
    }

    /// How many frames follow this one, where it is an Info frame: it looks like silence, carries no audio, and its
    /// count is 0 where its writer did not know.
    pub(super) fn announced_frames(self, frame: &[u8]) -> Option<u32> {
        let info = frame.get(4 + self.side_info_bytes()..)?;
        let known = match info.get(..4)? {
            b"Xing" | b"Info" => info.get(7)? & 1 == 1,
            _ => return None,
        };
        match info.get(8..12) {
            Some(&[a, b, c, d]) if known => Some(u32::from_be_bytes([a, b, c, d])),
            _ => Some(0),
        }
    }

    fn side_info_bytes(self) -> usize {
        match (self.version, self.channels) {
            (Version::One, 1) => 17,
            (Version::One, _) => 32,
            (_, 1) => 9,
            _ => 17,
        }
    }
}

impl Version {
    fn rate_divisor(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::TwoAndAHalf => 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_versions_are_read() {
        let of = |bytes| FrameHeader::parse(bytes).map(|h| (h.sample_rate, h.channels, h.samples(), h.frame_bytes()));
        assert_eq!(of([0xFF, 0xFB, 0x90, 0x00]), Ok((44_100, 2, 1152, 417)));
        assert_eq!(of([0xFF, 0xFB, 0x92, 0xC0]), Ok((44_100, 1, 1152, 418)));
        assert_eq!(of([0xFF, 0xFA, 0xE8, 0x40]), Ok((32_000, 2, 1152, 1440)));
        assert_eq!(of([0xFF, 0xF3, 0x80, 0xC0]), Ok((22_050, 1, 576, 208)));
        assert_eq!(of([0xFF, 0xE3, 0x48, 0xC0]), Ok((8_000, 1, 576, 288)));
    }

    #[test]
    fn the_longest_and_the_shortest_frame_stay_in_their_bounds() {
        let lengths = (0..=u16::MAX).filter_map(|bits| {
            let [kind, rates] = bits.to_be_bytes();
            FrameHeader::parse([0xFF, kind, rates, 0]).ok().map(FrameHeader::frame_bytes)
        });
        let (shortest, longest) =
            lengths.fold((usize::MAX, 0), |(low, high), length| (low.min(length), high.max(length)));
        assert_eq!((shortest, longest), (24, 1441));
    }

    #[test]
    fn what_is_no_layer_iii_frame_is_refused_by_name() {
        assert_eq!(FrameHeader::parse(*b"abcd"), Err("there is no frame"));
        assert_eq!(FrameHeader::parse([0xFF, 0xEB, 0x90, 0]), Err("the frame's MPEG version is reserved"));
        assert_eq!(FrameHeader::parse([0xFF, 0xFD, 0x90, 0]), Err("the frame is not of layer III"));
        assert_eq!(FrameHeader::parse([0xFF, 0xFB, 0x00, 0]), Err("frames of free format are not supported"));
        assert_eq!(FrameHeader::parse([0xFF, 0xFB, 0xF0, 0]), Err("the frame's bit rate is reserved"));
        assert_eq!(FrameHeader::parse([0xFF, 0xFB, 0x9C, 0]), Err("the frame's sample rate is reserved"));
    }
}
