//! How a comparison goes on, for whoever waits.

use std::time::Duration;

use compare::{Event, Step};

use crate::progress::Bar;

/// A bar on standard error; where that is no terminal, a line for each round.
pub(super) struct Steps {
    bar: Bar,
    /// What the last line was about.
    last: String,
}

impl Steps {
    pub(super) fn new() -> Self {
        Self { bar: Bar::new(), last: String::new() }
    }

    pub(super) fn show(&mut self, event: &Event) {
        match event {
            Event::Note(note) => self.bar.say(&format!("note: {note}"), "      "),
            Event::Step(step) => self.step(step),
        }
    }

    pub(super) fn clear(&self) {
        self.bar.clear();
    }

    fn step(&mut self, step: &Step) {
        let Step { stage, subject, load, round, slot, passed, left } = step;
        let all = passed.as_secs_f64() + left.as_secs_f64();
        let done = if all > 0.0 { passed.as_secs_f64() / all } else { 0.0 };
        let round = if round.1 > 1 { format!(", round {} of {}", round.0, round.1) } else { String::new() };
        let text = format!("{stage}{round}: {subject}, {load} ({} of {})", slot.0, slot.1);
        self.bar.show(done, format!("{} left", time(*left)), text);
        let about = format!("{stage}{round}");
        if !self.bar.is_seen() && self.last != about {
            self.bar.say(&format!("{about}; {} left", time(*left)), "");
        }
        self.last = about;
    }
}

/// Minutes and seconds.
fn time(time: Duration) -> String {
    format!("{}:{:02}", time.as_secs() / 60, time.as_secs() % 60)
}
