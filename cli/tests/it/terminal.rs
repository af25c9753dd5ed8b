//! The client at a terminal.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::channel;

use rustix::process::Signal;

use crate::client::{EVIL, one_client};
use crate::pseudoterminal::Terminal;
use crate::server::Server;

#[test]
fn lines_are_edited_and_replies_shown() {
    let server = Server::start("");
    let mut terminal = Terminal::start(&["client", &server.address.to_string()]);
    terminal.see("連接成功!\n");
    terminal.see("> ");
    terminal.press("hellp\x7fo\r");
    terminal.see("第1條信息:hello\n");
    terminal.press("你好abc\x1b[D\x1b[D\x7fX\r");
    terminal.see("第2條信息:你好Xbc\n");
    terminal.press("\x1b[A\x1b[A!\r");
    terminal.see("第3條信息:hello!\n");
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
    terminal.see("> ");
    terminal.press("半行 half");
    terminal.see("半行 half");
    for news in ["news", "more news"] {
        speak.send(format!("{news}\n").leak().as_bytes()).unwrap();
        terminal.see(&format!("{news}\n"));
        terminal.see("> 半行 half");
    }
    // The end of the conversation ends the client without a key press; the last reply is shown.
    speak.send(b"ERR timeout idle\n").unwrap();
    drop(speak);
    terminal.see("ERR timeout idle\n");
    terminal.see("error: the server has ended the conversation: ERR timeout idle\n");
    assert_eq!(terminal.end(), Some(1));
    server.join().unwrap();
}

#[test]
fn the_last_replies_are_shown_however_many_they_are() {
    let (address, server) = one_client(|mut socket| {
        socket.read_exact(&mut [0; 3]).unwrap();
        (0..5000).for_each(|number| writeln!(socket, "reply {number}").unwrap());
    });
    let mut terminal = Terminal::start(&["client", &address]);
    terminal.see("> ");
    terminal.press("go\r");
    (0..5000).for_each(|number| terminal.see(&format!("reply {number}\n")));
    terminal.see("the server has ended the conversation");
    assert_eq!(terminal.end(), Some(0));
    server.join().unwrap();
}

#[test]
fn input_before_the_prompt_is_kept() {
    for framing in ["line", "raw"] {
        let server = Server::start(&format!("--framing {framing}"));
        let mut terminal = Terminal::start(&["client", &server.address.to_string(), "--framing", framing]);
        terminal.press("one\r你好\rthr");
        terminal.see("第1條信息:one\n");
        terminal.see("第2條信息:你好\n");
        terminal.press("ee\r");
        terminal.see("第3條信息:three\n");
        terminal.press("exit\r");
        assert_eq!(terminal.end(), Some(0));
    }
}

#[test]
fn many_lines_can_be_pasted() {
    let server = Server::start("");
    let mut terminal = Terminal::start(&["client", &server.address.to_string()]);
    terminal.see("> ");
    let lines: Vec<_> = (1..=150).map(|number| format!("pasted line {number}\r")).collect();
    terminal.press(&lines.concat());
    (1..=150).for_each(|number| terminal.see(&format!("第{number}條信息:pasted line {number}\n")));
    terminal.press("exit\r");
    assert_eq!(terminal.end(), Some(0));
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
fn ctrl_c_and_signals_end_the_client_and_leave_the_terminal_usable() {
    for framing in ["line", "raw"] {
        let server = Server::start(&format!("--framing {framing}"));
        for typed in ["", "half"] {
            for signal in [None, Some(Signal::INT), Some(Signal::TERM)] {
                let address = server.address.to_string();
                let mut terminal = Terminal::start(&["client", &address, "--framing", framing]);
                terminal.see("> ");
                terminal.press(typed);
                terminal.see(typed);
                match signal {
                    Some(signal) => terminal.signal(signal),
                    None => terminal.press("\x03"),
                }
                assert_eq!(terminal.end(), None, "{framing} `{typed}` {signal:?}");
            }
        }
    }
}

#[test]
fn a_reply_to_exit_is_awaited_from_any_handler() {
    let server = Server::start("--handler echo");
    let mut terminal = Terminal::start(&["client", &server.address.to_string()]);
    terminal.see("> ");
    terminal.press("exit\r");
    terminal.see("> exit\n");
    terminal.see("exit\n");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn a_hanging_server_can_be_left_at_once() {
    let (leave, left) = channel::<()>();
    let (address, server) = one_client(move |mut socket| {
        socket.read_exact(&mut [0; 5]).unwrap();
        socket.write_all(b"I stay\n").unwrap();
        let _ = left.recv();
    });
    let mut terminal = Terminal::start(&["client", &address]);
    terminal.see("> ");
    terminal.press("exit\r");
    terminal.see("I stay\n");
    terminal.signal(Signal::INT); // between two lines, Ctrl-C is one
    assert_eq!(terminal.end(), None);
    drop(leave);
    server.join().unwrap();
}

#[test]
fn a_lost_server_leaves_the_terminal_usable() {
    for framing in ["line", "raw"] {
        let (address, server) = one_client(|mut socket| {
            socket.write_all(b"hello\n").unwrap();
            socket.read_exact(&mut [0]).unwrap();
        });
        let mut terminal = Terminal::start(&["client", &address, "--framing", framing]);
        terminal.see("> ");
        terminal.press("more than a byte\r");
        terminal.see("error: the server has vanished");
        assert_eq!(terminal.end(), Some(1), "{framing}");
        server.join().unwrap();
    }
}

#[test]
fn unanswered_messages_are_reported_as_the_servers_failure() {
    for framing in ["line", "raw"] {
        let (address, server) = one_client(|mut socket| {
            socket.read_exact(&mut [0; 5]).unwrap();
        });
        let mut terminal = Terminal::start(&["client", &address, "--framing", framing]);
        terminal.see("> ");
        terminal.press("hello\r");
        terminal.see("error: the server has ");
        assert_eq!(terminal.end(), Some(1), "{framing}");
        server.join().unwrap();
    }
}

#[test]
fn who_leaves_need_not_have_been_answered() {
    for keys in ["\x04", "exit\r"] {
        let (address, server) = one_client(|mut socket| {
            socket.write_all(b"ERR hello\n").unwrap();
            let mut lines = String::new();
            socket.read_to_string(&mut lines).unwrap();
            assert!(lines.starts_with("one\ntwo\n"), "{lines}");
        });
        let mut terminal = Terminal::start(&["client", &address]);
        terminal.see("ERR hello\n");
        terminal.press("one\rtwo\r");
        terminal.see("> two\n");
        terminal.press(keys);
        assert_eq!(terminal.end(), Some(0), "{keys:?}");
        server.join().unwrap();
    }
}

#[test]
fn no_reply_is_lost_when_stdin_ends() {
    for framing in ["line", "raw"] {
        let server = Server::start(&format!("--handler echo --framing {framing}"));
        let mut terminal = Terminal::start(&["client", &server.address.to_string(), "--framing", framing]);
        terminal.see("> ");
        terminal.press("\x04");
        assert_eq!(terminal.end(), Some(0), "{framing}");
    }
}

#[test]
fn tabs_are_gaps() {
    let (address, server) = one_client(|mut socket| socket.write_all(b"a\tb\x1b\n").unwrap());
    let mut terminal = Terminal::start(&["client", &address]);
    terminal.see("ab\\x1b\n"); // without what directs it, and a tab does, a little
    assert_eq!(terminal.end(), Some(0));
    server.join().unwrap();
}

#[test]
fn control_sequences_from_the_server_are_escaped() {
    for (evil, shown) in EVIL {
        let (address, server) = one_client(move |mut socket| {
            socket.write_all(evil).unwrap();
            socket.write_all(b"\n").unwrap();
        });
        let mut terminal = Terminal::start(&["client", &address]);
        terminal.see(&format!("{shown}\n"));
        terminal.see("the server has ended the conversation");
        assert_eq!(terminal.end(), Some(0));
        server.join().unwrap();
    }
}

#[test]
fn a_dumb_terminal_uses_its_own_line_editing() {
    let server = Server::start("");
    let mut terminal = Terminal::start_on("dumb", &["client", &server.address.to_string()]);
    terminal.see("連接成功!\n");
    terminal.press("hellp\x7fo\r");
    terminal.see("第1條信息:hello\n");
    terminal.press("exit\r");
    assert_eq!(terminal.end(), Some(0));
}

#[test]
fn notes_on_standard_error_go_on_in_the_next_line_of_a_terminal() {
    let output = format!("{}/{}-notes", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let server =
        "x=sh -c 'echo no such device, and no such file, and no such thing either >&2; exit 7' {port}";
    let mut terminal = Terminal::start(&["compare", "--quick", "--server", server, "--output", &output]);
    // The terminal has 80 columns.
    terminal.see("no such device, and no such\n      file, and no such thing either\n");
    assert_eq!(terminal.end(), Some(1));
    std::fs::remove_dir_all(output).unwrap();
}
