//! Modified transforms and preambles.

use common::{Blocking, Client, Opened, Preamble, PreambleProgress, Service, Transform};

use crate::defect::Defect;

/// The service with the transform and the preamble of a backend with this defect.
pub(crate) fn tamper(mut service: Service, defect: Defect) -> Service {
    if let Some(make) = service.transform.take() {
        service = service.with_transform(move |client| Box::new(Tampered { right: make(client), defect }));
    }
    if defect == Defect::DiscardsThePreamble
        && let Some(make) = service.preamble.take()
    {
        service = service.with_preamble(move || Box::new(Forgotten(make())));
    }
    service
}

/// A wrapper of the correct transform.
struct Tampered {
    right: Box<dyn Transform>,
    defect: Defect,
}

impl Transform for Tampered {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        self.right.open(input, plain, sealed)
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        match self.defect {
            Defect::SendsPlaintext => sealed.extend_from_slice(plain),
            _ => self.right.seal(plain, sealed),
        }
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        if self.defect != Defect::OmitsTheFinalOutput {
            self.right.close(sealed);
        }
    }

    fn is_handshaking(&self) -> bool {
        self.defect != Defect::SkipsTheHandshake && self.right.is_handshaking()
    }

    fn blocking(&self) -> Blocking {
        self.right.blocking()
    }

    fn describe(&self, client: &mut Client) {
        self.right.describe(client);
    }

    fn memory(&self) -> usize {
        self.right.memory()
    }
}

/// A preamble whose information is discarded.
struct Forgotten(Box<dyn Preamble>);

impl Preamble for Forgotten {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        match self.0.receive(input, &mut client.clone()) {
            PreambleProgress::Broken(_) => PreambleProgress::Done { used: 0 },
            progress => progress,
        }
    }
}
