//! Two processes of the chat that a Redis connects, with HAProxy in front.

use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::redis::{Redis, free_port};
use crate::server::Server;
use crate::signal::signal;
use crate::tool::Tool;
use crate::{PROGRAM, Person};

/// The time after which a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

const HAPROXY: Tool = Tool { name: "haproxy", package: "haproxy" };

/// Members talk in a room of their own, since HAProxy's checks may be members of the lobby for a moment.
pub(crate) const ROOM: &str = "den";

/// Waits until something holds that no event tells of.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes, which end on drop.
pub(crate) struct Site {
    /// The address of HAProxy.
    pub(crate) address: String,
    pub(crate) redis: Redis,
    processes: [Option<Server>; 2],
    addresses: [String; 2],
    balancer: Option<Child>,
    _folder: TempDir,
}

impl Site {
    /// `None` if a program is not installed.
    pub(crate) fn start() -> Option<Self> {
        HAPROXY.run(&["-v"])?;
        let redis = Redis::started()?;
        let [address, one, two] = std::array::from_fn(|_| format!("127.0.0.1:{}", free_port()));
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("haproxy.cfg");
        let configuration = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n \
             retries 5\n option redispatch 1\n\
             listen chat\n bind {address}\n balance roundrobin\n \
             default-server check inter 100ms fall 1 rise 1\n \
             server one {one}\n server two {two}\n"
        );
        std::fs::write(&file, configuration).expect("it is written");
        let mut site = Self {
            address,
            redis,
            processes: [None, None],
            addresses: [one, two],
            balancer: None,
            _folder: folder,
        };
        (0..2).for_each(|number| site.start_process(number));
        let mut balancer = Command::new(HAPROXY.name);
        balancer.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null());
        site.balancer = Some(balancer.stderr(Stdio::null()).spawn().expect("it starts"));
        until("HAProxy listens", || TcpStream::connect(&site.address).is_ok());
        Some(site)
    }

    /// Each process has another backend.
    pub(crate) fn start_process(&mut self, number: usize) {
        let backend = ["smol", "epoll"][number];
        let flags = format!("--backend {backend} --exchange {}", self.redis.url());
        self.processes[number] = Some(Server::start_at(&self.addresses[number], PROGRAM, &flags));
    }

    /// Drains a process, and waits for its end.
    pub(crate) fn drain_process(&mut self, number: usize) {
        let mut server = self.processes[number].take().expect("it runs");
        signal(&server.child, "TERM");
        assert_eq!(server.child.wait().expect("it ends").code(), Some(0), "no client was cut");
    }

    /// A new member of the room on a process that is `wanted`.
    pub(crate) fn join(&self, name: &str, wanted: impl Fn(&str) -> bool) -> Visit {
        let mut joined = None;
        until("a process has been joined", || {
            joined = Visit::begin(&self.address, name).filter(|visit| wanted(&visit.process));
            joined.is_some()
        });
        joined.expect("it has joined")
    }

    /// New members of the room, on the two processes in turn, which both hear the room.
    pub(crate) fn join_all<const COUNT: usize>(&self, names: [&str; COUNT]) -> [Visit; COUNT] {
        let (mut first, mut is_on_first) = (None, false);
        let visits = names.map(|name| {
            is_on_first = !is_on_first;
            let wanted = |process: &str| first.as_ref().is_none_or(|first| (first == process) == is_on_first);
            let visit = self.join(name, wanted);
            first.get_or_insert_with(|| visit.process.clone());
            visit
        });
        self.wait_until_connected();
        visits
    }

    /// Waits until both processes hear the room.
    pub(crate) fn wait_until_connected(&self) {
        until("both processes have subscribed", || {
            let channel = format!("anyloop-chat:{ROOM}");
            self.redis.run(&["pubsub", "numsub", &channel]).lines().nth(1) == Some("2")
        });
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(balancer) = &mut self.balancer {
            let _ = balancer.kill();
            let _ = balancer.wait();
        }
    }
}

/// A connection of a member of the room, by HAProxy.
pub(crate) struct Visit {
    pub(crate) person: Person,
    /// The tag of its process.
    pub(crate) process: String,
    pub(crate) socket: TcpStream,
}

impl Visit {
    /// `None` if the process has just ended, or still has a member of this name.
    pub(crate) fn begin(address: &str, name: &str) -> Option<Self> {
        let socket = TcpStream::connect(address).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).expect("it is a time");
        let mut person = Person::over(socket.try_clone().expect("a second one"));
        let greeting = person.try_to_listen().ok()??;
        let process = greeting.strip_prefix("* you are guest-")?.split('-').next()?.to_owned();
        person.try_to_say(&format!("/nick {name}\n/join {ROOM}")).ok()?;
        let entered = format!("* you are in {ROOM}");
        loop {
            match person.try_to_listen().ok()?? {
                line if line.starts_with("ERR ") => return None,
                line if line.starts_with(&entered) => return Some(Self { person, process, socket }),
                _ => {}
            }
        }
    }
}
