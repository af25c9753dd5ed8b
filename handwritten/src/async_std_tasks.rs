//! A task for each connection, on async-std. It always has as many threads as there are cores: only its own environment
//! variable can change that.

use std::future::Future;
use std::{io, net};

use async_std::io::prelude::BufReadExt;
use async_std::io::{BufReader, WriteExt};
use async_std::net::{TcpListener, TcpStream};
use async_std::task;

use crate::{answer, has_line};

/// Each line is answered by a separate write.
pub(crate) fn plain(listener: net::TcpListener, _workers: usize) -> io::Result<()> {
    serve(listener, |mut socket| async move {
        let mut reader = BufReader::new(socket.clone());
        let (mut line, mut reply) = (Vec::new(), Vec::new());
        while reader.read_until(b'\n', &mut line).await? > 0 {
            answer(&line, &mut reply);
            socket.write_all(&reply).await?;
            line.clear();
            reply.clear();
        }
        Ok(())
    })
}

/// All lines that have arrived are answered by one write.
pub(crate) fn careful(listener: net::TcpListener, _workers: usize) -> io::Result<()> {
    serve(listener, |mut socket| async move {
        socket.set_nodelay(true)?;
        let mut reader = BufReader::new(socket.clone());
        let (mut line, mut replies) = (Vec::new(), Vec::new());
        while reader.read_until(b'\n', &mut line).await? > 0 {
            answer(&line, &mut replies);
            line.clear();
            if !has_line(reader.buffer()) {
                socket.write_all(&replies).await?;
                replies.clear();
            }
        }
        Ok(())
    })
}

fn serve<Conversation>(listener: net::TcpListener, converse: fn(TcpStream) -> Conversation) -> io::Result<()>
where
    Conversation: Future<Output = io::Result<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    task::block_on(async {
        let listener = TcpListener::from(listener);
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            task::spawn(converse(socket));
        }
    })
}
