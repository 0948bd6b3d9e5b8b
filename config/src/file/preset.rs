//! Ready-made requests for well-known directories. A preset is written like the file it saves somebody to write, and
//! read by the same code; whatever the file says itself takes precedence.

use toml::de::DeTable;

use super::{
    check,
    directory::Attributes,
    error::Report,
    http::{Draft, draft},
    table::{Table, listed, nearest},
};

/// Every preset, by its name.
pub(super) const PRESETS: [(&str, &str); 6] = [
    ("auth0", include_str!("../../presets/auth0.toml")),
    ("devise", include_str!("../../presets/devise.toml")),
    ("django", include_str!("../../presets/django.toml")),
    ("firebase", include_str!("../../presets/firebase.toml")),
    ("keycloak", include_str!("../../presets/keycloak.toml")),
    ("okta", include_str!("../../presets/okta.toml")),
];

/// The names of the presets.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.into_iter().map(|(name, _)| name)
}

/// Whether there is such a preset.
pub(super) fn exists(name: &str) -> Result<(), String> {
    let names = PRESETS.map(|(name, _)| name);
    if names.contains(&name) {
        return Ok(());
    }
    let hint =
        nearest(name, names.into_iter()).map(|nearest| format!("; did you mean `{nearest}`?"));
    Err(format!(
        "must be one of {}{}",
        listed(&names),
        hint.unwrap_or_default()
    ))
}

/// A preset's requests and attributes.
pub(super) fn read(name: &str) -> Option<(Draft, Attributes)> {
    let (_, text) = PRESETS.into_iter().find(|(known, _)| *known == name)?;
    let report = Report::default();
    let mut root = Table::root(DeTable::parse(text).ok()?, &report);
    let mut directory = root.table("directory")?;
    let draft = draft(&mut directory);
    let attributes = root.map("attributes", |name, source: &String| {
        check::attribute(name, source)
    });
    directory.finish();
    root.finish();
    report.finish(Some((draft, attributes)), text, name).ok()
}
