//! One keep-alive connection that sends prepared requests: as little work as possible, since the load generator shares
//! its processors with the server.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Answers are shorter than this.
const LONGEST_ANSWER: usize = 16 * 1024;

/// An open connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(LONGEST_ANSWER) })
    }

    /// Sends a whole request and reads the whole answer, which must be 200.
    pub async fn send(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut whole = usize::MAX;
        while self.answer.len() < whole {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed the connection");
            ensure!(self.answer.len() <= LONGEST_ANSWER, "the answer does not end");
            if whole == usize::MAX {
                whole = length(&self.answer)?.unwrap_or(usize::MAX);
            }
        }
        if !self.answer.starts_with(b"HTTP/1.1 200 ") {
            bail!("the answer is no 200: {}", String::from_utf8_lossy(&self.answer));
        }
        Ok(())
    }
}

/// The length of the answer with its body, once its head is there.
fn length(answer: &[u8]) -> Result<Option<usize>> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(answer.get(..head).unwrap_or_default())?;
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: ")).context("no content-length")?;
    Ok(Some(head + 4 + body.parse::<usize>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
        assert_eq!(length(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{").unwrap(), Some(40));
    }
}
