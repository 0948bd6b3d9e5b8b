//! The settings of an app client: how CreateUserPoolClient and UpdateUserPoolClient derive them from a request, and what both
//! reject. An update resets each setting that it omits.

use serde_json::{Value, json};

use super::json::{fill, given, one_of, remove, strings, violation};
use crate::wire::Refusal;

/// Fields that DescribeUserPoolClient shows or CreateUserPoolClient accepts, and that are not settings.
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
pub(crate) fn created(request: &Value, has_secret: bool) -> Result<Value, Refusal> {
    let mut request = request.clone();
    for member in NOT_SETTABLE {
        remove(&mut request, member);
    }
    completed(&request, has_secret)
}

/// The settings after an update; the earlier settings do not matter.
pub(crate) fn updated(request: &Value, has_secret: bool) -> Result<Value, Refusal> {
    if let Some(member) = NOT_SETTABLE
        .iter()
        .find(|member| request.get(member).is_some())
    {
        return Err(Refusal::invalid(format!(
            "{member} cannot be changed by UpdateUserPoolClient"
        )));
    }
    completed(request, has_secret)
}

fn completed(request: &Value, has_secret: bool) -> Result<Value, Refusal> {
    let mut settings = given(request);
    remove(&mut settings, "UserPoolId");
    remove(&mut settings, "ClientId");
    // Zero means the default.
    if settings["RefreshTokenValidity"] == 0 {
        remove(&mut settings, "RefreshTokenValidity");
    }
    let defaults = json!({
        "RefreshTokenValidity": 30,
        "TokenValidityUnits": {},
        "AllowedOAuthFlowsUserPoolClient": false,
        "EnableTokenRevocation": true,
        "EnablePropagateAdditionalUserContextData": false,
        "AuthSessionValidity": 3,
    });
    fill(&mut settings, defaults);
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

/// The flows that a client allows, by their new or old names. Without a list there is a default.
pub(crate) fn flows(settings: &Value) -> Vec<&str> {
    let listed = strings(&settings["ExplicitAuthFlows"]);
    match listed.is_empty() {
        true => vec![
            "ALLOW_REFRESH_TOKEN_AUTH",
            "ALLOW_USER_SRP_AUTH",
            "ALLOW_CUSTOM_AUTH",
        ],
        false => listed,
    }
}

fn check_flows(settings: &Value) -> Result<(), Refusal> {
    let listed = strings(&settings["ExplicitAuthFlows"]);
    if let Some(unknown) = listed.iter().find(|flow| !FLOWS.contains(flow)) {
        let set = format!(
            "Member must satisfy constraint: [Member must satisfy enum value set: [{}]]",
            FLOWS.join(", ")
        );
        let unknown = format!("[{unknown}]");
        return Err(violation(unknown, "explicitAuthFlows", &set));
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
    let mut rotates = false;
    if let Some(rotation) = settings.get("RefreshTokenRotation") {
        let feature = &rotation["Feature"];
        let known = ["ENABLED", "DISABLED"];
        one_of(feature, "refreshTokenRotation.feature", &known)?;
        rotates = feature == "ENABLED";
    }
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

fn check_validity(settings: &Value) -> Result<(), Refusal> {
    const UNITS: [(&str, i64); 4] = [
        ("seconds", 1),
        ("minutes", 60),
        ("hours", 3_600),
        ("days", 86_400),
    ];
    let seconds = |kind: &str, default_unit: &str, default: i64| -> Result<i64, Refusal> {
        let unit = settings["TokenValidityUnits"][kind].as_str();
        let unit = unit.unwrap_or(default_unit);
        let Some((_, one)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            let path = format!("tokenValidityUnits.{}", kind.to_ascii_lowercase());
            let set = "Member must satisfy enum value set: [seconds, minutes, hours, days]";
            return Err(violation(unit, &path, set));
        };
        let value = settings[format!("{kind}Validity")].as_i64();
        Ok(value.map_or(default, |value| value.saturating_mul(*one)))
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

fn check_oauth(settings: &Value, has_secret: bool) -> Result<(), Refusal> {
    let callbacks = strings(&settings["CallbackURLs"]);
    for url in callbacks.iter().chain(&strings(&settings["LogoutURLs"])) {
        let plain = url.strip_prefix("http://");
        let local = plain
            .is_some_and(|rest| rest.starts_with("localhost") || rest.starts_with("127.0.0.1"));
        if (plain.is_some() && !local) || !url.contains(':') || url.contains('#') {
            return Err(Refusal::invalid(format!("cannot use the URL {url}")));
        }
    }
    if let Some(default) = settings["DefaultRedirectURI"].as_str()
        && !callbacks.contains(&default)
    {
        return Err(Refusal::invalid(
            "DefaultRedirectURI is not among the CallbackURLs",
        ));
    }
    let flows = strings(&settings["AllowedOAuthFlows"]);
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
