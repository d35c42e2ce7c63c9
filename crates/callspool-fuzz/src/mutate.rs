//! Mutations: small damages, and pieces of one input within another.

/// The longest input; longer ones make a target slow and nothing else.
const LONGEST: usize = 64 * 1024;
/// Bytes and texts at the borders of things.
const BORDERS: &[&[u8]] = &[
    b"\0",
    b"\x01",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\r",
    b"\t",
    b" ",
    b"'",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"<",
    b">",
    b"&",
    b"%",
    b"=",
    b"+",
    b"|",
    b",",
    b"%00",
    b"%FF",
    b"&amp;",
    b"]]>",
    b"\\'",
    b"\\n",
    b"\xff\xff\xff\xff",
    b"\0\0\0\0",
    b"\xff\xff\xff\x7f",
    b"\xef\xbf\xbd",
    b"\xf0\x9f\x98\x80",
    b"\xc3\xa9",
    b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
];

/// Repeatable chance (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 where that is 0.
    pub fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.number() % end).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.number().to_le_bytes()[0]
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// One of the pool, with one to eight damages.
pub(crate) fn mutated(dice: &mut Dice, pool: &[Vec<u8>]) -> Vec<u8> {
    let mut input = dice.one_of(pool).cloned().unwrap_or_default();
    for _ in 0..=dice.below(8) {
        damage(dice, pool, &mut input);
    }
    input.truncate(LONGEST);
    input
}

fn damage(dice: &mut Dice, pool: &[Vec<u8>], input: &mut Vec<u8>) {
    // Heads are where decisions are made.
    let reach = if dice.below(2) == 0 { input.len().min(64) } else { input.len() };
    let at = dice.below(reach);
    let to = (at + 1 + dice.below(32)).min(input.len());
    match dice.below(9) {
        0 => replace(input, at, |byte| byte ^ (1 << (at % 8))),
        1 => {
            let fresh = dice.byte();
            replace(input, at, |_| fresh);
        }
        2 => {
            let by = u8::try_from(1 + dice.below(4)).unwrap_or(1);
            let up = dice.below(2) == 0;
            replace(input, at, |byte| if up { byte.wrapping_add(by) } else { byte.wrapping_sub(by) });
        }
        3 => drop(input.splice(at.min(to)..to, [])),
        4 => {
            let piece = input.get(at..to).unwrap_or_default().repeat(1 + dice.below(4));
            drop(input.splice(at..at, piece));
        }
        5 => {
            let border = dice.one_of(BORDERS).copied().unwrap_or_default();
            drop(input.splice(at..at, border.iter().copied()));
        }
        6 => {
            let border = dice.one_of(BORDERS).copied().unwrap_or_default();
            let end = (at + border.len()).min(input.len());
            drop(input.splice(at..end, border.iter().copied()));
        }
        7 => {
            let other = dice.one_of(pool).map(Vec::as_slice).unwrap_or_default();
            let from = dice.below(other.len());
            let until = (from + 1 + dice.below(200)).min(other.len());
            let piece = other.get(from..until).unwrap_or_default();
            drop(input.splice(at..to.max(at), piece.iter().copied()));
        }
        _ => input.truncate(at),
    }
}

fn replace(input: &mut [u8], at: usize, by: impl Fn(u8) -> u8) {
    if let Some(byte) = input.get_mut(at) {
        *byte = by(*byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_inputs_and_another_one_others() {
        let pool = [b"RIFF and more".to_vec(), b"another".to_vec(), Vec::new()];
        let inputs = |seed| {
            let mut dice = Dice::new(seed);
            (0..1000).map(|_| mutated(&mut dice, &pool)).collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
    }
}
