//! A connection over the loopback interface.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serving::Socket;
use socket2::SockRef;

use crate::Client;
use crate::server::Ends;

pub(crate) struct Real {
    server: RefCell<Option<Socket>>,
    client: RefCell<Option<TcpStream>>,
}

impl Real {
    fn client<T>(&self, call: impl FnOnce(&TcpStream) -> T) -> T {
        call(self.client.borrow().as_ref().unwrap())
    }
}

impl Ends for Real {
    type Socket = Socket;

    fn connect() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        for socket in [&client, &server] {
            socket.set_nonblocking(true).unwrap();
            socket.set_nodelay(true).unwrap();
        }
        SockRef::from(&client).set_recv_buffer_size(65536).unwrap();
        SockRef::from(&server).set_send_buffer_size(65536).unwrap();
        Self { server: RefCell::new(Some(server.into())), client: RefCell::new(Some(client)) }
    }

    fn server<T>(&self, call: impl FnOnce(&Socket) -> T) -> T {
        call(self.server.borrow().as_ref().unwrap())
    }

    fn drop_server(&self) {
        *self.server.borrow_mut() = None;
    }
}

impl Client for Real {
    fn send(&self, bytes: &[u8]) {
        self.client(|mut socket| socket.write_all(bytes)).unwrap();
    }

    fn send_urgent(&self) {
        self.client(|socket| SockRef::from(socket).send_out_of_band(b"!")).unwrap();
    }

    fn end(&self) {
        self.client(|socket| socket.shutdown(std::net::Shutdown::Write)).unwrap();
    }

    fn close(&self) {
        *self.client.borrow_mut() = None;
    }

    fn reset(&self) {
        self.client(|socket| SockRef::from(socket).set_linger(Some(Duration::ZERO))).unwrap();
        self.close();
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.client(|mut socket| socket.read(buffer))
    }

    fn pass(&self) {
        std::thread::yield_now();
    }
}
