//! Sends the same requests to Redis and to the store: the replies are equal, byte for byte. Of errors only the first
//! word is compared, which is the part that programs use.

#[path = "../../testing/server.rs"]
mod server;
#[path = "../../testing/tool.rs"]
mod tool;

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use self::server::Server;
use self::tool::Tool;

/// A Redis on a Unix socket, which is stopped on drop.
struct Redis {
    child: Child,
    socket: PathBuf,
}

impl Redis {
    /// `None` if it isn't installed.
    fn start(name: &str) -> Option<Self> {
        Tool { name: "redis-server", package: "redis-server" }.run(&["--version"])?;
        let folder = std::env::temp_dir(); // since the path of a socket has to be short
        let socket = folder.join(format!("anyloop-{name}-{}", std::process::id()));
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--dir"]).arg(&folder).arg("--unixsocket").arg(&socket);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let mut lines = lines.map(|line| line.expect("it says how it goes"));
        assert!(lines.any(|line| line.contains("eady to accept connections")), "Redis has ended");
        std::thread::spawn(move || lines.for_each(drop)); // or else it might wait for somebody to read
        Some(Self { child, socket })
    }

    fn connect(&self) -> UnixStream {
        let socket = UnixStream::connect(&self.socket).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
        socket
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// The replies to this request, up to the end of the connection or the reply to a last command.
fn say(mut socket: impl Read + Write, request: &[u8]) -> Vec<u8> {
    const LAST: &[u8] = b"\r\n*2\r\n$4\r\nECHO\r\n$8\r\nthe last\r\n";
    // A server may close the connection before all is written.
    let _ = socket.write_all(request).and_then(|()| socket.write_all(LAST));
    let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
    while !said.ends_with(b"$8\r\nthe last\r\n") {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => said.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{}: {error}", request.escape_ascii()),
        }
    }
    said
}

/// The parts of replies, each prefixed with its type. Parts that differ between the servers are left out: the text of
/// an error after its first word, the version of Redis, and a client's number.
fn parts(mut replies: &[u8]) -> Vec<String> {
    let mut parts: Vec<String> = Vec::new();
    while let Some(end) = replies.windows(2).position(|two| two == b"\r\n") {
        let mut part = replies[..end].escape_ascii().to_string();
        replies = &replies[end + 2..];
        match part.as_bytes()[0] {
            b'-' => part = part.split(' ').next().unwrap_or_default().to_owned(),
            kind @ (b'$' | b'=') if part != "$-1" => {
                let length: usize = part[1..].parse().expect("it is a length");
                part = format!("{}{}", kind as char, replies[..length].escape_ascii());
                replies = &replies[length + 2..];
            }
            _ => {}
        }
        if parts.last().is_some_and(|name| name == "$version" || name == "$id") {
            part = "its own".to_owned();
        }
        parts.push(part);
    }
    parts
}

/// Both servers' answers to each of these, in their order.
fn compare(name: &str, requests: &[&str]) {
    let Some(redis) = Redis::start(name) else { return };
    let server = Server::start(env!("CARGO_BIN_EXE_key-value"), "--backend smol");
    for request in requests {
        let expected = parts(&say(redis.connect(), request.as_bytes()));
        let said = parts(&say(server.connect(), request.as_bytes()));
        assert_eq!(said, expected, "{request:?}");
    }
}

#[test]
fn commands_are_answered_as_redis_answers_them() {
    let array = |words: &[&str]| -> String {
        let words = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect::<Vec<_>>();
        format!("*{}\r\n{}", words.len(), words.concat())
    };
    compare(
        "commands",
        &[
            "DBSIZE\r\nINFO keyspace\r\nSET a 1\r\nDBSIZE\r\nINFO keyspace\r\nDEL a",
            "PING\r\nping hello\r\nPING a b\r\nECHO hi\r\nECHO\r\nECHO a b",
            "SET k v\r\nGET k\r\nGET none\r\nGET\r\nGET a b\r\nget k\r\nDEL k",
            "SET k 1 XX\r\nSET k 2 nx\r\nSET k 3 NX\r\nGET k\r\nSET k 4 xx\r\nGET k\r\nDEL k",
            "SET\r\nSET k\r\nSET k v FOO\r\nSET k v NX XX\r\nGET k",
            "SET a 1\r\nSET b 2\r\nEXISTS a a b c\r\nEXISTS\r\nDEL a a b c\r\nDEL\r\nEXISTS a",
            "MSET a 1 b 2 a 3\r\nMGET a b c a\r\nMGET\r\nMSET\r\nMSET a\r\nMSET a 9 b\r\nGET a\r\nDEL a b",
            "INCR n\r\nINCR n\r\nGET n\r\nINCRBY n 40\r\nINCRBY n -43\r\nINCR\r\nINCR a b\r\nINCRBY n\r\nDEL n",
            "INCRBY n +5\r\nINCRBY n 007\r\nINCRBY n -0\r\nINCRBY n 0\r\nINCRBY n 1.0\r\nINCRBY n x\r\nDEL n",
            "SET n +5\r\nINCR n\r\nSET n 007\r\nINCR n\r\nSET n -0\r\nINCR n\r\nSET n x\r\nINCR n\r\nDEL n",
            "SET n \"\"\r\nINCR n\r\nSET n \" 1\"\r\nINCR n\r\nSET n \"1 \"\r\nINCRBY n 1\r\nGET n\r\nDEL n",
            "SET n 9223372036854775807\r\nINCR n\r\nGET n\r\nINCRBY n 9223372036854775808\r\nDEL n",
            "SET n -9223372036854775808\r\nINCRBY n -1\r\nINCRBY n 1\r\nDEL n",
            "SELECT 0\r\nSELECT\r\nSELECT x\r\nSELECT +0\r\nSELECT 00\r\nSELECT -1\r\nSELECT 16",
            "CLIENT GETNAME\r\nCLIENT SETNAME bob\r\nclient getname\r\nCLIENT SETNAME \"\"\r\nCLIENT GETNAME",
            "CLIENT\r\nCLIENT SETNAME\r\nCLIENT GETNAME x\r\nCLIENT ID x\r\nCLIENT FOO\r\nCLIENT FOO BAR",
            "CLIENT SETNAME \"a b\"\r\nCLIENT SETNAME \"a\\n\"\r\nCLIENT GETNAME",
            "HELLO\r\nHELLO 2\r\nGET none\r\nHELLO 3\r\nGET none\r\nMGET none\r\nHELLO\r\nHELLO 2\r\nGET none",
            "HELLO 1\r\nHELLO 4\r\nHELLO x\r\nHELLO +2\r\nHELLO 2 FOO\r\nHELLO 2 AUTH default\r\nHELLO 2 SETNAME",
            "HELLO 2 AUTH default any\r\nHELLO 3 AUTH nobody any\r\nGET none",
            "HELLO 3 SETNAME bob AUTH default any\r\nCLIENT GETNAME\r\nHELLO 3 SETNAME \"a b\"\r\nCLIENT GETNAME",
            "HELLO 3\r\nSET k v XX\r\nCLIENT GETNAME\r\nCONFIG GET save\r\nINFO keyspace\r\nINCR n\r\nDEL n",
            "CONFIG GET save\r\nconfig get SAVE\r\nCONFIG GET appendonly\r\nCONFIG GET nothing\r\nCONFIG GET save x",
            "CONFIG\r\nCONFIG GET\r\nCONFIG FOO",
            "INFO nothing\r\nINFO keyspace KEYSPACE nothing",
            "COMMAND INFO\tnothing\r\nCOMMAND DOCS nothing\r\nCOMMAND FOO\r\nCOMMAND COUNT x",
            "Fly to me\r\nFly\r\n\"\"",
            &array(&["SET", "k\r\n", "\0\u{ff}"]),
            &array(&["GET", "k\r\n"]),
            &array(&[""]),
            "QUIT\r\nPING",
            "QUIT now\r\nPING",
        ],
    );
}

#[test]
fn requests_are_read_as_redis_reads_them() {
    compare(
        "requests",
        &[
            "\r\n\r\n   \r\n\nPING\nPING\r\n",
            "*0\r\n*-1\r\n*-5\r\nPING",
            "*2\r\n$4\r\nECHO\r\n$0\r\n\r\n*1\r\n$4\r\nping\r\n",
            "*02\r\n$4\r\nECHO\r\n$1\r\na\r\n",
            "*+1\r\n$4\r\nPING\r\n",
            "*-0\r\nPING",
            "*x\r\nPING",
            "*\r\nPING",
            "* 1\r\n$4\r\nPING\r\n",
            "*1 \r\n$4\r\nPING\r\n",
            "*9223372036854775808\r\n",
            "*1\r\n$04\r\nPING\r\n",
            "*1\r\n$+4\r\nPING\r\n",
            "*1\r\n$-0\r\n\r\n",
            "*1\r\n$-1\r\n",
            "*1\r\n$x\r\n",
            "*1\r\n$\r\n",
            "*1\r\n$4\nPING\r\n",
            "*1\r\n:4\r\nPING\r\n",
            "*1\r\nPING\r\n",
            "ECHO \"a b\"\r\nECHO 'a b'\r\nECHO a\"b c\"\r\nECHO \"\"\r\nECHO ''\r\n\tECHO\ta \r\nECHO a\r\r\n",
            "ECHO \"\\x41\\x7f\\xfF\\n\\r\\t\\b\\a\\q\\\\\\\"\\x4\\xg1'\"",
            "ECHO '\\x41\\n\\'\\q\\\\\"'",
            "ECHO a\rb\r\nECHO a\u{b}b\r\n\u{b}ECHO\u{c}a\r\nECHO \"a\"\u{b}",
            "ECHO \"a",
            "ECHO 'a",
            "ECHO \"a\"b",
            "ECHO 'a'b",
            "ECHO a'b\"",
            "ECHO \"a\\\"",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nSET k v\r\n",
            "post / HTTP/1.1",
            "Host: a\r\n\r\nSET k v",
            "HOST:\r\n\r\nSET k v",
            "*1\r\n$4\r\nPOST\r\n",
            "*1\r\n$5\r\nhost:\r\n",
            "EXISTS k",
        ],
    );
}

#[test]
fn commands_are_described_as_redis_describes_them() {
    let Some(redis) = Redis::start("described") else { return };
    let server = Server::start(env!("CARGO_BIN_EXE_key-value"), "--backend smol");
    let described = parts(&say(server.connect(), b"COMMAND"));
    let names: Vec<&str> = described.iter().filter_map(|part| part.strip_prefix('$')).collect();
    let (_, names) = names.split_last().expect("there are commands"); // and the last reply
    assert!(names.contains(&"get") && described[0] == format!("*{}", names.len()), "{described:?}");
    for name in names {
        // After the head of the entry, which contains the number of fields: here six.
        let request = format!("COMMAND INFO {name}");
        let expected = parts(&say(redis.connect(), request.as_bytes())).split_off(2);
        let said = parts(&say(server.connect(), request.as_bytes())).split_off(2);
        let facts = &said[..said.len() - 1];
        assert_eq!(Some(facts), expected.get(..facts.len()), "{name}");
    }
}
