//! A connection over the loopback interface.

use std::cell::RefCell;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serving::{Accepted, Socket, Transport};
use socket2::SockRef;

use crate::Connection;

pub(crate) struct Real {
    server: RefCell<Option<Socket>>,
    client: RefCell<Option<TcpStream>>,
}

impl Real {
    fn server<T>(&self, call: impl FnOnce(&Socket) -> T) -> T {
        call(self.server.borrow().as_ref().unwrap())
    }

    fn client<T>(&self, call: impl FnOnce(&TcpStream) -> T) -> T {
        call(self.client.borrow().as_ref().unwrap())
    }
}

impl Connection for Real {
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

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.server(|mut socket| Transport::read(&mut socket, buffer))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.server(|mut socket| Transport::write(&mut socket, bytes))
    }

    fn arrived(&self) -> usize {
        self.server(|socket| socket.arrived())
    }

    fn queued(&self) -> u64 {
        self.server(|socket| Transport::queued(&socket))
    }

    fn has_failed(&self) -> bool {
        self.server(|socket| socket.has_failed())
    }

    fn end_writing(&self) {
        self.server(Accepted::end_writing);
    }

    fn discard(&self, most: usize) -> io::Result<usize> {
        self.server(|socket| socket.discard(most))
    }

    fn refuse(&self, bytes: &[u8]) -> io::Result<usize> {
        self.server(|socket| socket.send(bytes))
    }

    fn close_server(&self) {
        *self.server.borrow_mut() = None;
    }

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
