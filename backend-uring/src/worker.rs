//! A worker: one thread, one ring, its own clients.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use serving::{Buffers, Conversation, Member, Post, Socket, Step, Team};
use slab::Slab;

use crate::door::Door;
use crate::ring::{Completion, Received, Ring};

/// A worker: one thread, one ring, its own clients.
pub(crate) struct Worker {
    team: Arc<Team>,
    number: usize,
    ring: Ring,
    clients: Slab<Place>,
    /// Those who have had a turn and want another.
    turns: VecDeque<usize>,
    /// Those to whom something was sent in this round.
    sends: Vec<usize>,
    round: u32,
    buffers: Buffers,
    door: Option<Door>,
}

/// A client. Its conversation is away while a handler of it may block; nothing is received meanwhile.
struct Place {
    conversation: Option<Conversation>,
    socket: Socket,
    /// What is being sent, and since which round.
    sending: Option<(u32, u32)>,
    receiving: Receiving,
    /// Whether it waits for its turn.
    waits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Receiving {
    No,
    Yes,
    /// The kernel was told to stop, and what it says until it has is taken.
    Ending,
}

impl Worker {
    pub(crate) fn new(team: Arc<Team>, number: usize, door: Option<Door>) -> io::Result<Self> {
        let ring = Ring::new()?;
        if let Some(door) = &door {
            door.register(team.member(number));
        }
        let (clients, turns, sends, round, buffers) = Default::default();
        Ok(Self { team, number, ring, clients, turns, sends, round, buffers, door })
    }

    /// Works until the team is dismissed.
    pub(crate) fn work(mut self) -> io::Result<()> {
        self.ring.enable()?;
        self.ring.watch(self.team.member(self.number).bell());
        self.open_door();
        while !self.team.is_dismissed() {
            let waiting = self.turns.len();
            if let Err(error) = self.ring.submit(waiting == 0) {
                tracing::error!(%error, "the ring fails; it tries again");
                thread::sleep(Duration::from_millis(100));
            }
            let sent = std::mem::take(&mut self.sends);
            self.round = self.round.wrapping_add(1);
            let rung = self.take_completions();
            for place in sent {
                self.look_after_send(place);
            }
            for _ in 0..waiting {
                if let Some(place) = self.turns.pop_front() {
                    self.take_turn(place);
                }
            }
            if rung {
                self.answer_bell();
            }
        }
        Ok(())
    }

    /// Sees to all that is done. Tells whether the bell has rung.
    fn take_completions(&mut self) -> bool {
        let mut rung = false;
        while let Some(completion) = self.ring.next() {
            match completion {
                Completion::Received { place, received, more } => self.received(place, received, more),
                Completion::Sent { place, output, sent } => {
                    let Some(client) = self.clients.get_mut(place) else { continue };
                    client.sending = None;
                    let Some(conversation) = &mut client.conversation else { continue };
                    let step = conversation.sent(output, sent, &mut self.buffers);
                    self.follow(place, step);
                }
                Completion::Listener { result } => {
                    if let Some(door) = &mut self.door {
                        door.told(result);
                    }
                    self.open_door();
                }
                Completion::Rung { more } => {
                    rung = true;
                    if !more {
                        self.ring.watch(self.team.member(self.number).bell());
                    }
                }
            }
        }
        rung
    }

    fn received(&mut self, place: usize, received: io::Result<Received>, more: bool) {
        let Some(client) = self.clients.get_mut(place) else { return };
        if !more {
            client.receiving = Receiving::No;
        }
        let Some(conversation) = &mut client.conversation else { return };
        let step = match received {
            Ok(received) => {
                let step = conversation.received(self.ring.bytes(&received), &mut self.buffers);
                self.ring.give_back(received);
                step
            }
            Err(error) => {
                // It was told to stop, or there was no buffer; anything else is the end.
                if !matches!(
                    Errno::from_io_error(&error),
                    Some(Errno::CANCELED | Errno::NOBUFS | Errno::INTR)
                ) {
                    conversation.lose();
                }
                conversation.step(&client.socket, &mut self.buffers)
            }
        };
        self.follow(place, step);
    }

    /// Takes in what has come, and goes on with those whom the watchman has marked.
    fn answer_bell(&mut self) {
        for post in self.member().fetch() {
            match post {
                Post::Client(socket, conversation) => self.take_in(socket, conversation),
                Post::Back(place, conversation) => {
                    if let Some(client) = self.clients.get_mut(place) {
                        client.conversation = Some(conversation);
                        self.go_on(place);
                    }
                }
                Post::Marks => {
                    let is_marked = |client: &Place| {
                        client.conversation.as_ref().is_some_and(|conversation| conversation.is_marked())
                    };
                    let marked = self.clients.iter().filter(|(_, client)| is_marked(client));
                    for place in marked.map(|(place, _)| place).collect::<Vec<_>>() {
                        self.go_on(place);
                    }
                    self.open_door();
                }
            }
        }
    }

    /// Lets in who stands before the door, and hands out those who are for others.
    fn open_door(&mut self) {
        let Some(door) = &mut self.door else { return };
        let mut own = Vec::new();
        let (team, number) = (&self.team, self.number);
        let goes_on = door.accept(&mut self.ring, |socket, conversation| {
            own.extend(team.hand_out(number, socket, conversation));
        });
        if !goes_on {
            self.door = None;
        }
        for (socket, conversation) in own {
            self.take_in(socket, conversation);
        }
    }

    fn take_in(&mut self, socket: Socket, conversation: Conversation) {
        conversation.register(&self.member().waker());
        let conversation = Some(conversation);
        let client = Place { conversation, socket, sending: None, receiving: Receiving::No, waits: false };
        let place = self.clients.insert(client);
        self.go_on(place);
    }

    fn take_turn(&mut self, place: usize) {
        // One who has left meanwhile has no turn, and who has come in its place has none yet.
        if self.clients.get_mut(place).is_some_and(|client| std::mem::take(&mut client.waits)) {
            self.go_on(place);
        }
    }

    fn go_on(&mut self, place: usize) {
        let Some(Place { conversation: Some(conversation), socket, .. }) = self.clients.get_mut(place) else {
            return;
        };
        let step = conversation.step(&*socket, &mut self.buffers);
        self.follow(place, step);
    }

    /// Does what a conversation needs next.
    fn follow(&mut self, place: usize, step: Step) {
        let Some(client) = self.clients.get_mut(place) else { return };
        let is_behind = client.conversation.as_ref().is_some_and(Conversation::is_behind);
        match step {
            Step::Send(output) => {
                let key = self.ring.send(&client.socket, place, output);
                client.sending = Some((key as u32, self.round));
                self.sends.push(place);
            }
            Step::Receive if client.receiving == Receiving::No => {
                client.receiving = Receiving::Yes;
                self.ring.receive(&client.socket, place);
            }
            // What is sent has mostly gone by the next round.
            Step::Receive | Step::Sending => {}
            Step::Turn => {
                if !std::mem::replace(&mut client.waits, true) {
                    self.turns.push_back(place);
                }
            }
            Step::Blocking if client.receiving == Receiving::No => {
                if let Some(conversation) = client.conversation.take() {
                    self.run_elsewhere(place, conversation);
                }
            }
            Step::Blocking => self.stop_receiving(place),
            Step::Over => return self.end(place),
        }
        if is_behind {
            self.stop_receiving(place);
        }
    }

    /// Lets a client go, as soon as the kernel has nothing to do with it any more.
    fn end(&mut self, place: usize) {
        self.stop_receiving(place);
        let Some(client) = self.clients.get(place) else { return };
        if let Some((key, _)) = client.sending {
            return self.ring.cancel_send(key as usize, place);
        }
        if client.receiving == Receiving::No {
            let client = self.clients.remove(place);
            self.member().left();
            if let Some(conversation) = client.conversation {
                conversation.end(client.socket);
            }
        }
    }

    fn stop_receiving(&mut self, place: usize) {
        if let Some(client) = self.clients.get_mut(place)
            && client.receiving == Receiving::Yes
        {
            client.receiving = Receiving::Ending;
            self.ring.cancel_receive(place);
        }
    }

    /// What was sent a round ago and has not gone has to wait for the client, from whom nothing more is received.
    fn look_after_send(&mut self, place: usize) {
        if let Some(client) = self.clients.get_mut(place)
            && client.sending.is_some_and(|(_, round)| round != self.round)
            && let Some(conversation) = &mut client.conversation
        {
            conversation.stalled(&client.socket, &mut self.buffers);
            self.stop_receiving(place);
        }
    }

    /// Has the handler called where it may block, and the conversation sent back.
    fn run_elsewhere(&self, place: usize, conversation: Conversation) {
        let member = Arc::clone(self.member());
        conversation.offload(move |conversation| member.send(Post::Back(place, conversation)));
    }

    fn member(&self) -> &Arc<Member> {
        self.team.member(self.number)
    }
}
