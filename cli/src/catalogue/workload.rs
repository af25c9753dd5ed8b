//! How the load generator talks to a handler or an application.

use load::framing::Framing;
use load::plan::{Expect, MessageHook, Messages, ReplyHook};

/// How the load generator talks to something that is served, unless the command line says otherwise.
#[derive(Clone)]
pub(crate) struct Workload {
    /// The expected replies, if no function checks them, and whether there is a greeting.
    pub(crate) expect: Expect,
    /// The function that writes messages for it.
    pub(crate) messages: Option<MessageHook>,
    /// The function that checks its replies.
    pub(crate) judge: Option<ReplyHook>,
    /// How the replies of an application are framed.
    pub(crate) framing: Option<Framing>,
}

impl Workload {
    /// For something about which nothing is known.
    pub(super) fn unknown() -> Self {
        Self { expect: Expect::Any, messages: None, judge: None, framing: None }
    }

    /// Whether anything is known about it.
    pub(crate) fn is_known(&self) -> bool {
        self.expect != Expect::Any
            || self.messages.is_some()
            || self.judge.is_some()
            || self.framing.is_some()
    }

    /// The messages to send, and the expected replies. `own` are messages of the command line, whose replies no
    /// function can check; `made` are used if there are no others.
    pub(crate) fn messages(&self, own: Option<Messages>, made: Messages) -> (Messages, Expect) {
        let greets = self.expect.greets();
        match (own, &self.messages) {
            (Some(own), _) if greets => (own, Expect::Greeted),
            (Some(own), _) => (own, Expect::Any),
            (None, Some(hook)) => (Messages::By(hook.clone()), self.expect()),
            (None, None) => (made, self.expect()),
        }
    }

    fn expect(&self) -> Expect {
        match &self.judge {
            Some(judge) if self.expect.greets() => Expect::By(judge.clone().greeted()),
            Some(judge) => Expect::By(judge.clone()),
            None => self.expect.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_replies_depend_on_the_messages() {
        let (judge, hook) = (ReplyHook::new(|_, _| true), MessageHook::new(|_, _, _| ()));
        let own = Messages::Own([b"a".to_vec()].into());
        let (made, written) = (Messages::default(), Messages::By(hook.clone()));
        for (expect, judged, has_hook, own_ones, sent, expected) in [
            (Expect::Any, false, false, false, &made, Expect::Any),
            (Expect::Echo, false, false, false, &made, Expect::Echo),
            (Expect::Echo, false, true, false, &written, Expect::Echo),
            (Expect::Any, true, true, false, &written, Expect::By(judge.clone())),
            (Expect::Greeted, true, false, false, &made, Expect::By(judge.clone().greeted())),
            // No function can check the replies to other messages.
            (Expect::Echo, true, true, true, &own, Expect::Any),
            (Expect::Counter, false, false, true, &own, Expect::Greeted),
        ] {
            let load = Workload {
                expect,
                judge: judged.then(|| judge.clone()),
                messages: has_hook.then(|| hook.clone()),
                framing: None,
            };
            let found = load.messages(own_ones.then(|| own.clone()), made.clone());
            assert_eq!((&found.0, found.1), (sent, expected));
        }
    }
}
