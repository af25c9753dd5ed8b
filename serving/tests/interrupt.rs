//! An interrupt wakes its thread whatever the program does with the signal, and interrupts no other call. Signal handlers
//! belong to the whole process, so this program has a single test.
#![expect(unsafe_code, reason = "the test handles and blocks signals as other programs do")]

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{mem, ptr, thread};

use anyloop_serving::Interrupt;

static HANDLED: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handle(_signal: libc::c_int) {
    HANDLED.fetch_add(1, Ordering::SeqCst);
}

/// Installs a handler as many programs do, with `SA_RESTART`.
fn install(handler: libc::sighandler_t) {
    // SAFETY: all-zero bits are a valid `sigaction`, and the handler only counts.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler;
        action.sa_flags = libc::SA_RESTART;
        assert_eq!(libc::sigaction(libc::SIGURG, &raw const action, ptr::null_mut()), 0);
    }
}

fn block_signal() {
    // SAFETY: all-zero bits are a valid set, and it is valid for the calls.
    unsafe {
        let mut signal: libc::sigset_t = mem::zeroed();
        libc::sigaddset(&raw mut signal, libc::SIGURG);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &raw const signal, ptr::null_mut()), 0);
    }
}

/// Wakes a thread that blocks in a read, and checks that the read is interrupted. The thread runs `prepare` before it creates
/// its interrupt, and the test runs `meanwhile` before it wakes the thread.
fn assert_woken(prepare: fn(), meanwhile: fn()) {
    let (mut reader, mut writer) = UnixStream::pair().expect("two sockets");
    let (waker, wakers) = std::sync::mpsc::channel();
    let blocked = thread::spawn(move || {
        prepare();
        let interrupt = Interrupt::of_this_thread().expect("an interrupt");
        waker.send(interrupt.waker()).expect("the test receives");
        interrupt.call(|| false, || reader.read(&mut [0])).map_err(|error| error.kind())
    });
    let waker = wakers.recv().expect("a waker");
    meanwhile();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !blocked.is_finished() && Instant::now() < deadline {
        waker.wake_by_ref();
        thread::sleep(Duration::from_millis(1));
    }
    let _ = writer.write_all(b"x"); // ends the read if the wake-up didn't
    assert_eq!(blocked.join().expect("no panic"), Err(ErrorKind::Interrupted));
}

#[test]
fn a_thread_is_woken_only_during_its_call() {
    let default = || install(libc::SIG_DFL);
    let ignored = || install(libc::SIG_IGN);
    let handled = || install(handle as extern "C" fn(libc::c_int) as libc::sighandler_t);
    assert_woken(default, || {});
    assert_woken(handled, || {});
    assert_woken(ignored, || {});
    assert_woken(|| {}, default);
    assert_woken(|| {}, handled);
    assert_woken(|| {}, ignored);
    assert_woken(block_signal, || {});
    assert!(HANDLED.load(Ordering::SeqCst) > 0, "the program's own handler is not called");

    // System calls between the interrupt's calls are not interrupted, however often the thread is woken.
    handled();
    let interrupt = Interrupt::of_this_thread().unwrap();
    let waker = interrupt.waker();
    let done = Arc::new(AtomicBool::new(false));
    let waking = thread::spawn({
        let done = Arc::clone(&done);
        move || {
            while !done.load(Ordering::SeqCst) {
                waker.wake_by_ref();
            }
        }
    });
    let mut interrupted = 0;
    for _ in 0..2_000 {
        // The calls end immediately, so that wake-ups arrive at their end.
        let called = interrupt.call(|| false, || Ok(()));
        assert!(called.is_ok());
        let slept =
            rustix::event::poll(&mut [], Some(&rustix::event::Timespec { tv_sec: 0, tv_nsec: 20_000 }));
        interrupted += usize::from(slept.is_err());
    }
    done.store(true, Ordering::SeqCst);
    waking.join().unwrap();
    assert_eq!(interrupted, 0, "system calls were interrupted");

    // After an earlier wake-up the call is not made.
    let woken = interrupt.call(|| true, || -> std::io::Result<()> { unreachable!() });
    assert_eq!(woken.unwrap_err().kind(), ErrorKind::Interrupted);
}
