//! Python virtual environments for the emulators, installed once into a cache directory and shared. `emulator` runs programs in them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// Called with one short sentence for each step.
pub type Progress = dyn Fn(&str) + Send + Sync;

/// A virtual environment with pinned packages.
#[derive(Clone, Debug)]
pub struct Venv {
    root: PathBuf,
}

impl Venv {
    /// The environment called `name` under `cache`, with `requirement` (such as `ministack==1.5.33`, or several with a space
    /// between). It is created if it is missing or incomplete. Processes that start at the same time wait for the first.
    pub async fn install(
        cache: &Path,
        name: &str,
        requirement: &str,
        progress: &Progress,
    ) -> Result<Self> {
        let venv = Self {
            root: cache.join(name),
        };
        if venv.is_complete(requirement) {
            return Ok(venv);
        }
        progress(&format!("installing {requirement} from PyPI (once)"));
        let began = Instant::now();
        let (making, requirement) = (venv.clone(), requirement.to_owned());
        let wanted = requirement.clone();
        tokio::task::spawn_blocking(move || making.make(&wanted)).await??;
        progress(&format!(
            "installed {requirement} in {:.0} s",
            began.elapsed().as_secs_f64()
        ));
        Ok(venv)
    }

    /// The environment's Python.
    pub fn python(&self) -> PathBuf {
        self.root.join("bin/python")
    }

    fn is_complete(&self, requirement: &str) -> bool {
        // `bin/python` is a link to the base interpreter, which may have been removed.
        fs::read_to_string(self.marker()).is_ok_and(|made| made == requirement)
            && self.python().exists()
    }

    /// Written last: an environment without it is incomplete.
    fn marker(&self) -> PathBuf {
        self.root.join("complete")
    }

    fn make(&self, requirement: &str) -> Result<()> {
        let parent = self.root.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)
            .with_context(|| format!("failed to create `{}`", parent.display()))?;
        let lock = File::create(self.root.with_extension("lock"))
            .context("failed to create the lock of a virtual environment")?;
        lock.lock()
            .context("failed to wait for another installation")?;
        if self.is_complete(requirement) {
            return Ok(());
        }
        match fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error)
                    .with_context(|| format!("failed to remove `{}`", self.root.display()));
            }
            _ => {}
        }

        let old = "import sys; sys.exit(sys.version_info < (3, 10))";
        check_python(&Command::new("python3").args(["-c", old]).output())?;
        let mut make = Command::new("python3");
        check(
            make.args(["-m", "venv"]).arg(&self.root).output(),
            "failed to create a virtual environment",
            "python3 needs its venv and ensurepip modules; on Debian and Ubuntu: apt install python3-venv",
        )?;
        let mut install = Command::new(self.python());
        install
            .args(["-m", "pip", "install", "--quiet", "--no-input"])
            .arg("--disable-pip-version-check")
            .args(requirement.split(' '));
        check(
            install.output(),
            &format!("failed to install `{requirement}` with pip"),
            "pip must reach PyPI, or a mirror that its configuration names",
        )?;
        fs::write(self.marker(), requirement).context("failed to finish a virtual environment")
    }
}

fn check_python(version: &io::Result<Output>) -> Result<()> {
    match version {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) => {
            bail!("python3 is older than 3.10\n\nhint: the sandbox needs Python 3.10 or newer")
        }
        Err(error) => bail!(
            "failed to run `python3`: {error}\n\nhint: the sandbox needs Python 3.10 or newer with venv and pip; on Debian \
             and Ubuntu: apt install python3 python3-venv"
        ),
    }
}

fn check(output: io::Result<Output>, what: &str, hint: &str) -> Result<()> {
    let output = output.with_context(|| what.to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    // `python3 -m venv` prints its errors on stdout, pip on stderr.
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last = said.trim().lines().rev().take(8).collect::<Vec<_>>();
    let last = last.into_iter().rev().collect::<Vec<_>>().join("\n  ");
    bail!("{what}\n  {last}\n\nhint: {hint}")
}
