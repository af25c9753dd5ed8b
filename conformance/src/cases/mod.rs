//! The cases: a function for each, with the name in the list of [`for_each_case`](crate::for_each_case).

pub(crate) mod admission;
pub(crate) mod backlog;
pub(crate) mod backpressure;
pub(crate) mod blocking;
pub(crate) mod capabilities;
pub(crate) mod closing;
pub(crate) mod deadlines;
pub(crate) mod disconnects;
pub(crate) mod exhaustion;
pub(crate) mod fairness;
pub(crate) mod framing;
pub(crate) mod idle;
pub(crate) mod limits;
pub(crate) mod order;
pub(crate) mod panics;
pub(crate) mod protocols;
pub(crate) mod raw;
pub(crate) mod start;
pub(crate) mod statistics;
pub(crate) mod stop;
pub(crate) mod transforms;
pub(crate) mod urgent;
