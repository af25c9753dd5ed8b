//! The client at a terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::client::{EVIL, one_client};
use crate::process::{BOUND, Process, anyloop};
use crate::server::Server;

/// A client at a terminal of its own.
struct Terminal {
    client: Process,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// All that was written to the terminal so far.
    seen: String,
    /// The client's end, which also keeps the terminal open behind it.
    tty: OwnedFd,
}

impl Terminal {
    fn start(arguments: &[&str]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let tty = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&tty, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let end = || Stdio::from(tty.try_clone().unwrap());
        let mut command = anyloop(arguments);
        let client = Process::start_as_is(command.stdin(end()).stdout(end()).stderr(end()));
        drop(command);
        let keyboard = File::from(keyboard);
        let mut output = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count) = output.read(&mut buffer) {
                if count == 0 || sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { client, keyboard, screen, seen: String::new(), tty }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` was written to the terminal, behind what was waited for before.
    #[track_caller]
    fn see(&mut self, text: &str) {
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            match self.screen.recv_timeout(BOUND) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("`{text}` was not shown ({error}): {:?}", self.seen),
            }
        }
    }

    /// Waits until the client has ended by itself, and checks that it left the terminal as it was.
    #[track_caller]
    fn end(self) -> Option<i32> {
        let code = self.client.end().code;
        let modes = tcgetattr(&self.tty).unwrap().local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        code
    }
}

#[test]
fn lines_are_edited_and_replies_shown() {
    let server = Server::start("");
    let mut terminal = Terminal::start(&["client", &server.address.to_string()]);
    terminal.see("連接成功!");
    terminal.see("> ");
    terminal.press("hellp\x7fo\r");
    terminal.see("第1條信息:hello\r\n");
    terminal.press("你好abc\x1b[D\x1b[D\x7fX\r");
    terminal.see("> 你好Xbc");
    terminal.see("第2條信息:你好Xbc\r\n");
    terminal.press("\x1b[A\x1b[A!\r");
    terminal.see("第3條信息:hello!\r\n");
    terminal.press("exit\r");
    assert_eq!(terminal.end(), Some(0));
    assert_eq!(server.stop().receipt["reasons"]["exit"], 1);
}

#[test]
fn replies_appear_above_the_line_that_is_being_typed() {
    let (speak, words) = channel::<&[u8]>();
    let (address, server) = one_client(move |mut socket| {
        words.iter().for_each(|word| socket.write_all(word).unwrap());
        socket.shutdown(Shutdown::Both).unwrap();
    });
    let mut terminal = Terminal::start(&["client", &address]);
    terminal.press("half a li");
    terminal.see("half a li");
    speak.send(b"news\n").unwrap();
    terminal.see("\r\x1b[Knews\r\n");
    terminal.see("> half a li");
    // The end of the conversation ends the client, though nobody has pressed a key; the last reply is seen.
    speak.send(b"ERR timeout idle\n").unwrap();
    drop(speak);
    terminal.see("ERR timeout idle\r\n");
    terminal.see("the server has ended the conversation");
    assert_eq!(terminal.end(), Some(0));
    server.join().unwrap();
}

#[test]
fn ctrl_d_leaves() {
    for framing in ["line", "raw"] {
        let server = Server::start(&format!("--framing {framing}"));
        let mut terminal = Terminal::start(&["client", &server.address.to_string(), "--framing", framing]);
        terminal.see("> ");
        terminal.press("\x04");
        assert_eq!(terminal.end(), Some(0), "{framing}");
        assert_eq!(server.stop().receipt["reasons"]["end_of_input"], 1, "{framing}");
    }
}

#[test]
fn exit_is_waited_for_even_where_it_means_nothing() {
    let server = Server::start("--handler echo");
    let mut terminal = Terminal::start(&["client", &server.address.to_string()]);
    terminal.see("> ");
    terminal.press("exit\r");
    terminal.see("> exit");
    terminal.see("\r\x1b[Kexit\r\n");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn in_raw_one_takes_turns() {
    let server = Server::start("--framing raw");
    let mut terminal = Terminal::start(&["client", &server.address.to_string(), "--framing", "raw"]);
    // Typed ahead, both lines wait for their turn.
    terminal.press("one\rtwo\r");
    terminal.see("連接成功!");
    terminal.see("第1條信息:one\r\n");
    terminal.see("第2條信息:two\r\n");
    terminal.press("exit\r");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_server_that_vanishes_leaves_the_terminal_usable() {
    let (address, server) = one_client(|mut socket| socket.read_exact(&mut [0]).unwrap());
    let mut terminal = Terminal::start(&["client", &address]);
    terminal.see("> ");
    terminal.press("more than a byte\r");
    terminal.see("error: the server has vanished");
    assert_eq!(terminal.end(), Some(1));
    server.join().unwrap();
}

#[test]
fn an_evil_server_directs_nothing() {
    for (evil, shown) in EVIL {
        let (address, server) = one_client(move |mut socket| {
            socket.write_all(evil).unwrap();
            socket.write_all(b"\n").unwrap();
        });
        let mut terminal = Terminal::start(&["client", &address]);
        terminal.see(&format!("\r\x1b[K{shown}\r\n"));
        terminal.see("the server has ended the conversation");
        assert_eq!(terminal.end(), Some(0));
        server.join().unwrap();
    }
}
