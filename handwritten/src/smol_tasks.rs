//! A task for each connection, on smol: an executor, and threads that run it.

use std::future::{Future, pending};
use std::{io, net, thread};

use smol::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use smol::net::{TcpListener, TcpStream};
use smol::{Async, Executor};

use crate::{answer, has_line};

/// Each line is answered by a separate write.
pub(crate) fn plain(listener: net::TcpListener, workers: usize) -> io::Result<()> {
    serve(listener, workers, |mut socket| async move {
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
pub(crate) fn careful(listener: net::TcpListener, workers: usize) -> io::Result<()> {
    serve(listener, workers, |mut socket| async move {
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

fn serve<Conversation>(
    listener: net::TcpListener,
    workers: usize,
    converse: fn(TcpStream) -> Conversation,
) -> io::Result<()>
where
    Conversation: Future<Output = io::Result<()>> + Send + 'static,
{
    static EXECUTOR: Executor<'static> = Executor::new();
    for _ in 0..workers {
        thread::Builder::new().spawn(|| smol::block_on(EXECUTOR.run(pending::<()>())))?;
    }
    smol::block_on(async {
        let listener = TcpListener::from(Async::new(listener)?);
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            EXECUTOR.spawn(converse(socket)).detach();
        }
    })
}
