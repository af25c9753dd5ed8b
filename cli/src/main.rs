//! The command `anyloop`.

fn main() {}
