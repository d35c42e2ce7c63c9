//! An answer whose body is still on its way, and how much of it is held.
//!
//! Guarantee: a body is as slow as its reader wants. Only while somebody waits for its next bytes does silence count, so
//! that a download which waits for an upload, or for a listener, is not taken for a service that stalls.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::{Breakage, Broken};

/// A service's answer, its body unread.
#[derive(Debug)]
pub struct Response {
    answer: reqwest::Response,
    patience: Duration,
}

impl Response {
    /// An answer that may be silent for so long while somebody waits.
    pub fn new(answer: reqwest::Response, patience: Duration) -> Self {
        Self { answer, patience }
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.answer.status()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.answer.headers()
    }

    /// The body's length, where it was announced.
    pub fn content_length(&self) -> Option<u64> {
        self.answer.content_length()
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Broken> {
        let chunk = tokio::time::timeout(self.patience, self.answer.chunk()).await;
        chunk.map_err(|_elapsed| Broken::stalled(self.patience))?.map_err(|error| Broken::from(&error))
    }
}

/// Why a body could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReadError {
    /// It is longer than the cap.
    #[error("the body is longer than {0} bytes")]
    TooLong(usize),
    /// The connection failed on the way; the text says how.
    #[error("{0}")]
    Broken(String),
    /// Silence for too long.
    #[error("the body stalled")]
    Stalled,
}

impl ReadError {
    pub(crate) fn into_broken(self) -> Broken {
        let how = if matches!(self, Self::Stalled) { Breakage::Stalled } else { Breakage::Reset };
        Broken { how, cause: self.to_string() }
    }
}

/// Reads a body of at most `max` bytes; no more than that is ever held.
pub async fn read_capped(mut response: Response, max: usize) -> Result<Bytes, ReadError> {
    let mut body = BytesMut::new();
    loop {
        let chunk = response.chunk().await.map_err(|broken| match broken.how {
            Breakage::Stalled => ReadError::Stalled,
            _ => ReadError::Broken(broken.cause),
        })?;
        let Some(chunk) = chunk else { return Ok(body.freeze()) };
        if body.len() + chunk.len() > max {
            return Err(ReadError::TooLong(max));
        }
        body.extend_from_slice(&chunk);
    }
}
