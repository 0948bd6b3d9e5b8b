//! The program's environment variables. An empty one counts as not set, also for the AWS SDK and for child processes, which do not
//! all read it that way.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};

use tokio::process::Command;

/// The value of a variable.
pub fn var(name: &str) -> Option<String> {
    var_os(name.as_ref())?.into_string().ok()
}

/// The same for a value that need not be Unicode.
pub fn var_os(name: &OsStr) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// All variables with a value, for what reads them from a map.
pub fn vars() -> HashMap<String, String> {
    env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Removes the empty variables of AWS and of this program from a child's environment.
pub fn without_empty(command: &mut Command) {
    for (name, _) in env::vars_os().filter(|(name, value)| value.is_empty() && is_ours(name)) {
        command.env_remove(name);
    }
}

fn is_ours(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    name.starts_with(b"AWS_") || name.starts_with(b"JANE_MIGRATE_")
}
