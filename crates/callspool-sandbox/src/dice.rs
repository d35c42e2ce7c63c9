//! Repeatable chance: a number from a seed and a label, the same on every machine and in every run.

/// A well mixed number for `label` under `seed` (FNV-1a over the label, then the finalizer of splitmix64).
pub(crate) fn dice(seed: u64, label: &[u8]) -> u64 {
    let hash = label
        .iter()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3));
    mix(hash)
}

/// The `n`th number of the sequence that `seed` starts.
pub(crate) fn nth(seed: u64, n: u64) -> u64 {
    mix(seed.wrapping_add(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
}

fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}
