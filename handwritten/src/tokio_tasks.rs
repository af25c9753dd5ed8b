//! A task for each connection, on tokio.

use std::future::Future;
use std::{io, net};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_util::codec::{Framed, LinesCodec};

use crate::{Certificate, answer, has_line};

/// Lines as a stream and a sink, each answered by a separate write.
pub(crate) fn framed(listener: net::TcpListener, workers: usize) -> io::Result<()> {
    serve(listener, workers, |socket| async move {
        let mut lines = Framed::new(socket, LinesCodec::new());
        while let Some(Ok(line)) = lines.next().await {
            if lines.send(line).await.is_err() {
                break;
            }
        }
        Ok(())
    })
}

/// All lines that have arrived are answered by one write.
pub(crate) fn careful(listener: net::TcpListener, workers: usize) -> io::Result<()> {
    serve(listener, workers, |socket| async move {
        socket.set_nodelay(true)?;
        converse(socket).await
    })
}

/// The same over TLS.
pub(crate) fn tls(listener: net::TcpListener, workers: usize, certificate: Certificate) -> io::Result<()> {
    let acceptor = TlsAcceptor::from(certificate.0);
    serve(listener, workers, move |socket| {
        let acceptor = acceptor.clone();
        async move {
            socket.set_nodelay(true)?;
            let mut stream = acceptor.accept(socket).await?;
            converse(&mut stream).await?;
            stream.shutdown().await // announces the end
        }
    })
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    let (mut line, mut replies) = (Vec::new(), Vec::new());
    while stream.read_until(b'\n', &mut line).await? > 0 {
        answer(&line, &mut replies);
        line.clear();
        if !has_line(stream.buffer()) {
            stream.write_all(&replies).await?;
            stream.flush().await?; // TLS may keep a record that the socket did not take
            replies.clear();
        }
    }
    Ok(())
}

fn serve<Conversation>(
    listener: net::TcpListener,
    workers: usize,
    converse: impl Fn(TcpStream) -> Conversation,
) -> io::Result<()>
where
    Conversation: Future<Output = io::Result<()>> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_multi_thread().worker_threads(workers.max(1)).enable_io().build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            tokio::spawn(converse(socket));
        }
    })
}
