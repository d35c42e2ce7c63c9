//! A hook around requests: how a test holds a request, or lets its client die, at exactly one of them.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

/// On which side of a request's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestMoment {
    /// It has come in; nothing is carried out.
    Arrived,
    /// It is carried out, or met its fault; nothing of the answer has left.
    CarriedOut,
}

/// Asked, with the request's method and target, at both moments of every request. While its future waits, so does the
/// request; where the client goes meanwhile, the request ends as far as it got.
#[derive(Clone)]
pub struct RequestProbe(Arc<Ask>);

type Ask = dyn Fn(RequestMoment, &str) -> BoxFuture<'static, ()> + Send + Sync;

impl RequestProbe {
    /// A probe that asks `ask`.
    pub fn new(ask: impl Fn(RequestMoment, &str) -> BoxFuture<'static, ()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }

    pub(crate) async fn pass(&self, moment: RequestMoment, request: &str) {
        (self.0)(moment, request).await;
    }
}

impl Default for RequestProbe {
    /// Lets everything pass.
    fn default() -> Self {
        Self::new(|_, _| Box::pin(std::future::ready(())))
    }
}

impl fmt::Debug for RequestProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestProbe")
    }
}
