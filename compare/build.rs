//! Tells the library by which compiler it is built: reports say so, because numbers depend on it.

use std::env;
use std::process::Command;

fn main() {
    let compiler = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    if let Ok(output) = Command::new(compiler).arg("--version").output()
        && output.status.success()
    {
        println!("cargo::rustc-env=ANYLOOP_COMPILER={}", String::from_utf8_lossy(&output.stdout).trim());
    }
    println!("cargo::rerun-if-changed=build.rs");
}
