//! The migrate.toml that `init` writes. Pure: answers and facts about the pool in, commented text out. The real parser reads the
//! text back before anyone sees it, and so checks the answers. `commands::init` asks the questions and writes the file.

mod attributes;
mod directory;
mod values;

use std::fmt::Write;

use jane_migrate_config::{Date, PoolFacts};
use jane_migrate_core::line::one_line;
use jane_migrate_core::trigger::Trigger;

pub use attributes::{Proposal, propose};
pub use directory::{Database, Directory, Http, Jane, Ldap, OldPool};
pub use values::Place;
use values::quoted;

/// The JSON Schema of the file, in the same folder.
pub const SCHEMA_FILE: &str = "migrate.schema.json";

/// An app client, as the file lists it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether it allows sign-in with a password.
    pub allows_password: bool,
}

/// Everything that goes into the file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The facts about the pool.
    pub pool: PoolFacts,
    /// Its name.
    pub pool_name: String,
    /// Its app clients.
    pub clients: Vec<Client>,
    /// The clients whose sign-ins must migrate; empty for all.
    pub chosen_clients: Vec<String>,
    /// Where the existing accounts are.
    pub directory: Directory,
    /// The functions that the pool calls before it creates a user and after a confirmed sign-up.
    pub triggers: Vec<(Trigger, String)>,
    /// The last day of the migration.
    pub closes: Option<Date>,
    /// The number of accounts to migrate.
    pub total_users: Option<u64>,
}

impl Draft {
    /// The file's text, with these lines under `[attributes]`.
    pub fn render(&self, attributes: &[Proposal]) -> String {
        let mut text = format!(
            "#:schema ./{SCHEMA_FILE}\n# migrate.toml for user pool {} ({}), written by `jane-migrate init`. Editors complete and check it by the schema above.\n# A line below that begins with `#` and no space is a key to fill in or to try: remove the `#`.\n\n",
            self.pool.id,
            // A name can contain any character; a line break would end the comment.
            one_line(&self.pool_name),
        );
        self.render_pool(&mut text);
        self.directory.render(&mut text);
        self.render_attributes(&mut text, attributes);
        self.render_triggers(&mut text);
        self.render_rest(&mut text);
        text
    }

    /// Both triggers for Jane, if the pool has none of its own there. For other directories the guard is a suggestion.
    fn render_triggers(&self, text: &mut String) {
        let jane = matches!(self.directory, Directory::Jane(_));
        let mark = match jane && self.triggers.is_empty() {
            true => "",
            false => "#",
        };
        text.push_str("# The triggers besides the migration's. They go on after the window's end.\n[triggers]\n");
        for (trigger, arn) in &self.triggers {
            let _ = writeln!(
                text,
                "# The pool has a {} trigger: {arn}. `deploy --replace` records it and takes its place.",
                trigger.label()
            );
        }
        let lines: &[(&str, &str)] = match jane {
            true => &[
                (
                    "pre_sign_up = true",
                    "Jane learns who migrates, and decides who may sign up",
                ),
                (
                    "post_confirmation = true",
                    "Jane creates an account for each new user",
                ),
            ],
            false => &[(
                "pre_sign_up = true",
                "refuse sign-ups with an address that the directory knows",
            )],
        };
        for (line, why) in lines {
            let line = format!("{mark}{line}");
            let _ = writeln!(text, "{line:<40}# {why}");
        }
        text.push('\n');
    }

    fn render_pool(&self, text: &mut String) {
        let _ = writeln!(text, "[pool]\nid = {}\n", quoted(&self.pool.id));
        if !self.clients.is_empty() {
            text.push_str(
                "# The app clients whose sign-ins must migrate (default: all). The pool has:\n",
            );
        }
        for client in &self.clients {
            let allows = match client.allows_password {
                true => "allows passwords",
                false => {
                    "allows no passwords yet: `deploy --enable-password-auth` changes that, teardown changes it back"
                }
            };
            let name = one_line(&client.name);
            let _ = writeln!(text, "#   {}  {name}: {allows}", client.id);
        }
        let ids: Vec<&str> = match self.chosen_clients.is_empty() {
            true => self.clients.iter().map(|client| &*client.id).collect(),
            false => self.chosen_clients.iter().map(|id| &**id).collect(),
        };
        if !ids.is_empty() {
            let quoted: Vec<String> = ids.into_iter().map(quoted).collect();
            let mark = if self.chosen_clients.is_empty() {
                "#"
            } else {
                ""
            };
            let _ = writeln!(text, "{mark}clients = [{}]\n", quoted.join(", "));
        }
    }

    fn render_attributes(&self, text: &mut String, attributes: &[Proposal]) {
        text.push_str("# Cognito attribute = source of its value: \"field\" of the directory's user, \"/path/to/field\", \"a | b\" for the first that\n# exists, \"=text\" for a fixed text, \"{username}\" for the user name as typed.\n");
        if let Some(mapping) = self.directory.default_mapping() {
            let _ = writeln!(text, "# {mapping}");
        }
        text.push_str("[attributes]\n");
        for Proposal {
            attribute,
            source,
            why,
        } in attributes
        {
            let name = match attribute.contains(':') {
                true => quoted(attribute),
                false => attribute.clone(),
            };
            let (mark, source) = match source {
                Some(source) => ("", quoted(source)),
                None => ("#", quoted("field")),
            };
            let line = format!("{mark}{name} = {source}");
            let _ = match why {
                Some(why) => writeln!(text, "{line:<40}# {why}"),
                None => writeln!(text, "{line}"),
            };
        }
        text.push('\n');
    }

    fn render_rest(&self, text: &mut String) {
        let memory = self.directory.memory_mb();
        let closes = self
            .closes
            .map_or("#closes = 2027-03-31".to_owned(), |closes| {
                format!("closes = {closes}")
            });
        let total = self
            .total_users
            .map_or("#total_users = 120000".to_owned(), |total| {
                format!("total_users = {total}")
            });
        let _ = write!(
            text,
            "# How Cognito creates a migrated user.
[response]
final_user_status = \"CONFIRMED\"         # or \"RESET_REQUIRED\": every customer chooses a new password
enforce_password_policy = false         # true: customers whose password violates the pool's policy choose a new one
message_action = \"SUPPRESS\"             # or \"SEND\", with delivery_mediums = [\"EMAIL\"]: Cognito's welcome message
username = \"lowercase\"                  # trimmed and in lower case; or \"as-typed\"

[function]
architecture = \"x86_64\"                 # or \"arm64\"
memory_mb = {memory}
#log_retention_days = 400               # by default the log is kept until a month after [window] closes; without that day, 400 days
#reserved_concurrency = 50              # the most sign-ins at once, to protect the directory; further ones fail

[window]
{closes:<40}# the last day of the migration, UTC
{total:<40}# the number of accounts to migrate, for the share that `status` shows
"
        );
    }
}

#[cfg(test)]
mod tests;
