//! The cost of a connection: connect, one message, its reply, close.

use std::io::Write;
use std::time::Duration;

use anyloop_benches::{Server, backends, read};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn churn(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("connection churn");
    group.throughput(Throughput::Elements(1));
    for backend in backends(1) {
        let server = Server::start(backend);
        let (message, mut buffer) = ([[b'm'; 31].as_slice(), b"\n"].concat(), [0; 32]);
        group.bench_function(BenchmarkId::from_parameter(backend.name()), |bencher| {
            bencher.iter(|| {
                let mut socket = server.connect();
                socket.write_all(&message).expect("the server listens");
                read(&socket, message.len(), &mut buffer);
            });
        });
    }
    group.finish();
}

/// Few and short samples, since every connection leaves a port in TIME_WAIT for a minute.
fn settings() -> Criterion {
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .noise_threshold(0.05)
}

criterion_group! { name = group; config = settings(); targets = churn }
criterion_main!(group);
