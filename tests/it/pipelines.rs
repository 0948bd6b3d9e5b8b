//! The GitHub action and the GitLab component: linted with independent linters, and their shell parts run as a runner does, with
//! a release packed like a real one. Downloads and attestations are simulated.

use std::path::{Path, PathBuf};

use jane_migrate_test_kit::write_program;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::support::{Ran, readers};
use crate::verify::bench::Bench;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents of a YAML file, parsed by an independent parser.
async fn yaml(file: &str) -> Vec<Value> {
    let program = "import json, sys; from ruamel.yaml import YAML; print(json.dumps(list(YAML(typ='safe').load_all(open(sys.argv[1])))))";
    let mut command = Command::new(readers().await.python());
    let read = command.args(["-c", program]).arg(root().join(file));
    let ran = Ran::from(read.output().await.expect("python")).ended(0);
    serde_json::from_str(&ran.stdout).expect("documents")
}

async fn lint(arguments: &[&str]) {
    let bin = readers()
        .await
        .python()
        .parent()
        .expect("a folder")
        .to_owned();
    let mut command = Command::new(bin.join(arguments[0]));
    command.args(&arguments[1..]).current_dir(root());
    Ran::from(command.output().await.expect("a linter")).ended(0);
}

/// A release packed by its workflow, with the program under test in it; returns the folder and the name.
fn release(folder: &Path) -> (PathBuf, String) {
    let packed = folder.join("release");
    crate::packaging::pack(folder, &packed);
    (packed, "jane-migrate-x86_64-unknown-linux-musl".to_owned())
}

fn sha256(file: &Path) -> String {
    hex::encode(Sha256::digest(std::fs::read(file).expect("a file")))
}

/// Runs the action's steps in order as a runner does; returns the end of the last one, and the values that it wrote to files.
struct Runner {
    bench: Bench,
    tools: PathBuf,
    steps: Vec<Value>,
}

impl Runner {
    async fn new(attested: bool) -> Self {
        let bench = Bench::new().await;
        let folder = bench.corner.folder.path().to_owned();
        let (packed, name) = release(&folder);
        let sums = format!(
            "{}  {name}.tar.gz\n",
            sha256(&packed.join(format!("{name}.tar.gz")))
        );
        std::fs::write(packed.join("SHA256SUMS"), sums).expect("written");
        let tools = folder.join("tools");
        std::fs::create_dir(&tools).expect("a folder");
        let gh = format!(
            "#!/bin/sh\necho \"gh $*\" >> '{0}/asked'\ncase $1 in release) cp '{1}'/*.tar.gz '{1}/SHA256SUMS' . ;; attestation) {2} ;; esac\n",
            folder.display(),
            packed.display(),
            if attested { "exit 0" } else { "exit 1" },
        );
        write_program(&tools.join("gh"), &gh);
        let action = yaml("action.yml").await.remove(0);
        let steps = action["runs"]["steps"].as_array().expect("steps").clone();
        Self {
            bench,
            tools,
            steps,
        }
    }

    async fn run(&self, inputs: &[(&str, &str)]) -> (Ran, String) {
        let folder = self.bench.corner.folder.path();
        let output = folder.join("output");
        std::fs::write(&output, "").expect("written");
        let mut last = None;
        for step in &self.steps {
            let Some(script) = step["run"].as_str() else {
                continue;
            };
            let path = std::env::var("PATH").unwrap_or_default();
            let path = format!("{}:{path}", self.tools.display());
            let own = self.bench.corner.shell("");
            // The runner's own command: `bash --noprofile --norc -eo pipefail FILE`.
            let file = folder.join("step.sh");
            std::fs::write(&file, script).expect("written");
            let mut bash = Command::new("bash");
            bash.args(["--noprofile", "--norc", "-eo", "pipefail"])
                .arg(&file);
            bash.envs(
                own.as_std()
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            bash.current_dir(folder);
            for (name, value) in step["env"].as_object().expect("variables") {
                let value = value.as_str().expect("a text");
                let input = value
                    .strip_prefix("${{ inputs.")
                    .and_then(|rest| rest.strip_suffix(" }}"));
                let given = inputs
                    .iter()
                    .find(|(name, _)| Some(*name) == input)
                    .map(|(_, value)| *value);
                let value_for_step = match (value, input) {
                    ("${{ runner.arch }}", _) => "X64",
                    ("${{ runner.os }}", _) => "Linux",
                    (_, Some("version")) => "v0.1.0",
                    (_, Some("repository")) => "owner/repository",
                    (_, Some("config")) => given.unwrap_or("migrate.toml"),
                    (_, Some("format")) => given.unwrap_or("github"),
                    (_, Some("strict")) => given.unwrap_or("false"),
                    (_, Some(_)) => given.unwrap_or_default(),
                    _ => panic!("{value} is not simulated"),
                };
                bash.env(name, value_for_step);
            }
            bash.env("PATH", path).env("RUNNER_TEMP", folder);
            bash.env("GITHUB_OUTPUT", &output);
            let ran = Ran::from(bash.output().await.expect("bash"));
            let failed = ran.code != 0;
            last = Some(ran);
            if failed {
                break;
            }
        }
        let output = std::fs::read_to_string(&output).expect("read");
        (last.expect("a step"), output)
    }
}

#[tokio::test]
async fn the_github_action_downloads_checks_and_verifies() {
    lint(&[
        "check-jsonschema",
        "--builtin-schema",
        "vendor.github-actions",
        "action.yml",
    ])
    .await;
    lint(&["zizmor", "--offline", "--no-progress", "action.yml"]).await;
    let runner = Runner::new(true).await;
    let pool = runner.bench.pool.clone();
    let (ran, _) = runner.run(&[("pools", &pool)]).await;
    // Accepted findings stay visible, and nothing else is printed.
    assert!(ran.code == 0 && !ran.stdout.contains("::error"), "{ran:#?}");
    let asked =
        std::fs::read_to_string(runner.bench.corner.folder.path().join("asked")).expect("read");
    assert!(
        asked.contains("gh release download v0.1.0 --repo owner/repository"),
        "{asked}"
    );
    assert!(
        asked.contains("gh attestation verify") && asked.contains("--source-ref refs/tags/v0.1.0"),
        "{asked}"
    );

    // A trigger that another tool removed fails the job, with an annotation, or with a report that the next step can upload.
    let update = serde_json::json!({ "UserPoolId": pool, "LambdaConfig": {} });
    runner.bench.corner.cognito("UpdateUserPool", update).await;
    let (ran, _) = runner.run(&[("pools", &pool)]).await;
    let ran = ran.ended(1);
    assert!(
        ran.stdout.contains("::error ") && ran.stdout.contains("trigger-registered"),
        "{ran:#?}"
    );
    let (ran, output) = runner
        .run(&[("pools", &pool), ("format", "sarif"), ("strict", "true")])
        .await;
    ran.ended(1);
    let report = output.trim().strip_prefix("report=").expect("a report");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(report).expect("read")).expect("JSON");
    assert_eq!(report["version"], "2.1.0");
}

#[tokio::test]
async fn the_github_action_runs_only_an_attested_program() {
    let runner = Runner::new(false).await;
    let (ran, _) = runner.run(&[]).await;
    assert_ne!(ran.code, 0, "{ran:#?}");
    let unpacked = runner
        .bench
        .corner
        .folder
        .path()
        .join("jane-migrate/bin/jane-migrate");
    assert!(!unpacked.exists());
}

#[tokio::test]
async fn the_gitlab_component_downloads_checks_and_verifies() {
    let bench = Bench::new().await;
    let folder = bench.corner.folder.path().to_owned();
    let (packed, name) = release(&folder);
    let archive = packed.join(format!("{name}.tar.gz"));
    let documents = yaml("templates/verify.yml").await;
    let inputs = documents[0]["spec"]["inputs"].as_object().expect("inputs");
    let run = async |sha256: &str| {
        let mut job = documents[1].to_string();
        for (input, declared) in inputs {
            let value = match input.as_str() {
                "url" => "https://releases.example/program.tar.gz",
                "sha256" => sha256,
                "role" => "arn:aws:iam::123456789012:role/verify",
                "pools" => &bench.pool,
                "strict" => "false",
                _ => declared["default"].as_str().expect("a default"),
            };
            job = job.replace(&format!("$[[ inputs.{input} ]]"), value);
        }
        assert!(!job.contains("$[["), "{job}");
        let jobs: Value = serde_json::from_str(&job).expect("a job");
        let file = folder.join("job.json");
        std::fs::write(&file, &job).expect("written");
        lint(&[
            "check-jsonschema",
            "--builtin-schema",
            "vendor.gitlab-ci",
            file.to_str().expect("a path"),
        ])
        .await;
        let job = &jobs["verify-migration"];
        let lines = ["before_script", "script"]
            .into_iter()
            .flat_map(|part| job[part].as_array().expect("lines"));
        let lines: Vec<&str> = lines.map(|line| line.as_str().expect("a line")).collect();
        // The container's tools are simulated.
        let played = format!(
            "apt-get() {{ :; }}; curl() {{ cp '{}' .jane-migrate/program.tar.gz; }}; set -e\n",
            archive.display()
        );
        let mut command = bench.corner.shell(&(played + &lines.join("\n")));
        for (name, value) in job["variables"].as_object().expect("variables") {
            // The job assumes the role with the token; the test environment has keys.
            if !name.starts_with("AWS_ROLE") {
                command.env(name, value.as_str().expect("a text"));
            }
        }
        command.env("AWS_WEB_IDENTITY_TOKEN_FILE", folder.join("token"));
        command.env("JANE_MIGRATE_IDENTITY", "token");
        Ran::from(command.output().await.expect("bash"))
    };
    run(&sha256(&archive)).await.ended(0);
    let report = std::fs::read_to_string(folder.join("verify.xml")).expect("a report");
    assert!(report.contains("trigger-registered"), "{report}");
    std::fs::remove_file(folder.join(".jane-migrate/bin/jane-migrate")).expect("there");
    run(&"0".repeat(64)).await.ended(1);
    assert!(!folder.join(".jane-migrate/bin/jane-migrate").exists());
}
