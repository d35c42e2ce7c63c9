//! Two voices that take turns: voiced harmonics in syllables, with pauses, for nine seconds that repeat.
//!
//! A recording's own order of turns is drawn from its sid; the syllables are the same in all of them, so that what is
//! costly to compute is computed once a process.

use std::f32::consts::PI;

use crate::dice::nth;

/// Samples a syllable: 200 ms. Every syllable begins and ends in silence, so any may follow any.
pub(super) const SYLLABLE: usize = 1600;
/// Syllables in the block that repeats: 9 s, which is also a whole number of MP3 frames.
pub(super) const BLOCK: usize = 45;
/// Different syllables of each voice.
const VOCABULARY: usize = 20;
const HARMONICS: usize = 8;
/// The two voices' fundamental frequencies, in Hz.
const PITCH: [f32; 2] = [111.0, 201.0];

/// One syllable's time in the block: who speaks, and which of the syllables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) speaker: usize,
    pub(super) syllable: usize,
}

/// Who speaks when, in syllables; `None` is a pause. Both speak within the first second.
pub(super) fn conversation(seed: u64) -> Vec<Option<Spoken>> {
    let mut times = Vec::with_capacity(BLOCK);
    let mut draws = (0..).map(|n| nth(seed, n));
    let mut draw = |below: u64| usize::try_from(draws.next().unwrap_or(0) % below).unwrap_or(0);
    for turn in 0.. {
        let speaker = turn % 2;
        let length = if turn < 2 { 2 } else { 3 + draw(6) };
        times.extend((0..length).map(|_| Some(Spoken { speaker, syllable: draw(VOCABULARY as u64) })));
        if turn > 0 {
            times.extend((0..=draw(2)).map(|_| None));
        }
        if times.len() >= BLOCK {
            break;
        }
    }
    times.truncate(BLOCK);
    times
}

impl Spoken {
    /// Every speaker's every syllable, in the order of [`Self::index`].
    pub(super) fn all() -> impl Iterator<Item = Self> {
        (0..2).flat_map(|speaker| (0..VOCABULARY).map(move |syllable| Self { speaker, syllable }))
    }

    /// Its place in [`Self::all`].
    pub(super) fn index(self) -> usize {
        self.speaker * VOCABULARY + self.syllable
    }

    /// The channel the speaker is recorded on.
    pub(super) fn channel(self) -> u16 {
        u16::from(self.speaker == 1)
    }
}

/// The samples of one syllable.
pub(super) fn wave(Spoken { speaker, syllable }: Spoken) -> Vec<i16> {
    let pitch = PITCH.get(speaker).copied().unwrap_or(150.0) * (0.9 + 0.01 * syllable as f32);
    let vowel = 2 + syllable % 4;
    (0..SYLLABLE)
        .map(|sample| {
            let envelope = (PI * sample as f32 / SYLLABLE as f32).sin().powi(2);
            let phase = 2.0 * PI * pitch * sample as f32 / super::SAMPLE_RATE as f32;
            let tone: f32 = (1..=HARMONICS)
                .map(|harmonic| (phase * harmonic as f32).sin() / (1.0 + harmonic.abs_diff(vowel) as f32))
                .sum();
            (tone * envelope * 5000.0) as i16
        })
        .collect()
}
