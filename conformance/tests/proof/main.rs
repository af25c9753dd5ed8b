//! Tests of the kit: a plain backend passes each case, and for each case there is at least one defect with which it
//! fails.

mod application;
mod defect;
mod delivery;
mod exemptions;
mod plain;
mod service;
mod socket;
mod stop;
mod transform;

/// The plain backend without a defect.
mod correct {
    anyloop_conformance::suite!(crate::plain::Plain::correct());
}

/// For each case, the defects that it must find.
mod mutants;
