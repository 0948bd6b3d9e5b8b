//! What CreateUserPool and UpdateUserPool reject, and the check of a password against a pool's policy.

use serde_json::Value;

use super::json::{lower_first, missing, one_of, strings, violation};
use crate::wire::{Call, Refusal};

/// Checks complete settings. `second_factors`: the pool has factors that other calls set, such as TOTP.
pub(crate) fn check_pool(settings: &Value, second_factors: bool) -> Result<(), Refusal> {
    check_triggers(&settings["LambdaConfig"])?;
    check_messages(settings)?;
    check_sms(settings)?;
    check_password_policy(&settings["Policies"]["PasswordPolicy"])?;
    check_tier(settings)?;
    check_tags(&settings["UserPoolTags"])?;
    if settings["MfaConfiguration"] != "OFF"
        && !second_factors
        && settings["SmsConfiguration"].is_null()
    {
        return Err(Refusal::invalid(
            "Cannot turn MFA functionality ON, once the user pool has been created",
        ));
    }
    for (member, known) in [
        ("MfaConfiguration", &["OFF", "ON", "OPTIONAL"][..]),
        ("DeletionProtection", &["ACTIVE", "INACTIVE"]),
    ] {
        one_of(&settings[member], &lower_first(member), known)?;
    }
    let sender = &settings["EmailConfiguration"];
    if sender["EmailSendingAccount"] == "DEVELOPER" && !sender["SourceArn"].is_string() {
        return Err(Refusal::invalid(
            "EmailSendingAccount DEVELOPER needs the SourceArn of a verified identity",
        ));
    }
    Ok(())
}

pub(crate) fn unused_account_validity() -> Refusal {
    Refusal::invalid(
        "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays",
    )
}

/// A new password in a call must meet the pool's policy.
pub(crate) fn check_new_password(call: &Call, settings: &Value) -> Result<(), Refusal> {
    let request = call.request()?;
    let password = match call.action.as_str() {
        "AdminCreateUser" => &request["TemporaryPassword"],
        "ChangePassword" => &request["ProposedPassword"],
        "RespondToAuthChallenge" | "AdminRespondToAuthChallenge" => {
            &request["ChallengeResponses"]["NEW_PASSWORD"]
        }
        _ => &request["Password"],
    };
    match password.as_str() {
        Some(password) => check_password(settings, password),
        None => Ok(()),
    }
}

/// Checks a password against the pool's policy.
pub(crate) fn check_password(settings: &Value, password: &str) -> Result<(), Refusal> {
    let policy = &settings["Policies"]["PasswordPolicy"];
    let required = |member: &str| policy[member].as_bool().unwrap_or(false);
    let length = policy["MinimumLength"].as_u64().unwrap_or(8) as usize;
    let symbol = |c: char| r#"^$*.[]{}()?-"!@#%&/\,><':;|_~`+= "#.contains(c);
    let missing = if password.chars().count() < length {
        "Password not long enough"
    } else if required("RequireUppercase") && !password.chars().any(char::is_uppercase) {
        "Password must have uppercase characters"
    } else if required("RequireLowercase") && !password.chars().any(char::is_lowercase) {
        "Password must have lowercase characters"
    } else if required("RequireNumbers") && !password.chars().any(|c| c.is_ascii_digit()) {
        "Password must have numeric characters"
    } else if required("RequireSymbols") && !password.chars().any(symbol) {
        "Password must have symbol characters"
    } else {
        return Ok(());
    };
    Err(Refusal::new(
        "InvalidPasswordException",
        format!("Password did not conform with policy: {missing}"),
    ))
}

fn check_triggers(config: &Value) -> Result<(), Refusal> {
    for (trigger, value) in config.as_object().into_iter().flatten() {
        let path = format!("lambdaConfig.{}", lower_first(trigger));
        match (trigger.as_str(), value) {
            (_, Value::Null) => {}
            ("KMSKeyID", Value::String(key)) => check_arn(key, &path)?,
            (_, Value::String(arn)) => check_function(arn, &path)?,
            (_, Value::Object(versioned)) => {
                let (Some(arn), Some(_)) = (
                    versioned.get("LambdaArn").and_then(Value::as_str),
                    versioned.get("LambdaVersion").and_then(Value::as_str),
                ) else {
                    return Err(Refusal::invalid(format!(
                        "{trigger} needs both LambdaArn and LambdaVersion"
                    )));
                };
                check_function(arn, &format!("{path}.lambdaArn"))?;
            }
            _ => {
                return Err(Refusal::new(
                    "SerializationException",
                    format!("{trigger} is not a string"),
                ));
            }
        }
    }
    let token = &config["PreTokenGeneration"];
    let versioned = &config["PreTokenGenerationConfig"]["LambdaArn"];
    if token.is_string() && versioned.is_string() && token != versioned {
        return Err(Refusal::invalid(
            "PreTokenGeneration and PreTokenGenerationConfig must have the same LambdaArn",
        ));
    }
    let sender = config["CustomSMSSender"].is_object() || config["CustomEmailSender"].is_object();
    if sender && !config["KMSKeyID"].is_string() {
        return Err(Refusal::invalid(
            "KMSKeyID is required for a custom sender trigger",
        ));
    }
    Ok(())
}

fn check_function(arn: &str, path: &str) -> Result<(), Refusal> {
    check_arn(arn, path)?;
    let parts: Vec<_> = arn.split(':').collect();
    if !matches!(
        parts[..],
        [_, _, "lambda", _, _, "function", _] | [_, _, "lambda", _, _, "function", _, _]
    ) {
        return Err(Refusal::invalid(format!(
            "{arn} is not the ARN of a function"
        )));
    }
    if parts
        .get(7)
        .is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(Refusal::invalid(format!(
            "{arn}: a function version cannot be declared in a trigger, only an alias of it"
        )));
    }
    Ok(())
}

/// The API's pattern for ARNs.
fn check_arn(arn: &str, path: &str) -> Result<(), Refusal> {
    const PATTERN: &str = r"arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?";
    let word = |part: &str| {
        part.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_+=/,.@-".contains(&b))
    };
    let parts: Vec<_> = arn.split(':').collect();
    let fits = (20..=2048).contains(&arn.len())
        && (6..=8).contains(&parts.len())
        && parts[0] == "arn"
        && parts[4].bytes().all(|b| b.is_ascii_digit())
        && parts
            .iter()
            .enumerate()
            .all(|(at, part)| word(part) && (at == 3 || !part.is_empty()));
    if fits {
        return Ok(());
    }
    let pattern = format!("Member must satisfy regular expression pattern: {PATTERN}");
    Err(violation(arn, path, &pattern))
}

fn check_messages(settings: &Value) -> Result<(), Refusal> {
    let template = &settings["VerificationMessageTemplate"];
    let invalid = || Refusal::invalid("The message is invalid.");
    for (message, limit) in [
        (&settings["SmsAuthenticationMessage"], 140),
        (&template["SmsMessage"], 140),
        (&template["EmailMessage"], 20_000),
    ] {
        if let Some(text) = message.as_str()
            && (!text.contains("{####}") || text.chars().count() > limit)
        {
            return Err(invalid());
        }
    }
    if let Some(link) = template["EmailMessageByLink"].as_str()
        && !link
            .split_once("{##")
            .is_some_and(|(_, rest)| rest.contains("##}"))
    {
        return Err(invalid());
    }
    if template["EmailMessage"].is_string() && template["EmailMessageByLink"].is_string() {
        return Err(Refusal::invalid(
            "Please specify either EmailMessage or EmailMessageByLink, as DefaultEmailOption has it",
        ));
    }
    for subject in ["EmailSubject", "EmailSubjectByLink"] {
        if template[subject].as_str().is_some_and(str::is_empty) {
            return Err(invalid());
        }
    }
    one_of(
        &template["DefaultEmailOption"],
        "verificationMessageTemplate.defaultEmailOption",
        &["CONFIRM_WITH_LINK", "CONFIRM_WITH_CODE"],
    )
}

fn check_sms(settings: &Value) -> Result<(), Refusal> {
    if let Some(sms) = settings.get("SmsConfiguration") {
        match (sms.get("SnsCallerArn"), sms.get("EumsSms")) {
            (None, None) => {
                return Err(Refusal::invalid("SnsCallerArn or EumsSms is required"));
            }
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "SnsCallerArn and EumsSms exclude each other",
                ));
            }
            (Some(arn), None) => check_arn(
                arn.as_str().unwrap_or_default(),
                "smsConfiguration.snsCallerArn",
            )?,
            (None, Some(_)) => {}
        }
    }
    let phone = strings(&settings["AutoVerifiedAttributes"]).contains(&"phone_number");
    if phone && settings["SmsConfiguration"].is_null() {
        return Err(Refusal::invalid(
            "SMS configuration is required when phone_number is selected for auto verification",
        ));
    }
    Ok(())
}

fn check_password_policy(policy: &Value) -> Result<(), Refusal> {
    for (member, least, most) in [
        ("MinimumLength", 6, 99),
        ("PasswordHistorySize", 0, 24),
        ("TemporaryPasswordValidityDays", 0, 365),
    ] {
        if let Some(number) = policy[member].as_i64()
            && !(least..=most).contains(&number)
        {
            let path = format!("policies.passwordPolicy.{}", lower_first(member));
            let range = format!("Member must be between {least} and {most}");
            return Err(violation(number, &path, &range));
        }
    }
    Ok(())
}

fn check_tier(settings: &Value) -> Result<(), Refusal> {
    let add_ons = settings.get("UserPoolAddOns");
    if let Some(add_ons) = add_ons {
        let (mode, path) = (
            &add_ons["AdvancedSecurityMode"],
            "userPoolAddOns.advancedSecurityMode",
        );
        if !mode.is_string() {
            return Err(missing(path));
        }
        one_of(mode, path, &["OFF", "AUDIT", "ENFORCED"])?;
    }
    let tiers = ["LITE", "ESSENTIALS", "PLUS"];
    one_of(&settings["UserPoolTier"], "userPoolTier", &tiers)?;
    let tier = settings["UserPoolTier"].as_str().unwrap_or_default();
    let policies = &settings["Policies"];
    let factors = policies["SignInPolicy"]["AllowedFirstAuthFactors"].as_array();
    let passwordless =
        factors.is_some_and(|factors| factors.iter().any(|factor| factor != "PASSWORD"));
    let history = policies["PasswordPolicy"]["PasswordHistorySize"].as_i64();
    let dcr = settings.get("DcrConfiguration");
    let unavailable = match tier {
        "ESSENTIALS" | "LITE" if add_ons.is_some_and(|a| a["AdvancedSecurityMode"] != "OFF") => {
            "Threat Protection"
        }
        "LITE" if passwordless => "Passwordless Sign-In",
        "LITE" if history.is_some_and(|size| size > 0) => "Password History",
        "LITE" if dcr.is_some_and(|dcr| dcr["EnableStatus"] != "Disabled") => {
            "Dynamic Client Registration"
        }
        // Even with the default names: a request with the field is rejected.
        "LITE" if !settings["AcrConfiguration"].is_null() => "ACR Configuration",
        _ => return Ok(()),
    };
    Err(Refusal::new(
        "FeatureUnavailableInTierException",
        format!(
            "The following features need to be disabled for the {tier} pricing tier configured: {unavailable}"
        ),
    ))
}

fn check_tags(tags: &Value) -> Result<(), Refusal> {
    for (key, value) in tags.as_object().into_iter().flatten() {
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::invalid(
                "aws: prefixed tag key names are not allowed for external use.",
            ));
        }
        if key.is_empty() || key.chars().count() > 128 || !value.is_string() {
            return Err(Refusal::invalid(format!("Invalid tag: {key}")));
        }
    }
    Ok(())
}
