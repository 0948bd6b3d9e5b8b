//! Measures how long a customer waits: the handler, built as for a deploy, beside the same work as a Node and a Python
//! function and a minimal C program, all with the same Runtime API and the same simulated Jane, one after the other in turns.
//!
//! `cargo bench -p jane-migrate-handler --bench peers`. It needs cc, node, npm and python3; to compile AWS's runtime client
//! for Node also cmake, make, autoconf, automake and libtool. It reports what it had to leave out. A sign-in with a database
//! uses a PostgreSQL started as in the tests.
//!
//! With `-- first-sign-in` it only measures the complete first sign-in: the migration, and the notification of Jane.

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/database.rs"]
mod database;
mod first_sign_in;
mod process;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/python.rs"]
mod python;
#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../../tests/it/server.rs"]
mod server;
mod sql;
mod tools;

use std::{
    env,
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use self::{
    process::{Kind, Process},
    server::{Reply, Request, Server},
    sql::Sql,
    tools::{Program, Tools},
};

/// How many processes of each peer are started.
const ROUNDS: usize = 8;

/// The same with a small share of a processor.
const ROUNDS_SMALL: usize = 4;

/// Sign-ins of each process, after the first.
const WARM: usize = 100;

/// The same with a slow directory.
const WARM_SLOW: usize = 20;

fn main() {
    // `cargo test --all-targets` runs benchmarks as if they were tests.
    if !env::args().any(|argument| argument == "--bench") {
        return;
    }
    if env::args().any(|argument| argument == "first-sign-in") {
        let report = first_sign_in::measure(&Stage::new());
        let _ = writeln!(std::io::stdout(), "{report}");
        return;
    }
    let tools = Tools::build();
    let stage = Stage::new();
    let runs = [
        ("No delay", Run::plain(0, WARM), peers(&tools)),
        (
            "40 ms added to each answer of the directory",
            Run::plain(40, WARM_SLOW),
            peers(&tools)
                .into_iter()
                .filter(|peer| peer.kind == Kind::Jane)
                .collect(),
        ),
        (
            "The share of a processor that goes with 128 MB, after init",
            Run {
                small: true,
                ..Run::plain(0, 3)
            },
            peers(&tools)
                .into_iter()
                .filter(|peer| peer.kind == Kind::Jane)
                .collect(),
        ),
    ];
    let mut out = std::io::stdout().lock();
    let mut results = Vec::new();
    for (title, run, peers) in runs {
        let _ = writeln!(out, "\n{title}\n");
        let result = stage.measure(&run, &peers);
        let _ = writeln!(out, "{}", table(&peers, &result));
        results.push(peers.iter().map(|peer| peer.name).zip(result).collect());
    }
    for (name, program) in [
        ("jane", &tools.jane),
        ("http", &tools.http),
        ("postgres", &tools.postgres),
    ] {
        let (size, zipped) = program.sizes();
        let _ = writeln!(
            out,
            "bootstrap with `{name}`: {size} bytes, {zipped} zipped"
        );
    }
    let sql = sql::measure(&tools.postgres);
    let _ = writeln!(
        out,
        "sign-in with a hash out of PostgreSQL: {:.3} ms; the hash alone: {:.3} ms",
        sql.sign_in, sql.hash
    );
    let _ = writeln!(out, "\n{}", goals(&tools, &results, &sql));
}

/// What is measured, under one name.
struct Peer {
    name: &'static str,
    program: Program,
    kind: Kind,
    tls: bool,
}

const FLOOR: &str = "floor: C, no TLS, two requests";
const FLOOR_ONE: &str = "floor: C, no TLS, one request";
const JANE: &str = "**this handler**, `jane`";
const HTTP: &str = "**this handler**, `http`";
const HTTP_PLAIN: &str = "**this handler**, `http`, no TLS";
const NODE: &str = "Node, AWS's client, fetch";
const PYTHON: &str = "Python, AWS's client, urllib";

fn peers(tools: &Tools) -> Vec<Peer> {
    let peer = |name, program: &Program, kind, tls| {
        Some(Peer {
            name,
            program: program.clone(),
            kind,
            tls,
        })
    };
    let aws = |name, program: &Option<Program>| {
        program
            .as_ref()
            .and_then(|program| peer(name, program, Kind::Jane, true))
    };
    [
        peer(FLOOR_ONE, &tools.floor, Kind::Http, false),
        peer(HTTP_PLAIN, &tools.http, Kind::Http, false),
        peer(HTTP, &tools.http, Kind::Http, true),
        peer(FLOOR, &tools.floor, Kind::Jane, false),
        peer(JANE, &tools.jane, Kind::Jane, true),
        peer(
            "Node, bare loop, node:https",
            &tools.node_loop,
            Kind::Jane,
            true,
        ),
        aws(NODE, &tools.node),
        peer(
            "Python, bare loop, urllib",
            &tools.python_loop,
            Kind::Jane,
            true,
        ),
        aws(PYTHON, &tools.python),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The conditions of a run.
struct Run {
    delay: Duration,
    warm: usize,
    small: bool,
}

impl Run {
    fn plain(delay_ms: u64, warm: usize) -> Self {
        Self {
            delay: Duration::from_millis(delay_ms),
            warm,
            small: false,
        }
    }
}

/// The simulated Jane, once without and once with TLS.
struct Stage {
    pause: Arc<AtomicU64>,
    plain: Server,
    secure: Server,
}

impl Stage {
    fn new() -> Self {
        let pause = Arc::new(AtomicU64::new(0));
        let answer = |pause: Arc<AtomicU64>| {
            move |request: &Request| {
                thread::sleep(Duration::from_millis(pause.load(Ordering::SeqCst)));
                jane(request)
            }
        };
        Self {
            plain: Server::start(answer(Arc::clone(&pause))),
            secure: Server::start_tls(answer(Arc::clone(&pause))),
            pause,
        }
    }

    /// Sets the delay of each response from now on.
    fn delay(&self, delay: Duration) {
        self.pause.store(delay.as_millis() as u64, Ordering::SeqCst);
    }

    fn secure(&self) -> &Server {
        &self.secure
    }

    fn measure(&self, run: &Run, peers: &[Peer]) -> Vec<Samples> {
        self.delay(run.delay);
        let mut samples: Vec<_> = peers.iter().map(|_| Samples::default()).collect();
        let rounds = if run.small { ROUNDS_SMALL } else { ROUNDS };
        for _ in 0..rounds {
            for (peer, samples) in peers.iter().zip(&mut samples) {
                let directory = if peer.tls { &self.secure } else { &self.plain };
                let process = Process::start(&peer.program, peer.kind, directory);
                samples.init.push(process.init.as_secs_f64() * 1000.0);
                samples.cpu.push(process.cpu_ms());
                let limit = run.small.then(|| process.limit());
                if limit.as_ref().is_some_and(Option::is_none) {
                    // Shown instead of a figure.
                    samples.first.push(f64::NAN);
                    continue;
                }
                samples.first.push(process.sign_in());
                directory.forget();
                samples
                    .warm
                    .extend((0..run.warm).map(|_| process.sign_in()));
                samples
                    .requests
                    .push(directory.requests().len() as f64 / run.warm as f64);
                samples.memory.push(process.memory_mib());
                drop(process);
            }
        }
        samples
    }
}

#[derive(Default)]
struct Samples {
    init: Vec<f64>,
    cpu: Vec<f64>,
    first: Vec<f64>,
    warm: Vec<f64>,
    memory: Vec<f64>,
    requests: Vec<f64>,
}

fn table(peers: &[Peer], samples: &[Samples]) -> String {
    let mut lines = vec![
        "| | init ms | init CPU ms | first ms | warm p50 ms | warm p99 ms | RSS MiB | requests |"
            .to_owned(),
        "|---|---|---|---|---|---|---|---|".to_owned(),
    ];
    lines.extend(peers.iter().zip(samples).map(|(peer, samples)| {
        if samples.first.iter().any(|first| first.is_nan()) {
            return format!(
                "| {} | could not be limited on this machine | | | | | | |",
                peer.name
            );
        }
        format!(
            "| {} | {:.2} | {:.2} | {:.2} | {:.3} | {:.3} | {:.1} | {:.0} |",
            peer.name,
            median(&samples.init),
            median(&samples.cpu),
            median(&samples.first),
            median(&samples.warm),
            percentile(&samples.warm, 99),
            median(&samples.memory),
            median(&samples.requests),
        )
    }));
    lines.join("\n")
}

fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values
        .get((values.len() * percent / 100).min(last))
        .copied()
        .unwrap_or(f64::NAN)
}

type Results = std::collections::BTreeMap<&'static str, Samples>;

/// The goals, and whether they were met.
fn goals(tools: &Tools, results: &[Results], sql: &Sql) -> String {
    let [plain, slow, small] = results else {
        return String::new();
    };
    let of = |results: &Results, name: &str, samples: fn(&Samples) -> f64| {
        results.get(name).map_or(f64::NAN, samples)
    };
    let init = |samples: &Samples| median(&samples.init);
    let both = |samples: &Samples| median(&samples.init) + median(&samples.first);
    let first = |samples: &Samples| median(&samples.first);
    let warm = |samples: &Samples| median(&samples.warm);
    let memory = |samples: &Samples| median(&samples.memory);
    let requests = |samples: &Samples| median(&samples.requests);
    let best = of(plain, NODE, both).min(of(plain, PYTHON, both));
    let zipped = |program: &Program| program.sizes().1 as f64 / 1e6;
    let goals = [
        (
            "init, of Node's with AWS's client",
            of(plain, JANE, init) / of(plain, NODE, init),
            1.0 / 30.0,
        ),
        (
            "init and first sign-in, of the better of Node and Python",
            of(plain, JANE, both) / best,
            1.0 / 25.0,
        ),
        ("first sign-in at 128 MB, ms", of(small, JANE, first), 10.0),
        (
            "warm p50, one request, over the floor",
            of(plain, HTTP, warm) / of(plain, FLOOR_ONE, warm),
            1.6,
        ),
        (
            "the same without TLS",
            of(plain, HTTP_PLAIN, warm) / of(plain, FLOOR_ONE, warm),
            1.6,
        ),
        (
            "RSS, MiB",
            of(plain, JANE, memory).max(of(plain, HTTP, memory)),
            6.0,
        ),
        (
            "requests of a warm sign-in, `jane`",
            of(plain, JANE, requests),
            2.0,
        ),
        (
            "requests of a warm sign-in, `http`",
            of(plain, HTTP, requests),
            1.0,
        ),
        (
            "warm p50 with 40 ms a request, of Node's",
            of(slow, JANE, warm) / of(slow, NODE, warm),
            0.67,
        ),
        (
            "SQL sign-in over its hash alone, ms",
            sql.sign_in - sql.hash,
            1.0,
        ),
        ("zip with `jane`, MB", zipped(&tools.jane), 1.3),
        ("zip with `http`, MB", zipped(&tools.http), 1.3),
        ("zip with `postgres`, MB", zipped(&tools.postgres), 1.7),
    ];
    let lines = goals.map(|(name, measured, goal)| {
        let met = match measured <= goal {
            _ if measured.is_nan() => "not measured",
            true => "met",
            false => "**not met**",
        };
        format!("| {name} | {measured:.3} | {goal:.3} | {met} |")
    });
    format!(
        "| figure | measured | goal, at most | |\n|---|---|---|---|\n{}",
        lines.join("\n")
    )
}

fn jane(request: &Request) -> Reply {
    match request.path.rsplit('/').next().unwrap_or_default() {
        "token" => Reply::json(
            200,
            json!({ "access_token": "token", "token_type": "Bearer", "expires_in": 7200 }),
        ),
        "verify_credentials" => Reply::json(
            200,
            json!({ "user": { "first_name": "Ann", "phone": "1112224444" } }),
        ),
        _ => Reply::json(200, json!({})),
    }
}
