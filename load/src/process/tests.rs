use super::*;

#[test]
fn ticks_are_found_behind_any_program_name() {
    let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194560 100 0 0 0 24 60 3 4 20 0 1 0 99 1 2";
    assert_eq!(Ticks::parse(stat), Some(Ticks { user: 24, system: 60 }));
    for nonsense in ["", ")", "7 (a) S 1 7", "7 (a) S 1 7 7 0 -1 4194560 100 0 0 0 x 60"] {
        assert_eq!(Ticks::parse(nonsense), None, "{nonsense}");
    }
}

#[test]
fn time_is_split_by_the_ticks_since_or_by_those_of_the_whole_life() {
    let before = Ticks { user: 10, system: 30 };
    assert_eq!(Ticks { user: 40, system: 40 }.user_share_since(before), 0.75);
    assert_eq!(before.user_share_since(before), 0.25);
    let none = Ticks { user: 0, system: 0 };
    assert_eq!(none.user_share_since(none), 0.5);
}

#[test]
fn switches_of_both_kinds_are_added_and_absent_ones_are_none() {
    let status = "Name:\tx\nvoluntary_ctxt_switches:\t26\nnonvoluntary_ctxt_switches:\t7\n";
    assert_eq!(switches_in(status), 33);
    assert_eq!(switches_in("Name:\tx\n"), 0);
}

#[cfg(target_os = "linux")]
mod linux {
    use std::hint::black_box;
    use std::process::{Command, Stdio};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::*;

    /// Uses processor time on a thread of its own, which then ends.
    fn burn(duration: Duration) {
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            while begin.elapsed() < duration {
                black_box((0..1000).sum::<u64>());
            }
        });
        thread.join().unwrap();
    }

    #[test]
    fn time_of_threads_that_have_ended_counts() {
        let account = Account::open(std::process::id()).unwrap();
        burn(Duration::from_millis(300));
        let usage = account.usage().unwrap();
        // Other tests of this process may run at the same time, and other processes take their share.
        assert!(usage.user_seconds + usage.system_seconds > 0.02, "{usage:?}");
        assert!(usage.user_seconds > usage.system_seconds, "{usage:?}");
    }

    #[test]
    fn another_process_that_sleeps_uses_next_to_nothing() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let account = Account::open(child.id()).unwrap();
        thread::sleep(Duration::from_millis(50));
        let usage = account.usage();
        let (threads, memory) = (threads(child.id()), anonymous_memory(child.id()));
        child.kill().unwrap();
        child.wait().unwrap();

        let usage = usage.unwrap();
        assert!(usage.user_seconds + usage.system_seconds < 0.05, "{usage:?}");
        assert_eq!(threads, Some(1));
        assert!(memory.is_some());
        assert_eq!(account.usage(), None, "it has ended");
    }

    #[test]
    fn a_process_that_does_not_exist_has_no_account() {
        assert!(Account::open(u32::MAX).is_err());
        assert!(Account::open(i32::MAX as u32).is_err());
        assert_eq!(anonymous_memory(u32::MAX), None);
        assert_eq!(threads(u32::MAX), None);
    }

    #[test]
    fn blocking_is_counted_as_switches() {
        let account = Account::open(std::process::id()).unwrap();
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(1));
        }
        assert!(account.usage().unwrap().context_switches >= 20);
    }
}
