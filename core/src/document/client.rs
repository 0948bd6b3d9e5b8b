//! App clients: the result of `DescribeUserPoolClient`, and the `UpdateUserPoolClient` bodies that allow sign-in with a password
//! and undo that.
//!
//! Owns the table of client fields and the words that record a changed flow. The caller decides where the record is kept.

use std::borrow::Cow;

use serde_json::Value;

use super::defaults::default_flows;
use super::rules::{
    Decisions, Incomplete, Reason, Refusal, Rule, Update, text, texts, with_fixed_of,
};

use crate::line::one_line;

use Rule::{Carry, CarryUnlessEmpty, ReadOnly};

/// The rule for each field of `UserPoolClientType` in an `UpdateUserPoolClientRequest`.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("UserPoolId", Carry),
    ("ClientId", Carry),
    ("ClientName", Carry),
    // Numbers need their units: without the units, 60 minutes become 60 hours.
    ("RefreshTokenValidity", Carry),
    ("AccessTokenValidity", Carry),
    ("IdTokenValidity", Carry),
    ("TokenValidityUnits", Carry),
    // Described only if the client has its own set; absent stays absent.
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
    // Cognito rejects `{}`: the feature is required.
    ("RefreshTokenRotation", CarryUnlessEmpty),
    ("ClientSecret", ReadOnly),
    // The place of the secret in Secrets Manager. The request's `PublishSecretsInAWSSecretsManager` is never sent: `false`
    // deletes that secret at once, and no description shows its earlier value.
    ("ClientSecretArn", ReadOnly),
    ("ClientType", ReadOnly),
    ("CreationDate", ReadOnly),
    ("LastModifiedDate", ReadOnly),
];

const FLOWS: &str = "ExplicitAuthFlows";
const PASSWORD: &str = "ALLOW_USER_PASSWORD_AUTH";
const LEGACY_PASSWORD: &str = "USER_PASSWORD_AUTH";
/// All flows with which a client sends passwords, including those for administrators: migration works with each.
const PASSWORD_FLOWS: [&str; 4] = [
    PASSWORD,
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    LEGACY_PASSWORD,
    "ADMIN_NO_SRP_AUTH",
];
/// The record for a client that had no list of flows.
const FROM_DEFAULT: &str = "default";

/// An app client as described, with all fields except its secret.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientDocument {
    json: Value,
    has_secret: bool,
}

impl ClientDocument {
    /// Reads the response of `DescribeUserPoolClient` and drops the secret.
    pub fn from_describe(mut answer: Value) -> Result<Self, Incomplete> {
        Self::from_json(
            answer
                .get_mut("UserPoolClient")
                .map(Value::take)
                .unwrap_or_default(),
        )
    }

    /// Reads the output of [`Self::json`] from a snapshot. It does not show whether there was a secret.
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

    /// The complete description without the secret: the snapshot's content.
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

    /// Its name, on one line.
    pub fn name(&self) -> Cow<'_, str> {
        one_line(text(&self.json, "ClientName"))
    }

    /// Whether it was described with a secret.
    pub fn has_secret(&self) -> bool {
        self.has_secret
    }

    /// The date of the last write; if two values differ, there was a write in between.
    pub fn last_modified(&self) -> Option<&Value> {
        self.json.get("LastModifiedDate")
    }

    /// The listed flows; an empty list means the service's default flows.
    pub fn flows(&self) -> impl Iterator<Item = &str> {
        texts(&self.json, FLOWS)
    }

    /// Whether users may sign in with SRP, which sends no password. A list without any `ALLOW_` uses the older names, which can
    /// only exclude SRP; the same applies to an empty list.
    pub fn allows_srp(&self) -> bool {
        if self.flows().any(|flow| flow.starts_with("ALLOW_")) {
            self.flows().any(|flow| flow == "ALLOW_USER_SRP_AUTH")
        } else {
            !self.flows().any(|flow| flow == "CUSTOM_AUTH_FLOW_ONLY")
        }
    }

    /// Whether this client can send a password to the service, so that its users can migrate at sign-in.
    pub fn allows_password_auth(&self) -> bool {
        self.flows().any(|flow| PASSWORD_FLOWS.contains(&flow))
    }

    /// Why this client never sends a password: its users, if it has any, are not in the pool. Such a client is not changed.
    pub fn without_users(&self) -> Option<&'static str> {
        let grants: Vec<&str> = texts(&self.json, "AllowedOAuthFlows").collect();
        let mut providers = texts(&self.json, "SupportedIdentityProviders").peekable();
        if grants == ["client_credentials"] {
            Some("it is a machine's, which gets tokens for itself (client_credentials)")
        } else if text(&self.json, "ClientType") == "DCR" {
            Some("an application registered it by itself (DCR)")
        } else if providers.peek().is_some() && providers.all(|provider| provider != "COGNITO") {
            Some("its users sign in at other identity providers alone")
        } else {
            None
        }
    }

    /// Whether callers get the same response for an unknown user and for a wrong password. By default the service's responses
    /// differ.
    pub fn prevents_user_existence_errors(&self) -> bool {
        text(&self.json, "PreventUserExistenceErrors") == "ENABLED"
    }

    /// The attributes that it may write, if it has its own set.
    pub fn write_attributes(&self) -> Option<Vec<&str>> {
        let own = self
            .json
            .get("WriteAttributes")
            .is_some_and(Value::is_array);
        own.then(|| texts(&self.json, "WriteAttributes").collect())
    }

    /// This description, with the fields that no update changes taken from `now`.
    pub(super) fn with_fixed_of(&self, now: &Self) -> Self {
        Self {
            json: with_fixed_of(&self.json, &now.json, RULES),
            has_secret: now.has_secret,
        }
    }

    /// This description without the flow that [`open_password_auth`] added, by its record. `None` if it does not have the flow.
    ///
    /// # Errors
    /// The record is unreadable, or the client would have no flow at all.
    pub fn closed(&self, record: &str) -> Result<Option<Self>, Refusal> {
        let refuse = |reason| Err(Refusal::new(self.subject(), reason));
        let flow = match record {
            FROM_DEFAULT | PASSWORD => PASSWORD,
            LEGACY_PASSWORD => LEGACY_PASSWORD,
            _ => return refuse(Reason::UnreadableRecord),
        };
        if self.flows().all(|listed| listed != flow) {
            return Ok(None);
        }
        let mut rest = listed_flows(self);
        rest.retain(|listed| listed != flow);
        let mut closed = self.clone();
        if record == FROM_DEFAULT && same_flows(&rest, &default_flows(&self.json)) {
            closed
                .json
                .as_object_mut()
                .map(|client| client.remove(FLOWS));
        } else if rest.is_empty() {
            return refuse(Reason::OnlyFlow { flow });
        } else {
            closed.json[FLOWS] = rest.into();
        }
        Ok(Some(closed))
    }

    fn subject(&self) -> String {
        format!("app client `{}`", self.id())
    }

    fn update(&self, target: Value, unknown: &Decisions) -> Result<Update, Refusal> {
        Update::project(|| self.subject(), target, RULES, unknown)
    }
}

/// The update that lets a client's users sign in with a password, and the record with which [`close_password_auth`] undoes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// What to write.
    pub update: Update,
    /// What was done, in the characters of a tag's value.
    pub record: &'static str,
}

/// Adds the flow that the directory's users need. `None` if password sign-in is already allowed.
pub fn open_password_auth(
    client: &ClientDocument,
    unknown: &Decisions,
) -> Result<Option<Opening>, Refusal> {
    if client.allows_password_auth() {
        return Ok(None);
    }
    let mut target = client.json.clone();
    // The two families of names exclude each other, and a list, once it exists, replaces the default flows.
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

/// Undoes only what [`open_password_auth`] recorded: flows that others have added or removed since stay as they are. `None` if
/// the flow no longer exists.
pub fn close_password_auth(
    client: &ClientDocument,
    record: &str,
    unknown: &Decisions,
) -> Result<Option<Update>, Refusal> {
    let closed = client.closed(record)?;
    let update = closed.map(|closed| closed.update(closed.json.clone(), unknown));
    update.transpose()
}

/// The update that puts the client back to an earlier description.
pub fn restore_client(earlier: &ClientDocument, unknown: &Decisions) -> Result<Update, Refusal> {
    earlier.update(earlier.json.clone(), unknown)
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

#[cfg(test)]
mod tests {
    use super::super::Decision;
    use super::super::defaults::REFRESH;
    use super::super::service::members;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_client_knows_its_pool_and_its_last_change() {
        let described = client(json!({ "LastModifiedDate": 7.5 }));
        assert_eq!((described.pool_id(), described.id()), ("us-east-1_a", "c"));
        assert_eq!(described.last_modified(), Some(&json!(7.5)));
        assert_eq!(client(json!({})).last_modified(), None);
        assert_eq!(described.subject(), "app client `c`");
    }

    #[test]
    fn srp_is_named_or_not_excluded_by_an_older_name() {
        for (flows, allows) in [
            (
                &["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"][..],
                true,
            ),
            (&["ALLOW_USER_PASSWORD_AUTH"], false),
            (&[], true),
            (&["USER_PASSWORD_AUTH"], true),
            (&["CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"], false),
        ] {
            assert_eq!(with_flows(flows).allows_srp(), allows, "{flows:?}");
        }
    }

    #[test]
    fn clients_without_users_are_recognised() {
        let alone = |members: Value| client(members).without_users().is_some();
        for members in [
            json!({ "AllowedOAuthFlows": ["client_credentials"] }),
            json!({ "ClientType": "DCR" }),
            json!({ "SupportedIdentityProviders": ["Google", "SignInWithApple"] }),
        ] {
            assert!(alone(members.clone()), "{members}");
        }
        for members in [
            json!({}),
            json!({ "AllowedOAuthFlows": ["code"], "ClientType": "REGULAR" }),
            json!({ "AllowedOAuthFlows": [] }),
            json!({ "SupportedIdentityProviders": [] }),
            json!({ "SupportedIdentityProviders": ["Google", "COGNITO"] }),
        ] {
            assert!(!alone(members.clone()), "{members}");
        }
    }

    const REFRESH_AND_SRP: [&str; 2] = [REFRESH, "ALLOW_USER_SRP_AUTH"];

    fn client(members: Value) -> ClientDocument {
        let mut client = json!({ "UserPoolId": "us-east-1_a", "ClientId": "c" });
        for (member, value) in members.as_object().unwrap() {
            client[member] = value.clone();
        }
        ClientDocument::from_describe(json!({ "UserPoolClient": client })).unwrap()
    }

    fn with_flows(flows: &[&str]) -> ClientDocument {
        client(json!({ "ExplicitAuthFlows": flows }))
    }

    fn open(client: &ClientDocument) -> (Value, &'static str) {
        let opening = open_password_auth(client, &Decisions::new())
            .unwrap()
            .unwrap();
        (
            opening.update.body()["ExplicitAuthFlows"].clone(),
            opening.record,
        )
    }

    fn close(client: &ClientDocument, record: &str) -> Option<Value> {
        let update = close_password_auth(client, record, &Decisions::new()).unwrap()?;
        Some(
            update
                .body()
                .get("ExplicitAuthFlows")
                .cloned()
                .unwrap_or_default(),
        )
    }

    #[test]
    fn every_field_of_the_api_model_has_a_rule() {
        let ruled = |name: &str| RULES.iter().any(|(member, _)| *member == name);
        for (member, _) in members("UserPoolClientType") {
            assert!(ruled(member), "{member} has no rule");
        }
        for (member, rule) in RULES {
            assert!(
                members("UserPoolClientType").any(|(known, _)| known == *member),
                "{member} is not described"
            );
            let sendable =
                members("UpdateUserPoolClientRequest").any(|(known, _)| known == *member);
            assert_eq!(sendable, !matches!(rule, ReadOnly), "{member}");
        }
        for (member, _) in members("UpdateUserPoolClientRequest") {
            let never = member == "PublishSecretsInAWSSecretsManager";
            assert_ne!(ruled(member), never, "{member}");
        }
    }

    #[test]
    fn a_client_with_its_secret_in_secrets_manager_is_opened_and_closed() {
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:cognito-AbCdEf";
        let before =
            client(json!({ "ClientSecretArn": arn, "ExplicitAuthFlows": REFRESH_AND_SRP }));
        let opening = open_password_auth(&before, &Decisions::new())
            .unwrap()
            .unwrap();
        let opened =
            super::super::service::update_client(&before.json, opening.update.body()).unwrap();
        assert_eq!(opened["ClientSecretArn"], arn);
        let opened = ClientDocument::from_json(opened).unwrap();
        assert!(opened.allows_password_auth());
        let closing = close_password_auth(&opened, opening.record, &Decisions::new());
        let closing = closing.unwrap().unwrap();
        let closed = super::super::service::update_client(&opened.json, closing.body()).unwrap();
        assert_eq!(closed["ClientSecretArn"], arn);
        assert_eq!(closed["ExplicitAuthFlows"], json!(REFRESH_AND_SRP));
    }

    #[test]
    fn an_allow_list_gets_the_allow_flow() {
        let (flows, record) = open(&with_flows(&REFRESH_AND_SRP));
        assert_eq!(
            flows,
            json!([REFRESH, "ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH"])
        );
        assert_eq!(record, "ALLOW_USER_PASSWORD_AUTH");
    }

    #[test]
    fn a_legacy_list_gets_the_legacy_flow() {
        assert_eq!(
            open(&with_flows(&["CUSTOM_AUTH_FLOW_ONLY"])),
            (
                json!(["CUSTOM_AUTH_FLOW_ONLY", "USER_PASSWORD_AUTH"]),
                "USER_PASSWORD_AUTH"
            )
        );
    }

    #[test]
    fn default_flows_are_spelled_out_so_that_they_stay() {
        let spelled = json!([
            REFRESH,
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_CUSTOM_AUTH",
            PASSWORD
        ]);
        assert_eq!(open(&client(json!({}))), (spelled.clone(), "default"));
        assert_eq!(open(&with_flows(&[])), (spelled, "default"));
    }

    #[test]
    fn a_client_that_rotates_its_refresh_tokens_gets_no_refresh_flow() {
        let rotating = client(json!({ "RefreshTokenRotation": { "Feature": "ENABLED" } }));
        assert_eq!(
            open(&rotating).0,
            json!(["ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH", PASSWORD])
        );
        let resting = client(json!({ "RefreshTokenRotation": { "Feature": "DISABLED" } }));
        assert_eq!(open(&resting).0[0], REFRESH);
    }

    #[test]
    fn a_client_that_allows_passwords_is_not_changed() {
        for flow in PASSWORD_FLOWS {
            let client = with_flows(&[flow]);
            assert!(client.allows_password_auth());
            assert_eq!(open_password_auth(&client, &Decisions::new()), Ok(None));
        }
        assert!(!with_flows(&["ALLOW_USER_AUTH", "ALLOW_USER_SRP_AUTH"]).allows_password_auth());
    }

    #[test]
    fn closing_removes_only_the_added_flow() {
        assert_eq!(
            close(
                &with_flows(&[REFRESH, PASSWORD, "ALLOW_CUSTOM_AUTH"]),
                PASSWORD
            ),
            Some(json!([REFRESH, "ALLOW_CUSTOM_AUTH"]))
        );
        assert_eq!(
            close(
                &with_flows(&["ADMIN_NO_SRP_AUTH", LEGACY_PASSWORD]),
                LEGACY_PASSWORD
            ),
            Some(json!(["ADMIN_NO_SRP_AUTH"]))
        );
    }

    #[test]
    fn closing_a_client_without_a_list_leaves_none() {
        let (flows, record) = open(&client(json!({})));
        assert_eq!(
            close(&client(json!({ "ExplicitAuthFlows": flows })), record),
            Some(Value::Null)
        );
    }

    #[test]
    fn default_flows_that_were_listed_stay_listed() {
        let listed = [REFRESH, "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"];
        let (flows, record) = open(&with_flows(&listed));
        let opened = client(json!({ "ExplicitAuthFlows": flows }));
        assert_eq!(close(&opened, record), Some(json!(listed)));
    }

    #[test]
    fn a_list_that_others_changed_since_stays_a_list() {
        let client = with_flows(&[REFRESH, "ALLOW_USER_SRP_AUTH", PASSWORD]);
        assert_eq!(close(&client, "default"), Some(json!(REFRESH_AND_SRP)));
    }

    #[test]
    fn nothing_changes_if_the_flow_is_already_gone() {
        assert_eq!(close(&with_flows(&REFRESH_AND_SRP), PASSWORD), None);
        assert_eq!(close(&client(json!({})), "default"), None);
        // An operator changed the client to the new names and chose the flow there: that one is not ours.
        assert_eq!(
            close(&with_flows(&[REFRESH, PASSWORD]), LEGACY_PASSWORD),
            None
        );
    }

    #[test]
    fn the_last_flow_is_not_removed() {
        let refusal = close_password_auth(
            &with_flows(&[LEGACY_PASSWORD]),
            LEGACY_PASSWORD,
            &Decisions::new(),
        )
        .unwrap_err();
        assert_eq!(
            refusal.reasons(),
            [Reason::OnlyFlow {
                flow: LEGACY_PASSWORD
            }]
        );
    }

    #[test]
    fn a_foreign_record_removes_nothing() {
        for record in ["", "ALLOW_USER_SRP_AUTH", "Default"] {
            let refusal =
                close_password_auth(&with_flows(&REFRESH_AND_SRP), record, &Decisions::new())
                    .unwrap_err();
            assert_eq!(refusal.reasons(), [Reason::UnreadableRecord]);
        }
    }

    #[test]
    fn the_body_is_the_description_without_read_only_fields() {
        let described = json!({
            "UserPoolId": "us-east-1_a", "ClientId": "c", "ClientName": "web",
            "AccessTokenValidity": 60, "TokenValidityUnits": { "AccessToken": "minutes" },
            "AllowedOAuthFlowsUserPoolClient": true, "CallbackURLs": ["https://example.com"], "DefaultRedirectURI": "",
            "WriteAttributes": [], "RefreshTokenRotation": {}, "AnalyticsConfiguration": {},
            "ClientType": "REGULAR", "CreationDate": 1, "LastModifiedDate": 2, "ClientSecret": "hush",
        });
        let client = client(described);
        assert_eq!(
            *restore_client(&client, &Decisions::new()).unwrap().body(),
            json!({
                "UserPoolId": "us-east-1_a", "ClientId": "c", "ClientName": "web",
                "AccessTokenValidity": 60, "TokenValidityUnits": { "AccessToken": "minutes" },
                "AllowedOAuthFlowsUserPoolClient": true, "CallbackURLs": ["https://example.com"],
                "WriteAttributes": [],
            })
        );
    }

    #[test]
    fn unknown_fields_need_a_decision() {
        let client = client(json!({ "Later": 1 }));
        let refusal = open_password_auth(&client, &Decisions::new()).unwrap_err();
        assert_eq!(
            refusal.reasons(),
            [Reason::Unknown {
                member: "Later".to_owned()
            }]
        );
        let carry = Decisions::from([("Later".to_owned(), Decision::Carry)]);
        assert_eq!(
            open_password_auth(&client, &carry)
                .unwrap()
                .unwrap()
                .update
                .body()["Later"],
            1
        );
    }

    #[test]
    fn the_secret_is_dropped_but_its_existence_is_kept() {
        let client = client(json!({ "ClientSecret": "hush" }));
        assert!(client.has_secret());
        assert!(!format!("{client:?}{}", client.json()).contains("hush"));
        assert!(!with_flows(&[]).has_secret());
    }

    #[test]
    fn a_response_without_a_client_names_the_missing_field() {
        let error = ClientDocument::from_describe(json!({ "UserPoolClient": { "ClientId": "c" } }))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the description has no `UserPoolClient.UserPoolId`"
        );
    }
}
