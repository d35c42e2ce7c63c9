//! Plays one fault on one request: what leaves the socket is decided here.

use std::io;

use axum::body::{Body, BodyDataStream, HttpBody};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;

use super::{BodyKind, Fault, Lifts};
use crate::line::Line;
use crate::server::Service;

/// Answers `request` with `fault` played on it.
pub(crate) async fn play<S: Service>(
    fault: Fault,
    route: S::Route,
    service: &S,
    mut lifts: Lifts,
    line: Line,
    request: axum::extract::Request,
) -> Response {
    match fault {
        Fault::Status { code, retry_after, body } => {
            drain(request).await;
            let mut response = if body == BodyKind::Own { service.own_error(route, code) } else { foreign(code, body) };
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
        Fault::Early(code) => service.own_error(route, code),
        Fault::Refuse => no_answer(&line),
        Fault::LostReply => {
            drain_answer(service.answer(request).await).await;
            no_answer(&line)
        }
        Fault::Reset { carried_out } => {
            if carried_out {
                drain_answer(service.answer(request).await).await;
            } else {
                drain(request).await;
            }
            line.reset();
            StatusCode::OK.into_response()
        }
        Fault::RetryAfter { code, text } => {
            drain(request).await;
            with_header(service.own_error(route, code), header::RETRY_AFTER, HeaderValue::from_static(text))
        }
        Fault::Redirect { code, to } => {
            drain(request).await;
            let to = HeaderValue::from_str(&to).unwrap_or(HeaderValue::from_static("/"));
            with_header(code.into_response(), header::LOCATION, to)
        }
        Fault::Text { media_type, text } => {
            drain(request).await;
            ([(header::CONTENT_TYPE, media_type)], text).into_response()
        }
        Fault::Endless(code) => {
            drain(request).await;
            let piece = Bytes::from_static(&[b'x'; 64 * 1024]);
            (code, Body::from_stream(stream::repeat_with(move || Ok::<_, io::Error>(piece.clone())))).into_response()
        }
        Fault::HugeHead(bytes) => {
            let value = HeaderValue::from_str(&"x".repeat(bytes)).unwrap_or(HeaderValue::from_static(""));
            with_header(service.answer(request).await, HeaderName::from_static("x-padding"), value)
        }
        Fault::FlipByte(at) => flip(service.answer(request).await, at),
        Fault::Delay(time) => {
            tokio::time::sleep(time).await;
            service.answer(request).await
        }
        Fault::Hang => {
            tokio::select! {
                () = lifts.lifted() => service.answer(request).await,
                () = line.gone() => no_answer(&line),
            }
        }
        Fault::Stall(bytes) => stall(service.answer(request).await, bytes, line, lifts),
        Fault::CutAfter(bytes) => cut(service.answer(request).await, bytes, line, Line::reset),
        Fault::Truncate { bytes, announced: true } => cut(service.answer(request).await, bytes, line, Line::close),
        Fault::Truncate { bytes, announced: false } => {
            let (mut head, body) = service.answer(request).await.into_parts();
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, Body::from_stream(Pieces::new(body).first(bytes)))
        }
        Fault::Longer(bytes) => longer(service.answer(request).await, bytes),
        Fault::WrongBody { body, disguised } => {
            let true_type = if disguised {
                service.answer(request).await.headers().get(header::CONTENT_TYPE).cloned()
            } else {
                drain(request).await;
                None
            };
            let mut response = foreign(StatusCode::OK, body);
            if let Some(media_type) = true_type {
                response.headers_mut().insert(header::CONTENT_TYPE, media_type);
            }
            response
        }
        Fault::Drip { bytes, every } => {
            let (head, body) = announced(service.answer(request).await);
            let drops = stream::unfold(Pieces::new(body), move |mut pieces| async move {
                tokio::time::sleep(every).await;
                pieces.next(bytes.max(1)).await.map(|piece| (piece, pieces))
            });
            Response::from_parts(head, Body::from_stream(drops))
        }
    }
}

fn with_header(mut response: Response, name: HeaderName, value: HeaderValue) -> Response {
    response.headers_mut().insert(name, value);
    response
}

/// Cuts the line; the answer returned exists only for the types, none of it can leave.
fn no_answer(line: &Line) -> Response {
    line.close();
    StatusCode::OK.into_response()
}

async fn drain(request: axum::extract::Request) {
    let mut body = request.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

/// Reads an answer to its end, so that whatever is done while it is written has been done.
async fn drain_answer(response: Response) {
    let mut body = response.into_body();
    while let Some(Ok(_)) = body.frame().await {}
}

fn foreign(code: StatusCode, body: BodyKind) -> Response {
    let reason = code.canonical_reason().unwrap_or("unknown");
    let (media_type, text) = match body {
        BodyKind::Own | BodyKind::Empty => return code.into_response(),
        BodyKind::Xml => ("application/xml", format!("<?xml version=\"1.0\"?>\n<Error><Code>{reason}</Code></Error>")),
        BodyKind::Json => ("application/json", format!("{{\"error\":\"{reason}\",\"status\":{}}}", code.as_u16())),
        BodyKind::Html => ("text/html", format!("<!DOCTYPE html><html><body><h1>{code}</h1></body></html>")),
    };
    (code, [(header::CONTENT_TYPE, media_type)], text).into_response()
}

/// The answer with its length in its head, where the length is known: a body that is streamed again would lose it.
fn announced(response: Response) -> (http::response::Parts, Body) {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers.entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    (head, body)
}

/// The first bytes of the body; once they have left the machine, `end` ends the line.
fn cut(response: Response, bytes: u64, line: Line, end: fn(&Line)) -> Response {
    let (head, body) = announced(response);
    let last = stream::once(async move {
        line.flushed().await;
        end(&line);
        Err(io::Error::other("the line was cut by a scripted fault"))
    });
    Response::from_parts(head, Body::from_stream(Pieces::new(body).first(bytes).chain(last)))
}

fn stall(response: Response, bytes: u64, line: Line, lifts: Lifts) -> Response {
    let (head, body) = announced(response);
    let start = (Pieces::new(body), Some(bytes), line, lifts);
    let pieces = stream::unfold(start, |(mut pieces, mut left, line, mut lifts)| async move {
        if left == Some(0) {
            tokio::select! {
                () = lifts.lifted() => left = None,
                () = line.gone() => return None,
            }
        }
        let piece = pieces.next(left.unwrap_or(u64::MAX)).await?;
        if let (Some(left), Ok(piece)) = (left.as_mut(), piece.as_ref()) {
            *left -= piece.len() as u64;
        }
        Some((piece, (pieces, left, line, lifts)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

fn longer(response: Response, bytes: u64) -> Response {
    let (mut head, body) = announced(response);
    let length = head.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if let Some(length) = length {
        head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length + bytes));
    }
    let extra = Bytes::from(vec![0_u8; usize::try_from(bytes).unwrap_or(0)]);
    let pieces = Pieces::new(body).first(u64::MAX).chain(stream::once(async { Ok(extra) }));
    Response::from_parts(head, Body::from_stream(pieces))
}

fn flip(response: Response, at: u64) -> Response {
    let (head, body) = announced(response);
    let start = (Pieces::new(body), at);
    let pieces = stream::unfold(start, |(mut pieces, left)| async move {
        let piece = pieces.next(u64::MAX).await?;
        let piece = piece.map(|piece| {
            let mut bytes = piece.to_vec();
            if let Some(byte) = usize::try_from(left).ok().and_then(|at| bytes.get_mut(at)) {
                *byte ^= 1;
            }
            Bytes::from(bytes)
        });
        // Beyond the byte nothing is in reach any more.
        let passed = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        let left = left.checked_sub(passed).unwrap_or(u64::MAX);
        Some((piece, (pieces, left)))
    });
    Response::from_parts(head, Body::from_stream(pieces))
}

/// A body that is read in pieces of chosen sizes.
struct Pieces {
    body: BodyDataStream,
    rest: Bytes,
}

impl Pieces {
    fn new(body: Body) -> Self {
        Self { body: body.into_data_stream(), rest: Bytes::new() }
    }

    /// The next piece, of at least one byte and at most `max`; `None` at the end.
    async fn next(&mut self, max: u64) -> Option<io::Result<Bytes>> {
        while self.rest.is_empty() {
            match self.body.next().await? {
                Ok(piece) => self.rest = piece,
                Err(error) => return Some(Err(io::Error::other(error))),
            }
        }
        let size = usize::try_from(max).unwrap_or(usize::MAX).min(self.rest.len());
        Some(Ok(self.rest.split_to(size)))
    }

    /// The first `bytes` of it.
    fn first(self, bytes: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
        stream::unfold((self, bytes), |(mut pieces, left)| async move {
            if left == 0 {
                return None;
            }
            let piece = pieces.next(left).await?;
            let size = piece.as_ref().map_or(0, |piece| piece.len() as u64);
            Some((piece, (pieces, left - size)))
        })
    }
}
