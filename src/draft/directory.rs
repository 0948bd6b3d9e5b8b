//! `[directory]` of a draft, for each kind of directory.

use std::collections::BTreeMap;
use std::fmt::Write;

use jane_migrate_config::{Config, ConfigError, HashFormat};

use super::values::{Place, quoted};

/// Where the existing accounts are. A question without an answer leaves a placeholder, which the operator must replace.
#[derive(Debug, Clone)]
pub enum Directory {
    /// Jane's user database.
    Jane(Jane),
    /// An HTTP service.
    Http(Http),
    /// An old user pool.
    Cognito(OldPool),
    /// A table of users in PostgreSQL.
    Postgres(Database),
    /// A table of users in MySQL or MariaDB.
    Mysql(Database),
    /// An LDAP server.
    Ldap(Ldap),
}

/// Jane's user database.
#[derive(Debug, Clone)]
pub struct Jane {
    /// The API's base URL.
    pub url: String,
    /// The operator's client id.
    pub client_id: String,
    /// The operator's client secret.
    pub secret: Place,
}

/// An HTTP service that can check a password.
#[derive(Debug, Clone)]
pub struct Http {
    /// The preset, if it is one.
    pub preset: Option<String>,
    /// Its base URL.
    pub url: String,
    /// The client id, for a preset that has one.
    pub client_id: String,
    /// Keycloak's realm.
    pub realm: String,
    /// The secret that authenticates the handler.
    pub secret: Place,
}

/// An old user pool.
#[derive(Debug, Clone)]
pub struct OldPool {
    /// Its id.
    pub pool_id: String,
    /// The app client that the handler uses.
    pub client_id: String,
    /// The role to assume.
    pub role_arn: Option<String>,
    /// The app client's secret.
    pub secret: Option<Place>,
}

/// A table of users.
#[derive(Debug, Clone)]
pub struct Database {
    /// The server.
    pub host: String,
    /// The database.
    pub database: String,
    /// The database user.
    pub user: String,
    /// That user's password.
    pub secret: Place,
    /// The query for one user's row.
    pub query: String,
    /// The column with the hash.
    pub password_column: String,
    /// How passwords are hashed.
    pub hash: String,
}

/// An LDAP server with the users.
#[derive(Debug, Clone)]
pub struct Ldap {
    /// The server.
    pub url: String,
    /// The base of the search.
    pub base: String,
    /// The filter that finds one user.
    pub filter: String,
    /// The DN that the search binds as.
    pub bind_dn: String,
    /// That DN's password.
    pub secret: Place,
}

const SECRET: &str = "# Use a secret reference, not a literal value: { secretsmanager = \"arn:...\" }, { ssm = \"/path\" }, or { env = \"NAME\" }: deploy\n# reads it from your environment and stores it in the function's, where every reader of its settings can see it.\n";

const TIMEOUT: &str = "timeout_ms = 3500                       # limit for one sign-in; Cognito waits 5 s for the whole function\n";

impl Directory {
    /// The kind, as in the file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Jane(_) => "jane",
            Self::Http(_) => "http",
            Self::Cognito(_) => "cognito",
            Self::Postgres(_) => "postgres",
            Self::Mysql(_) => "mysql",
            Self::Ldap(_) => "ldap",
        }
    }

    /// Where its secret is stored.
    pub fn secret(&self) -> Option<&Place> {
        match self {
            Self::Jane(jane) => Some(&jane.secret),
            Self::Http(http) => Some(&http.secret),
            Self::Cognito(pool) => pool.secret.as_ref(),
            Self::Postgres(database) | Self::Mysql(database) => Some(&database.secret),
            Self::Ldap(ldap) => Some(&ldap.secret),
        }
    }

    /// Stores the secret elsewhere.
    pub fn set_secret(&mut self, place: Place) {
        match self {
            Self::Jane(jane) => jane.secret = place,
            Self::Http(http) => http.secret = place,
            Self::Cognito(pool) => pool.secret = Some(place),
            Self::Postgres(database) | Self::Mysql(database) => database.secret = place,
            Self::Ldap(ldap) => ldap.secret = place,
        }
    }

    /// The fields of its users, if they are known.
    pub fn fields(&self) -> Vec<String> {
        const OPENID: &[&str] = &[
            "email",
            "name",
            "nickname",
            "given_name",
            "family_name",
            "picture",
            "preferred_username",
        ];
        let known = |fields: &[&str]| fields.iter().map(|&field| field.to_owned()).collect();
        match self {
            Self::Jane(_) => known(&[
                "email",
                "nickname",
                "phone",
                "first_name",
                "last_name",
                "name",
                "birth_date",
                "created_at",
            ]),
            Self::Http(http) => match http.preset.as_deref() {
                Some("auth0" | "keycloak") => known(OPENID),
                Some("devise" | "django") => known(&["id", "email", "first_name", "last_name"]),
                Some("firebase") => known(&["email", "name", "picture"]),
                Some("fusionauth") => known(&[
                    "id",
                    "email",
                    "firstName",
                    "lastName",
                    "fullName",
                    "mobilePhone",
                    "birthDate",
                    "username",
                ]),
                Some("okta") => known(&["email", "login", "firstName", "lastName", "mobilePhone"]),
                Some("supabase") => known(&["id", "email", "phone"]),
                _ => Vec::new(),
            },
            Self::Cognito(_) => Vec::new(),
            Self::Ldap(_) => known(&[
                "mail",
                "cn",
                "displayName",
                "givenName",
                "sn",
                "telephoneNumber",
                "uid",
            ]),
            Self::Postgres(database) | Self::Mysql(database) => columns(&database.query)
                .into_iter()
                .filter(|column| *column != database.password_column)
                .collect(),
        }
    }

    /// The parser's error about it.
    pub fn problem(&self) -> Option<String> {
        let error = self.read().err()?;
        // An invalid value makes others look missing, which is reported for the whole table; its own error comes later.
        let problem = error.problems().last()?;
        Some(problem.message.clone())
    }

    /// The attributes it maps by default; `None` if each needs a line under `[attributes]`.
    pub fn maps(&self) -> Result<Option<BTreeMap<String, String>>, ConfigError> {
        let config = self.read()?;
        Ok(self.default_mapping().map(|_| config.attributes))
    }

    fn read(&self) -> Result<Config, ConfigError> {
        let mut text = String::new();
        self.render(&mut text);
        if self.default_mapping().is_none() {
            text.push_str("[attributes]\nemail = \"email\"\n");
        }
        jane_migrate_config::parse(&text, "migrate.toml")
    }

    /// The same in a sentence.
    pub(super) fn default_mapping(&self) -> Option<&'static str> {
        match self {
            Self::Jane(_) => Some(
                "Jane maps email, email_verified, given_name, family_name, phone_number and birthdate by default.",
            ),
            Self::Http(Http {
                preset: Some(_), ..
            }) => Some(
                "The preset has its own mapping; a line here adds to it or replaces one of its lines.",
            ),
            Self::Cognito(_) => Some(
                "All standard attributes are copied by default; name the custom ones that both pools have.",
            ),
            Self::Http(_) | Self::Postgres(_) | Self::Mysql(_) | Self::Ldap(_) => None,
        }
    }

    /// The function's memory. Password hashes are slow by design and need a larger share of a processor.
    pub(super) fn memory_mb(&self) -> u32 {
        match self {
            Self::Postgres(database) | Self::Mysql(database) => {
                HashFormat::named(&database.hash).map_or(512, |hash| hash.usual_cost().memory_mb())
            }
            _ => 256,
        }
    }

    pub(super) fn render(&self, text: &mut String) {
        text.push_str("# Where the existing accounts are.\n[directory]\n");
        let _ = writeln!(text, "kind = {}", quoted(self.kind()));
        match self {
            Self::Jane(jane) => jane.render(text),
            Self::Http(http) => http.render(text),
            Self::Cognito(pool) => pool.render(text),
            Self::Postgres(database) => database.render(text, 5432, "$1"),
            Self::Mysql(database) => database.render(text, 3306, "?"),
            Self::Ldap(ldap) => ldap.render(text),
        }
        text.push('\n');
    }
}

impl Jane {
    fn render(&self, text: &mut String) {
        let _ = write!(
            text,
            "url = {}\nclient_id = {}\n{SECRET}client_secret = {}\n{TIMEOUT}",
            quoted(&self.url),
            quoted(&self.client_id),
            self.secret.render()
        );
    }
}

impl Http {
    /// Whether the preset needs a client id.
    pub fn has_client(preset: Option<&str>) -> bool {
        matches!(preset, Some("auth0" | "fusionauth" | "keycloak"))
    }

    fn render(&self, text: &mut String) {
        let preset = self.preset.as_deref();
        if let Some(preset) = preset {
            let _ = writeln!(text, "preset = {}", quoted(preset));
        }
        if preset != Some("firebase") {
            let _ = writeln!(text, "url = {}", quoted(&self.url));
        }
        text.push_str(TIMEOUT);
        let settings = match preset {
            Some("auth0" | "fusionauth") => {
                Some(format!("client_id = {}", quoted(&self.client_id)))
            }
            Some("keycloak") => Some(format!(
                "realm = {}, client_id = {}",
                quoted(&self.realm),
                quoted(&self.client_id)
            )),
            _ => None,
        };
        if let Some(settings) = settings {
            let _ = writeln!(text, "settings = {{ {settings} }}");
        }
        let secret = match preset {
            Some("auth0" | "keycloak") => "client_secret",
            Some("firebase" | "fusionauth" | "supabase") => "api_key",
            Some("okta") => "api_token",
            _ => "token",
        };
        let secret_named = self.secret.render();
        let _ = writeln!(text, "{SECRET}secrets = {{ {secret} = {secret_named} }}");
        if matches!(preset, Some("auth0" | "keycloak")) {
            let _ = write!(
                text,
                "\n# For forgot password: a client that may read users. Without this table customers migrate at sign-in only.\n#[directory.oauth]\n#client_id = {}\n#client_secret = {secret_named}\n",
                quoted(&self.client_id)
            );
        }
        if preset.is_none() {
            text.push_str(OWN_REQUESTS);
        }
    }
}

/// For a service without a preset: an example to change.
const OWN_REQUESTS: &str = r#"
# Texts may contain {username}, {password}, {client_id}, {validation.KEY} and {metadata.KEY} (what the app sent along) and
# {secrets.KEY}. The lists say which status means what; anything else counts as an outage.
[directory.authenticate]
method = "POST"
url = "/authenticate"
headers = { authorization = "Bearer {secrets.token}" }
json = { email = "{username}", password = "{password}" }
ok = [200]
not_found = [404]
wrong_password = [401]
user = "/user"                          # where the user is in the answer

# For forgot password. Without it customers migrate at sign-in only.
[directory.lookup]
method = "GET"
url = "/users?email={username}"
headers = { authorization = "Bearer {secrets.token}" }
ok = [200]
not_found = [404]
user = "/user"
"#;

impl OldPool {
    fn render(&self, text: &mut String) {
        let _ = write!(
            text,
            "pool_id = {}\nclient_id = {:<28}# must allow ADMIN_USER_PASSWORD_AUTH\n",
            quoted(&self.pool_id),
            quoted(&self.client_id)
        );
        match &self.secret {
            Some(secret) => {
                let _ = writeln!(text, "{SECRET}client_secret = {}", secret.render());
            }
            None => text.push_str("#client_secret = { ssm = \"/old-pool/client-secret\" }   # if that client has one\n"),
        }
        match &self.role_arn {
            Some(role) => {
                let _ = writeln!(text, "role_arn = {}", quoted(role));
            }
            None => text.push_str("#role_arn = \"arn:aws:iam::210987654321:role/read-old-pool\"   # if the pool is in another account\n"),
        }
        text.push_str(TIMEOUT);
    }
}

impl Database {
    /// `name` is the placeholder of the user name in the query.
    fn render(&self, text: &mut String, port: u16, name: &str) {
        let _ = write!(
            text,
            "host = {}\nport = {port}\ndatabase = {}\nuser = {:<33}# needs SELECT on the table and nothing else\n{SECRET}password = {}\n# One user's row; {name} is the user name as typed. Its columns are the fields for [attributes].\nquery = {}\npassword_column = {}\nhash = {:<33}# docs/from-sql.md lists the formats by framework\n{TIMEOUT}",
            quoted(&self.host),
            quoted(&self.database),
            quoted(&self.user),
            self.secret.render(),
            quoted(&self.query),
            quoted(&self.password_column),
            quoted(&self.hash),
        );
    }
}

impl Ldap {
    fn render(&self, text: &mut String) {
        let _ = write!(
            text,
            "url = {}\n# One user's entry; {{username}} is the user name as typed. Its attributes are the fields for [attributes].\nbase = {}\nfilter = {}\nbind_dn = {}   # needs the right to read these attributes and nothing else\n{SECRET}bind_password = {}\n{TIMEOUT}",
            quoted(&self.url),
            quoted(&self.base),
            quoted(&self.filter),
            quoted(&self.bind_dn),
            self.secret.render(),
        );
    }
}

/// The columns in the row of a query, as far as its text shows them: the last word of each item.
fn columns(query: &str) -> Vec<String> {
    let lower = query.to_ascii_lowercase();
    let (Some(start), Some(end)) = (lower.find("select"), lower.find(" from ")) else {
        return Vec::new();
    };
    let Some(list) = query.get(start + "select".len()..end) else {
        return Vec::new();
    };
    list.split(',')
        .filter_map(|item| item.split([' ', '.', '\n', '\t']).next_back())
        .map(|name| name.trim_matches('"').to_owned())
        .filter(|name| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_of_a_row_are_its_fields() {
        let query = "SELECT u.email, first_name, true AS verified, \"Phone\", coalesce(a, b) FROM users u WHERE email = $1";
        assert_eq!(columns(query), ["email", "first_name", "verified", "Phone"]);
        assert_eq!(columns("SELECT * FROM users"), [] as [&str; 0]);
        assert_eq!(columns("nonsense"), [] as [&str; 0]);
    }
}
