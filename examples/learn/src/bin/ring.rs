//! Runs the server of `learn::ring` with its fault, on a free port.

use std::io;

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the kernel reads the replies after the calls of this program have returned")]
fn main() -> io::Result<()> {
    use std::io::Write;
    use std::net::TcpListener;

    use learn::ring::{serve, shared_buffer};

    io_uring::IoUring::new(1)?; // fails if the system has no io_uring, or forbids it
    let listener = TcpListener::bind("127.0.0.1:0")?;
    writeln!(io::stdout(), "listening on {}", listener.local_addr()?)?;
    // SAFETY: the buffer is never freed while the server runs.
    unsafe { serve(listener, shared_buffer()) }
}

#[cfg(not(target_os = "linux"))]
fn main() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "io_uring is a part of Linux"))
}
