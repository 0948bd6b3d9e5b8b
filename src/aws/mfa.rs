//! The roles of a profile whose chain needs the code of an MFA device (`mfa_serial`): the SDK cannot assume a role with a code.
//! Owns the chain as the AWS CLI reads it, the prompt for the code, and the resulting session, which serves the whole run. The
//! SDK handles chains without MFA, and the start of any chain.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};
use std::time::SystemTime;

use aws_config::SdkConfig;
use aws_config::profile::{self, Profile, ProfileSet};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_types::os_shim_internal::{Env, Fs};
use jane_migrate_core::aws_error::{AwsError, Kind};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tokio::sync::Mutex;

use super::connection::{Connection, has_way, load, variables};
use super::error::failed;
use super::known;
use super::service::{Protocol, Service, ask};

const STS: Service = Service {
    signed_as: "sts",
    id: "STS",
    protocol: Protocol::Query {
        version: "2011-06-15",
    },
};

const ASSUME_ROLE: &str = "sts:AssumeRole";

/// Prompts the operator for a code. `None` without a terminal.
type Ask = Box<dyn Fn(&str) -> Option<SecretString> + Send + Sync>;

static ASK: OnceLock<Ask> = OnceLock::new();

/// Sets how the operator is prompted for a code. Called once in a program.
pub fn ask_for_codes(ask: impl Fn(&str) -> Option<SecretString> + Send + Sync + 'static) {
    let _ = ASK.set(Box::new(ask));
}

/// A session made with a code, or the reason why there is none. A second prompt is not possible later: the SDK waits seconds for
/// credentials, and a person takes longer.
#[derive(Debug, Clone)]
pub(super) struct Session(Result<Credentials, AwsError>);

/// The sessions of this run, by profile: a device's code can be used only once.
static SESSIONS: LazyLock<Mutex<HashMap<String, Session>>> = LazyLock::new(Mutex::default);

/// The session of the connection's profile, if its chain needs a code. The operator types it once.
pub(super) async fn session(connection: &Connection) -> Option<Session> {
    let env = Env::from(variables(connection));
    // An access key in the environment comes before a profile that was not named.
    if has_way() || env.get("AWS_ACCESS_KEY_ID").is_ok() {
        return None;
    }
    let name = connection.profile.clone().map(Into::into);
    let profiles = profile::load(&Fs::real(), &env, &Default::default(), name).await;
    let profiles = profiles.ok()?;
    let chain = chain(&profiles)?;
    let mut sessions = SESSIONS.lock().await;
    let profile = profiles.selected_profile();
    if let Some(session) = sessions.get(profile) {
        return Some(session.clone());
    }
    let session = Session(assume(connection, profile, chain).await);
    sessions.insert(profile.to_owned(), session.clone());
    Some(session)
}

impl ProvideCredentials for Session {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(self.now())
    }
}

impl Session {
    fn now(&self) -> provider::Result {
        let session = self.0.clone().map_err(CredentialsError::provider_error)?;
        match session.expiry() {
            Some(expiry) if expiry <= SystemTime::now() => {
                let over = "the session that an MFA code began is over";
                let over = failed(ASSUME_ROLE, Kind::BadCredentials, "ExpiredToken", over);
                Err(CredentialsError::provider_error(over))
            }
            _ => Ok(session),
        }
    }
}

/// The start of a chain.
#[derive(Debug)]
enum Start {
    /// With the access key of a profile, which may also name a role.
    Keys(Credentials),
    /// With the SDK's credentials for this profile.
    Profile(String),
}

/// A role of a chain, from its profile.
#[derive(Debug, PartialEq, Eq)]
struct Role {
    /// The parameters of AssumeRole, by name.
    members: Vec<(&'static str, String)>,
    serial: Option<String>,
}

/// The start of the selected profile's chain, and its roles in the order in which they are assumed. `None` if no role needs a
/// code, or if the chain is invalid, which the SDK reports.
fn chain(profiles: &ProfileSet) -> Option<(Start, Vec<Role>)> {
    let mut roles = Vec::new();
    let mut visited = Vec::new();
    let mut name = profiles.selected_profile();
    let start = loop {
        let profile = profiles.get_profile(name)?;
        // If another profile names this one as its source, its keys are used, if it has any, and not its role.
        if let (false, Some(keys)) = (visited.is_empty(), keys(profile)) {
            break Start::Keys(keys);
        }
        let Some(role) = role(profile) else {
            break Start::Profile(name.to_owned());
        };
        roles.push(role);
        visited.push(name);
        name = profile.get("source_profile")?;
        if visited.contains(&name) && keys(profiles.get_profile(name)?).is_none() {
            return None;
        }
    };
    roles.reverse();
    let asks = roles.iter().any(|role| role.serial.is_some());
    asks.then_some((start, roles))
}

fn keys(profile: &Profile) -> Option<Credentials> {
    let secret = profile.get("aws_secret_access_key")?;
    known::know(secret);
    let token = profile.get("aws_session_token").map(str::to_owned);
    let id = profile.get("aws_access_key_id")?;
    Some(Credentials::new(id, secret, token, None, "profile"))
}

fn role(profile: &Profile) -> Option<Role> {
    // With a token file, the role is one of a web identity.
    if profile.get("web_identity_token_file").is_some() {
        return None;
    }
    let arn = profile.get("role_arn")?;
    let session = profile.get("role_session_name").unwrap_or("jane-migrate");
    let mut members = vec![
        ("RoleArn", arn.to_owned()),
        ("RoleSessionName", session.to_owned()),
    ];
    for (key, member) in [
        ("external_id", "ExternalId"),
        ("duration_seconds", "DurationSeconds"),
    ] {
        members.extend(profile.get(key).map(|value| (member, value.to_owned())));
    }
    let serial = profile.get("mfa_serial").map(str::to_owned);
    Some(Role { members, serial })
}

/// Assumes one role after the other.
async fn assume(
    connection: &Connection,
    profile: &str,
    (start, roles): (Start, Vec<Role>),
) -> Result<Credentials, AwsError> {
    let mut config = match start {
        Start::Keys(keys) => load(connection).credentials_provider(keys).load().await,
        Start::Profile(name) => {
            let profile = Some(name);
            let source = Connection {
                profile,
                ..connection.clone()
            };
            load(&source).load().await
        }
    };
    let mut session = None;
    for role in roles {
        let code = match &role.serial {
            Some(serial) => Some((serial, code(profile, serial)?)),
            None => None,
        };
        let credentials = assume_one(&config, &connection.region, &role, code).await?;
        config = load(connection)
            .credentials_provider(credentials.clone())
            .load()
            .await;
        session = Some(credentials);
    }
    session.ok_or_else(|| unread("the profile names no role"))
}

/// The current code of the device.
fn code(profile: &str, serial: &str) -> Result<SecretString, AwsError> {
    let question = format!("MFA code of {serial}, for profile {profile}: ");
    let asked = ASK
        .get()
        .and_then(|ask| tokio::task::block_in_place(|| ask(&question)));
    asked.ok_or_else(|| {
        failed(
            ASSUME_ROLE,
            Kind::NoCredentials,
            "MFA code needed",
            format!("profile {profile} needs a code of MFA device {serial}, and there is no terminal to ask for it"),
        )
    })
}

async fn assume_one(
    config: &SdkConfig,
    region: &str,
    role: &Role,
    code: Option<(&String, SecretString)>,
) -> Result<Credentials, AwsError> {
    let mut body = json!({});
    for (member, value) in &role.members {
        body[*member] = value.as_str().into();
    }
    if let Some((serial, code)) = code {
        body["SerialNumber"] = serial.as_str().into();
        body["TokenCode"] = code.expose_secret().into();
    }
    let answer = ask(config, &STS, ASSUME_ROLE, region, body).await?;
    let credentials = &answer["AssumeRoleResult"]["Credentials"];
    let member = |name: &str| credentials[name].as_str();
    let token = member("SessionToken");
    known::know(token.unwrap_or_default());
    let secret = member("SecretAccessKey").ok_or_else(|| unread("it has no secret key"))?;
    known::know(secret);
    let expiry = member("Expiration").and_then(|at| {
        let at = DateTime::from_str(at, Format::DateTimeWithOffset).ok()?;
        SystemTime::try_from(at).ok()
    });
    Ok(Credentials::new(
        member("AccessKeyId").ok_or_else(|| unread("it has no access key"))?,
        secret,
        token.map(str::to_owned),
        expiry,
        "mfa",
    ))
}

fn unread(why: &str) -> AwsError {
    failed(ASSUME_ROLE, Kind::NoAnswer, "unreadable answer", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chain_of(config: &str, profile: &'static str) -> Option<(Start, Vec<Role>)> {
        let env = Env::from_slice(&[("AWS_CONFIG_FILE", "config")]);
        let files = HashMap::from([("config".to_owned(), config.as_bytes().to_owned())]);
        let fs = Fs::from_map(files);
        let profiles = profile::load(&fs, &env, &Default::default(), Some(profile.into())).await;
        chain(&profiles.unwrap())
    }

    const ROLES: &str = "[profile base]\naws_access_key_id = A\naws_secret_access_key = hunter2hunter2\n\
        [profile middle]\nrole_arn = middle\nsource_profile = base\nmfa_serial = device\nduration_seconds = 7200\n\
        [profile end]\nrole_arn = end\nsource_profile = middle\nexternal_id = x\nrole_session_name = ann\n\
        [profile plain]\nrole_arn = end\nsource_profile = base\n\
        [profile own]\nrole_arn = own\nsource_profile = own\nmfa_serial = device\naws_access_key_id = B\naws_secret_access_key = hunter2hunter2\n\
        [profile circle]\nrole_arn = circle\nsource_profile = circle\nmfa_serial = device\n\
        [profile process]\ncredential_process = true\n\
        [profile of-process]\nrole_arn = end\nsource_profile = process\nmfa_serial = device\n";

    #[tokio::test]
    async fn roles_are_assumed_from_the_source_to_the_profile() {
        let (start, roles) = chain_of(ROLES, "end").await.unwrap();
        assert!(matches!(start, Start::Keys(keys) if keys.access_key_id() == "A"));
        let of = |role: &Role| {
            role.members
                .iter()
                .map(|(_, value)| value.clone())
                .collect()
        };
        let values: Vec<Vec<String>> = roles.iter().map(of).collect();
        assert_eq!(
            values,
            [
                vec!["middle", "jane-migrate", "7200"],
                vec!["end", "ann", "x"]
            ]
        );
        let serials: Vec<_> = roles.iter().map(|role| role.serial.as_deref()).collect();
        assert_eq!(serials, [Some("device"), None]);
    }

    #[tokio::test]
    async fn a_chain_starts_with_its_own_keys_or_the_sdks_credentials() {
        let (start, roles) = chain_of(ROLES, "own").await.unwrap();
        assert!(matches!(start, Start::Keys(keys) if keys.access_key_id() == "B"));
        assert_eq!(roles.len(), 1);
        let (start, _) = chain_of(ROLES, "of-process").await.unwrap();
        assert!(matches!(start, Start::Profile(name) if name == "process"));
    }

    #[tokio::test]
    async fn a_chain_without_mfa_or_with_a_circle_is_left_to_the_sdk() {
        for profile in ["plain", "circle", "base", "nowhere"] {
            assert!(chain_of(ROLES, profile).await.is_none(), "{profile}");
        }
    }

    #[test]
    fn an_expired_session_is_not_used() {
        let until = |expiry| Session(Ok(Credentials::new("A", "s", None, Some(expiry), "mfa")));
        let hour = std::time::Duration::from_secs(3600);
        assert!(until(SystemTime::now() + hour).now().is_ok());
        assert!(until(SystemTime::now() - hour).now().is_err());
    }
}
