//! One connection, one message in flight: the cost of a message when nothing can be shared.
//!
//! On a machine with several cores most of it is the latency of wake-ups: compare backends, not machines.

use std::io::Write;
use std::time::Duration;

use anyloop_benches::{Server, backends, read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn round_trip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("round trip, 1 connection");
    group.throughput(Throughput::Elements(1));
    for backend in backends(1) {
        let server = Server::start(backend);
        let mut socket = server.connect();
        let (message, mut buffer) = ([[b'm'; 31].as_slice(), b"\n"].concat(), [0; 32]);
        group.bench_function(BenchmarkId::from_parameter(backend.name()), |bencher| {
            bencher.iter(|| {
                socket.write_all(&message).expect("the server listens");
                read(&socket, message.len(), &mut buffer);
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

criterion_group! { name = group; config = settings(); targets = round_trip }
criterion_main!(group);
