//! Once a connection is open, a message that arrives whole is answered without an allocation.
#![expect(clippy::disallowed_methods, reason = "a test may look at the clock to have an instant")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Instant;

use anyloop_common::{
    Address, Client, Clock, Connection, Flow, Framing, Handler, Next, Outbox, Replies, Service, Session,
};

/// Counts the allocations of each thread, and the bytes that it holds.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

#[expect(unsafe_code, reason = "an allocator is unsafe to write")]
// SAFETY: all calls are forwarded to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(layout.size())));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_sub(layout.size())));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Echo;

impl Handler for Echo {
    fn open(&self, _client: &Client, _out: &mut Replies<'_>) -> Box<dyn Session> {
        Box::new(Self)
    }
}

impl Session for Echo {
    fn message(&mut self, message: &[u8], out: &mut Replies<'_>) -> Flow {
        out.send(message);
        Flow::Continue
    }
}

/// Answers `input` once, and returns the number of answered messages.
fn round(connection: &mut Connection, input: &mut [u8], out: &mut Outbox, clock: &Clock) -> u64 {
    let before = connection.messages();
    let mut active = connection.activate(out, clock);
    active.receive(input);
    loop {
        match active.what_now() {
            Next::Write => active.wrote(active.output().len()),
            Next::Run => active.run(),
            Next::Read => return active.connection().messages() - before,
            next @ (Next::Wait | Next::Done(_)) => panic!("ended: {next:?}"),
        }
    }
}

fn allocations_of_rounds(framing: Framing, input: &[u8], messages: u64) -> usize {
    let service = Arc::new(Service::framed(Arc::new(Echo), framing));
    let now = Instant::now();
    let (mut out, mut input) = (Outbox::new(), input.to_vec());
    let mut connection = Connection::new(service, Client::new(Address::Unknown), now);
    let clock = Clock::new(move || now);
    connection.activate(&mut out, &clock).run();
    // The first round allocates the outbox.
    assert_eq!(round(&mut connection, &mut input, &mut out, &clock), messages);
    let before = ALLOCATIONS.get();
    for _ in 0..1000 {
        assert_eq!(round(&mut connection, &mut input, &mut out, &clock), messages);
    }
    ALLOCATIONS.get() - before
}

#[test]
fn a_message_costs_no_allocation() {
    let line = b"thirty-two bytes with a line end\n";
    assert_eq!(allocations_of_rounds(Framing::Line, line, 1), 0);
    assert_eq!(allocations_of_rounds(Framing::Line, &line.repeat(16), 16), 0);
    assert_eq!(allocations_of_rounds(Framing::Length, b"\0\0\0\x05hello\0\0\0\0", 2), 0);
    assert_eq!(allocations_of_rounds(Framing::Raw, b"hello", 1), 0);
}

#[test]
fn an_allocation_is_counted() {
    // If a read exceeds a turn, its rest is kept, which needs an allocation.
    assert!(allocations_of_rounds(Framing::Line, &b"m\n".repeat(65), 65) >= 1000);
}

#[test]
fn a_handle_that_outlives_its_client_holds_about_a_hundred_bytes() {
    let service = Arc::new(Service::framed(Arc::new(Echo), Framing::Line));
    let now = Instant::now();
    let clock = Clock::new(move || now);
    let mut out = Outbox::new();
    let before = BYTES.get();
    let client = Client::new(Address::Unknown);
    let handle = client.handle();
    let mut connection = Connection::new(Arc::clone(&service), client, now);
    connection.activate(&mut out, &clock).run();
    for _ in 0..100 {
        handle.send(vec![b'x'; 1000]).expect("a client");
    }
    assert!(BYTES.get() - before > 100_000);
    connection.end();
    connection.record().cell.free_mailbox(); // as a server does
    drop(connection);
    let held = BYTES.get() - before;
    assert!(held <= 128, "{held} bytes");
    assert!(handle.send(*b"too late").is_err());
    assert!(BYTES.get() - before <= 128);
}
