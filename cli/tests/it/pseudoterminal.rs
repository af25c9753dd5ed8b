//! A terminal without a screen: it presses keys, answers where its cursor is, and keeps what was written.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{InputModes, LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::process::{BOUND, Process, anyloop};

/// A client in its own pseudoterminal.
pub(crate) struct Terminal {
    client: Process,
    keyboard: File,
    screen: Receiver<Vec<u8>>,
    /// The text that was written to the terminal so far, without what directs the terminal.
    seen: String,
    /// The client's end, which also keeps the terminal open behind it.
    tty: OwnedFd,
}

impl Terminal {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_on("xterm", arguments)
    }

    /// Starts the client on this kind of terminal.
    pub(crate) fn start_on(kind: &str, arguments: &[&str]) -> Self {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let name = ptsname(&keyboard, Vec::new()).unwrap();
        let tty = rustix::fs::open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        tcsetwinsize(&tty, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let end = || Stdio::from(tty.try_clone().unwrap());
        let mut command = anyloop(arguments);
        command.env("TERM", kind);
        let client = Process::start_as_is(command.stdin(end()).stdout(end()).stderr(end()));
        drop(command);
        let keyboard = File::from(keyboard);
        let terminal = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || serve(terminal, Screen(sender)));
        Self { client, keyboard, screen, seen: String::new(), tty }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.client.signal(signal);
    }

    /// Waits until `text` was written to the terminal, behind what was waited for before.
    #[track_caller]
    pub(crate) fn see(&mut self, text: &str) {
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

    /// Waits until the client has ended by itself, and checks that it left the terminal as it was. A client
    /// that a signal has ended has no code.
    #[track_caller]
    pub(crate) fn end(self) -> Option<i32> {
        let code = self.client.end().code;
        let modes = tcgetattr(&self.tty).unwrap();
        assert!(modes.local_modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(modes.input_modes.contains(InputModes::ICRNL));
        code
    }
}

/// Collects the output. Each query of the cursor position is answered with the first row: the tests do not check
/// positions.
fn serve(mut terminal: File, screen: Screen) {
    let mut screen = strip_ansi_escapes::Writer::new(screen);
    let mut buffer = [0; 4096];
    // How many bytes of a cursor query have arrived.
    let mut asked = 0;
    while let Ok(count @ 1..) = terminal.read(&mut buffer) {
        for byte in &buffer[..count] {
            asked = if *byte == QUESTION[asked] { asked + 1 } else { usize::from(*byte == QUESTION[0]) };
            if asked == QUESTION.len() {
                terminal.write_all(b"\x1b[1;1R").unwrap();
                asked = 0;
            }
        }
        if screen.write_all(&buffer[..count]).and_then(|()| screen.flush()).is_err() {
            return; // nobody looks any more
        }
    }
}

/// Where is the cursor?
const QUESTION: &[u8] = b"\x1b[6n";

struct Screen(Sender<Vec<u8>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.send(bytes.to_vec()).map_err(|_| io::Error::from(ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
