//! What a case is, what may exempt a backend from it, and how it is tried.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serving::Backend;

use crate::cases;
use crate::subject::{Subject, Transport};

/// One behaviour, tried on one backend.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// Its name, which is also that of the test.
    pub name: &'static str,
    /// The behaviour of which it shows a part.
    pub behaviour: Behaviour,
    /// What it asks of a backend beyond serving one client after the other.
    pub needs: &'static [Need],
    /// What is expected.
    pub description: &'static str,
    /// Tries it, and panics if the backend does not behave so.
    pub run: fn(&Subject),
}

/// The behaviours that every backend shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Behaviour {
    /// 1: a greeting, then replies in order; nothing lost, doubled or reordered.
    Conversation = 1,
    /// 2: messages may be split and coalesced, and a long one costs linear time.
    Framing,
    /// 3: whatever ends a conversation, what is owed is delivered first, and then comes a clean end.
    Closing,
    /// 4: a message that is too long or malformed gets one error reply, and the server goes on.
    Limits,
    /// 5: a client that does not read is not read, and memory stays bounded.
    Backpressure,
    /// 6: deadlines hold, and are never early.
    Deadlines,
    /// 7: so many clients as allowed, exactly.
    Admission,
    /// 8: accept errors never end the server, and it does not spin.
    AcceptErrors,
    /// 9: a panic in a session ends that session alone.
    Panics,
    /// 10: the stop, the drain, and a receipt that adds up.
    Stop,
    /// 11: a client that vanishes frees what it held.
    Vanishing,
    /// 12: one client can't hold the loop.
    Fairness,
    /// 13: what a backend says of itself is so.
    Capabilities,
    /// 14: while nothing happens, nothing runs.
    Quiet,
    /// 15: protocols that are no codecs are served as the others.
    Protocols,
    /// 16: urgent data lose and delay nothing.
    Urgent,
    /// 17: what a server needs to begin with, and what it leaves.
    Start,
    /// 18: what is counted is so, at any time.
    Statistics,
}

/// What a case may ask of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// That it serves two clients at once.
    TwoClients,
    /// That handlers don't run on the thread that `serve` was called on.
    HandlersElsewhere,
}

impl Need {
    /// All of them.
    pub const ALL: &[Self] = &[Self::TwoClients, Self::HandlersElsewhere];

    /// Its name in an exemption.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoClients => "two_clients_at_once",
            Self::HandlersElsewhere => "handlers_elsewhere",
        }
    }
}

/// Cases that a backend need not pass, and indeed does not.
#[derive(Clone, Copy, Debug)]
pub struct Exemption {
    /// The name of a case, or of a need and so of all cases that have it.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

impl Exemption {
    fn covers(&self, case: &Case) -> bool {
        self.name == case.name || case.needs.iter().any(|need| need.name() == self.name)
    }
}

macro_rules! table {
    ($($module:ident {
        $($name:ident [$behaviour:ident] [$($need:ident),*] $description:literal;)*
    })*) => {
        &[$($(Case {
            name: stringify!($name),
            behaviour: Behaviour::$behaviour,
            needs: &[$(Need::$need),*],
            description: $description,
            run: cases::$module::$name,
        },)*)*]
    };
}

/// Every case, in the order of the list.
pub static CASES: &[Case] = for_each_case! { table };

/// The case of this name.
///
/// # Panics
/// If there is none.
pub fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case `{name}`"))
}

/// Tries one case on a backend over TCP, as the test whose path is `test`.
///
/// # Panics
/// If the backend does not pass, or if it passes though it is exempted.
pub fn check(backend: Arc<dyn Backend>, name: &str, test: &str, exemptions: &[Exemption]) {
    try_over(Transport::Tcp, backend, name, test, exemptions);
}

/// Tries one case on a backend over Unix sockets, as the test whose path is `test`. Cases of what only TCP has are
/// exempted on every backend. What the backend is exempted from is not tried: [`check`] shows that it needs that.
///
/// # Panics
/// As [`check`].
pub fn check_over_unix(backend: Arc<dyn Backend>, name: &str, test: &str, exemptions: &[Exemption]) {
    if !exemptions.iter().any(|exemption| exemption.covers(case(name))) {
        try_over(Transport::Unix, backend, name, test, OF_TCP);
    }
}

fn try_over(
    transport: Transport,
    backend: Arc<dyn Backend>,
    name: &str,
    test: &str,
    exemptions: &[Exemption],
) {
    let case = case(name);
    for exemption in exemptions {
        let known = CASES.iter().any(|case| exemption.covers(case));
        assert!(known, "the exemption `{}` names no case and no need", exemption.name);
    }
    let subject = || Subject::new(Arc::clone(&backend)).tested_as(test).over(transport);
    let Some(exemption) = exemptions.iter().find(|exemption| exemption.covers(case)) else {
        return (case.run)(&subject());
    };
    let mut patience = SHORT_PATIENCE;
    loop {
        let subject = subject().with_patience(patience);
        let fails = |case: &Case| catch_unwind(AssertUnwindSafe(|| (case.run)(&subject))).is_err();
        assert!(
            fails(case),
            "`{name}` passes, so it needs no exemption any more; the reason given was: {}",
            exemption.reason
        );
        // It may have failed since the machine is slow. A case that every backend passes tells.
        if patience >= LONG_PATIENCE || !fails(self::case(CONTROL)) {
            return;
        }
        patience *= 3;
    }
}

/// Cases of what only TCP has. Over Unix sockets they fail, whatever the backend does.
const OF_TCP: &[Exemption] = &[
    Exemption {
        name: "vanished_clients_are_looked_for",
        reason: "a Unix socket has no keepalive, since the kernel knows when its other end is gone",
    },
    Exemption {
        name: "a_begun_message_waits_while_nothing_is_read",
        reason: "an accepted Unix socket has buffers of the system's size, which take the whole reply",
    },
];

/// Tries one case on a backend, as the test whose path is `test`, with all clients talking through a transform. A case that
/// the backend is exempted from is left out.
///
/// # Panics
/// If the backend does not pass.
pub fn check_transformed(backend: Arc<dyn Backend>, name: &str, test: &str, exemptions: &[Exemption]) {
    let case = case(name);
    if !exemptions.iter().any(|exemption| exemption.covers(case)) {
        (case.run)(&Subject::new(backend).tested_as(test).through_a_transform());
    }
}

/// How long is waited for what is not expected to come, at first and at last.
const SHORT_PATIENCE: Duration = Duration::from_millis(500);
const LONG_PATIENCE: Duration = Duration::from_secs(10);

/// A case that fails only where the machine is too slow for the patience, or where nothing works at all.
const CONTROL: &str = "replies_in_order";

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("behaviour", &self.behaviour).finish()
    }
}

/// Has a backend tried on every case, each as a test: see the [crate's documentation](crate).
#[macro_export]
macro_rules! suite {
    ($backend:expr $(, except { $($name:ident: $reason:literal),+ $(,)? })? $(,)?) => {
        fn backend() -> ::std::sync::Arc<dyn $crate::Backend> {
            ::std::sync::Arc::new($backend)
        }

        const EXEMPTIONS: &[$crate::Exemption] =
            &[$($($crate::Exemption { name: stringify!($name), reason: $reason }),+)?];

        fn check_case(name: &str, test: &str) {
            $crate::check(backend(), name, test, EXEMPTIONS);
        }

        $crate::for_each_case! { $crate::test_each }

        /// The same over Unix sockets.
        mod over_unix {
            fn check_case(name: &str, test: &str) {
                $crate::check_over_unix(super::backend(), name, test, super::EXEMPTIONS);
            }

            $crate::for_each_case! { $crate::test_each }
        }

        /// The same behaviours, with all clients talking through a transform of which the cases know nothing.
        mod through_a_transform {
            $crate::for_each_case! { $crate::test_each_transformed }
        }
    };
}

/// A test for each case, which is tried by `check_case`.
#[doc(hidden)]
#[macro_export]
macro_rules! test_each {
    ($($module:ident { $($name:ident $behaviour:tt $needs:tt $description:literal;)* })*) => {
        $($(
            #[test]
            fn $name() {
                let test = concat!(module_path!(), "::", stringify!($name));
                check_case(stringify!($name), test);
            }
        )*)*
    };
}

/// A test for each case of what goes on in conversations, through a transform.
#[doc(hidden)]
#[macro_export]
macro_rules! test_each_transformed {
    ($($module:ident { $($name:ident $behaviour:tt $needs:tt $description:literal;)* })*) => {
        $($($crate::test_transformed! { $module $behaviour $name })*)*
    };
}

/// A test for a case through a transform, unless the case is about what happens outside of conversations, has a transform
/// of its own, or hears what is said before a handshake.
#[doc(hidden)]
#[macro_export]
macro_rules! test_transformed {
    ($module:ident [Admission] $name:ident) => {};
    ($module:ident [AcceptErrors] $name:ident) => {};
    ($module:ident [Vanishing] $name:ident) => {};
    ($module:ident [Capabilities] $name:ident) => {};
    ($module:ident [Quiet] $name:ident) => {};
    ($module:ident [Start] $name:ident) => {};
    ($module:ident [Statistics] $name:ident) => {};
    (transforms $behaviour:tt $name:ident) => {};
    (backlog $behaviour:tt $name:ident) => {};
    ($module:ident $behaviour:tt $name:ident) => {
        #[test]
        fn $name() {
            let test = concat!(module_path!(), "::", stringify!($name));
            $crate::check_transformed(super::backend(), stringify!($name), test, super::EXEMPTIONS);
        }
    };
}
