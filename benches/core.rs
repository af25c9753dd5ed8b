//! The pure core alone: decoding, session and encoding, for each framing. For comparison, the time that `memchr` takes
//! to find the line ends in the same bytes, which is a lower bound for `line`.

use std::hint::black_box;
use std::time::Duration;

use anyloop_benches::{Core, MESSAGES, messages};
use common::Framing;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

fn core(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("core, a read of 16 KiB");
    for &framing in Framing::ALL {
        let mut input = messages(framing);
        let bytes = input.len() as u64;
        // In `raw` a read is cut into messages of 1,024 bytes.
        let elements = if framing == Framing::Raw { bytes.div_ceil(1024) } else { MESSAGES as u64 };
        group.throughput(Throughput::ElementsAndBytes { elements, bytes });
        let mut core = Core::new(framing);
        group.bench_function(BenchmarkId::from_parameter(framing.name()), |bencher| {
            bencher.iter(|| core.answer(black_box(&mut input)));
        });
    }
    let input = messages(Framing::Line);
    group.throughput(Throughput::ElementsAndBytes { elements: MESSAGES as u64, bytes: input.len() as u64 });
    group.bench_function("memchr alone", |bencher| {
        bencher.iter(|| {
            let mut rest = black_box(&input[..]);
            let mut lines = 0;
            while let Some(end) = memchr::memchr(b'\n', rest) {
                rest = &rest[end + 1..];
                lines += 1;
            }
            lines
        });
    });
    group.finish();
}

fn settings() -> Criterion {
    Criterion::default().warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3))
}

criterion_group! { name = group; config = settings(); targets = core }
criterion_main!(group);
