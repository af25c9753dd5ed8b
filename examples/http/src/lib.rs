//! A minimal HTTP/1.1 responder, on any backend.
//!
//! ```sh
//! cargo run --release -p anyloop-example-http -- serve --backend smol --listen 127.0.0.1:8080
//! curl -i http://127.0.0.1:8080/
//! wrk -c 64 -d 5s http://127.0.0.1:8080/health
//! ```
//!
//! It serves a page at `/` and `ok` at `/health`, to GET and HEAD, with keep-alive and pipelining. A request with its
//! body is at most as long as `--max-message`, its first line 8 KiB, and it has at most 64 fields. A body, chunked or
//! not, is skipped, and then the request is answered. A client that waits for `100 Continue` before it sends a body
//! receives it, or receives the response immediately and the connection is closed. A request with an ambiguous body
//! length (request smuggling) is refused, and the connection closed.
//!
//! | to see how | read |
//! | --- | --- |
//! | a protocol is written on [`anyloop::protocol::Protocol`] | this file |
//! | requests are parsed incrementally, each byte once | `request.rs` |
//! | a head is parsed | `request/head.rs`, `request/target.rs`, `request/authority.rs` |
//! | a body is skipped | `request/body.rs` |
//! | a request is answered | `response.rs`, `date.rs` |

#![forbid(unsafe_code)]

mod date;
mod request;
mod response;

use anyloop::protocol::{Application, Outbox, Progress, Protocol};
use anyloop::{Blocking, Client, ErrorReply, Flow, Limits};

use crate::request::{Body, Found, Passed, Requests, has_begun};
use crate::response::{CONTINUE, Response, Status};

/// The responder.
#[derive(Clone, Copy, Debug)]
pub struct Http;

impl Application for Http {
    fn open(&self, _client: Client, limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        Box::new(Conversation { requests: Requests::new(limits.max_message), pending: None })
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        tell(error, false, out);
    }

    fn blocking(&self) -> Blocking {
        Blocking::Never
    }
}

/// One client's conversation.
struct Conversation {
    requests: Requests,
    /// While a body is skipped: the response to its request, and the rest of the body.
    pending: Option<(Response, Body)>,
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        let mut used = 0;
        if self.pending.is_none() {
            match self.requests.next(input) {
                Found::More { used } => return Progress::More { used, begun: has_begun(&input[used..]) },
                Found::Refused(status) => return self.refuse(status, input, out),
                Found::Request { request, body, used: head } => {
                    let response = Response::to(&request);
                    let Some(body) = body else { return answer(response, head, out) };
                    if request.expects_continue {
                        if !response.is_success() {
                            // It is unknown whether the client still sends the body, so the connection can't be reused.
                            return answer(response.last(), head, out);
                        }
                        out.push(CONTINUE);
                    }
                    self.pending = Some((response, body));
                    used = head;
                }
            }
        }
        let Some((response, body)) = &mut self.pending else { return Progress::More { used, begun: false } };
        match body.pass(&input[used..]) {
            Passed::More { used: body } => Progress::More { used: used + body, begun: true },
            Passed::Refused(status) => self.refuse(status, input, out),
            Passed::Whole { used: body } => {
                let response = *response;
                self.pending = None;
                answer(response, used + body, out)
            }
        }
    }

    fn finish(&mut self, input: &mut [u8], _out: &mut Outbox) -> Progress {
        if self.pending.is_some() || has_begun(input) {
            Progress::Broken(ErrorReply::Incomplete)
        } else {
            Progress::More { used: input.len(), begun: false }
        }
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        tell(error, self.requests.is_head(), out);
    }
}

impl Conversation {
    /// Sends an error response, and closes the connection.
    fn refuse(&self, status: Status, input: &[u8], out: &mut Outbox) -> Progress {
        answer(Response::refusal(status, self.requests.is_head()), input.len(), out)
    }
}

fn answer(response: Response, used: usize, out: &mut Outbox) -> Progress {
    response.write(out);
    Progress::Message { used, flow: if response.keeps_alive { Flow::Continue } else { Flow::Close } }
}

/// The response to a client whose connection is closed. A client without an open request receives nothing: a response
/// would be taken for the one to its next request.
fn tell(error: &ErrorReply, to_head: bool, out: &mut Outbox) {
    let status = match error {
        ErrorReply::Busy | ErrorReply::ShuttingDown => Status::Unavailable,
        ErrorReply::TooLong { .. } => Status::ContentTooLarge,
        ErrorReply::MessageTimeout => Status::RequestTimeout,
        ErrorReply::Malformed(_) | ErrorReply::Incomplete | ErrorReply::Rejected(_) => Status::BadRequest,
        ErrorReply::IdleTimeout => return,
        _ => Status::InternalError,
    };
    Response::refusal(status, to_head).write(out);
}

#[cfg(test)]
mod tests;
