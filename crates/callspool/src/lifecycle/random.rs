//! Ids, secrets and jitter, all from the operating system.

use callspool_domain::Timestamp;

/// A fresh id: sortable by time, 26 characters.
pub fn id(now: Timestamp) -> String {
    let millis = u64::try_from(now.as_micros() / 1000).unwrap_or(0);
    ulid::Ulid::from_parts(millis, u128::from_le_bytes(bytes())).to_string()
}

/// A number from 0 to 999, to spread retries.
pub fn jitter() -> u16 {
    u16::from_le_bytes(bytes()) % 1000
}

/// A secret of 256 bits, as 64 hexadecimal digits.
pub fn secret() -> String {
    hex::encode(bytes::<32>())
}

#[expect(clippy::expect_used, reason = "without the system's random source nothing here is safe to run")]
fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}
