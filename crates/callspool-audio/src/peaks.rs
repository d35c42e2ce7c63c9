//! The waveform of a recording of unknown length in a fixed number of points.
//!
//! Points stand for equally long stretches. When all are used, neighbours are merged and every stretch is twice as
//! long, so that the work per value stays constant and the memory bounded.

use callspool_domain::audio::AudioFacts;

/// Collects the loudest sample of each stretch.
pub(crate) struct Peaks {
    points: Vec<u16>,
    /// How many pushed values one point stands for.
    width: u64,
    /// The stretch that is not complete yet: its loudest sample, and how many values went in.
    open: (u16, u64),
}

impl Peaks {
    pub(crate) fn new() -> Self {
        Self { points: Vec::with_capacity(AudioFacts::MAX_PEAKS), width: 1, open: (0, 0) }
    }

    /// Takes the next value: a magnitude of at most 32,768.
    pub(crate) fn push(&mut self, value: u16) {
        let (loudest, count) = self.open;
        self.open = (loudest.max(value), count + 1);
        if self.open.1 == self.width {
            self.close_point();
        }
    }

    /// The points, scaled to 0 to 255.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.open.1 > 0 {
            self.points.push(self.open.0);
        }
        self.points.iter().map(|point| u8::try_from(point >> 7).unwrap_or(u8::MAX)).collect()
    }

    fn close_point(&mut self) {
        self.points.push(self.open.0);
        self.open = (0, 0);
        if self.points.len() == AudioFacts::MAX_PEAKS {
            self.points = self.points.chunks(2).map(|pair| pair.iter().copied().max().unwrap_or(0)).collect();
            self.width *= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points_of(values: impl IntoIterator<Item = u16>) -> Vec<u8> {
        let mut peaks = Peaks::new();
        values.into_iter().for_each(|value| peaks.push(value));
        peaks.finish()
    }

    #[test]
    fn a_short_recording_keeps_every_value() {
        assert_eq!(points_of([0, 128, 12_800, 32_768]), [0, 1, 100, 255]);
    }

    #[test]
    fn any_number_of_values_fits_and_the_loudest_stays_where_it_was() {
        for count in [1023_usize, 1024, 1025, 2047, 2048, 100_000] {
            for loud in [0, count / 3, count - 1] {
                let points = points_of((0..count).map(|index| if index == loud { 32_768 } else { 256 }));
                assert!(points.len() <= AudioFacts::MAX_PEAKS, "{count} values make {} points", points.len());
                assert!(points.len() >= count.min(AudioFacts::MAX_PEAKS) / 2);
                assert_eq!(points.iter().filter(|point| **point == 255).count(), 1);
                let width = count.div_ceil(points.len()).next_power_of_two();
                assert_eq!(points[loud / width], 255, "value {loud} of {count}");
            }
        }
    }
}
