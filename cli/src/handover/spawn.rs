//! Starts a process that inherits descriptors, as systemd passes them: from number 3 on, with `LISTEN_PID`, `LISTEN_FDS` and
//! `LISTEN_FDNAMES`.

use std::ffi::{CString, OsStr, OsString};
use std::io::{self, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::{env, process};

/// The number of the first descriptor that is passed.
const FIRST: i32 = 3;

/// Starts a program with these descriptors, each with its name, and with the environment of this process.
///
/// # Errors
/// Those of the system, and `InvalidInput` if an argument contains a zero byte.
pub(super) fn spawn(
    program: &Path,
    arguments: &[OsString],
    passed: &[(&str, BorrowedFd<'_>)],
) -> io::Result<Child> {
    let image = Image::new(program, arguments, passed)?;
    let mut command = Command::new(program);
    run_in_child(&mut command, image);
    command.spawn()
}

/// Has the child become `image` instead of what the command says. An error of `execute` reaches the parent through a descriptor
/// of the standard library. If that has one of the numbers that are passed, the parent learns only that the child has ended.
#[expect(
    unsafe_code,
    reason = "the number of a process, which LISTEN_PID needs, is known only after the fork"
)]
fn run_in_child(command: &mut Command, mut image: Image) {
    // SAFETY: after the fork, `execute` calls only what is async-signal-safe: it neither allocates nor locks.
    unsafe { command.pre_exec(move || Err(image.execute())) };
}

/// All that a new process consists of, allocated before the fork.
struct Image {
    program: CString,
    arguments: Vec<CString>,
    /// `NAME=VALUE`, each with a zero byte at its end.
    environment: Vec<Vec<u8>>,
    /// Duplicates with numbers above those that the child gets.
    descriptors: Vec<OwnedFd>,
    /// Space for the addresses of arguments and environment.
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
}

#[expect(unsafe_code, reason = "the addresses in it make it neither `Send` nor `Sync`")]
// SAFETY: the addresses point into the other fields, are set by `execute`, and are read by nobody else.
unsafe impl Send for Image {}
#[expect(unsafe_code, reason = "the addresses in it make it neither `Send` nor `Sync`")]
// SAFETY: as above.
unsafe impl Sync for Image {}

impl Image {
    fn new(program: &Path, arguments: &[OsString], passed: &[(&str, BorrowedFd<'_>)]) -> io::Result<Self> {
        let text = |text: &OsStr| CString::new(text.as_bytes()).map_err(io::Error::from);
        let above = FIRST + i32::try_from(passed.len()).unwrap_or(i32::MAX);
        let duplicate = |(_, descriptor): &(&str, BorrowedFd<'_>)| {
            rustix::io::fcntl_dupfd_cloexec(descriptor, above).map_err(io::Error::from)
        };
        let program = text(program.as_os_str())?;
        let arguments: io::Result<Vec<_>> = [Ok(program.clone())]
            .into_iter()
            .chain(arguments.iter().map(|argument| text(argument)))
            .collect();
        let descriptors: io::Result<Vec<_>> = passed.iter().map(duplicate).collect();
        let (arguments, environment) = (arguments?, environment(passed));
        let argv = Vec::with_capacity(arguments.len() + 1);
        let envp = Vec::with_capacity(environment.len() + 1);
        Ok(Self { program, arguments, environment, descriptors: descriptors?, argv, envp })
    }

    /// Replaces the process by the new one. Returns only if that fails.
    #[expect(
        unsafe_code,
        reason = "neither std nor rustix can pass descriptors with numbers of one's own to a program"
    )]
    fn execute(&mut self) -> io::Error {
        for (number, descriptor) in (FIRST..).zip(&self.descriptors) {
            // SAFETY: what had this number before belongs to this process, which only executes the program from here on.
            if unsafe { libc::dup2(descriptor.as_raw_fd(), number) } < 0 {
                return io::Error::last_os_error();
            }
        }
        for entry in &mut self.environment {
            write_own_number(entry);
        }
        let null = std::ptr::null();
        self.argv.extend(self.arguments.iter().map(|argument| argument.as_ptr()).chain([null]));
        self.envp.extend(self.environment.iter().map(|entry| entry.as_ptr().cast()).chain([null]));
        // SAFETY: the program and all entries end with a zero byte, both lists end with a null pointer, and all outlive the call.
        unsafe { libc::execve(self.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
        io::Error::last_os_error()
    }
}

/// The variables whose value is the number of the process.
const NUMBERS: [&str; 2] = ["LISTEN_PID=", "WATCHDOG_PID="];

/// Space for the number of a process.
const DIGITS: usize = 20;

fn write_own_number(entry: &mut [u8]) {
    for name in NUMBERS {
        if entry.starts_with(name.as_bytes()) {
            let _ = write!(&mut entry[name.len()..], "{}\0", process::id()); // there is space for every number
        }
    }
}

/// The environment of the new process.
fn environment(passed: &[(&str, BorrowedFd<'_>)]) -> Vec<Vec<u8>> {
    let replaced = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];
    let kept = env::vars_os().filter(|(name, _)| !replaced.iter().any(|replaced| name == replaced));
    let kept = kept.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes(), b"\0"].concat());
    let names: Vec<_> = passed.iter().map(|(name, _)| *name).collect();
    let described =
        [format!("LISTEN_FDS={}\0", passed.len()), format!("LISTEN_FDNAMES={}\0", names.join(":"))];
    let watchdog = env::var_os("WATCHDOG_USEC").is_some();
    let numbers = NUMBERS.into_iter().filter(|name| watchdog || !name.starts_with("WATCHDOG"));
    let numbers = numbers.map(|name| [name.as_bytes(), &[0; DIGITS]].concat());
    kept.chain(described.map(String::into_bytes)).chain(numbers).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_process_gets_the_descriptors_and_a_description_that_is_for_it() {
        let (mut first, (_, second)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let script =
            "echo $$ $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES $0 $1 >&3; [ -p /dev/fd/4 ] && echo open >&3";
        let arguments = ["-c", script, "name", "a b"].map(OsString::from);
        let passed = [("one", first.1.as_fd()), ("two", second.as_fd())];
        let mut child = spawn(Path::new("/bin/sh"), &arguments, &passed).unwrap();
        let number = child.id();
        drop(first.1);
        let mut said = String::new();
        first.0.read_to_string(&mut said).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(said, format!("{number} {number} 2 one:two name a b\nopen\n"));
    }

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        let error = spawn(Path::new("/nowhere/program"), &[], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = spawn(Path::new("/bin/sh"), &["a\0b".into()], &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }
}
