//! The settings of an app client: what CreateUserPoolClient makes of a request, what UpdateUserPoolClient makes of it (whatever
//! is left out goes back to its default), and what both refuse.

use serde_json::{Value, json};

use super::rules::one_of;
use super::settings::fill;
use crate::wire::{Members, Refusal};

/// Shown by DescribeUserPoolClient or given at creation, and no setting.
const NOT_SETTABLE: [&str; 5] = [
    "ClientSecret",
    "ClientType",
    "GenerateSecret",
    "CreationDate",
    "LastModifiedDate",
];

const FLOWS: [&str; 11] = [
    "ADMIN_NO_SRP_AUTH",
    "CUSTOM_AUTH_FLOW_ONLY",
    "USER_PASSWORD_AUTH",
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_AUTH",
    "ALLOW_TOKEN_EXCHANGE_DELEGATION",
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
];

/// The settings of a new client.
pub(crate) fn created(request: &Members, has_secret: bool) -> Result<Members, Refusal> {
    let mut request = request.clone();
    request.retain(|member, _| !NOT_SETTABLE.contains(&member.as_str()));
    completed(&request, has_secret)
}

/// The settings after an update; those before it do not matter.
pub(crate) fn updated(request: &Members, has_secret: bool) -> Result<Members, Refusal> {
    if let Some(member) = NOT_SETTABLE
        .iter()
        .find(|member| request.contains_key(**member))
    {
        return Err(Refusal::invalid(format!(
            "{member} cannot be changed by UpdateUserPoolClient"
        )));
    }
    completed(request, has_secret)
}

fn completed(request: &Members, has_secret: bool) -> Result<Members, Refusal> {
    let given = request
        .iter()
        .filter(|(name, value)| !value.is_null() && *name != "UserPoolId" && *name != "ClientId");
    let mut settings: Members = given
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    // Zero is the default's other name.
    if settings.get("RefreshTokenValidity") == Some(&json!(0)) {
        settings.remove("RefreshTokenValidity");
    }
    fill(
        &mut settings,
        &json!({
            "RefreshTokenValidity": 30,
            "TokenValidityUnits": {},
            "AllowedOAuthFlowsUserPoolClient": false,
            "EnableTokenRevocation": true,
            "EnablePropagateAdditionalUserContextData": false,
            "AuthSessionValidity": 3,
        }),
    );
    check_flows(&settings)?;
    check_validity(&settings)?;
    check_oauth(&settings, has_secret)?;
    if let Some(value) = settings.get("PreventUserExistenceErrors") {
        one_of(value, "preventUserExistenceErrors", &["LEGACY", "ENABLED"])?;
    }
    if settings["EnablePropagateAdditionalUserContextData"] == true && !has_secret {
        return Err(Refusal::invalid(
            "EnablePropagateAdditionalUserContextData needs an app client with a secret",
        ));
    }
    Ok(settings)
}

/// The flows that a client allows, by their new or old names; a list that is absent or empty has a default.
pub(crate) fn flows(settings: &Members) -> Vec<&str> {
    let listed = strings(settings, "ExplicitAuthFlows");
    if listed.is_empty() {
        vec![
            "ALLOW_REFRESH_TOKEN_AUTH",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_CUSTOM_AUTH",
        ]
    } else {
        listed
    }
}

pub(crate) fn strings<'a>(members: &'a Members, name: &str) -> Vec<&'a str> {
    let listed = members.get(name).and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn check_flows(settings: &Members) -> Result<(), Refusal> {
    let listed = strings(settings, "ExplicitAuthFlows");
    if let Some(unknown) = listed.iter().find(|flow| !FLOWS.contains(flow)) {
        return Err(Refusal::invalid(format!(
            "1 validation error detected: Value '[{unknown}]' at 'explicitAuthFlows' failed to satisfy constraint: Member must \
             satisfy constraint: [Member must satisfy enum value set: [{}]]",
            FLOWS.join(", ")
        )));
    }
    let new = listed
        .iter()
        .filter(|flow| flow.starts_with("ALLOW_"))
        .count();
    if new != 0 && new != listed.len() {
        return Err(Refusal::invalid(
            "You can't assign legacy ExplicitAuthFlows values at the same time as values that begin with ALLOW_",
        ));
    }
    let refresh = listed.contains(&"ALLOW_REFRESH_TOKEN_AUTH");
    let rotation = settings.get("RefreshTokenRotation");
    if let Some(rotation) = rotation {
        one_of(
            &rotation["Feature"],
            "refreshTokenRotation.feature",
            &["ENABLED", "DISABLED"],
        )?;
    }
    let rotates = rotation.is_some_and(|rotation| rotation["Feature"] == "ENABLED");
    if rotates && refresh {
        return Err(Refusal::invalid(
            "ALLOW_REFRESH_TOKEN_AUTH cannot be allowed while refresh token rotation is enabled",
        ));
    }
    if new != 0 && !refresh && !rotates {
        return Err(Refusal::invalid(
            "REFRESH_TOKEN_AUTH should always be allowed.",
        ));
    }
    Ok(())
}

fn check_validity(settings: &Members) -> Result<(), Refusal> {
    let units = &settings["TokenValidityUnits"];
    let seconds = |kind: &str, default_unit: &str, default: i64| -> Result<i64, Refusal> {
        let unit = units[kind].as_str().unwrap_or(default_unit);
        let one = match unit {
            "seconds" => 1,
            "minutes" => 60,
            "hours" => 3_600,
            "days" => 86_400,
            other => {
                return Err(Refusal::invalid(format!(
                    "1 validation error detected: Value '{other}' at 'tokenValidityUnits.{}' failed to satisfy constraint: \
                     Member must satisfy enum value set: [seconds, minutes, hours, days]",
                    kind.to_ascii_lowercase()
                )));
            }
        };
        let value = settings
            .get(&format!("{kind}Validity"))
            .and_then(Value::as_i64);
        Ok(value.map_or(default, |value| value.saturating_mul(one)))
    };
    let refresh = seconds("RefreshToken", "days", 30 * 86_400)?;
    for kind in ["AccessToken", "IdToken"] {
        let token = seconds(kind, "hours", 3_600)?;
        if !(300..=86_400).contains(&token) {
            return Err(Refusal::invalid(format!(
                "Invalid range for token validity. {kind} must be valid for 5 minutes to 1 day"
            )));
        }
        if token > refresh {
            return Err(Refusal::invalid(format!(
                "{kind} cannot be valid for longer than the refresh token"
            )));
        }
    }
    if !(3_600..=315_360_000).contains(&refresh) {
        return Err(Refusal::invalid(
            "Invalid range for token validity. RefreshToken must be valid for 60 minutes to 10 years",
        ));
    }
    if !(3..=15).contains(&settings["AuthSessionValidity"].as_i64().unwrap_or(3)) {
        return Err(Refusal::invalid(
            "AuthSessionValidity must be 3 to 15 minutes",
        ));
    }
    Ok(())
}

fn check_oauth(settings: &Members, has_secret: bool) -> Result<(), Refusal> {
    let callbacks = strings(settings, "CallbackURLs");
    for url in callbacks.iter().chain(&strings(settings, "LogoutURLs")) {
        let plain = url.strip_prefix("http://");
        let local = plain
            .is_some_and(|rest| rest.starts_with("localhost") || rest.starts_with("127.0.0.1"));
        if (plain.is_some() && !local) || !url.contains(':') || url.contains('#') {
            return Err(Refusal::invalid(format!("cannot use the URL {url}")));
        }
    }
    if let Some(default) = settings.get("DefaultRedirectURI").and_then(Value::as_str)
        && !callbacks.contains(&default)
    {
        return Err(Refusal::invalid(
            "DefaultRedirectURI is not among the CallbackURLs",
        ));
    }
    let flows = strings(settings, "AllowedOAuthFlows");
    if let Some(unknown) = flows
        .iter()
        .find(|flow| !["code", "implicit", "client_credentials"].contains(flow))
    {
        return Err(Refusal::invalid(format!(
            "1 validation error detected: Value '[{unknown}]' at 'allowedOAuthFlows' failed to satisfy constraint"
        )));
    }
    let oauth = |message| Refusal::new("InvalidOAuthFlowException", message);
    if flows.contains(&"client_credentials") {
        if flows.len() > 1 {
            return Err(oauth(
                "client_credentials flow can not be selected along with code flow or implicit flow.",
            ));
        }
        if !has_secret {
            return Err(oauth(
                "client_credentials flow can not be selected if client does not have a client secret.",
            ));
        }
    }
    if settings["AllowedOAuthFlowsUserPoolClient"] == true
        && (flows.contains(&"code") || flows.contains(&"implicit"))
        && callbacks.is_empty()
    {
        return Err(oauth(
            "CallbackURLs are needed for the code and implicit flows.",
        ));
    }
    Ok(())
}
