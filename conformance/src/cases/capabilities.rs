//! What a backend says of itself is so.

use std::io::ErrorKind;
use std::num::NonZeroUsize;

use common::{Service, Workers};

use crate::cases::limits::goes_on;
use crate::client::Client;
use crate::gate::Gate;
use crate::handlers::Scripted;
use crate::subject::Subject;

pub(crate) fn means_it_cannot_have_are_refused(subject: &Subject) {
    let workers = subject.backend().capabilities().workers;
    let service = Scripted::new().service();
    if workers != Workers::Chosen {
        refused(subject, Service { workers: NonZeroUsize::new(2), ..service.clone() });
    }
    if workers != Workers::PerConnection {
        refused(subject, Service { stack_size: NonZeroUsize::new(256 * 1024), ..service });
    }
}

pub(crate) fn refused(subject: &Subject, service: Service) {
    let error = subject.serve(service).result().expect_err("what the backend can't have is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let name = subject.backend().name();
    assert!(error.to_string().contains(name), "`{error}` does not say that it is about {name}");
}

pub(crate) fn works_with_the_workers_asked_for(subject: &Subject) {
    if subject.backend().capabilities().workers != Workers::Chosen {
        let server = subject.serve(Scripted::new().service());
        return (0..5).for_each(|_| goes_on(&server));
    }
    for count in [1, 3, 5] {
        // Each handler holds its worker, since it doesn't say that it may block.
        let gate = Gate::default();
        let service = Scripted::new().holding_at(&gate).service();
        let server = subject.serve(Service { workers: NonZeroUsize::new(count), ..service });
        let mut clients: Vec<_> = (0..4 * count).map(|_| server.connect_greeted()).collect();
        for client in &mut clients {
            client.say("wait");
        }
        gate.waits_for(count, subject.patience());
        clients.iter().for_each(Client::waits_for_arrival);
        clients[0].hears_nothing();
        assert_eq!(gate.waiting(), count, "handlers run at once on {count} workers");
        gate.open();
        for client in &mut clients {
            client.hears("1:wait");
        }
    }
}
