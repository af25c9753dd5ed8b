//! Modified transforms and preambles.

use common::{Blocking, Client, Opened, Preamble, PreambleProgress, Service, Transform};

use crate::defect::Defect;

/// The service with the transform and the preamble of a backend with this defect.
pub(crate) fn tamper(mut service: Service, defect: Defect) -> Service {
    if let Some(make) = service.transform.take() {
        service = service.with_transform(move |client| Box::new(Tampered { inner: make(client), defect }));
    }
    if defect == Defect::DiscardsThePreamble
        && let Some(make) = service.preamble.take()
    {
        service = service.with_preamble(move || Box::new(WithoutInformation(make())));
    }
    service
}

/// A wrapper of the correct transform.
struct Tampered {
    inner: Box<dyn Transform>,
    defect: Defect,
}

impl Transform for Tampered {
    fn open(&mut self, input: &mut [u8], plain: &mut Vec<u8>, sealed: &mut Vec<u8>) -> Opened {
        self.inner.open(input, plain, sealed)
    }

    fn seal(&mut self, plain: &[u8], sealed: &mut Vec<u8>) {
        match self.defect {
            Defect::SendsPlaintext => sealed.extend_from_slice(plain),
            _ => self.inner.seal(plain, sealed),
        }
    }

    fn close(&mut self, sealed: &mut Vec<u8>) {
        if self.defect != Defect::OmitsTheFinalOutput {
            self.inner.close(sealed);
        }
    }

    fn is_handshaking(&self) -> bool {
        self.defect != Defect::SkipsTheHandshake && self.inner.is_handshaking()
    }

    fn blocking(&self) -> Blocking {
        self.inner.blocking()
    }

    fn describe(&self, client: &mut Client) {
        self.inner.describe(client);
    }

    fn memory(&self) -> usize {
        self.inner.memory()
    }
}

/// A preamble whose information is discarded.
struct WithoutInformation(Box<dyn Preamble>);

impl Preamble for WithoutInformation {
    fn receive(&mut self, input: &[u8], client: &mut Client) -> PreambleProgress {
        match self.0.receive(input, &mut client.clone()) {
            PreambleProgress::Broken(_) => PreambleProgress::Done { used: 0 },
            progress => progress,
        }
    }
}
