//! One frame of layer III into samples, through symphonia's decoder, which keeps what a frame borrows from its
//! predecessors. Nothing but levels is made of the samples.

use symphonia_bundle_mp3::MpaDecoder;
use symphonia_core::audio::{Audio, AudioBuffer, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions};
use symphonia_core::errors::Error;
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};

pub(super) struct Decoder(Box<MpaDecoder>);

impl Decoder {
    pub(super) fn new() -> Result<Self, Error> {
        let mut parameters = AudioCodecParameters::new();
        parameters.for_codec(CODEC_ID_MP3);
        MpaDecoder::try_new(&parameters, &AudioDecoderOptions::default()).map(|decoder| Self(Box::new(decoder)))
    }

    /// The samples of a whole frame, or `None` where it does not decode.
    pub(super) fn decode(&mut self, frame: &[u8]) -> Option<DecodedFrame<'_>> {
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
        match self.0.decode_ref(&packet) {
            Ok(GenericAudioBufferRef::F32(samples)) => Some(DecodedFrame(samples)),
            _ => None,
        }
    }
}

pub(super) struct DecodedFrame<'a>(&'a AudioBuffer<f32>);

impl DecodedFrame<'_> {
    /// Writes a channel's samples from the `from`th on into all of `into`.
    pub(super) fn read(&self, channel: usize, from: usize, into: &mut [i16]) {
        let samples = self.0.plane(channel).and_then(|samples| samples.get(from..)).unwrap_or_default();
        for (sample, decoded) in into.iter_mut().zip(samples) {
            // The cast saturates: a decoder may overshoot full scale.
            *sample = (decoded * 32_768.0) as i16;
        }
    }
}
