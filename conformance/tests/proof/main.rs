//! The proof of the kit: a plain backend passes every case, and for every case there is at least one defect
//! with which it does not.

mod application;
mod defect;
mod exemptions;
mod means;
mod plain;
mod socket;
mod stop;
mod transform;

/// The plain backend, as it should be.
mod sound {
    anyloop_conformance::suite!(crate::plain::Plain::sound());
}

/// For each case, defects that it must find.
mod mutants;
