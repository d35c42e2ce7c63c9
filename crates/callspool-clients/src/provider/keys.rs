//! The customer's private keys, and what they unwrap: how a recording that the provider encrypted is opened
//! (<https://www.twilio.com/docs/voice/tutorials/voice-recording-encryption>, "Per recording decryption steps").
//!
//! Guarantee: a key never leaves this file; it is neither printed nor sent.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use callspool_domain::PublicKeySid;
use callspool_domain::recording::EncryptionDetails;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::Opener;

/// Private keys by the public key that they belong to.
#[derive(Clone, Default)]
pub struct PrivateKeys(BTreeMap<PublicKeySid, Arc<OaepPrivateDecryptingKey>>);

/// Why a file can't serve as a private key. `Display` says what to do, and nothing of the file's content.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It can't be read.
    #[error("can't be read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// It is protected by a passphrase.
    #[error(
        "is protected by a passphrase, which nobody could type here; `openssl pkcs8 -in FILE -out NEW` takes it off"
    )]
    Protected,
    /// It is in the older form for RSA keys.
    #[error("is in an older form; `openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW` writes it as PKCS#8")]
    OlderForm,
    /// It holds something else.
    #[error("holds no private key; it must be a PEM file that begins with -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// It is no RSA key, or one of a size that is not used.
    #[error("holds a key that is not RSA with 2048 to 8192 bits, which is what Twilio encrypts with")]
    NotRsa,
}

/// Why a recording can't be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unopened {
    /// No private key for its public key is configured.
    #[error("no private key for it is configured")]
    NoKey,
    /// What the provider wrapped does not unwrap: the private key is not the public one's, or what was wrapped was changed.
    #[error("the private key that is configured for it does not open it")]
    WrongKey,
    /// What was wrapped is no key for AES-256, or the vector has not 96 bits.
    #[error("what the provider says of its encryption is not what it documents")]
    Unusable,
}

impl PrivateKeys {
    /// Adds the key in this PEM file. False where the public key has one already.
    pub fn add(&mut self, public_key: PublicKeySid, file: &Path) -> Result<bool, KeyError> {
        let key = read(&std::fs::read(file)?)?;
        let is_first = !self.0.contains_key(&public_key);
        if is_first {
            self.0.insert(public_key, Arc::new(key));
        }
        Ok(is_first)
    }

    /// The public keys whose private keys are here.
    pub fn public_keys(&self) -> impl Iterator<Item = &PublicKeySid> {
        self.0.keys()
    }

    /// Unwraps a recording's key and gets ready to open its content. Takes a private key's milliseconds.
    pub fn opener(&self, details: &EncryptionDetails) -> Result<Opener, Unopened> {
        let key = self.0.get(&details.public_key_sid).ok_or(Unopened::NoKey)?;
        let unusable = |_| Unopened::Unusable;
        let wrapped = BASE64_STANDARD.decode(details.encrypted_cek.as_str()).map_err(unusable)?;
        let iv = BASE64_STANDARD.decode(details.iv.as_str()).map_err(unusable)?;
        let iv = <[u8; 12]>::try_from(iv).map_err(|_| Unopened::Unusable)?;
        let mut unwrapped = vec![0; key.min_output_size()];
        let cek =
            key.decrypt(&OAEP_SHA256_MGF1SHA256, &wrapped, &mut unwrapped, None).map_err(|_| Unopened::WrongKey)?;
        let cek = <&[u8; 32]>::try_from(&*cek).map_err(|_| Unopened::Unusable)?;
        Opener::new(cek, iv).map_err(|_| Unopened::Unusable)
    }
}

fn read(pem: &[u8]) -> Result<OaepPrivateDecryptingKey, KeyError> {
    let Ok(der) = PrivatePkcs8KeyDer::from_pem_slice(pem) else {
        let text = String::from_utf8_lossy(pem);
        return Err(if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
            KeyError::Protected
        } else if text.contains("BEGIN RSA PRIVATE KEY") {
            KeyError::OlderForm
        } else {
            KeyError::NoKey
        });
    };
    let key = PrivateDecryptingKey::from_pkcs8(der.secret_pkcs8_der()).map_err(|_| KeyError::NotRsa)?;
    OaepPrivateDecryptingKey::new(key).map_err(|_| KeyError::NotRsa)
}

impl fmt::Debug for PrivateKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.public_keys()).finish()
    }
}
