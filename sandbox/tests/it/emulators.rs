//! The emulators as processes: installed once, ended with their owner, and with clear errors about what is
//! missing.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jane_migrate_sandbox::{Options, Sandbox, Venv};
use tokio::net::TcpStream;

use crate::{cache, scripts};

const ROLE: &str = "SANDBOX_TEST_ROLE";

/// This binary once more, as a process that can be killed, or that runs without Python.
fn another_process(role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command
        .args(["--exact", "emulators::in_another_process", "--nocapture"])
        .env(ROLE, role);
    command
}

/// The work of the other process; does nothing in this one.
#[tokio::test]
async fn in_another_process() {
    match std::env::var(ROLE).as_deref() {
        Ok("hold a sandbox") => {
            let options = Options {
                ..Options::new(cache())
            };
            let sandbox = Sandbox::start(&options).await.expect("a sandbox");
            #[expect(
                clippy::print_stdout,
                reason = "how the test that started this process learns the port and the key"
            )]
            {
                println!("\nendpoint {} {}", sandbox.endpoint(), sandbox.secret_key());
            }
            std::future::pending::<()>().await;
        }
        Ok("install") => {
            let directory = tempfile::tempdir().expect("a directory");
            Venv::install(directory.path(), "six", "six==1.17.0", &|_| ())
                .await
                .map(|_| ())
                .unwrap();
        }
        _ => {}
    }
}

/// How many processes have this in their environment.
fn processes_with(variable: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    processes
        .filter(|process| {
            let environment = fs::read(process.path().join("environ")).unwrap_or_default();
            String::from_utf8_lossy(&environment).contains(variable)
        })
        .count()
}

#[tokio::test]
async fn a_sandbox_leaves_nothing_when_its_owner_is_killed() {
    let mut owner = another_process("hold a sandbox")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a process");
    let lines = BufReader::new(owner.stdout.take().expect("stdout")).lines();
    let started = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("endpoint ")?.to_owned()))
        .expect("it starts");
    let (endpoint, secret) = started.split_once(' ').expect("both");
    let variable = format!("AWS_ENDPOINT_URL={endpoint}\0");
    let script = "from aws import *\n\
        function = Function({})\n\
        functions.invoke(FunctionName=function.name, Payload='{}')";
    scripts::run_at(endpoint, secret, script, "123456789012").await;
    assert_eq!(
        processes_with(&variable),
        2,
        "MiniStack runs, and the function"
    );
    owner.kill().expect("SIGKILL");
    owner.wait().expect("dead");
    let deadline = Instant::now() + Duration::from_secs(10);
    while processes_with(&variable) > 0 {
        assert!(
            Instant::now() < deadline,
            "processes of the sandbox outlived its owner"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_stopped_sandbox_has_ended() {
    let options = Options {
        ..Options::new(cache())
    };
    let sandbox = Sandbox::start(&options).await.expect("a sandbox");
    let endpoint = sandbox.endpoint();
    sandbox.stop().await.expect("stopped");
    assert_eq!(processes_with(&format!("AWS_ENDPOINT_URL={endpoint}\0")), 0);
    let address = endpoint.strip_prefix("http://").expect("plain HTTP");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_incomplete_environment_is_installed_again_by_one_of_many_processes() {
    let directory = tempfile::tempdir().expect("a directory");
    fs::create_dir_all(directory.path().join("six/bin")).expect("half an environment");
    fs::write(directory.path().join("six/bin/python"), "").expect("half a python");
    let install = || Venv::install(directory.path(), "six", "six==1.17.0", &|_| ());
    let (one, two, three) = tokio::join!(install(), install(), install());
    for venv in [one, two, three] {
        let python = venv.expect("installed").python();
        let works = Command::new(python).args(["-c", "import six"]).status();
        assert!(works.expect("python runs").success());
    }
    // Another version is installed separately.
    let progress = Arc::new(Mutex::new(Vec::new()));
    let telling = progress.clone();
    let tell = move |step: &str| telling.lock().unwrap().push(step.to_owned());
    Venv::install(directory.path(), "six", "six==1.17.0", &tell)
        .await
        .expect("there");
    assert!(progress.lock().unwrap().is_empty());
    Venv::install(directory.path(), "six", "six==1.16.0", &tell)
        .await
        .expect("installed");
    assert!(progress.lock().unwrap()[0].contains("installing six==1.16.0"));
}

/// The output of a process that installs with this as its only `python3`.
fn install_with(python: Option<&str>) -> String {
    let path = tempfile::tempdir().expect("a directory");
    if let Some(script) = python {
        let python = path.path().join("python3");
        // Another process writes it: otherwise a child of another test could hold it open, and it could not be
        // executed.
        let written = Command::new("sh")
            .args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""])
            .arg(&python)
            .arg(script)
            .status();
        assert!(written.expect("a shell").success());
    }
    let output = another_process("install")
        .env("PATH", path.path())
        .output()
        .expect("a process");
    assert!(!output.status.success());
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn a_missing_part_of_python_is_reported_with_the_fix() {
    let said = install_with(None);
    assert!(
        said.contains("failed to run `python3`")
            && said.contains("apt install python3 python3-venv"),
        "{said}"
    );

    let debian =
        "#!/bin/sh\n[ \"$1\" = -c ] && exit 0\necho 'ensurepip is not available'\nexit 1\n";
    let said = install_with(Some(debian));
    assert!(
        said.contains("ensurepip is not available") && said.contains("apt install python3-venv"),
        "{said}"
    );

    let said = install_with(Some("#!/bin/sh\nexit 1\n"));
    assert!(said.contains("older than 3.10"), "{said}");
}
