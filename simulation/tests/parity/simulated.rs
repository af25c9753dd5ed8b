//! A connection over the simulated kernel.

use std::cell::RefCell;
use std::io;

use anyloop_simulation::{Pair, SimSocket};
use serving::{Accepted, Transport};

use crate::Connection;

pub(crate) struct Simulated(RefCell<Pair>);

impl Simulated {
    fn server<T>(&self, call: impl FnOnce(&SimSocket) -> T) -> T {
        call(self.0.borrow().server().unwrap())
    }
}

impl Connection for Simulated {
    fn connect() -> Self {
        Self(RefCell::new(Pair::new(40_000, 60_000)))
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.server(|mut socket| socket.read(buffer))
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.server(|mut socket| socket.write(bytes))
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
        self.0.borrow_mut().close_server();
    }

    fn send(&self, bytes: &[u8]) {
        self.0.borrow().send(bytes);
    }

    fn send_urgent(&self) {
        self.0.borrow().send_urgent();
    }

    fn end(&self) {
        self.0.borrow().end();
    }

    fn close(&self) {
        self.0.borrow().close();
    }

    fn reset(&self) {
        self.0.borrow().reset();
    }

    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.borrow().receive(buffer)
    }

    fn pass(&self) {
        self.0.borrow().settle();
    }
}
