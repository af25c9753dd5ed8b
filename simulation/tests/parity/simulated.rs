//! A connection over the simulated kernel.

use std::cell::RefCell;
use std::io;

use anyloop_simulation::{Pair, SimSocket};

use crate::Client;
use crate::server::Ends;

pub(crate) struct Simulated(RefCell<Pair>);

impl Ends for Simulated {
    type Socket = SimSocket;

    fn connect() -> Self {
        Self(RefCell::new(Pair::new(40_000, 60_000)))
    }

    fn server<T>(&self, call: impl FnOnce(&SimSocket) -> T) -> T {
        call(self.0.borrow().server().unwrap())
    }

    fn drop_server(&self) {
        self.0.borrow_mut().close_server();
    }
}

impl Client for Simulated {
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
