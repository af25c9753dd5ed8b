//! Step 10: each client of the ring has a buffer of its own for its reply.

use std::collections::HashMap;
use std::io;
use std::net::TcpListener;
use std::thread;

use learn::ring::serve;

use crate::verify;

/// Keeps the reply to each client until the next one to the same client is placed.
fn own_buffers() -> impl FnMut(usize, &[u8]) -> *const u8 {
    let mut own: HashMap<usize, Box<[u8]>> = HashMap::new();
    move |client, reply| {
        own.insert(client, reply.into());
        own[&client].as_ptr()
    }
}

#[test]
#[expect(unsafe_code, reason = "the kernel reads the replies")]
fn each_client_gets_its_own_bytes() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    // SAFETY: a buffer is freed when the next reply to its client is placed, which is after this one was sent.
    let server = thread::spawn(move || unsafe { serve(listener, own_buffers()) });
    if let Err(why) = io_uring::IoUring::new(1) {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "there is no io_uring: {why}");
        return drop::<io::Result<()>>(server.join().expect("no panic"));
    }
    verify(address, &["--connections", "64"]);
}
