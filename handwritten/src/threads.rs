//! A thread for each connection.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::{answer, has_line, sequential};

/// Each line is answered by a separate write.
pub(crate) fn plain(listener: TcpListener, _workers: usize) -> io::Result<()> {
    serve(&listener, sequential::converse)
}

/// All lines that have arrived are answered by one write.
pub(crate) fn careful(listener: TcpListener, _workers: usize) -> io::Result<()> {
    serve(&listener, converse)
}

fn serve(listener: &TcpListener, converse: fn(&TcpStream) -> io::Result<()>) -> io::Result<()> {
    loop {
        let Ok((socket, _)) = listener.accept() else { continue };
        // If no thread can be started, the socket is dropped and thereby closed.
        let _ = thread::Builder::new().spawn(move || converse(&socket));
    }
}

fn converse(mut socket: &TcpStream) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut reader = BufReader::new(socket);
    let (mut line, mut replies) = (Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 {
        answer(&line, &mut replies);
        line.clear();
        if !has_line(reader.buffer()) {
            socket.write_all(&replies)?;
            replies.clear();
        }
    }
    Ok(())
}
