//! One client at a time, as in the first example of tutorials.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

use crate::answer;

/// Each line is answered by a separate write.
pub(crate) fn plain(listener: TcpListener, _workers: usize) -> io::Result<()> {
    loop {
        // A client that has disconnected is no reason to end.
        let _ = listener.accept().and_then(|(socket, _)| converse(&socket));
    }
}

/// Answers a client line by line, to the end of its input.
pub(crate) fn converse(mut socket: &TcpStream) -> io::Result<()> {
    let mut reader = BufReader::new(socket);
    let (mut line, mut reply) = (Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        answer(&line, &mut reply);
        socket.write_all(&reply)?;
        line.clear();
        reply.clear();
    }
    Ok(())
}
