//! The capabilities that a backend reports are correct.

use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroUsize;

use common::Service;
use serving::Workers;

use crate::cases::limits::assert_still_serves;
use crate::child::{self, Child};
use crate::handlers::{IntoService, Scripted};
use crate::subject::Subject;

pub(crate) fn unsupported_settings_are_rejected(subject: &Subject) {
    let workers = subject.backend().capabilities().workers;
    let service = Scripted::new().service();
    if workers != Workers::Chosen {
        assert_unsupported(subject, service.clone().with_workers(NonZeroUsize::new(2)));
    }
    if workers != Workers::PerConnection {
        assert_unsupported(subject, service.with_stack_size(NonZeroUsize::new(256 * 1024)));
    }
}

pub(crate) fn assert_unsupported(subject: &Subject, service: Service) {
    let error = subject.serve(service).result().expect_err("unsupported settings are an error");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let name = subject.backend().name();
    assert!(error.to_string().contains(name), "`{error}` does not say that it is about {name}");
}

pub(crate) fn configured_number_of_workers_is_started(subject: &Subject) {
    if let Some(parent) = child::parent() {
        return parent.respond(|count| threads_with(count.parse().expect("a number of workers"), subject));
    }
    if subject.backend().capabilities().workers != Workers::Chosen {
        let server = subject.serve(Scripted::new().service());
        return (0..5).for_each(|_| assert_still_serves(&server));
    }
    // In separate processes, which have no other threads.
    let threads = [1_usize, 3, 5].map(|count| {
        let threads = Child::start(subject).request(&count.to_string());
        threads.parse::<usize>().unwrap_or_else(|_| panic!("with {count} workers: {threads}"))
    });
    assert_eq!(
        [threads[1] - threads[0], threads[2] - threads[1]],
        [2, 2],
        "{threads:?} with 1, 3 and 5 workers"
    );
}

/// The number of threads of this process while it runs a server with `count` workers.
fn threads_with(count: usize, subject: &Subject) -> String {
    let service = Scripted::new().service();
    let server = subject.serve(service.with_workers(NonZeroUsize::new(count)));
    (0..5).for_each(|_| assert_still_serves(&server));
    let threads = fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    server.stop();
    threads.to_string()
}
