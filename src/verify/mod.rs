//! Proves that a deployed migration still holds. Each check is a small pure function over what was observed; reading is
//! `observe`'s business, printing `report`'s.

mod checks;
pub mod jane;
pub mod report;

use jane_migrate_config::{Config, Date, HandlerSettings, SETTINGS_VARIABLE};

use crate::finding::Finding;
use crate::ids::Names;
use crate::plan::Observed;
use crate::resources::ObservedFunction;

/// Everything the checks look at.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// The pool and all that is named after it.
    pub names: &'a Names,
    /// What is there.
    pub observed: &'a Observed,
    /// What the configuration asks for, where there is one.
    pub config: Option<Configured<'a>>,
    /// The clients whose sign-ins must migrate.
    pub clients: Option<&'a [String]>,
    /// Today, in UTC.
    pub today: Date,
    /// What Jane says of the clients, where Jane is the directory and could be asked.
    pub jane: jane::Answers,
}

/// The configuration and the settings that follow from it for this pool.
#[derive(Debug)]
pub struct Configured<'a> {
    /// The file.
    pub config: &'a Config,
    /// What the function should be told.
    pub settings: HandlerSettings,
}

type Check = fn(&Evidence<'_>) -> Vec<Finding>;

/// Every check with its id, in the order they are shown.
const CHECKS: &[(&str, Check)] = &[
    ("trigger-registered", checks::trigger_registered),
    ("function-active", checks::function_active),
    ("function-code", checks::function_code),
    ("function-settings", checks::function_settings),
    ("invoke-permission", checks::invoke_permission),
    ("invoke-permission-only", checks::invoke_permission_only),
    ("role-trust", checks::role_trust),
    ("role-permissions", checks::role_permissions),
    ("log-group", checks::log_group),
    ("client-password-auth", checks::client_password_auth),
    ("jane-knows-client", checks::jane_knows_client),
    ("window-open", checks::window_open),
];

/// The ids that `--only` and `--skip` know.
pub fn ids() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(id, _)| *id)
}

/// Runs the chosen checks.
pub fn run(evidence: &Evidence<'_>, chosen: impl Fn(&str) -> bool) -> Vec<Finding> {
    CHECKS
        .iter()
        .filter(|(id, _)| chosen(id))
        .flat_map(|(_, check)| check(evidence))
        .collect()
}

/// The settings in the deployed function's environment, where they can be read.
pub(crate) fn deployed_settings(function: &ObservedFunction) -> Option<HandlerSettings> {
    let settings = function.function.environment.get(SETTINGS_VARIABLE)?;
    HandlerSettings::from_json(settings.expose()).ok()
}
