//! Ready-made requests for well-known directories. A preset has the form of the file; the file's own values take precedence.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::table::{Node, Table, one_of};

/// Every preset, by its name.
pub(super) const PRESETS: [(&str, &str); 8] = [
    ("auth0", include_str!("../../presets/auth0.toml")),
    ("devise", include_str!("../../presets/devise.toml")),
    ("django", include_str!("../../presets/django.toml")),
    ("firebase", include_str!("../../presets/firebase.toml")),
    ("fusionauth", include_str!("../../presets/fusionauth.toml")),
    ("keycloak", include_str!("../../presets/keycloak.toml")),
    ("okta", include_str!("../../presets/okta.toml")),
    ("supabase", include_str!("../../presets/supabase.toml")),
];

/// The names of the presets.
pub fn presets() -> impl Iterator<Item = &'static str> {
    PRESETS.into_iter().map(|(name, _)| name)
}

/// Puts the file's `[directory]` on top of the preset that it names; problems in the preset's entries are reported at that table.
/// Returns the preset's attributes.
pub(super) fn lay_under(root: &mut Table<'_, '_>) -> BTreeMap<String, String> {
    let Some(own) = root.table("directory") else {
        return BTreeMap::new();
    };
    own.text("preset", |name| {
        one_of(name, &presets().collect::<Vec<_>>())
    });
    let named = PRESETS
        .into_iter()
        .find(|(name, _)| Some(*name) == own.str("preset"));
    let Some((_, text)) = named.filter(|_| own.str("kind") == Some("http")) else {
        return BTreeMap::new();
    };
    let Ok(document) = DeTable::parse(text) else {
        return BTreeMap::new();
    };
    let mut preset = root.beside(document).placed(&own.span());
    let attributes = preset.table("attributes").into_iter();
    let attributes = attributes
        .flat_map(|table| table.entries())
        .filter_map(|entry| {
            let source = preset.table("attributes")?.str(&entry.key)?;
            Some((entry.key.clone(), source.to_owned()))
        });
    let attributes = attributes.collect();
    if let Some(Node::Table(mut directory)) = preset.remove("directory") {
        if !own.has("oauth") {
            // Without credentials for a token, the requests that need one are removed.
            directory.remove("oauth");
            if directory
                .table("lookup")
                .is_some_and(|lookup| lookup.has("oauth"))
            {
                directory.remove("lookup");
            }
        }
        let deep = ["settings", "secrets", "oauth", "form"];
        let whole = directory.overlaid(own.clone(), &deep);
        root.put("directory", Node::Table(whole));
    }
    attributes
}
