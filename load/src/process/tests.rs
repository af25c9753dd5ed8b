use super::*;

/// A process with the CPU time of its own and of its ended children, in milliseconds.
fn process(parent: i32, own: u64, ended: u64) -> Reading {
    let user = |milliseconds: u64| Ticks { user: milliseconds * 1_000_000, system: 0 };
    Reading { parent, started: 7, clock: own * 1_000_000, own: user(own), ended: user(ended) }
}

#[test]
fn processes_that_began_or_ended_meanwhile_count() {
    let begin = Tree::from([
        (1, process(0, 1_000, 50)),
        (2, process(1, 300, 0)),
        (3, process(1, 200, 40)),
        (4, process(3, 100, 0)),
    ]);
    // 3 used 5 ms more, waited for 4, which had used 10 ms more, and ended; 5 and 6 began, and 6 ended.
    let end = Tree::from([
        (1, process(0, 1_001, 50 + 205 + 40 + 110)),
        (2, process(1, 302, 20)),
        (5, process(2, 30, 0)),
    ]);
    assert_eq!(clock(&begin, &end), (1 + 2 + 30 + 5 + 10 + 20) * 1_000_000);
    assert_eq!(used(&begin, &end).sum(), clock(&begin, &end));
}

#[test]
fn a_reused_process_id_is_another_process() {
    let begin = Tree::from([(1, process(0, 10, 0)), (2, process(1, 500, 0))]);
    let other = Reading { started: 8, ..process(1, 20, 0) };
    let end = Tree::from([(1, process(0, 10, 500)), (2, other)]);
    assert_eq!(clock(&begin, &end), 20_000_000);
}

#[test]
fn processes_that_nobody_waited_for_do_not_make_the_time_negative() {
    let begin = Tree::from([(1, process(0, 10, 0)), (2, process(1, 500, 0))]);
    let end = Tree::from([(1, process(0, 15, 0))]);
    assert_eq!(clock(&begin, &end), 5_000_000);
}

#[test]
fn user_mode_and_kernel_are_distinguished_by_ticks() {
    assert_eq!(Ticks { user: 30, system: 10 }.user_share(), 0.75);
    assert_eq!(Ticks::default().user_share(), 0.5);
    assert_eq!(Ticks { user: 30, system: 10 }.scaled_to(80), Ticks { user: 60, system: 20 });
}

#[cfg(target_os = "linux")]
mod linux {
    use std::hint::black_box;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::process::{Child, Command, Stdio};
    use std::thread;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    use super::*;

    /// A program that runs a step for each line of input, and reports when it is done.
    struct Stepper(Child);

    impl Stepper {
        fn start(script: &str) -> Self {
            let mut child = Command::new("python3")
                .args(["-c", script])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .expect("Python is there");
            let mut said = [0; 1];
            child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
            Self(child)
        }

        fn step(&mut self) -> String {
            self.0.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            let mut said = String::new();
            BufReader::new(self.0.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
            said
        }
    }

    impl Drop for Stepper {
        fn drop(&mut self) {
            drop(self.0.stdin.take()); // All of its processes end with that.
            self.0.wait().unwrap();
        }
    }

    /// A process whose child has a child. With each line the grandchild uses a tenth of a second, a new child uses
    /// as much and ends, and what both have used is said, in seconds, as they have counted it themselves.
    const TREE: &str = r"
import os, sys, time
def burn():
    start = time.process_time()
    while time.process_time() - start < 0.1: pass
    return time.process_time() - start
def forked(body):
    pid = os.fork()
    if pid == 0:
        body(); os._exit(0)
    return pid
ask, asked = os.pipe(); told, tell = os.pipe()
def idle():
    while os.read(ask, 1): os.write(tell, b'%f\n' % burn())
def parent():
    os.close(asked); os.waitpid(forked(idle), 0)
forked(parent)
out = os.fdopen(1, 'wb', 0); out.write(b'.')
for line in sys.stdin:
    os.write(asked, b'x'); grandchild = float(os.read(told, 64))
    ended, end = os.pipe()
    os.waitpid(forked(lambda: os.write(end, b'%f' % burn())), 0)
    out.write(b'%f\n' % (grandchild + float(os.read(ended, 64))))
os.close(asked); os.wait()
";

    #[test]
    fn a_whole_tree_is_accounted_including_processes_that_end() {
        let mut tree = Stepper::start(TREE);
        let account = Account::open(tree.0.id()).unwrap();
        let said: f64 = tree.step().trim().parse().unwrap();
        let usage = account.usage(|| 17).unwrap();
        let used = usage.user_seconds + usage.system_seconds;
        // The time of ended processes has a resolution of 10 ms; forking takes additional time.
        assert!(used > said - 0.02 && used < said + 0.2, "{used} s of {said} s: {usage:?}");
        assert!(usage.context_switches > 0, "{usage:?}");
        assert_eq!(usage.messages, 17);
        let memory = anonymous_memory(tree.0.id()).unwrap();
        let one = linux_memory_of_one(tree.0.id());
        assert!(memory > 2 * one && usage.memory.is_some_and(|memory| memory > 2 * one), "{memory} {one}");
    }

    /// The anonymous memory of the first process alone.
    fn linux_memory_of_one(process: u32) -> u64 {
        super::super::linux::memory([i32::try_from(process).unwrap()].iter()).unwrap()
    }

    #[test]
    fn a_zombie_counts() {
        // It writes a line when the child has ended, without waiting for it.
        let script = r"
import os, sys, time
print('.', end='', flush=True)
for line in sys.stdin:
    ended, end = os.pipe()
    if os.fork() == 0:
        while time.process_time() < 0.1: pass
        os._exit(0)
    os.close(end); os.read(ended, 1)
    print('done', flush=True)
";
        let mut tree = Stepper::start(script);
        let account = Account::open(tree.0.id()).unwrap();
        tree.step();
        let usage = account.usage(|| 0).unwrap();
        let used = usage.user_seconds + usage.system_seconds;
        assert!(used > 0.08, "{usage:?}");
    }

    /// Uses this CPU time on a new thread, which then ends.
    fn burn(time: Duration) {
        let used = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
        let thread = thread::spawn(move || {
            while used() < time {
                (0..100_000).for_each(|number: u32| _ = black_box(number));
            }
        });
        thread.join().unwrap();
    }

    #[test]
    fn time_of_threads_that_have_ended_counts() {
        let account = Account::open(std::process::id()).unwrap();
        burn(Duration::from_millis(300));
        let usage = account.usage(|| 0).unwrap();
        // Other tests of this process may run at the same time.
        assert!(usage.user_seconds + usage.system_seconds >= 0.3, "{usage:?}");
    }

    #[test]
    fn a_sleeping_process_uses_almost_nothing() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let account = Account::open(child.id()).unwrap();
        thread::sleep(Duration::from_millis(50));
        let usage = account.usage(|| 0);
        let memory = anonymous_memory(child.id());
        child.kill().unwrap();
        child.wait().unwrap();

        let usage = usage.unwrap();
        assert!(usage.user_seconds + usage.system_seconds < 0.05, "{usage:?}");
        assert!(memory.is_some());
        assert_eq!(account.usage(|| 0), None, "it has ended");
    }

    #[test]
    fn a_missing_process_is_an_error() {
        for number in [u32::MAX, i32::MAX as u32] {
            assert_eq!(Account::open(number).unwrap_err().kind(), io::ErrorKind::NotFound);
            assert_eq!(anonymous_memory(number), None);
        }
    }

    #[test]
    fn blocking_causes_context_switches() {
        let account = Account::open(std::process::id()).unwrap();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(account.usage(|| 0).unwrap().context_switches >= 20);
    }
}
