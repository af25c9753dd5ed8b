//! 64 connections with 16 messages in flight each: the cost of a message when system calls and wake-ups are shared.
//!
//! One iteration is a batch on every connection. Client and server run in one process; for reliable figures use
//! `anyloop compare`, which runs the server in a separate process.

use std::io::Write;
use std::time::Duration;

use anyloop_benches::{Server, backends, read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const CONNECTIONS: usize = 64;
const DEPTH: usize = 16;

fn pipelined(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipelined, 64 connections, depth 16");
    group.throughput(Throughput::Elements((CONNECTIONS * DEPTH) as u64));
    for backend in backends(CONNECTIONS) {
        let server = Server::start(backend);
        let mut sockets: Vec<_> = (0..CONNECTIONS).map(|_| server.connect()).collect();
        let batch = [[b'm'; 31].as_slice(), b"\n"].concat().repeat(DEPTH);
        let mut buffer = vec![0; batch.len()];
        group.bench_function(BenchmarkId::from_parameter(backend.name()), |bencher| {
            bencher.iter(|| {
                for socket in &mut sockets {
                    socket.write_all(&batch).expect("the server listens");
                }
                for socket in &sockets {
                    read(socket, batch.len(), &mut buffer);
                }
            });
        });
    }
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(4))
        .noise_threshold(0.05)
}

criterion_group! { name = group; config = settings(); targets = pipelined }
criterion_main!(group);
