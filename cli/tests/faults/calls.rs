//! System calls that are interrupted, which strace makes up.

use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use crate::accept::injected;
use crate::server::Server;

/// Interrupts each second call to receive, to send and to wait, of each thread. Nothing may be lost or doubled.
pub(crate) fn interrupted(backend: &str) {
    let calls = "recvfrom,sendto,epoll_wait,epoll_pwait,poll,ppoll,io_uring_enter";
    let faults = [format!("trace={calls}"), format!("inject={calls}:error=EINTR:when=2+2")];
    let Some(mut command) =
        injected(&faults.each_ref().map(|fault| &**fault), &format!("--backend {backend}"))
    else {
        return;
    };
    let mut server = Server::start_as_is(&mut command);
    for _ in 0..3 {
        let mut client = server.connect();
        assert_eq!(client.hear(), "連接成功!", "{backend}");
        for number in 1..=50 {
            client.say(&format!("{number}\n"));
            assert_eq!(client.hear(), format!("第{number}條信息:{number}"), "{backend}");
        }
        client.say("exit\n");
        assert_eq!(client.hear_all(), "", "{backend}");
    }
    // The handler of a signal may have been interrupted, too, which the kernel never does. Within a second, they are one.
    while server.process.is_running() {
        server.process.signal(Signal::TERM);
        thread::sleep(Duration::from_millis(20));
    }
    let ended = server.ended();
    assert_eq!((ended.code, &ended.receipt["messages"]), (Some(0), &153.into()), "{backend}: {}", ended.log);
}
