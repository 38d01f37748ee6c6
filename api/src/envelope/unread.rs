//! Bodies that nobody reads to their end.
//!
//! A refused upload must not be received for its own sake. The server closes
//! a connection after an answer only while someone still holds the request's
//! body: of a chunked one that was dropped it would read all that comes,
//! however much that is. So the answer that refuses holds the body until it is
//! sent.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use actix_web::{Error, HttpMessage};
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// A request's body, shared between whoever reads it and the envelope.
#[derive(Clone)]
pub(super) struct Unread(Rc<RefCell<Payload>>);

impl Unread {
    /// Takes hold of a request's body, if it has one.
    pub(super) fn of(request: &mut ServiceRequest) -> Option<Self> {
        let payload = request.take_payload();
        if matches!(payload, Payload::None) {
            return None;
        }
        let held = Self(Rc::new(RefCell::new(payload)));
        request.set_payload(Payload::Stream { payload: Box::pin(held.clone()) });
        Some(held)
    }

    /// An answer's body that holds the request's.
    pub(super) fn until_sent(self, body: BoxBody) -> BoxBody {
        BoxBody::new(Holding { body, _held: self })
    }
}

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.borrow_mut().poll_next_unpin(cx)
    }
}

struct Holding {
    body: BoxBody,
    _held: Unread,
}

impl MessageBody for Holding {
    type Error = Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Error>>> {
        Pin::new(&mut self.body).poll_next(cx).map_err(Error::from)
    }
}
