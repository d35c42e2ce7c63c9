//! What identifies an object's bytes: length, SHA-256 for evidence, and what stores compute themselves to compare with.

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
    /// CRC-32C as Google writes it: big-endian, base64 (<https://cloud.google.com/storage/docs/data-validation>).
    pub crc32c: String,
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
    crc32c: Crc,
}

impl Fingerprinter {
    /// Before the first byte.
    pub fn new() -> Self {
        Self {
            bytes: 0,
            sha256: Sha256::new(),
            crc64nvme: Crc::new(CrcAlgorithm::Crc64Nvme),
            crc32c: Crc::new(CrcAlgorithm::Crc32Iscsi),
        }
    }

    /// The next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.crc64nvme.update(bytes);
        self.crc32c.update(bytes);
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
            crc32c: written(self.crc32c.finalize()),
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

/// CRC-64/NVME of these bytes.
pub(super) fn crc64nvme(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// CRC-32C of these bytes, as Google writes it.
pub(super) fn crc32c(bytes: &[u8]) -> String {
    written(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, bytes))
}

/// A sum of 32 bits, which comes in the lower half.
fn written(crc32: u64) -> String {
    STANDARD.encode(u32::try_from(crc32).unwrap_or_default().to_be_bytes())
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
    fn the_check_values_of_the_standards() {
        let found = Fingerprinter::of(&b"123456789"[..]).expect("reads");
        assert_eq!(found.bytes, 9);
        assert_eq!(found.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225");
        // CRC-64/NVME's published check value is 0xAE8B14860A799888.
        assert_eq!(found.crc64nvme, STANDARD.encode(0xAE8B_1486_0A79_9888_u64.to_be_bytes()));
        // CRC-32C's is 0xE3069283 (RFC 3720, appendix B.4, has others).
        assert_eq!(found.crc32c, STANDARD.encode(0xE306_9283_u32.to_be_bytes()));
        assert_eq!((crc64nvme(b"123456789"), crc32c(b"123456789")), (0xAE8B_1486_0A79_9888, found.crc32c));
    }
}
