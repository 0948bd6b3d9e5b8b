//! The simulation: the program itself, from its command line to its report, runs against an AWS in memory, on a clock without real
//! waiting. A seed decides all commands, times and faults; `SEED=n` runs one again and prints each call.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a run is printed on the terminal"
)]

mod aws;
mod clock;
mod dice;
mod drift;
mod judge;
mod scene;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// The number of seeds in each run of the tests; `SEEDS` overrides it.
const SEEDS: u64 = 100;

/// Seeds that have found an error of the program. Each run of the tests includes them.
const FOUND: [u64; 20] = [
    101, 168, 527, 569, 629, 5112, 5148, 5541, 5547, 7122, 24959, 25299, 38286, 54624, 61156,
    95907, 98237, 99344, 100344, 110424,
];

/// The program's futures need a large stack in an unoptimised build.
const STACK: usize = 64 << 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn no_schedule_damages_a_pool() {
    let one = number("SEED");
    let (first, count) = (number("FIRST"), number("SEEDS"));
    let from = first.unwrap_or(1);
    let mut seeds: Vec<u64> = match one {
        Some(seed) => vec![seed],
        None => (from..from + count.unwrap_or(SEEDS)).collect(),
    };
    if one.or(first).or(count).is_none() {
        seeds.extend(FOUND);
    }
    let builds = Arc::new(scene::Builds::new());
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    let threads = number("THREADS").map_or_else(
        || std::thread::available_parallelism().map_or(1, usize::from),
        |threads| threads as usize,
    );
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let play = || {
                loop {
                    let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) else {
                        return;
                    };
                    let played = catch_unwind(AssertUnwindSafe(|| {
                        scene::play(seed, &builds, one.is_some())
                    }));
                    let (trace, failure) = played
                        .unwrap_or_else(|_| (Vec::new(), Some("a panic, see above".to_owned())));
                    if let Some(why) = failure {
                        eprintln!("SEED={seed}: {why}");
                        failed
                            .lock()
                            .expect("not poisoned")
                            .push((seed, why, trace));
                    }
                }
            };
            let thread = std::thread::Builder::new().stack_size(STACK);
            thread.spawn_scoped(scope, play).expect("a thread");
        }
    });
    let mut failed = failed.into_inner().expect("not poisoned");
    failed.sort();
    println!(
        "{} seeds, the first is {}, in {:.1} s",
        seeds.len(),
        seeds[0],
        began.elapsed().as_secs_f64()
    );
    if let Some((seed, why, trace)) = failed.first() {
        let seeds: Vec<u64> = failed.iter().map(|(seed, ..)| *seed).collect();
        panic!(
            "{}\n\nSEED={seed}: {why}\nfailed: {seeds:?}",
            trace.join("\n")
        );
    }
}
