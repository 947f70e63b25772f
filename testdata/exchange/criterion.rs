use criterion::{criterion_group, criterion_main, BenchmarkId, Criterion};
use std::hint::black_box;
use std::time::Duration;

fn sums(c: &mut Criterion) {
    let all: Vec<u64> = (0..1000).collect();
    let mut group = c.benchmark_group("sum");
    for n in [10usize, 1000] {
        group.bench_with_input(BenchmarkId::from_parameter(n), &n, |b, &n| {
            b.iter(|| all[..n].iter().map(|x| black_box(*x)).sum::<u64>())
        });
    }
    group.finish();
    c.bench_function("sort/one two?", |b| b.iter(|| { let mut v = black_box(all.clone()); v.reverse(); v.sort_unstable(); v }));
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_millis(200));
    targets = sums
}
criterion_main!(benches);
