//! The migrate.toml that `init` proposes. Pure: answers and what was read of the pool in, commented text out. The text is read
//! back by the parser of the real thing before anybody sees it, which also judges the answers. Who is asked, and what is
//! written where, is `commands::init`'s business.

mod attributes;
mod directory;

use std::fmt::Write;

use jane_migrate_config::{Arn, Date, PoolFacts};

pub use attributes::{Proposal, propose};
pub use directory::{Directory, Http, Jane, OldPool, Postgres};

/// An app client as far as a reader of the file wants to know it.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether passwords get through.
    pub allows_password: bool,
}

/// Where a secret is kept. The secret itself is nowhere in a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In Secrets Manager, under this ARN.
    SecretsManager(String),
    /// In the SSM parameter store, under this name.
    Ssm(String),
    /// In this environment variable of the operator.
    Environment(String),
}

impl Kept {
    /// The place that these words name. Their form tells which, so that a secret that is typed in its place is none.
    pub fn at(place: &str) -> Option<Self> {
        let variable = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if place.starts_with("arn:") {
            Some(Self::SecretsManager(place.to_owned()))
        } else if place.starts_with('/') {
            Some(Self::Ssm(place.to_owned()))
        } else if place.contains('_') && place.chars().all(variable) {
            Some(Self::Environment(place.to_owned()))
        } else {
            None
        }
    }

    /// What puts the secret there, typed unseen and without the line's end; nothing where that is not AWS. `region` is the pool's.
    pub fn command(&self, region: &str) -> Option<String> {
        let put = match self {
            Self::SecretsManager(arn) => {
                let arn_region = arn.parse::<Arn>().ok().map(|arn| arn.region);
                let region = arn_region.as_deref().unwrap_or(region);
                format!(
                    "secretsmanager put-secret-value --region {region} --secret-id {arn} --secret-string"
                )
            }
            Self::Ssm(name) => {
                format!(
                    "ssm put-parameter --region {region} --type SecureString --name {name} --value"
                )
            }
            Self::Environment(_) => return None,
        };
        Some(format!(
            "IFS= read -rs SECRET && printf %s \"$SECRET\" | aws {put} file:///dev/stdin; unset SECRET"
        ))
    }

    /// As the file names it.
    fn render(&self) -> String {
        let (key, place) = match self {
            Self::SecretsManager(arn) => ("secretsmanager", arn),
            Self::Ssm(name) => ("ssm", name),
            Self::Environment(name) => ("env", name),
        };
        format!("{{ {key} = {} }}", quoted(place))
    }
}

/// All that goes into the file.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What was read of the pool.
    pub pool: PoolFacts,
    /// The name people gave it.
    pub pool_name: String,
    /// Its app clients.
    pub clients: Vec<Client>,
    /// Those whose sign-ins must migrate; empty for all.
    pub chosen_clients: Vec<String>,
    /// Where the accounts live.
    pub directory: Directory,
    /// The last day.
    pub closes: Option<Date>,
    /// What 100 % is.
    pub total_users: Option<u64>,
}

impl Draft {
    /// The file's text, with these lines under `[attributes]`.
    pub fn render(&self, attributes: &[Proposal]) -> String {
        let mut text = format!(
            "# migrate.toml of user pool {} ({}), as `jane-migrate init` proposed it.\n# Lines that begin with `#` and no space are keys to fill in or to try: take the `#` away.\n\n",
            self.pool.id,
            // A name may hold anything; a line break would end the comment.
            self.pool_name.replace(char::is_control, " "),
        );
        self.render_pool(&mut text);
        self.directory.render(&mut text);
        self.render_attributes(&mut text, attributes);
        self.render_rest(&mut text);
        text
    }

    fn render_pool(&self, text: &mut String) {
        let _ = writeln!(text, "[pool]\nid = {}\n", quoted(&self.pool.id));
        if !self.clients.is_empty() {
            text.push_str("# The app clients whose sign-ins must migrate; left out, all of the pool's. These are there:\n");
        }
        for client in &self.clients {
            let allows = match client.allows_password {
                true => "takes passwords",
                false => {
                    "takes none yet: `deploy --enable-password-auth` opens it, teardown closes it again"
                }
            };
            let name = client.name.replace(char::is_control, " ");
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
        text.push_str("# Cognito attribute = where its value comes from: \"field\" of the directory's user, \"/path/to/it\", \"a | b\" for the first\n# that is there, \"=text\" for the same text for everybody, \"{username}\" for what was typed.\n");
        if let Some(brings) = self.directory.brings() {
            let _ = writeln!(text, "# {brings}");
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
            "# What Cognito is told about a migrated user.
[response]
final_user_status = \"CONFIRMED\"         # or \"RESET_REQUIRED\": everybody chooses a new password
enforce_password_policy = false         # true: who has a password that fails the pool's policy chooses a new one
message_action = \"SUPPRESS\"             # or \"SEND\", with delivery_mediums = [\"EMAIL\"]: Cognito's welcome message
username = \"lowercase\"                  # trimmed and in lower case; or \"as-typed\"

[function]
architecture = \"x86_64\"                 # or \"arm64\"
memory_mb = {memory}
log_retention_days = 30
#reserved_concurrency = 50              # the most sign-ins at a time, to go easy on the directory; the others fail

[window]
{closes:<40}# the last day, in UTC, on which anybody is migrated
{total:<40}# how many accounts there are: what 100 % is for `status`
"
        );
    }
}

/// A TOML string. What JSON escapes, and how, TOML reads the same; DEL it wants escaped too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007F")
}

#[cfg(test)]
mod tests;
