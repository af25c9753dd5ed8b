//! The command `anyloop`, with the key-value store.

mod load;

use std::process::ExitCode;
use std::sync::Arc;

use anyloop_cli::LoadFraming;
use key_value::KeyValue;

fn main() -> ExitCode {
    anyloop_cli::Command::new()
        .application("key-value", "a store that speaks a subset of the Redis protocol", || {
            Arc::new(KeyValue::default())
        })
        .load_framing(LoadFraming::Resp)
        .messages(load::write)
        .expecting(load::is_answer)
        .run()
}
