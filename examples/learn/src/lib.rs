//! The programs of `docs/learn` that have a fault on purpose, and in its tests the solutions of the exercises.

#![forbid(unsafe_code)]
