//! What a backend says of itself is so.

use std::io::ErrorKind;
use std::num::NonZeroUsize;

use common::{Service, Workers};

use crate::cases::limits::goes_on;
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

fn refused(subject: &Subject, service: Service) {
    let error = subject.serve(service).result().expect_err("what the backend can't have is refused");
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    let name = subject.backend().name();
    assert!(error.to_string().contains(name), "`{error}` does not say that it is about {name}");
}

pub(crate) fn works_with_the_workers_asked_for(subject: &Subject) {
    let service = Scripted::new().service();
    let choice: &[usize] = match subject.backend().capabilities().workers {
        Workers::Chosen => &[1, 3],
        _ => &[0],
    };
    for &count in choice {
        let server = subject.serve(Service { workers: NonZeroUsize::new(count), ..service.clone() });
        for _ in 0..5 {
            goes_on(&server);
        }
    }
}
