//! A server that reads a request's head and plays one fixed answer, byte for byte; for answers no honest server gives.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

pub(crate) struct Raw {
    pub(crate) url: Url,
    heads: Arc<Mutex<Vec<String>>>,
    serving: tokio::task::JoinHandle<()>,
}

impl Raw {
    /// Answers every request with these bytes and closes the connection.
    pub(crate) async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::by_head(move |_head| answer.clone()).await
    }

    /// Answers every request by its head.
    pub(crate) async fn by_head(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("port");
        let url = Url::parse(&format!("http://{}", listener.local_addr().expect("address"))).expect("url");
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heads);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let head = exchange(stream, &answer).await;
                log.lock().expect("log").push(head);
            }
        });
        Self { url, heads, serving }
    }

    /// The heads of all requests that were answered, oldest first.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().expect("log").clone()
    }
}

async fn exchange(mut stream: TcpStream, answer: impl Fn(&str) -> Vec<u8>) -> String {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    // A client that has heard enough may hang up; that is what some tests are about.
    drop(stream.write_all(&answer(&head)).await);
    drop(stream.shutdown().await);
    head
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
