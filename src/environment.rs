//! The program's environment variables. An empty variable counts as not set, also for the AWS SDK, which does not treat all of
//! them that way.

use std::collections::HashMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The value of a variable.
pub fn var(name: &str) -> Option<String> {
    var_os(name.as_ref())?.into_string().ok()
}

/// The same for a value that may not be Unicode.
pub fn var_os(name: &OsStr) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// The folder that an XDG variable names, or else this one below the home directory. None without a home directory.
pub fn folder(variable: &str, usual: &str) -> Option<PathBuf> {
    // The XDG specification says to ignore a relative path.
    let named = var_os(variable.as_ref()).map(PathBuf::from);
    let named = named.filter(|path| path.is_absolute());
    named.or_else(|| Some(env::home_dir()?.join(usual)))
}

/// All variables with a value, for code that reads them from a map.
pub fn vars() -> HashMap<String, String> {
    env::vars_os()
        .filter(|(_, value)| !value.is_empty())
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
