//! A backend written from scratch.
