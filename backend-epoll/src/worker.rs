//! A worker: one thread, one poller, its own clients.

use std::collections::VecDeque;
use std::io;
use std::net::TcpStream;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::io::Errno;
use serving::{Buffers, Conversation, Member, Post, Team, Wait};

use crate::clients::Clients;
use crate::door::Door;

/// A worker: one thread, one poller, its own clients.
pub(crate) struct Worker {
    team: Arc<Team>,
    number: usize,
    poller: OwnedFd,
    clients: Clients,
    /// Those who have had a turn and want another.
    turns: VecDeque<usize>,
    buffers: Buffers,
    door: Option<Door>,
}

/// The keys of the bell and of the door, which are no client's place.
const BELL: u64 = u64::MAX;
const DOOR: u64 = u64::MAX - 1;

/// How many events are fetched at once.
const EVENTS: usize = 256;

impl Worker {
    pub(crate) fn new(team: Arc<Team>, number: usize, door: Option<Door>) -> io::Result<Self> {
        let poller = epoll::create(CreateFlags::CLOEXEC)?;
        let bell = team.member(number).bell();
        epoll::add(&poller, bell, EventData::new_u64(BELL), EventFlags::IN)?;
        if let Some(door) = &door {
            door.register(team.member(number));
        }
        let (clients, turns, buffers) = Default::default();
        Ok(Self { team, number, poller, clients, turns, buffers, door })
    }

    /// Works until the team is dismissed.
    pub(crate) fn work(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        self.open_door();
        while !self.team.is_dismissed() {
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let timeout = (!self.turns.is_empty()).then_some(&at_once);
            events.clear();
            match epoll::wait(&self.poller, spare_capacity(&mut events), timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::error!(%error, "the poller fails; it tries again");
                    thread::sleep(Duration::from_millis(100));
                }
            }
            self.take_turns(&events);
        }
        Ok(())
    }

    /// Gives everybody a turn: those with events, those who wait for one, and who stands before the door.
    fn take_turns(&mut self, events: &[Event]) {
        let waiting = self.turns.len();
        let (mut rung, mut knocked) = (false, false);
        for event in events {
            match event.data.u64() {
                BELL => rung = true,
                DOOR => knocked = true,
                key => {
                    let key = key as usize;
                    let Some(place) = self.clients.get(key) else { continue };
                    place.note(event.flags);
                    if !place.waits {
                        self.serve(key);
                    }
                }
            }
        }
        for _ in 0..waiting {
            // One who has left meanwhile has no turn, and who has come in its place has none yet.
            if let Some(key) = self.turns.pop_front()
                && self.clients.get(key).is_some_and(|place| std::mem::take(&mut place.waits))
            {
                self.serve(key);
            }
        }
        let marked = rung && self.answer_bell();
        if marked || knocked {
            self.open_door();
        }
    }

    /// Takes in what has come, and serves those whom the watchman has marked. Tells whether there was a mark, of a client
    /// or of the door.
    fn answer_bell(&mut self) -> bool {
        for post in self.member().fetch() {
            match post {
                Post::Client(socket, conversation) => self.take_in(socket, conversation),
                Post::Back(key, conversation) => {
                    if let Some(place) = self.clients.get(key) {
                        place.conversation = Some(conversation);
                    }
                    self.serve(key);
                }
            }
        }
        let marked = self.member().has_marked();
        if marked {
            for key in self.clients.marked() {
                self.serve(key);
            }
        }
        marked
    }

    /// Lets in who stands before the door, and hands out those who are for others.
    fn open_door(&mut self) {
        let Some(door) = &mut self.door else { return };
        let mut own = Vec::new();
        let (team, number) = (&self.team, self.number);
        let goes_on = door.accept(&self.poller, DOOR, |socket, conversation| {
            own.extend(team.hand_out(number, socket, conversation));
        });
        if !goes_on {
            self.door = None;
        }
        for (socket, conversation) in own {
            self.take_in(socket, conversation);
        }
    }

    fn take_in(&mut self, socket: TcpStream, conversation: Conversation) {
        conversation.register(&self.member().waker());
        if !self.clients.add(&self.poller, socket, conversation) {
            self.member().left();
        }
    }

    /// Serves a client until it has to wait.
    fn serve(&mut self, key: usize) {
        let Some(place) = self.clients.get(key) else { return };
        let Some(wait) = place.advance(&mut self.buffers) else { return };
        match wait {
            Wait::Readable | Wait::Writable | Wait::Wakeup => {}
            Wait::Turn => {
                if !std::mem::replace(&mut place.waits, true) {
                    self.turns.push_back(key);
                }
            }
            Wait::Blocking => {
                if let Some(conversation) = place.conversation.take() {
                    self.run_elsewhere(key, conversation);
                }
            }
            Wait::Over => {
                let place = self.clients.remove(&self.poller, key);
                self.member().left();
                if let Some(conversation) = place.conversation {
                    conversation.end(place.socket);
                }
            }
        }
    }

    /// Has the handler called where it may block, and the conversation sent back.
    fn run_elsewhere(&self, key: usize, conversation: Conversation) {
        let member = Arc::clone(self.member());
        conversation.offload(move |conversation| member.send(Post::Back(key, conversation)));
    }

    fn member(&self) -> &Arc<Member> {
        self.team.member(self.number)
    }
}
