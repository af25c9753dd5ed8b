//! Cases, exemptions, and the functions and macros that run cases.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serving::Backend;

use crate::cases;
use crate::ends::Transforms;
use crate::subject::{Subject, Transport};

/// A test case for backends.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Case {
    /// The name of the case and of its test.
    pub name: &'static str,
    /// The behaviour that it tests.
    pub behaviour: Behaviour,
    /// What it requires of a backend beyond serving one client at a time.
    pub needs: &'static [Need],
    /// Whether it belongs to the sample that the variants of a suite run by default.
    pub is_sampled: bool,
    /// The expected behaviour.
    pub description: &'static str,
    /// Runs the case. Panics if it fails.
    pub run: fn(&Subject),
}

/// The required behaviours of backends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Behaviour {
    /// 1: a greeting, then replies in order; nothing is lost, duplicated or reordered.
    Conversation = 1,
    /// 2: messages may be split and coalesced, and long ones cost linear time.
    Framing,
    /// 3: before a conversation ends, all replies are delivered, followed by a clean end.
    Closing,
    /// 4: a message that is too long or malformed gets one error reply, and the server continues.
    Limits,
    /// 5: the server stops reading from a client that does not read, and memory stays bounded.
    Backpressure,
    /// 6: deadlines are enforced, and never early.
    Deadlines,
    /// 7: the limit on connected clients is exact.
    Admission,
    /// 8: accept errors never end the server, and it does not spin.
    AcceptErrors,
    /// 9: a panic in a session ends only that session.
    Panics,
    /// 10: stopping, draining, and a report that adds up.
    Stop,
    /// 11: the resources of a client that disappears are freed.
    Disconnects,
    /// 12: one client can't monopolise the server.
    Fairness,
    /// 13: the capabilities that a backend reports are correct.
    Capabilities,
    /// 14: an idle server uses no CPU time.
    Idle,
    /// 15: protocols that are not codecs are served like others.
    Protocols,
    /// 16: urgent data causes no loss and no delay.
    Urgent,
    /// 17: the resources that a server needs to start, and that it frees.
    Start,
    /// 18: statistics are correct at any time.
    Statistics,
    /// 19: messages that other threads push to a client arrive once, in order and whole, and mailboxes are bounded.
    Pushes,
    /// 20: an answer that is given later takes the place of the reply, and is given once.
    Later,
    /// 21: the timer of a session expires once, and never early.
    Timers,
}

/// What a case may require of a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Need {
    /// It serves two clients at once.
    TwoClients,
    /// Handlers don't run on the thread that called `serve`.
    HandlersOnOtherThreads,
}

impl Need {
    /// All needs.
    pub const ALL: &[Self] = &[Self::TwoClients, Self::HandlersOnOtherThreads];

    /// The name of the need in exemptions.
    pub fn name(self) -> &'static str {
        match self {
            Self::TwoClients => "two_clients_at_once",
            Self::HandlersOnOtherThreads => "handlers_on_other_threads",
        }
    }
}

/// Cases that a backend does not pass, with the reason.
#[derive(Clone, Copy, Debug)]
pub struct Exemption {
    /// The name of a case, or of a need to exempt from all cases with it.
    pub name: &'static str,
    /// The reason.
    pub reason: &'static str,
}

impl Exemption {
    fn covers(&self, case: &Case) -> bool {
        self.name == case.name || case.needs.iter().any(|need| need.name() == self.name)
    }
}

macro_rules! table {
    ($($module:ident {
        $($name:ident [$behaviour:ident] [$($need:ident),*] $($sampled:ident)? $description:literal;)*
    })*) => {
        &[$($(Case {
            name: stringify!($name),
            behaviour: Behaviour::$behaviour,
            needs: &[$(Need::$need),*],
            is_sampled: !stringify!($($sampled)?).is_empty(),
            description: $description,
            run: cases::$module::$name,
        },)*)*]
    };
}

/// All cases, in the order of the list.
pub static CASES: &[Case] = for_each_case! { table };

/// Returns the case with this name.
///
/// # Panics
/// If there is no such case.
pub fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or_else(|| panic!("there is no case `{name}`"))
}

/// Runs a case on a backend over TCP. `test` is the path of the calling test.
///
/// # Panics
/// If the case fails, or if it passes although the backend is exempted.
pub fn check(backend: Arc<dyn Backend>, name: &str, test: &str, exemptions: &[Exemption]) {
    run_over(Transport::Tcp, backend, name, test, exemptions);
}

/// Runs a case on a backend over Unix sockets. `test` is the path of the calling test. All backends are exempted from
/// cases about TCP. Cases that the backend is exempted from are skipped, since [`check`] verifies the exemption.
///
/// # Panics
/// As [`check`].
pub fn check_over_unix(backend: Arc<dyn Backend>, name: &str, test: &str, exemptions: &[Exemption]) {
    if !exemptions.iter().any(|exemption| exemption.covers(case(name))) {
        run_over(Transport::Unix, backend, name, test, TCP_ONLY);
    }
}

fn run_over(
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
    let subject = || Subject::new(Arc::clone(&backend)).with_test_path(test).over(transport);
    let Some(exemption) = exemptions.iter().find(|exemption| exemption.covers(case)) else {
        return (case.run)(&subject());
    };
    let mut timeout = MIN_TIMEOUT;
    loop {
        let subject = subject().with_timeout(timeout);
        let fails = |case: &Case| catch_unwind(AssertUnwindSafe(|| (case.run)(&subject))).is_err();
        assert!(
            fails(case),
            "`{name}` passes, so it needs no exemption any more; the reason given was: {}",
            exemption.reason
        );
        // The failure may be due to a slow machine. In that case, a case that every backend passes fails too.
        if timeout >= MAX_TIMEOUT || !fails(self::case(CONTROL)) {
            return;
        }
        timeout *= 3;
    }
}

/// Cases about TCP. Over Unix sockets they fail with any backend.
const TCP_ONLY: &[Exemption] = &[
    Exemption {
        name: "keepalive_is_enabled",
        reason: "a Unix socket has no keepalive, since the kernel knows when the peer is gone",
    },
    Exemption {
        name: "message_deadline_restarts_when_reading_resumes",
        reason: "an accepted Unix socket has buffers of the default size, into which the whole reply fits",
    },
];

/// Runs a case on a backend, with all bytes of all clients transformed. `test` is the path of the calling test. Cases
/// that the backend is exempted from are skipped.
///
/// # Panics
/// If the backend does not pass.
pub fn check_through(
    transforms: Transforms,
    backend: Arc<dyn Backend>,
    name: &str,
    test: &str,
    exemptions: &[Exemption],
) {
    let case = case(name);
    if !exemptions.iter().any(|exemption| exemption.covers(case)) {
        (case.run)(&Subject::new(backend).with_test_path(test).through(transforms));
    }
}

/// The first and the last timeout for cases that are expected to fail.
const MIN_TIMEOUT: Duration = Duration::from_millis(500);
const MAX_TIMEOUT: Duration = Duration::from_secs(10);

/// A case that fails only if the machine is too slow for the timeout, or if the backend does not work at all.
const CONTROL: &str = "replies_in_order";

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("name", &self.name).field("behaviour", &self.behaviour).finish()
    }
}

/// Defines a test for each case: see the [crate's documentation](crate).
#[macro_export]
macro_rules! suite {
    ($($suite:tt)*) => {
        $crate::subject! { $($suite)* }
        $crate::over_tcp! {}
        $crate::for_each_case! { $crate::test_each }
        $crate::variants! {}
    };
}

/// As [`suite`], but also with a sample over TCP by default: for a backend whose tests are to be quick.
#[macro_export]
macro_rules! sampled_suite {
    ($($suite:tt)*) => {
        $crate::tcp_suite! { $($suite)* }
        $crate::variants! {}
    };
}

/// As [`suite`], but over TCP only, with the sample by default: for a variant of a backend that has the whole suite.
#[macro_export]
macro_rules! tcp_suite {
    ($($suite:tt)*) => {
        $crate::subject! { $($suite)* }
        $crate::over_tcp! {}
        $crate::for_each_case! { $crate::test_sample }
    };
}

/// As [`suite`], but only the cases about conversations, with all bytes of all clients transformed, by a [`Transforms`] that is
/// the first argument. A sample of the cases runs by default.
#[macro_export]
macro_rules! transformed_suite {
    ($transforms:expr, $($suite:tt)*) => {
        $crate::subject! { $($suite)* }

        fn check_case(name: &str, test: &str) {
            $crate::check_through($transforms, backend(), name, test, EXEMPTIONS);
        }

        $crate::for_each_case! { $crate::test_sample_transformed }
    };
}

/// Defines the backend under test, and its exemptions.
#[doc(hidden)]
#[macro_export]
macro_rules! subject {
    ($backend:expr $(, except { $($name:ident: $reason:literal),+ $(,)? })? $(,)?) => {
        fn backend() -> ::std::sync::Arc<dyn $crate::Backend> {
            ::std::sync::Arc::new($backend)
        }

        const EXEMPTIONS: &[$crate::Exemption] =
            &[$($($crate::Exemption { name: stringify!($name), reason: $reason }),+)?];
    };
}

/// Defines that a case is checked over TCP.
#[doc(hidden)]
#[macro_export]
macro_rules! over_tcp {
    () => {
        fn check_case(name: &str, test: &str) {
            $crate::check(backend(), name, test, EXEMPTIONS);
        }
    };
}

/// Defines the cases over other sockets than TCP's, and with all bytes transformed. A sample of them runs by default.
#[doc(hidden)]
#[macro_export]
macro_rules! variants {
    () => {
        /// The cases over Unix sockets.
        mod over_unix {
            fn check_case(name: &str, test: &str) {
                $crate::check_over_unix(super::backend(), name, test, super::EXEMPTIONS);
            }

            $crate::for_each_case! { $crate::test_sample }
        }

        /// The cases with all bytes of all clients transformed.
        mod through_a_transform {
            fn check_case(name: &str, test: &str) {
                let transforms = $crate::Transforms::default();
                $crate::check_through(transforms, super::backend(), name, test, super::EXEMPTIONS);
            }

            $crate::for_each_case! { $crate::test_sample_transformed }
        }
    };
}

/// Defines a test for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! test_each {
    ($($module:ident { $($name:ident $behaviour:tt $needs:tt $($sampled:ident)? $description:literal;)* })*) => {
        $($($crate::test_case! { sampled $name })*)*
    };
}

/// Defines a test for each case, and ignores those outside of the sample.
#[doc(hidden)]
#[macro_export]
macro_rules! test_sample {
    ($($module:ident { $($name:ident $behaviour:tt $needs:tt $($sampled:ident)? $description:literal;)* })*) => {
        $($($crate::test_case! { $($sampled)? $name })*)*
    };
}

/// Defines a test through a transform for each case about conversations, and ignores those outside of the sample.
#[doc(hidden)]
#[macro_export]
macro_rules! test_sample_transformed {
    ($($module:ident { $($name:ident $behaviour:tt $needs:tt $($sampled:ident)? $description:literal;)* })*) => {
        $($($crate::test_transformed! { $module $behaviour $($sampled)? $name })*)*
    };
}

/// Defines a test for a case through a transform, unless the case is not about conversations, uses its own transform,
/// or receives output before a handshake.
#[doc(hidden)]
#[macro_export]
macro_rules! test_transformed {
    ($module:ident [Admission] $($case:ident)+) => {};
    ($module:ident [AcceptErrors] $($case:ident)+) => {};
    ($module:ident [Disconnects] $($case:ident)+) => {};
    ($module:ident [Capabilities] $($case:ident)+) => {};
    ($module:ident [Idle] $($case:ident)+) => {};
    ($module:ident [Start] $($case:ident)+) => {};
    ($module:ident [Statistics] $($case:ident)+) => {};
    (transforms $behaviour:tt $($case:ident)+) => {};
    (backlog $behaviour:tt $($case:ident)+) => {};
    ($module:ident $behaviour:tt $($case:ident)+) => {
        $crate::test_case! { $($case)+ }
    };
}

/// Defines a test for a case, which calls `check_case`. The test is ignored if the case is not marked with `sampled`.
#[doc(hidden)]
#[macro_export]
macro_rules! test_case {
    ($name:ident) => {
        $crate::test_case! {
            #[ignore = "outside of the sample of this variant: run by `.ci/full`, or with `--include-ignored`"]
            sampled $name
        }
    };
    ($(#[$ignored:meta])? sampled $name:ident) => {
        #[test]
        $(#[$ignored])?
        fn $name() {
            let test = concat!(module_path!(), "::", stringify!($name));
            check_case(stringify!($name), test);
        }
    };
}
