//! A waveform as a picture of bars, drawn from the peaks that were measured while the recording was archived.

use std::fmt::Write as _;

use maud::{Markup, html};

/// Half the picture's height, in its own units; the width is one unit a bar.
const HALF: u32 = 32;

/// So many bars over the whole length.
pub(crate) fn waveform(peaks: &[u8], bars: usize) -> Markup {
    let bars = bars.min(peaks.len()).max(1);
    let path = path(peaks, bars);
    html! {
        svg.wave viewBox={ "0 0 " (bars) " " (2 * HALF) } preserveAspectRatio="none" role="img" aria-label="waveform" {
            path d=(path) {}
        }
    }
}

/// One stroke a bar, mirrored around the middle. Loudness is drawn by its root, or quiet speech would be a flat line.
fn path(peaks: &[u8], bars: usize) -> String {
    let mut path = String::with_capacity(bars * 16);
    for bar in 0..bars {
        let stretch = bar * peaks.len() / bars..(bar + 1) * peaks.len() / bars;
        let loudest = peaks.get(stretch).and_then(|stretch| stretch.iter().max()).copied().unwrap_or(0);
        let half = (u32::from(loudest) * HALF * HALF / 255).isqrt().max(1);
        // Writing into a String can't fail.
        write!(path, "M{bar}.5 {}V{}", HALF - half, HALF + half).unwrap_or_default();
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_take_the_loudest_of_their_stretch_and_never_vanish() {
        assert_eq!(path(&[0, 255, 0, 0], 2), "M0.5 0V64M1.5 31V33");
    }

    #[test]
    fn short_audio_has_fewer_bars() {
        assert!(waveform(&[1, 2], 100).into_string().contains("0 0 2 64"));
        assert!(waveform(&[], 100).into_string().contains("0 0 1 64"));
    }
}
