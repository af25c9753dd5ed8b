//! A server on io_uring that sends back what it receives. Its caller says in which memory a reply is kept until the kernel has
//! sent it. This decides whether each client gets its own bytes.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;

use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

/// The most bytes of a receive, and so of a reply.
pub const SIZE: usize = 4096;

/// Fault: all clients share one buffer for their replies.
pub fn shared_buffer() -> impl FnMut(usize, &[u8]) -> *const u8 {
    let mut shared = Box::new([0; SIZE]);
    move |_client, reply| {
        shared[..reply.len()].copy_from_slice(reply);
        shared.as_ptr()
    }
}

struct Client {
    socket: TcpStream,
    /// The kernel writes here what the client sends.
    input: Box<[u8; SIZE]>,
}

struct Server {
    ring: IoUring,
    listener: TcpListener,
    clients: Vec<Option<Client>>,
}

/// The kinds of operations. One is in the upper half of a token, and the number of the client in the lower half.
const ACCEPT: u64 = 0;
const RECEIVE: u64 = 1;
const SEND: u64 = 2;

/// Serves until there is an error. `place` gets the number of a client and a reply of at most [`SIZE`] bytes, copies the reply
/// into memory of its own, and returns the address. The next reply to the same client is placed when this one is sent.
///
/// # Safety
/// The memory must stay allocated until the next reply to the same client is placed.
///
/// # Errors
/// If the system has no io_uring, or forbids it.
#[expect(unsafe_code, reason = "the kernel reads the replies after the calls of this thread have returned")]
pub unsafe fn serve(
    listener: TcpListener,
    mut place: impl FnMut(usize, &[u8]) -> *const u8,
) -> io::Result<()> {
    let mut server = Server { ring: IoUring::new(256)?, listener, clients: Vec::new() };
    let served = server.run(&mut place);
    std::mem::forget((server, place)); // the kernel may still use their memory
    served
}

impl Server {
    fn run(&mut self, place: &mut impl FnMut(usize, &[u8]) -> *const u8) -> io::Result<()> {
        self.accept()?;
        loop {
            // Submits all operations that were pushed since the last call: only now does the kernel read the replies.
            match self.ring.submit_and_wait(1) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let completed: Vec<_> =
                self.ring.completion().map(|entry| (entry.user_data(), entry.result())).collect();
            for (token, result) in completed {
                let (operation, number) = (token >> 32, token as u32 as usize);
                match (operation, usize::try_from(result)) {
                    (ACCEPT, Ok(_)) => {
                        self.admit(result)?;
                        self.accept()?;
                    }
                    (ACCEPT, Err(_)) => return Err(io::Error::from_raw_os_error(-result)),
                    (RECEIVE, Ok(count @ 1..)) => self.send(number, count, place)?,
                    (SEND, Ok(_)) => self.receive(number)?,
                    _ => self.clients[number] = None, // it has left, and no operation of it is running
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        let accept = opcode::Accept::new(Fd(self.listener.as_raw_fd()), null_mut(), null_mut());
        self.push(accept.build(), ACCEPT, 0)
    }

    #[expect(unsafe_code, reason = "the kernel returns a descriptor as a number")]
    fn admit(&mut self, descriptor: RawFd) -> io::Result<()> {
        // SAFETY: the kernel has just opened it for this server.
        let socket = TcpStream::from(unsafe { OwnedFd::from_raw_fd(descriptor) });
        socket.set_nodelay(true)?;
        self.clients.push(Some(Client { socket, input: Box::new([0; SIZE]) }));
        self.receive(self.clients.len() - 1)
    }

    fn receive(&mut self, number: usize) -> io::Result<()> {
        let Some(client) = &mut self.clients[number] else { return Ok(()) };
        let (socket, input) = (Fd(client.socket.as_raw_fd()), client.input.as_mut_ptr());
        self.push(opcode::Recv::new(socket, input, SIZE as u32).build(), RECEIVE, number)
    }

    fn send(
        &mut self,
        number: usize,
        count: usize,
        place: &mut impl FnMut(usize, &[u8]) -> *const u8,
    ) -> io::Result<()> {
        let Some(client) = &self.clients[number] else { return Ok(()) };
        let (socket, reply) = (Fd(client.socket.as_raw_fd()), place(number, &client.input[..count]));
        // With `MSG_WAITALL` the kernel sends all of it before the operation completes.
        let flags = libc::MSG_NOSIGNAL | libc::MSG_WAITALL;
        self.push(opcode::Send::new(socket, reply, count as u32).flags(flags).build(), SEND, number)
    }

    #[expect(unsafe_code, reason = "an operation points to memory")]
    fn push(&mut self, operation: squeue::Entry, kind: u64, number: usize) -> io::Result<()> {
        let operation = operation.user_data(kind << 32 | number as u64);
        // SAFETY: the input and the socket of a client are kept until its last operation has completed. Replies are kept by
        // the caller of `serve`.
        while unsafe { self.ring.submission().push(&operation) }.is_err() {
            self.ring.submit()?; // the queue is full
        }
        Ok(())
    }
}
