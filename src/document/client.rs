//! App clients: what `DescribeUserPoolClient` shows, and the `UpdateUserPoolClient` bodies that open sign-in with a password and take
//! that back.
//!
//! Owns the table of client members and the words in which an opened flow is recorded. Where the record is kept is up to the caller.

use serde_json::{Value, json};

use super::rules::{Decisions, Incomplete, Reason, Refusal, Rule, Update, text, texts};

use Rule::{Carry, CarryUnlessEmpty, ReadOnly};

/// What becomes of each member of `UserPoolClientType` in an `UpdateUserPoolClientRequest`.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("UserPoolId", Carry),
    ("ClientId", Carry),
    ("ClientName", Carry),
    // Numbers and units belong together: without the units, 60 minutes become 60 hours.
    ("RefreshTokenValidity", Carry),
    ("AccessTokenValidity", Carry),
    ("IdTokenValidity", Carry),
    ("TokenValidityUnits", Carry),
    // Described only where the client has a set of its own; absent stays absent.
    ("ReadAttributes", Carry),
    ("WriteAttributes", Carry),
    ("ExplicitAuthFlows", Carry),
    ("SupportedIdentityProviders", Carry),
    ("CallbackURLs", Carry),
    ("LogoutURLs", Carry),
    ("DefaultRedirectURI", Carry),
    ("AllowedOAuthFlows", Carry),
    ("AllowedOAuthScopes", Carry),
    ("AllowedOAuthFlowsUserPoolClient", Carry),
    ("AnalyticsConfiguration", CarryUnlessEmpty),
    ("PreventUserExistenceErrors", Carry),
    ("EnableTokenRevocation", Carry),
    ("EnablePropagateAdditionalUserContextData", Carry),
    ("AuthSessionValidity", Carry),
    // `{}` is refused: the feature is required.
    ("RefreshTokenRotation", CarryUnlessEmpty),
    ("ClientSecret", ReadOnly),
    ("ClientType", ReadOnly),
    ("CreationDate", ReadOnly),
    ("LastModifiedDate", ReadOnly),
];

const FLOWS: &str = "ExplicitAuthFlows";
const REFRESH: &str = "ALLOW_REFRESH_TOKEN_AUTH";
const PASSWORD: &str = "ALLOW_USER_PASSWORD_AUTH";
const LEGACY_PASSWORD: &str = "USER_PASSWORD_AUTH";
/// Every name under which a client lets passwords through, the administrators' included: migration works with each.
const PASSWORD_FLOWS: [&str; 4] = [
    PASSWORD,
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    LEGACY_PASSWORD,
    "ADMIN_NO_SRP_AUTH",
];
/// The record of a client that had no list of flows.
const FROM_DEFAULT: &str = "default";

/// An app client as described, every member of it but its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientDocument {
    json: Value,
    has_secret: bool,
}

impl ClientDocument {
    /// Reads the answer of `DescribeUserPoolClient` and forgets the secret.
    pub fn from_describe(mut answer: Value) -> Result<Self, Incomplete> {
        Self::from_json(
            answer
                .get_mut("UserPoolClient")
                .map(Value::take)
                .unwrap_or_default(),
        )
    }

    /// Reads what [`Self::json`] gave, as a snapshot holds it. Whether there was a secret is not in it.
    pub fn from_json(mut json: Value) -> Result<Self, Incomplete> {
        let secret = json
            .as_object_mut()
            .and_then(|client| client.remove("ClientSecret"));
        Incomplete::check("UserPoolClient", &json, &["ClientId", "UserPoolId"])?;
        Ok(Self {
            json,
            has_secret: secret
                .is_some_and(|secret| secret.as_str().is_some_and(|secret| !secret.is_empty())),
        })
    }

    /// The whole description, without the secret: the snapshot's content.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The client's id.
    pub fn id(&self) -> &str {
        text(&self.json, "ClientId")
    }

    /// The pool it belongs to.
    pub fn pool_id(&self) -> &str {
        text(&self.json, "UserPoolId")
    }

    /// The name people gave it.
    pub fn name(&self) -> &str {
        text(&self.json, "ClientName")
    }

    /// Whether it was described with a secret.
    pub fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// When anybody last wrote to it; unequal values mean that somebody did in between.
    pub fn last_modified(&self) -> Option<&Value> {
        self.json.get("LastModifiedDate")
    }

    /// The listed ways to sign in; none listed means the service's default ways.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        texts(&self.json, FLOWS)
    }

    /// Whether a password can reach the service through this client, so that its users can be migrated at sign-in.
    pub fn allows_password_auth(&self) -> bool {
        self.flows().any(|flow| PASSWORD_FLOWS.contains(&flow))
    }

    /// Whether callers are told the same about unknown users as about wrong passwords. The service's default is not to.
    pub fn prevents_user_existence_errors(&self) -> bool {
        text(&self.json, "PreventUserExistenceErrors") == "ENABLED"
    }

    /// The attributes it may write, where it has a set of its own.
    pub fn write_attributes(&self) -> Option<Vec<&str>> {
        let own = self
            .json
            .get("WriteAttributes")
            .is_some_and(Value::is_array);
        own.then(|| texts(&self.json, "WriteAttributes").collect())
    }

    fn subject(&self) -> String {
        format!("app client `{}`", self.id())
    }

    fn update(&self, target: Value, unknown: &Decisions) -> Result<Update, Refusal> {
        Update::project(|| self.subject(), target, RULES, unknown)
    }
}

/// The update that lets a client's users sign in with a password, and the record by which [`close_password_auth`] takes it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// What to write.
    pub update: Update,
    /// What was done, in the characters of a tag's value.
    pub record: &'static str,
}

/// Adds the flow that the directory's users need. Nothing where passwords get through already.
pub fn open_password_auth(
    client: &ClientDocument,
    unknown: &Decisions,
) -> Result<Option<Opening>, Refusal> {
    if client.allows_password_auth() {
        return Ok(None);
    }
    let mut target = client.json.clone();
    // The two families of names exclude each other, and a list, once there, replaces the default flows.
    let (mut flows, flow, record) = if client.flows().next().is_none() {
        (default_flows(&client.json), PASSWORD, FROM_DEFAULT)
    } else if client.flows().all(|flow| flow.starts_with("ALLOW_")) {
        (listed_flows(client), PASSWORD, PASSWORD)
    } else {
        (listed_flows(client), LEGACY_PASSWORD, LEGACY_PASSWORD)
    };
    flows.push(flow.into());
    target[FLOWS] = flows.into();
    Ok(Some(Opening {
        update: client.update(target, unknown)?,
        record,
    }))
}

/// Takes back what [`open_password_auth`] recorded, and only that: flows that others added or removed since stay as they are.
/// Nothing where the flow is gone already.
pub fn close_password_auth(
    client: &ClientDocument,
    record: &str,
    unknown: &Decisions,
) -> Result<Option<Update>, Refusal> {
    let refuse = |reason| Err(Refusal::new(client.subject(), reason));
    let flow = match record {
        FROM_DEFAULT | PASSWORD => PASSWORD,
        LEGACY_PASSWORD => LEGACY_PASSWORD,
        _ => return refuse(Reason::UnreadableRecord),
    };
    if client.flows().all(|listed| listed != flow) {
        return Ok(None);
    }
    let mut rest = listed_flows(client);
    rest.retain(|listed| listed != flow);

    let mut target = client.json.clone();
    if record == FROM_DEFAULT && same_flows(&rest, &default_flows(&client.json)) {
        target.as_object_mut().map(|client| client.remove(FLOWS));
    } else if rest.is_empty() {
        return refuse(Reason::OnlyFlow { flow });
    } else {
        target[FLOWS] = rest.into();
    }
    client.update(target, unknown).map(Some)
}

/// The update that puts the client back to what an earlier description of it says.
pub fn restore_client(earlier: &ClientDocument, unknown: &Decisions) -> Result<Update, Refusal> {
    earlier.update(earlier.json.clone(), unknown)
}

/// The flows of a client that lists none. Rotation replaces the refresh flow, and the service refuses the two together.
pub(super) fn default_flows(client: &Value) -> Vec<Value> {
    let rotates = client
        .pointer("/RefreshTokenRotation/Feature")
        .is_some_and(|feature| feature == "ENABLED");
    let refresh = (!rotates).then_some(REFRESH);
    refresh
        .into_iter()
        .chain(["ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"])
        .map(|flow| json!(flow))
        .collect()
}

fn listed_flows(client: &ClientDocument) -> Vec<Value> {
    client
        .json
        .get(FLOWS)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

fn same_flows(one: &[Value], other: &[Value]) -> bool {
    one.len() == other.len() && one.iter().all(|flow| other.contains(flow))
}
