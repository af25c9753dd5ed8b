//! Runs the server of `learn::ring` with its fault, on a free port.

use std::io::{self, Write};
use std::net::TcpListener;

use learn::ring::{serve, shared_buffer};

#[expect(unsafe_code, reason = "the kernel reads the replies after the calls of this program have returned")]
fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    // SAFETY: the buffer is allocated until the closure is dropped, which is after the server has ended.
    unsafe { serve(listener, shared_buffer()) }
}
