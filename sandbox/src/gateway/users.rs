//! Users, which the emulator stores: found as Cognito finds them, and created from the response of the migration trigger.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::fill;
use super::pool::Pool;
use super::trigger::{Migrated, Question, Source};
use crate::wire::{Refusal, Upstream};

/// The attribute of users of another provider.
pub(crate) const IDENTITIES: &str = "identities";

pub(crate) struct User {
    pub username: String,
    pub attributes: BTreeMap<String, String>,
    pub status: String,
    pub enabled: bool,
}

impl User {
    /// From a response of `AdminGetUser` or an entry of `ListUsers`, which use different names for the attributes.
    pub fn read(user: &Value) -> Self {
        let listed = user["UserAttributes"]
            .as_array()
            .or(user["Attributes"].as_array());
        let pair = |attribute: &Value| {
            let text = |member: &str| attribute[member].as_str().map(str::to_owned);
            Some((text("Name")?, text("Value")?))
        };
        Self {
            username: user["Username"].as_str().unwrap_or_default().to_owned(),
            attributes: listed.into_iter().flatten().filter_map(pair).collect(),
            status: user["UserStatus"].as_str().unwrap_or_default().to_owned(),
            enabled: user["Enabled"] != false,
        }
    }

    pub fn is(&self, attribute: &str, value: &str) -> bool {
        self.attributes
            .get(attribute)
            .is_some_and(|found| found == value)
    }

    /// Whether the user can sign in as `typed`: its username, or a valid alias.
    fn answers_to(&self, pool: &Pool, typed: &str) -> bool {
        // A user of another provider has no password, and so no name to sign in with.
        if self.attributes.contains_key(IDENTITIES) {
            return self.username == typed;
        }
        let same = |name: &str| {
            if pool.case_sensitive() {
                name == typed
            } else {
                name.to_lowercase() == typed.to_lowercase()
            }
        };
        let named = |attribute: &str| {
            self.attributes
                .get(attribute)
                .is_some_and(|value| same(value))
        };
        // An email address or a phone number is an alias only after it was verified.
        let alias = |attribute: &str| {
            named(attribute)
                && (attribute == "preferred_username"
                    || self.is(&format!("{attribute}_verified"), "true"))
        };
        same(&self.username)
            || pool.identity("UsernameAttributes").into_iter().any(named)
            || pool.identity("AliasAttributes").into_iter().any(alias)
    }
}

/// The user who signs in as `typed`, if there is one.
pub(crate) async fn find(
    upstream: &Upstream,
    pool: &Pool,
    typed: &str,
) -> Result<Option<User>, Refusal> {
    let asked = json!({"UserPoolId": pool.id, "Username": typed});
    match upstream.cognito(&pool.scope, "AdminGetUser", &asked).await {
        // The emulator also finds users by `sub`, which is not a sign-in name.
        Ok(found) => Ok(Some(User::read(&found)).filter(|user| user.answers_to(pool, typed))),
        Err(refusal) if refusal.code != "UserNotFoundException" => Err(refusal),
        Err(_) if pool.case_sensitive() => Ok(None),
        Err(_) => find_in_any_case(upstream, pool, typed).await,
    }
}

async fn find_in_any_case(
    upstream: &Upstream,
    pool: &Pool,
    typed: &str,
) -> Result<Option<User>, Refusal> {
    let mut asked = json!({"UserPoolId": pool.id});
    loop {
        let page = upstream.cognito(&pool.scope, "ListUsers", &asked).await?;
        let users = page["Users"]
            .as_array()
            .into_iter()
            .flatten()
            .map(User::read);
        if let Some(user) = users.into_iter().find(|user| user.answers_to(pool, typed)) {
            return Ok(Some(user));
        }
        match &page["PaginationToken"] {
            Value::Null => return Ok(None),
            token => asked["PaginationToken"] = token.clone(),
        }
    }
}

/// Creates the user of the trigger's response to `question`; the user name is an id if users sign in with an attribute.
pub(crate) async fn migrate(
    upstream: &Upstream,
    pool: &Pool,
    migrated: &Migrated,
    id: Option<&str>,
    question: &Question<'_>,
) -> Result<User, Refusal> {
    let call = async |action: &str, mut asked: Value| {
        let named = json!({"UserPoolId": pool.id, "Username": migrated.username});
        fill(&mut asked, named);
        upstream.cognito(&pool.scope, action, &asked).await
    };
    let given = migrated
        .attributes
        .iter()
        .map(|(name, value)| (&**name, &**value));
    let attributes: Vec<_> = given
        .chain(id.map(|id| ("sub", id)))
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect();
    let asked = json!({"MessageAction": "SUPPRESS", "UserAttributes": attributes});
    let made = match call("AdminCreateUser", asked).await {
        Ok(made) => made,
        // Another sign-in has created the user in the meantime.
        Err(refusal) if refusal.code == "UsernameExistsException" => {
            let user = find(upstream, pool, question.username).await?;
            return user.ok_or_else(|| question.failed());
        }
        Err(refusal) => return Err(refusal),
    };
    // From here on by user name: in a pool whose users sign in with their email address, that is not the address.
    let username = made["User"]["Username"].clone();
    let mut user = User::read(&made["User"]);
    if let Source::Authentication { password } = question.source {
        let asked = json!({"Username": username, "Password": password, "Permanent": true});
        call("AdminSetUserPassword", asked).await?;
        user.status = "CONFIRMED".to_owned();
    }
    if !migrated.confirmed {
        call("AdminResetUserPassword", json!({"Username": username})).await?;
        user.status = "RESET_REQUIRED".to_owned();
    }
    Ok(user)
}

/// An alias belongs to one user. If another user has it, the migration fails, unless the trigger takes it over.
pub(crate) async fn free_aliases(
    upstream: &Upstream,
    pool: &Pool,
    migrated: &Migrated,
    question: &Question<'_>,
) -> Result<(), Refusal> {
    let aliases = pool.identity("AliasAttributes");
    let names = pool.identity("UsernameAttributes");
    let aliases = aliases.into_iter().map(|name| (name, true));
    for (name, is_alias) in aliases.chain(names.into_iter().map(|name| (name, false))) {
        // No user has the typed name, or there would be no migration.
        let value = migrated.attributes.get(name);
        let Some(value) = value.filter(|value| *value != question.username) else {
            continue;
        };
        let flag = format!("{name}_verified");
        let verified = migrated.attributes.get(&flag);
        let counts = !is_alias
            || name == "preferred_username"
            || verified.is_some_and(|verified| verified == "true");
        let Some(holder) = find(upstream, pool, value).await? else {
            continue;
        };
        if !counts || holder.username == migrated.username {
            continue;
        }
        if !migrated.force_alias || !is_alias {
            return Err(question.failed());
        }
        let lost = match name {
            "preferred_username" => json!({"Name": name, "Value": ""}),
            _ => json!({"Name": flag, "Value": "false"}),
        };
        let asked =
            json!({"UserPoolId": pool.id, "Username": holder.username, "UserAttributes": [lost]});
        upstream
            .cognito(&pool.scope, "AdminUpdateUserAttributes", &asked)
            .await?;
    }
    Ok(())
}
