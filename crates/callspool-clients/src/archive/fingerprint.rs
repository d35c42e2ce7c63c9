//! What identifies an object's bytes: length, SHA-256 for evidence, CRC-64/NVME to compare with the store's own.

use std::io::{self, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::{Code, StepFailure};
use crc_fast::{CrcAlgorithm, Digest as Crc};
use sha2::{Digest as _, Sha256};

/// The fingerprint of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: String,
    /// CRC-64/NVME as S3 writes it: big-endian, base64
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
    pub crc64nvme: String,
}

impl Fingerprint {
    /// The failure of finding `self` where `written` should be.
    pub(super) fn mismatch(&self, key: &str, written: &Self) -> StepFailure {
        let detail = format!(
            "{key} holds {} bytes with SHA-256 {}, but {} bytes with {} were written; it is fetched and written again",
            self.bytes, self.sha256, written.bytes, written.sha256
        );
        StepFailure::new(Code::ArchiveMismatch, detail)
    }
}

/// Takes the fingerprint of bytes as they pass.
#[derive(Debug)]
pub struct Fingerprinter {
    bytes: u64,
    sha256: Sha256,
    crc64nvme: Crc,
}

impl Fingerprinter {
    /// Before the first byte.
    pub fn new() -> Self {
        Self { bytes: 0, sha256: Sha256::new(), crc64nvme: Crc::new(CrcAlgorithm::Crc64Nvme) }
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.crc64nvme.update(bytes);
    }

    /// How many bytes have passed.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint of all that passed.
    pub fn finish(self) -> Fingerprint {
        Fingerprint {
            bytes: self.bytes,
            sha256: hex::encode(self.sha256.finalize()),
            crc64nvme: STANDARD.encode(self.crc64nvme.finalize().to_be_bytes()),
        }
    }

    /// The fingerprint of everything a reader has, with 256 KiB of memory.
    pub(super) fn of(mut reader: impl Read) -> io::Result<Fingerprint> {
        let (mut passed, mut buffer) = (Self::new(), vec![0; 256 * 1024]);
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok(passed.finish()),
                Ok(read) => passed.update(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Default for Fingerprinter {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_values_of_both_standards() {
        let found = Fingerprinter::of(&b"123456789"[..]).expect("reads");
        assert_eq!(found.bytes, 9);
        assert_eq!(found.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
        // CRC-64/NVME's published check value is 0xAE8B14860A799888.
        assert_eq!(found.crc64nvme, STANDARD.encode(0xAE8B_1486_0A79_9888_u64.to_be_bytes()));
    }
}
