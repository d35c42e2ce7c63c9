//! Voice Recording Encryption: a customer's key pair, and a recording encrypted with its public half
//! (<https://www.twilio.com/docs/voice/tutorials/voice-recording-encryption>).
//!
//! Guarantee: the ciphertext depends on nothing but the recording's sid and its audio. An encrypted recording is held whole
//! while it is sent, so tests keep it short.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use callspool_domain::{RecordingSid, Secret};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Bytes of the tag at the end of the ciphertext.
const TAG: usize = 16;

/// How a recording is encrypted.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// `CR…`, as the callback and the resource name the public key.
    pub public_key_sid: String,
    /// The public key, in DER (X.509 `SubjectPublicKeyInfo`).
    pub public_key: Vec<u8>,
    /// Whether the callback says so; the resource always does.
    pub in_callback: bool,
    /// What is wrong with the stored ciphertext.
    pub flaw: Option<CipherFlaw>,
}

/// What is wrong with a ciphertext.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CipherFlaw {
    /// One bit of the tag.
    Tag,
    /// One bit in the middle.
    Content,
    /// The second half is missing; nothing says so.
    Cut,
}

/// A customer's key pair.
#[derive(Debug)]
pub struct KeyPair {
    /// What its public half is called at the provider.
    pub sid: String,
    private_key: PrivateDecryptingKey,
}

impl KeyPair {
    /// A fresh pair of 2048 bits, whose public half has this sid.
    ///
    /// # Errors
    /// Where the machine has no random numbers.
    pub fn generate(sid: impl Into<String>) -> Result<Self, Unspecified> {
        Ok(Self { sid: sid.into(), private_key: PrivateDecryptingKey::generate(KeySize::Rsa2048)? })
    }

    /// The private key as `openssl genrsa` writes it: PEM, PKCS#8.
    ///
    /// # Errors
    /// Never for a key that was generated.
    pub fn private_pem(&self) -> Result<Secret, Unspecified> {
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&self.private_key)?;
        let lines: Vec<String> = STANDARD
            .encode(der.as_ref())
            .as_bytes()
            .chunks(64)
            .map(|line| String::from_utf8_lossy(line).into())
            .collect();
        Ok(Secret::new(format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"))))
    }

    /// Encryption with its public half.
    ///
    /// # Errors
    /// Never for a key that was generated.
    pub fn encryption(&self) -> Result<Encryption, Unspecified> {
        let public_key = AsDer::<PublicKeyX509Der<'_>>::as_der(&self.private_key.public_key())?.as_ref().to_vec();
        Ok(Encryption { public_key_sid: self.sid.clone(), public_key, in_callback: true, flaw: None })
    }
}

impl Encryption {
    /// What the provider says of it; `None` where the public key is none.
    pub(super) fn details(&self, sid: &RecordingSid) -> Option<Value> {
        let key = OaepPublicEncryptingKey::new(PublicEncryptingKey::from_der(&self.public_key).ok()?).ok()?;
        let mut wrapped = vec![0; key.ciphertext_size()];
        let wrapped = key.encrypt(&OAEP_SHA256_MGF1SHA256, &cek(sid), &mut wrapped, None).ok()?;
        Some(json!({
            "type": "rsa-aes",
            "public_key_sid": self.public_key_sid,
            "encrypted_cek": STANDARD.encode(wrapped),
            "iv": STANDARD.encode(iv(sid)),
        }))
    }

    /// The ciphertext of a file, and its tag.
    pub(super) fn seal(&self, sid: &RecordingSid, mut file: Vec<u8>) -> Option<Vec<u8>> {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &cek(sid)).ok()?);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(iv(sid)), Aad::empty(), &mut file).ok()?;
        let length = file.len();
        match self.flaw {
            None => {}
            Some(CipherFlaw::Tag) => *file.get_mut(length - TAG)? ^= 1,
            Some(CipherFlaw::Content) => *file.get_mut(length / 2)? ^= 1,
            Some(CipherFlaw::Cut) => file.truncate(length / 2),
        }
        Some(file)
    }
}

fn cek(sid: &RecordingSid) -> [u8; 32] {
    Sha256::digest(format!("content key of {sid}")).into()
}

fn iv(sid: &RecordingSid) -> [u8; 12] {
    let hash: [u8; 32] = Sha256::digest(format!("vector of {sid}")).into();
    std::array::from_fn(|n| hash[n])
}
