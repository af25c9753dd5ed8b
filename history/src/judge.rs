//! Judges a history, record after record, within a bounded memory.

use std::collections::{HashMap, VecDeque};
use std::io::{self, BufReader, Read};
use std::time::Duration;

use crate::recent::{Origin, Recent};
use crate::record::{Digest, Event, Reader, Record, invalid};
use crate::verdict::{Fault, MAX_VIOLATIONS, Place, Verdict, Violation};

/// Reads a history to its end, or until [`MAX_VIOLATIONS`] were found, and judges it.
///
/// The memory grows with the number of requests that are in flight, not with the length of the history.
///
/// # Errors
/// If reading fails, or if this is no valid history (`InvalidData`). A history that was cut off is valid.
pub fn verify(input: impl Read) -> io::Result<Verdict> {
    let mut reader = Reader::new(BufReader::with_capacity(1024 * 1024, input))?;
    let mut judge = Judge::new(reader.description());
    while let Some(record) = reader.read()? {
        judge.take(record).map_err(invalid)?;
        if judge.verdict.is_stopped() {
            return Ok(judge.verdict);
        }
    }
    Ok(judge.conclude(reader.is_complete()))
}

/// The judge of a history.
#[derive(Debug)]
pub struct Judge {
    verdict: Verdict,
    now: Duration,
    connections: HashMap<u32, Connection>,
    /// The last requests of all connections, to name those whose reply came unexpectedly, and to count equal ones.
    recent: Recent,
    /// The violations by replies that are no recent request's. Such a request may follow, if another thread of the
    /// client has recorded it.
    unnamed: HashMap<Digest, usize>,
}

/// Among how many requests in flight on a connection one with an equal reply is searched.
const MOST_COMPARED: usize = 64;

/// How many skipped requests of a connection are remembered, whose reply may follow. Older ones are lost.
const MAX_MISSING: usize = 1024;

/// How many refused requests of a connection are remembered.
const MAX_REFUSED: usize = 64;

/// What is known of a connection.
#[derive(Debug, Default)]
struct Connection {
    /// The client's own number for it.
    client: u64,
    /// The number of the next request.
    next: u64,
    /// The requests whose replies are expected, oldest first.
    awaited: VecDeque<(u64, Digest)>,
    /// Those that were skipped by the reply to a later one, oldest first.
    missing: VecDeque<(u64, Digest)>,
    /// The last that were refused.
    refused: VecDeque<u64>,
    /// Whether the server has announced the end.
    is_ending: bool,
}

impl Judge {
    /// A judge of a history with this description.
    pub fn new(description: &str) -> Self {
        Self {
            verdict: Verdict { description: description.to_owned(), ..Verdict::default() },
            now: Duration::ZERO,
            connections: HashMap::new(),
            recent: Recent::new(),
            unnamed: HashMap::new(),
        }
    }

    /// Takes the next record.
    ///
    /// # Errors
    /// If the client can't have recorded it: the connection is established twice, or it is not established.
    pub fn take(&mut self, Record { connection, event }: Record) -> Result<(), String> {
        match event {
            Event::Time(now) => {
                self.now = now;
                self.verdict.seconds = self.verdict.seconds.max(now.as_secs_f64());
                return Ok(());
            }
            Event::Opened(client) => {
                self.verdict.connections += 1;
                let before =
                    self.connections.insert(connection, Connection { client, ..Connection::default() });
                return match before {
                    None => Ok(()),
                    Some(_) => Err(format!("connection {connection} is established twice")),
                };
            }
            Event::Unrecorded => {
                self.verdict.has_unrecorded = true;
                return Ok(());
            }
            Event::End(_) => return Ok(()),
            Event::Request(answer) => self.request(connection, answer),
            Event::Reply(came) | Event::Accepted(came) | Event::Rejected(came) | Event::Refused(came) => {
                self.reply(connection, came, event)
            }
            Event::Farewell(_) => self.connections.get_mut(&connection).map(|its| its.is_ending = true),
            Event::Died | Event::Interrupted => self.end(connection, false),
            Event::Left => self.end(connection, true),
        }
        .ok_or_else(|| format!("connection {connection} has an event, and is not established"))
    }

    /// The verdict, if there are no more records. In a complete history the client has waited for the replies of the
    /// connections that are left.
    pub fn conclude(mut self, is_complete: bool) -> Verdict {
        self.verdict.is_complete = is_complete;
        let mut left: Vec<_> = self.connections.keys().copied().collect();
        left.sort_unstable();
        for connection in left {
            self.end(connection, is_complete);
        }
        self.verdict
    }

    fn request(&mut self, connection: u32, answer: Digest) -> Option<()> {
        let its = self.connections.get_mut(&connection)?;
        let request = its.next;
        its.next += 1;
        let mut in_flight = its.awaited.iter().rev().take(MOST_COMPARED);
        self.verdict.alike_in_flight += u64::from(in_flight.any(|(_, other)| *other == answer));
        its.awaited.push_back((request, answer));
        self.verdict.requests += 1;
        self.verdict.alike_elsewhere += u64::from(self.recent.add(answer, connection, request));
        if !self.unnamed.is_empty()
            && let Some(violation) = self.unnamed.remove(&answer)
            && let Some(violation) = self.verdict.violations.get_mut(violation)
        {
            violation.fault = Fault::Foreign { of_connection: connection, of_request: request };
        }
        Some(())
    }

    /// Takes a reply of any kind.
    #[inline]
    fn reply(&mut self, connection: u32, came: Digest, event: Event) -> Option<()> {
        let its = self.connections.get_mut(&connection)?;
        let next = its.next;
        if its.is_ending {
            self.violation(connection, next, Fault::AfterFarewell { came });
            return Some(());
        }
        if matches!(event, Event::Reply(_)) {
            match its.awaited.front() {
                Some((_, answer)) if *answer == came => {
                    its.awaited.pop_front();
                    self.verdict.answered += 1;
                }
                _ => self.unexpected(connection, came),
            }
            return Some(());
        }
        match (its.awaited.pop_front(), event) {
            (None, _) => self.violation(connection, next, Fault::Unasked { came }),
            (Some(_), Event::Accepted(_)) => {
                self.verdict.answered += 1;
                self.verdict.accepted += 1;
            }
            (Some((request, _)), Event::Refused(_)) => {
                if its.refused.len() == MAX_REFUSED {
                    its.refused.pop_front();
                }
                its.refused.push_back(request);
                self.verdict.refused += 1;
            }
            (Some((request, _)), _) => self.fail(connection, request, Fault::Rejected { came }),
        }
        Some(())
    }

    /// Classifies a reply that is not the expected next one.
    #[cold]
    fn unexpected(&mut self, connection: u32, came: Digest) {
        let Some(its) = self.connections.get_mut(&connection) else { return };
        let is_it = |(_, answer): &(u64, Digest)| *answer == came;
        if let Some(at) = its.awaited.iter().position(is_it) {
            // Those before it may be answered later: then they are reordered, otherwise lost.
            its.missing.extend(its.awaited.drain(..at));
            its.awaited.pop_front();
            self.verdict.answered += 1;
            let excess = its.missing.len().saturating_sub(MAX_MISSING);
            let lost: Vec<_> = its.missing.drain(..excess).collect();
            for (request, _) in lost {
                self.fail(connection, request, Fault::Lost);
            }
            return;
        }
        if let Some(at) = its.missing.iter().position(is_it)
            && let Some((request, _)) = its.missing.remove(at)
        {
            return self.fail(connection, request, Fault::Reordered);
        }
        let own = self.recent.answered_by(came).find(|origin| origin.connection == connection).copied();
        if let Some(own) = own {
            let is_refused = its.refused.contains(&own.request);
            let fault = if is_refused { Fault::AfterRefusal } else { Fault::Doubled };
            return self.violation(connection, own.request, fault);
        }
        let next = its.awaited.front().map_or(its.next, |(request, _)| *request);
        let other = self.recent.answered_by(came).next().copied();
        if let Some(Origin { connection: of_connection, request: of_request, .. }) = other {
            // The own reply may follow, so the request still waits for it.
            return self.violation(connection, next, Fault::Foreign { of_connection, of_request });
        }
        self.unnamed.insert(came, self.verdict.violations.len());
        match its.awaited.pop_front() {
            Some((request, expected)) => self.fail(connection, request, Fault::Altered { expected, came }),
            None => self.violation(connection, next, Fault::Unasked { came }),
        }
    }

    /// Ends a connection. If the client has waited for the replies, those that did not come are lost.
    fn end(&mut self, connection: u32, has_waited: bool) -> Option<()> {
        let its = self.connections.get_mut(&connection)?;
        let (awaited, mut lost) = (std::mem::take(&mut its.awaited), std::mem::take(&mut its.missing));
        self.verdict.broken_connections += u64::from(!awaited.is_empty());
        match has_waited {
            true => lost.extend(awaited),
            false => self.verdict.unknown += awaited.len() as u64,
        }
        for (request, _) in lost {
            self.fail(connection, request, Fault::Lost);
        }
        self.connections.remove(&connection);
        Some(())
    }

    /// Describes what is wrong with a request, which has no right reply.
    fn fail(&mut self, connection: u32, request: u64, fault: Fault) {
        self.verdict.failed += 1;
        self.violation(connection, request, fault);
    }

    fn violation(&mut self, connection: u32, request: u64, fault: Fault) {
        if self.verdict.violations.len() < MAX_VIOLATIONS {
            let client = self.connections.get(&connection).map_or(0, |its| its.client);
            let seconds = self.now.as_secs_f64();
            let place = Some(Place { connection, client, request, seconds });
            self.verdict.violations.push(Violation { place, fault });
        }
    }
}

#[cfg(test)]
mod tests;
