//! The program's environment variables. An empty one counts as not set, also for the AWS SDK, which does not read every one that
//! way.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};

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
