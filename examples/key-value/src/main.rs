//! The command `anyloop`, with the key-value store.

use std::process::ExitCode;
use std::sync::Arc;

use key_value::KeyValue;

fn main() -> ExitCode {
    anyloop::Command::new()
        .application("key-value", "a store that speaks a subset of the Redis protocol", || {
            Arc::new(KeyValue::default())
        })
        .run()
}
