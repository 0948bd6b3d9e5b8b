//! This run's lease, and whether another run is still active, if this machine can know that.

use jane_migrate_core::lease::Lease;

use crate::dates::{now_ms, utc};
use crate::environment;
use crate::host;

/// This run's lease for a command.
pub fn of(command: &str) -> Lease {
    let now_ms = now_ms();
    let user = ["USER", "LOGNAME", "USERNAME"];
    let user = user.into_iter().find_map(environment::var);
    let user = user.unwrap_or_else(|| "an unknown user".to_owned());
    let this = Lease {
        by: format!("{command} by {user} at {}", machine_name()),
        since: utc(now_ms),
        until_s: 0,
        run: run(),
    };
    this.renewed(now_ms / 1000)
}

/// Whether the lease of another run is still valid.
pub fn holds(lease: &Lease) -> bool {
    !lease.is_over(now_ms() / 1000) && !is_dead(&lease.run)
}

/// `MACHINE-PID-START`: unique for each process, and enough to check whether the process still exists.
fn run() -> String {
    if let Some(host) = host::other() {
        return host.run();
    }
    let pid = std::process::id();
    match (machine(), started(pid)) {
        (Some(machine), Some(start)) => format!("{machine}-{pid}-{start}"),
        _ => format!("elsewhere-{pid}-{}", now_ms()),
    }
}

/// Whether the run was a process of this machine that has ended. A process of another machine cannot be checked, so its
/// lease has to expire.
fn is_dead(run: &str) -> bool {
    if let Some(host) = host::other() {
        return host.has_ended(run);
    }
    let mut parts = run.rsplitn(3, '-');
    let (start, pid, there) = (parts.next(), parts.next(), parts.next());
    let (Some(start), Some(Ok(pid)), Some(machine)) = (start, pid.map(str::parse), machine())
    else {
        return false;
    };
    there == Some(&*machine) && started(pid).as_deref() != Some(start)
}

/// Identifies this boot of the system and the process namespace: another container has the same process ids.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let space: String = space.to_string_lossy().matches(char::is_numeric).collect();
    let boot = boot.split('-').next()?;
    Some(format!("{boot}.{space}"))
}

/// When a process started, in ticks since the boot; process ids are reused.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name may contain any character, also brackets and spaces. The state follows it.
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    // A zombie process counts as ended.
    if fields.next() == Some("Z") {
        return None;
    }
    Some(fields.nth(18)?.to_owned())
}

#[cfg(unix)]
fn machine_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn machine_name() -> String {
    environment::var("COMPUTERNAME").unwrap_or_else(|| "this machine".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_of_an_ended_process_is_not_valid() {
        let mine = of("deploy");
        assert!(mine.by.starts_with("deploy by "), "{mine:?}");
        assert!(holds(&mine));
        assert!(!holds(&Lease {
            until_s: 1,
            ..mine.clone()
        }));
        // A process of another machine cannot be checked.
        let with = |run: &str| Lease {
            run: run.to_owned(),
            ..mine.clone()
        };
        for run in ["elsewhere-1-1", "", "odd", "a-b-c"] {
            assert!(holds(&with(run)), "{run}");
        }
        if let Some(machine) = machine() {
            // The same process id, but another process.
            let pid = std::process::id();
            assert!(!holds(&with(&format!("{machine}-{pid}-1"))));
            let mut child = std::process::Command::new("sleep")
                .arg("60")
                .spawn()
                .unwrap();
            let start = started(child.id()).unwrap();
            let run = with(&format!("{machine}-{}-{start}", child.id()));
            assert!(holds(&run));
            child.kill().unwrap();
            child.wait().unwrap();
            assert!(!holds(&run));
        }
    }
}
