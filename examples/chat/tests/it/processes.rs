//! The chat in two processes: all members hear all lines, also when a process or Redis ends.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::redis::free_port;
use crate::server::command;
use crate::signal::signal;
use crate::site::{ROOM, Site, Visit, until};
use crate::{PROGRAM, Person};

/// The name of who has said a line, and its text; `None` if it is a notice.
fn spoken(line: &str) -> Option<(&str, &str)> {
    assert!(!line.starts_with("ERR "), "{line}");
    line.split_once(": ").filter(|_| !line.starts_with("* "))
}

#[test]
fn every_member_hears_each_line_once_and_in_the_order_of_its_sender() {
    const LINES: usize = 200;
    const NAMES: [&str; 6] = ["m0", "m1", "m2", "m3", "m4", "m5"];
    let Some(site) = Site::start() else { return };
    let visits = site.join_all(NAMES);
    let expected: Vec<_> = (0..LINES).map(|number| number.to_string()).collect();
    let talk = |mut member: Person| {
        expected.iter().for_each(|line| member.say(line));
        let mut heard: BTreeMap<String, Vec<String>> = BTreeMap::new();
        while heard.values().map(Vec::len).sum::<usize>() < (NAMES.len() - 1) * LINES {
            if let Some((name, text)) = spoken(&member.hear()) {
                heard.entry(name.to_owned()).or_default().push(text.to_owned());
            }
        }
        assert!(
            heard.len() == NAMES.len() - 1 && heard.values().all(|lines| *lines == expected),
            "{heard:?}"
        );
        member
    };
    let mut members: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = visits.into_iter().map(|visit| scope.spawn(|| talk(visit.person))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it has heard all")).collect()
    });
    // Nothing is heard twice: who leaves is heard next.
    members.remove(0).quit();
    members.iter_mut().for_each(|member| assert_eq!(member.hear(), "* m0 has left"));
}

/// Who has heard whom, or which notice, how often.
#[derive(Default)]
struct Heard(Mutex<BTreeMap<(String, String), usize>>);

impl Heard {
    fn add(&self, listener: &str, speaker: &str) {
        let mut counts = self.0.lock().expect("no panic");
        *counts.entry((listener.to_owned(), speaker.to_owned())).or_default() += 1;
    }

    /// Waits until everybody has heard many more lines of everybody else.
    fn wait_for_more(&self, names: &[&str]) {
        let before = self.0.lock().expect("no panic").clone();
        until("everybody hears everybody", || {
            let counts = self.0.lock().expect("no panic");
            let has_heard = |listener: &str, speaker: &str| {
                let pair = (listener.to_owned(), speaker.to_owned());
                counts.get(&pair).copied().unwrap_or(0) >= before.get(&pair).copied().unwrap_or(0) + 20
            };
            names.iter().all(|one| names.iter().all(|other| one == other || has_heard(one, other)))
        });
    }
}

/// Ends all talk when it is dropped.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Talks until the end, and connects again when the connection ends. Returns the number of connections. Panics if a line is
/// missing between two others of one connection.
fn talk(address: &str, name: &str, first: Visit, heard: &Heard, end: &AtomicBool) -> usize {
    let mut visit = first;
    for number in 1.. {
        let Visit { mut person, socket, .. } = visit;
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let mut lines = (0_u64..).map(|line| format!("{number} {line}\n"));
                while !end.load(Ordering::Relaxed) && !over.load(Ordering::Relaxed) {
                    let _ = (&socket).write_all(lines.next().expect("a line").as_bytes());
                    thread::sleep(Duration::from_millis(2));
                }
                let _ = socket.shutdown(Shutdown::Write);
            });
            let mut last: BTreeMap<(String, String), u64> = BTreeMap::new();
            while let Ok(Some(line)) = person.try_to_listen() {
                let Some((speaker, text)) = spoken(&line) else {
                    heard.add(name, line.split(" (").next().expect("a notice"));
                    continue;
                };
                let (visit, number) = text.split_once(' ').expect("two numbers");
                let number = number.parse().expect("a number");
                let before = last.insert((speaker.to_owned(), visit.to_owned()), number);
                assert!(before.is_none_or(|before| number == before + 1), "{line} after {before:?}");
                heard.add(name, speaker);
            }
            over.store(true, Ordering::Relaxed);
        });
        loop {
            if end.load(Ordering::Relaxed) {
                return number;
            }
            if let Some(next) = Visit::begin(address, name) {
                visit = next;
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
    unreachable!("it ends at the end")
}

#[test]
fn a_process_is_drained_and_restarted_while_people_talk() {
    let Some(mut site) = Site::start() else { return };
    let names = ["m0", "m1", "m2", "m3"];
    let members = site.join_all(names);
    let processes: BTreeSet<_> = members.iter().map(|visit| visit.process.clone()).collect();
    let (address, heard, over) = (site.address.clone(), Heard::default(), AtomicBool::new(false));
    let (told, visits) = thread::scope(|scope| {
        let end = End(&over);
        let start = |name: &'static str, visit: Visit| {
            let (address, heard, over) = (&address, &heard, &over);
            scope.spawn(move || (visit.process.clone(), talk(address, name, visit, heard, over)))
        };
        let mut threads: Vec<_> =
            names.into_iter().zip(members).map(|(name, visit)| start(name, visit)).collect();
        heard.wait_for_more(&names);
        site.drain_process(0);
        heard.wait_for_more(&names);
        site.start_process(0);
        let late = site.join("late", |process| !processes.contains(process));
        site.wait_until_connected();
        threads.push(start("late", late));
        heard.wait_for_more(&["m0", "m1", "m2", "m3", "late"]);
        let told = heard.0.lock().expect("no panic").clone();
        drop(end);
        let ended = threads.into_iter().map(|thread| thread.join().expect("it hears no gap"));
        (told, ended.collect::<Vec<_>>())
    });
    // Only those who were on that process have connected again.
    let processes_of = |have_moved: bool| -> BTreeSet<_> {
        let visits = visits.iter().filter(|(_, count)| (*count > 1) == have_moved);
        visits.map(|(process, _)| process).collect()
    };
    let moved = processes_of(true);
    assert!(moved.len() == 1 && moved.is_disjoint(&processes_of(false)), "{visits:?}");
    // The others were told that these have left, though their process has ended then.
    let (left, stayed): (Vec<_>, Vec<_>) =
        names.iter().zip(&visits).partition(|(_, (process, _))| moved.contains(process));
    for ((gone, _), (listener, _)) in left.iter().zip(&stayed) {
        let notice = (listener.to_string(), format!("* {gone} has left"));
        assert_eq!(told.get(&notice), Some(&1), "{notice:?}");
    }
}

/// Says a line. Returns whether the members in other processes get it.
fn is_exchanged(person: &mut Person, line: &str) -> bool {
    person.say(&format!("{line}\n/who"));
    let mut is_exchanged = true;
    loop {
        match person.hear() {
            line if line.starts_with("ERR not-exchanged: ") => is_exchanged = false,
            line if line.starts_with(&format!("* in {ROOM} on this server: ")) => return is_exchanged,
            _ => {}
        }
    }
}

/// The numbers that Ann has said until this one.
fn heard_of_ann(person: &mut Person, last: u64) -> Vec<u64> {
    let lines = person.hear_until(&format!("ann: {last}"));
    let numbers = lines.iter().filter_map(|line| line.strip_prefix("ann: ")?.parse().ok());
    numbers.chain([last]).collect()
}

#[test]
fn lines_flow_again_after_redis_was_lost() {
    let Some(mut site) = Site::start() else { return };
    // Bob is on the other process.
    let [mut ann, mut bob, mut carl] = site.join_all(["ann", "bob", "carl"]).map(|visit| visit.person);
    let mut number = 0;
    assert!(is_exchanged(&mut ann, "0"));
    assert_eq!(heard_of_ann(&mut bob, 0), [0]);
    let mut say_until = |expected: bool| {
        until("Redis is lost or found", || {
            number += 1;
            is_exchanged(&mut ann, &number.to_string()) == expected
        });
        number
    };
    site.redis.stop();
    let lost = say_until(false);
    assert!(heard_of_ann(&mut carl, lost).into_iter().eq(0..=lost), "this process hears all");
    site.redis.start();
    site.wait_until_connected();
    let found = say_until(true);
    assert!(heard_of_ann(&mut carl, found).into_iter().eq(lost + 1..=found), "this process hears all");
    let heard = heard_of_ann(&mut bob, found);
    assert!(heard.is_sorted_by(|one, next| one < next) && !heard.contains(&lost), "{heard:?}");
    until("the other process finds Redis", || is_exchanged(&mut bob, "back"));
    ann.hear_until("bob: back");
    carl.hear_until("bob: back");
}

#[test]
fn without_its_redis_it_warns_and_serves_its_own_members() {
    let url = format!("redis://127.0.0.1:{}", free_port());
    let mut command = command(PROGRAM, &format!("serve --listen 127.0.0.1:0 --exchange {url}"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it listens");
    let address = line.strip_prefix("listening on ").expect("an address").trim_end();
    let [mut ann, mut bob] = ["ann", "bob"].map(|_| {
        let socket = std::net::TcpStream::connect(address).expect("it listens");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("it is a time");
        Person::over(socket).greeted()
    });
    let error = "ERR not-exchanged: other processes don't get the message: there is no connection to them";
    assert_eq!((bob.hear().as_str(), ann.hear().as_str()), (error, error));
    ann.say("hello");
    let line = ann.hear_until(error).pop().expect("Bob has joined");
    assert!(line.ends_with(" has joined"), "{line}");
    assert!(bob.hear().ends_with(": hello"));
    signal(&child, "TERM");
    let mut log = String::new();
    child.stderr.take().expect("it is piped").read_to_string(&mut log).expect("it ends");
    assert!(child.wait().expect("it ends").success(), "{log}");
    assert!(log.contains("WARN") && log.contains("Redis is lost"), "{log}");
}

#[test]
fn a_url_that_is_not_one_of_redis_is_an_error_at_the_start() {
    for url in ["http://localhost", "rediss://localhost"] {
        let output = command(PROGRAM, &format!("serve --exchange {url}")).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), text.lines().count()), (Some(1), 1), "{text}");
        assert!(text.contains("Redis"), "{text}");
    }
}
