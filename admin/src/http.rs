//! The HTTP/1.1 responder: GET and HEAD, with keep-alive and pipelining, and without bodies of requests.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use common::{Application, Blocking, Client, ErrorReply, Flow, Limits, Outbox, Progress, Protocol};
use httparse::{EMPTY_HEADER, Header};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use serving::Monitor;

use crate::MAX_CONNECTIONS;

/// The responder.
#[derive(Clone, Debug)]
pub(crate) struct Http(Arc<Source>);

/// What it responds from.
#[derive(Debug)]
struct Source {
    registry: Registry,
    monitor: Monitor,
    /// How many conversations are open.
    open: AtomicUsize,
}

impl Http {
    pub(crate) fn new(registry: Registry, monitor: Monitor) -> Self {
        Self(Arc::new(Source { registry, monitor, open: AtomicUsize::new(0) }))
    }
}

impl Application for Http {
    fn open(&self, _client: Client, limits: &Limits, _out: &mut Outbox) -> Box<dyn Protocol> {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Box::new(Conversation { source: Arc::clone(&self.0), max: limits.max_message, is_head: false })
    }

    fn refuse(&self, error: &ErrorReply, _limits: &Limits, out: &mut Outbox) {
        refuse(error, true, out);
    }

    fn blocking(&self) -> Blocking {
        Blocking::MayBlock // a ready check or a collector of the program may be slow, and so may /proc
    }
}

/// One client's conversation.
struct Conversation {
    source: Arc<Source>,
    /// The longest request, in bytes.
    max: usize,
    /// Whether the current request is a HEAD, so that the response has no body.
    is_head: bool,
}

impl Protocol for Conversation {
    fn receive(&mut self, input: &mut [u8], out: &mut Outbox) -> Progress {
        self.is_head = input.trim_ascii_start().starts_with(b"HEAD ");
        let too_long = || Progress::Broken(ErrorReply::TooLong { max: self.max });
        let mut fields = [EMPTY_HEADER; FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let used = match request.parse(input) {
            Ok(httparse::Status::Complete(used)) if used > self.max => return too_long(),
            Ok(httparse::Status::Complete(used)) => used,
            Ok(httparse::Status::Partial) if input.len() >= self.max => return too_long(),
            Ok(httparse::Status::Partial) => {
                return Progress::More { used: 0, begun: !input.trim_ascii_start().is_empty() };
            }
            Err(httparse::Error::TooManyHeaders) => return too_long(),
            Err(error) => return Progress::Broken(ErrorReply::malformed(error.to_string())),
        };
        match Request::of(&request) {
            Ok(request) => {
                let is_last = request.is_last || self.source.open.load(Ordering::Relaxed) > KEPT;
                self.respond(&request).write(is_last, self.is_head, out);
                let flow = if is_last { Flow::Close } else { Flow::Continue };
                Progress::Message { used, flow }
            }
            Err(why) => Progress::Broken(ErrorReply::malformed(why)),
        }
    }

    fn error(&mut self, error: &ErrorReply, out: &mut Outbox) {
        refuse(error, !self.is_head, out);
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        self.source.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// While more connections are open than this, each is closed after its response, so that connections that are kept
/// leave room for others.
const KEPT: usize = MAX_CONNECTIONS / 2;

/// The most fields of a request.
const FIELDS: usize = 64;

/// A request.
struct Request<'a> {
    method: &'a str,
    path: &'a str,
    /// Whether the connection is closed after the response.
    is_last: bool,
    /// Whether a body follows, which is not read.
    has_body: bool,
    /// Whether the client accepts Prometheus' text format and not OpenMetrics.
    wants_plain: bool,
}

impl<'a> Request<'a> {
    /// The request of a head that was parsed completely; or why it is invalid.
    fn of(head: &httparse::Request<'_, 'a>) -> Result<Self, &'static str> {
        let (Some(method), Some(target), Some(version)) = (head.method, head.path, head.version) else {
            return Err("no request line");
        };
        let fields = &*head.headers;
        let hosts = values(fields, "host").count();
        if hosts > 1 || (hosts == 0 && version > 0) {
            return Err("a request has to name one host");
        }
        let has_body = values(fields, "transfer-encoding").next().is_some()
            || values(fields, "content-length").any(|length| length != b"0");
        let closes = members(fields, "connection").any(|option| option.eq_ignore_ascii_case(b"close"));
        let accepts = |kind: &[u8]| members(fields, "accept").any(|range| is_media_type(range, kind));
        let accepts_openmetrics =
            accepts(b"application/openmetrics-text") || accepts(b"application/*") || accepts(b"*/*");
        // In its absolute form, a target begins with the server.
        let behind = target.strip_prefix("http://").map(|rest| rest.find('/').map_or("/", |at| &rest[at..]));
        let target = behind.unwrap_or(target);
        Ok(Self {
            method,
            path: target.split_once('?').map_or(target, |(path, _)| path),
            is_last: closes || version == 0 || has_body,
            has_body,
            wants_plain: accepts(b"text/plain") && !accepts_openmetrics,
        })
    }
}

/// The values of the fields of this name.
fn values<'a>(fields: &'a [Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> + 'a {
    let named = fields.iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
    named.map(|field| field.value.trim_ascii())
}

/// The members of the lists in the fields of this name.
fn members<'a>(fields: &'a [Header<'a>], name: &'static str) -> impl Iterator<Item = &'a [u8]> + 'a {
    values(fields, name).flat_map(|value| value.split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

/// Whether a member of `Accept` names this media type, whatever its parameters are.
fn is_media_type(range: &[u8], media_type: &[u8]) -> bool {
    let end = range.iter().position(|&byte| byte == b';').unwrap_or(range.len());
    range[..end].trim_ascii().eq_ignore_ascii_case(media_type)
}

/// A response.
struct Response {
    status: &'static str,
    content_type: &'static str,
    content: String,
    /// Further fields, each with its line end.
    fields: &'static str,
}

const PLAIN: &str = "text/plain; charset=utf-8";
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const OK: &str = "200 OK";

/// The content at `/`.
const PATHS: &str = "\
/metrics  the metrics, in OpenMetrics or Prometheus' text format
/healthz  200 while the process serves
/readyz   200 if a load balancer should send more clients, otherwise 503 with the reason
";

impl Conversation {
    fn respond(&self, request: &Request<'_>) -> Response {
        if !matches!(request.method, "GET" | "HEAD") {
            return Response { fields: "Allow: GET, HEAD\r\n", ..Response::error("405 Method Not Allowed") };
        }
        if request.has_body {
            return Response::error("413 Content Too Large");
        }
        let Source { monitor, .. } = &*self.source;
        match request.path {
            "/" => Response::new(OK, PATHS),
            "/metrics" => self.metrics(request.wants_plain),
            "/healthz" if monitor.is_finished() => Response::new(UNAVAILABLE, "the server has ended\n"),
            "/healthz" => Response::new(OK, "ok\n"),
            "/readyz" => match monitor.readiness() {
                Ok(()) => Response::new(OK, "ok\n"),
                Err(why) => Response::new(UNAVAILABLE, format!("{why}\n")),
            },
            _ => Response::error("404 Not Found"),
        }
    }

    fn metrics(&self, wants_plain: bool) -> Response {
        let Source { registry, .. } = &*self.source;
        let mut content = String::new();
        let (encoded, content_type) = if wants_plain {
            (prometheus_text::encode(&mut content, registry), prometheus_text::CONTENT_TYPE)
        } else {
            (text::encode(&mut content, registry), OPENMETRICS)
        };
        match encoded {
            Ok(()) => Response { content_type, ..Response::new(OK, content) },
            Err(error) => {
                tracing::error!(%error, "the metrics can't be encoded");
                Response::error("500 Internal Server Error")
            }
        }
    }
}

const UNAVAILABLE: &str = "503 Service Unavailable";

impl Response {
    fn new(status: &'static str, content: impl Into<String>) -> Self {
        Self { status, content_type: PLAIN, content: content.into(), fields: "" }
    }

    /// A response whose content is its status.
    fn error(status: &'static str) -> Self {
        Self::new(status, format!("{status}\n"))
    }

    fn write(&self, is_last: bool, is_head: bool, out: &mut Outbox) {
        let Self { status, content_type, content, fields } = self;
        let (date, length) = (httpdate::fmt_http_date(SystemTime::now()), content.len());
        let connection = if is_last { "Connection: close\r\n" } else { "" };
        // Writing to an outbox can't fail. A proxy must not answer a probe from its cache.
        let _ = write!(
            out,
            "HTTP/1.1 {status}\r\nDate: {date}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             Cache-Control: no-store\r\n{fields}{connection}\r\n"
        );
        if !is_head {
            out.push(content.as_bytes());
        }
    }
}

/// Responds to a client whose connection is closed. An idle one receives nothing: a response would be taken for the one to its
/// next request.
fn refuse(error: &ErrorReply, has_content: bool, out: &mut Outbox) {
    let response = match error {
        ErrorReply::IdleTimeout => return,
        ErrorReply::Busy | ErrorReply::ShuttingDown => Response::error(UNAVAILABLE),
        ErrorReply::TooLong { .. } => Response::error("431 Request Header Fields Too Large"),
        ErrorReply::MessageTimeout => Response::error("408 Request Timeout"),
        ErrorReply::Malformed(why) => Response::new("400 Bad Request", format!("400 Bad Request: {why}\n")),
        ErrorReply::Incomplete => Response::error("400 Bad Request"),
        _ => Response::error("500 Internal Server Error"),
    };
    response.write(true, !has_content, out);
}

#[cfg(test)]
mod tests;
