//! The web as browsers and programs meet it: who gets in, what is heard, what is listed, and what is live.

mod access;
mod audio;
mod events;
mod lists;
mod pages;
mod sessions;
mod signed_links;

use callspool_store::Role;
use http::{HeaderMap, Method};
use reqwest::Response;
use serde_json::Value;

use crate::harness::World;

/// A whole answer.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    /// Reads an answer to its end.
    async fn of(mut response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.expect("the answer is whole") {
            body.extend_from_slice(&chunk);
        }
        Self { status, headers, body }
    }

    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The stable code of a refusal.
    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("a code").to_owned()
    }
}

/// Sends a request with these headers and nothing else.
async fn send(world: &World, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = world.http.request(method, world.url(path));
    for (name, text) in headers {
        request = request.header(*name, *text);
    }
    Answer::of(request.send().await.expect("an answer")).await
}

/// A reader with a bearer token.
struct Reader<'a> {
    world: &'a World,
    authorization: String,
}

impl<'a> Reader<'a> {
    async fn new(world: &'a World, role: Role) -> Self {
        Self { world, authorization: format!("Bearer {}", world.token(role).await) }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, &[]).await
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let headers: Vec<(&str, &str)> =
            [("authorization", self.authorization.as_str())].into_iter().chain(headers.iter().copied()).collect();
        send(self.world, method, path, &headers).await
    }
}

/// Signs in as a browser does; the session as its `Cookie` header.
async fn sign_in(world: &World, role: Role) -> String {
    let token = world.token(role).await;
    let answer = post_token(world, &token, "/").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    cookie(&answer)
}

async fn post_token(world: &World, token: &str, next: &str) -> Answer {
    let form = world.http.post(world.url("/sign-in")).form(&[("token", token), ("next", next)]);
    Answer::of(form.send().await.expect("an answer")).await
}

/// What an answer sets, as the browser would send it back.
fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().expect("a cookie").to_owned()
}
