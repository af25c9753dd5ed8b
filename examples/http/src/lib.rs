//! A minimal HTTP/1.1 responder, on any backend.
//!
//! ```sh
//! cargo run --release -p anyloop-example-http -- serve --backend smol --listen 127.0.0.1:8080
//! curl -i http://127.0.0.1:8080/
//! wrk -c 64 -d 5s http://127.0.0.1:8080/health
//! ```
//!
//! It serves a page at `/` and `ok` at `/health`, to GET and HEAD, with keep-alive and pipelining. A request with its
//! body is at most as long as `--max-message`. A body is passed over; what says its length in a way that two servers
//! could read differently is refused, and the connection closed.
//!
//! | to see how | read |
//! | --- | --- |
//! | a protocol is written on [`common::Protocol`] | this file |
//! | requests are found as they come, no byte twice | `request.rs` |
//! | a request is answered | `response.rs` |

mod request;
mod response;

use std::net::SocketAddr;

use common::{Application, Blocking, ErrorReply, Flow, Limits, Outbox, Progress, Protocol};

use crate::request::{Found, Requests};
use crate::response::{Status, answer, refuse};

/// The responder.
pub struct Http;

impl Application for Http {
    fn open(&self, _client: SocketAddr, limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Conversation { requests: Requests::new(limits.max_message) })
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        tell(error, out);
    }

    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// One client's conversation.
struct Conversation {
    requests: Requests,
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &[u8], out: &mut Outbox) -> Progress {
        match self.requests.next(input) {
            Found::More { used } => {
                Progress::More { used, begun: input.len() > used || self.requests.is_in_body() }
            }
            Found::Request { request, used } => {
                answer(&request, out);
                let flow = if request.keeps_alive { Flow::Continue } else { Flow::Close };
                Progress::Message { used, flow }
            }
            Found::Refused { status, used } => {
                refuse(status, out);
                Progress::Message { used, flow: Flow::Close }
            }
        }
    }

    fn finish(&mut self, input: &[u8], _out: &mut Outbox) -> Progress {
        if self.requests.is_in_body() {
            return Progress::More { used: input.len(), begun: false };
        }
        Progress::Broken(ErrorReply::Incomplete)
    }

    fn error(&self, error: &ErrorReply, out: &mut Outbox) {
        if !self.requests.is_in_body() {
            tell(error, out);
        }
    }
}

/// What the connection's end is to a client. Whoever has asked for nothing, or has had the response, is told
/// nothing: it would be taken for the response to the next request.
fn tell(error: &ErrorReply, out: &mut Outbox) {
    match error {
        ErrorReply::Busy | ErrorReply::ShuttingDown => refuse(Status::Unavailable, out),
        ErrorReply::TooLong { .. } => refuse(Status::ContentTooLarge, out),
        ErrorReply::MessageTimeout => refuse(Status::RequestTimeout, out),
        ErrorReply::Malformed(_) | ErrorReply::Incomplete | ErrorReply::Rejected(_) => {
            refuse(Status::BadRequest, out)
        }
        ErrorReply::Internal => refuse(Status::InternalError, out),
        ErrorReply::IdleTimeout => {}
    }
}

#[cfg(test)]
mod tests;
