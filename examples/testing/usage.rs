//! What an example's command says of itself, and of values that it rejects.

use super::server::command;

/// Checks that the command succeeds with these arguments, and that its output contains the text beside them.
pub(crate) fn assert_says(program: &str, cases: &[(&str, &str)]) {
    for (arguments, expected) in cases {
        let output = command(program, arguments).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains(expected), "{arguments}: {text}");
    }
}

/// Checks that `serve` rejects these flags as wrong usage, and that the error contains the text beside them.
pub(crate) fn assert_rejects(program: &str, cases: &[(&str, &str)]) {
    for (flags, expected) in cases {
        let output = command(program, &format!("serve {flags}")).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && text.contains(expected), "{flags}: {text}");
    }
}
