//! The complete first sign-in of a customer of Jane: the migration, and the notification of Jane before the user is created. Here
//! one function does both and keeps its token; Jane's package has two functions, each with its own token.

use std::time::Duration;

use crate::{
    Stage, median,
    process::{Kind, Process},
    tools::{OfJane, Program},
};

/// How many cold starts of each.
const ROUNDS: usize = 8;

/// How many first sign-ins by each round's warm processes.
const WARM: usize = 20;

/// Milliseconds from Cognito's first event to the second response.
#[derive(Default)]
struct Samples {
    cold: Vec<f64>,
    warm: Vec<f64>,
    memory: Vec<f64>,
}

/// The figures, as a table and beside their goals.
pub fn measure(stage: &Stage) -> String {
    let tools = OfJane::build();
    let mut programs = vec![("**this handler**, one function", &tools.handler, 1)];
    if let Some(node) = &tools.node {
        programs.push(("Jane's package: Node, AWS's client, two functions", node, 2));
    }
    let bare = "the same in a bare loop, without AWS's client";
    programs.push((bare, &tools.node_loop, 2));
    let mut lines = vec![
        "| | added per request | cold ms | warm p50 ms | RSS MiB |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
    ];
    let mut ratios = Vec::new();
    for delay in [0, 40] {
        stage.delay(Duration::from_millis(delay));
        let mut samples: Vec<_> = programs.iter().map(|_| Samples::default()).collect();
        for _ in 0..ROUNDS {
            for ((_, program, functions), samples) in programs.iter().zip(&mut samples) {
                samples.round(stage, program, *functions);
            }
        }
        for ((name, ..), samples) in programs.iter().zip(&samples) {
            let Samples { cold, warm, memory } = samples;
            let (cold, warm, memory) = (median(cold), median(warm), median(memory));
            lines.push(format!(
                "| {name} | {delay} ms | {cold:.2} | {warm:.3} | {memory:.1} |"
            ));
        }
        for ((name, ..), theirs) in programs.iter().zip(&samples).skip(1) {
            let cold = median(&samples[0].cold) / median(&theirs.cold);
            let warm = median(&samples[0].warm) / median(&theirs.warm);
            ratios.push(format!("| {name} | {delay} ms | {cold:.3} | {warm:.3} |"));
        }
    }
    let (size, zipped) = tools.handler.sizes();
    format!(
        "{}\n\nThis handler's time in parts of the other's\n\n| | added per request | cold | warm p50 |\n|---|---|---|---|\n{}\n\nbootstrap with `jane`: {size} bytes, {zipped} zipped",
        lines.join("\n"),
        ratios.join("\n")
    )
}

impl Samples {
    fn round(&mut self, stage: &Stage, program: &Program, functions: usize) {
        let start = || Process::start(program, Kind::Jane, stage.secure());
        let ms = |time: Duration| time.as_secs_f64() * 1000.0;
        let migration = start();
        let mut cold = ms(migration.init) + migration.sign_in();
        // Cognito calls the second function only after the first has answered, so its start adds to the time.
        let second = (functions == 2).then(start);
        cold += second.as_ref().map_or(0.0, |second| ms(second.init));
        let connection = second.as_ref().unwrap_or(&migration);
        cold += connection.connect();
        self.cold.push(cold);
        let warm = (0..WARM).map(|_| migration.sign_in() + connection.connect());
        self.warm.extend(warm);
        let processes = [Some(&migration), second.as_ref()];
        let memory = processes.into_iter().flatten().map(Process::memory_mib);
        self.memory.push(memory.sum());
    }
}
