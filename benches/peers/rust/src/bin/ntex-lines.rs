//! An echo of lines on ntex, with its own runtime on epoll.

use std::{env, io};

use ntex::codec::{Decoder, Encoder};
use ntex::io::Io;
use ntex::service::fn_service;
use ntex::util::{Bytes, BytesMut};

#[ntex::main]
async fn main() -> io::Result<()> {
    let port = env::args().nth(1).unwrap_or_else(|| "0".to_owned());
    ntex::server::build()
        .bind("lines", format!("127.0.0.1:{port}"), async |_| fn_service(serve))?
        .run()
        .await
}

async fn serve(io: Io) -> io::Result<()> {
    while let Ok(Some(line)) = io.recv(&Lines).await {
        io.send(line, &Lines).await.map_err(io::Error::other)?;
    }
    Ok(())
}

struct Lines;

impl Decoder for Lines {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&self, input: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let end = memchr::memchr(b'\n', input);
        Ok(end.map(|end| input.split_to(end + 1)))
    }
}

impl Encoder for Lines {
    type Item = Bytes;
    type Error = io::Error;

    fn encode(&self, line: Bytes, output: &mut BytesMut) -> io::Result<()> {
        output.extend_from_slice(&line);
        Ok(())
    }
}
