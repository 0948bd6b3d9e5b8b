//! User pools: the result of `DescribeUserPool`, and the `UpdateUserPool` body that changes the trigger and nothing else.
//!
//! Owns the table of pool fields. MFA, domains, branding and other resources of a pool have their own calls, and this update
//! does not change them.

use std::borrow::Cow;

use jane_migrate_config::Constraint;
use serde_json::{Map, Value, json};

use super::defaults::{DEFAULT_DAYS, temporary_password_days};
use super::diff::differences;
use super::rules::{
    Decisions, Fate, Incomplete, Reason, Refusal, Rule, Update, is_empty_object, text, texts,
    with_fixed_of,
};

use crate::ids::Names;
use crate::line::one_line;
use crate::trigger::Trigger;

use Rule::{As, By, Carry, CarryUnlessEmpty, ReadOnly};

#[cfg(test)]
mod tests;

/// The rule for each field of `UserPoolType` in an `UpdateUserPoolRequest`. Nested fields follow their parent.
pub(super) const RULES: &[(&str, Rule)] = &[
    ("Id", As("UserPoolId")),
    ("Name", As("PoolName")),
    ("Policies", By(policies)),
    ("DeletionProtection", Carry),
    // One map, replaced as a whole: a trigger that is left out is removed, also one that this version does not support.
    ("LambdaConfig", Carry),
    ("AutoVerifiedAttributes", Carry),
    ("SmsVerificationMessage", By(sms_message)),
    ("EmailVerificationMessage", By(email_message)),
    ("EmailVerificationSubject", By(email_subject)),
    ("VerificationMessageTemplate", Carry),
    ("SmsAuthenticationMessage", Carry),
    // An empty list inside switches the setting off, so it is sent as it is.
    ("UserAttributeUpdateSettings", Carry),
    ("MfaConfiguration", Carry),
    // Any object, even an empty one, may switch device tracking on.
    ("DeviceConfiguration", CarryUnlessEmpty),
    ("EmailConfiguration", Carry),
    // Cognito rejects `{}`: one of two callers is required.
    ("SmsConfiguration", CarryUnlessEmpty),
    ("UserPoolTags", By(tags)),
    ("AdminCreateUserConfig", By(admin_create_user)),
    // Cognito rejects `{}`: the mode is required.
    ("UserPoolAddOns", CarryUnlessEmpty),
    // If it is left out, the pool may move to a more expensive tier.
    ("UserPoolTier", Carry),
    // No value has its own meaning: recovery by SMS first.
    ("AccountRecoverySetting", CarryUnlessEmpty),
    ("KeyConfiguration", CarryUnlessEmpty),
    // If it is lost, the issuer changes, and every verifier of the pool's tokens fails.
    ("IssuerConfiguration", CarryUnlessEmpty),
    ("AcrConfiguration", By(acr_names)),
    (REGISTRATION, By(dynamic_registration)),
    ("Arn", ReadOnly),
    ("CreationDate", ReadOnly),
    ("LastModifiedDate", ReadOnly),
    ("EstimatedNumberOfUsers", ReadOnly),
    ("Status", ReadOnly),
    ("Domain", ReadOnly),
    ("CustomDomain", ReadOnly),
    ("SmsConfigurationFailure", ReadOnly),
    ("EmailConfigurationFailure", ReadOnly),
    // Attributes are added with a call of their own; the other three are fixed at creation.
    ("SchemaAttributes", ReadOnly),
    ("AliasAttributes", ReadOnly),
    ("UsernameAttributes", ReadOnly),
    ("UsernameConfiguration", ReadOnly),
];

const REGISTRATION: &str = "DcrConfiguration";

/// Left out of an update, these keep their value.
const KEPT: [&str; 2] = [REGISTRATION, "UserAttributeUpdateSettings"];

const TEMPORARY_DAYS: &str = "TemporaryPasswordValidityDays";
const UNUSED_DAYS: &str = "UnusedAccountValidityDays";

/// A user pool as described, with all its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolDocument(Value);

impl PoolDocument {
    /// Reads the response of `DescribeUserPool`.
    pub fn from_describe(mut answer: Value) -> Result<Self, Incomplete> {
        Self::from_json(
            answer
                .get_mut("UserPool")
                .map(Value::take)
                .unwrap_or_default(),
        )
    }

    /// Reads the output of [`Self::json`] from a snapshot.
    pub fn from_json(pool: Value) -> Result<Self, Incomplete> {
        Incomplete::check("UserPool", &pool, &["Id", "Name", "Arn"])?;
        Ok(Self(pool))
    }

    /// The complete description: the snapshot's content.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// The pool's id.
    pub fn id(&self) -> &str {
        text(&self.0, "Id")
    }

    /// The pool's ARN, which contains partition, region and account.
    pub fn arn(&self) -> &str {
        text(&self.0, "Arn")
    }

    /// Its name, on one line.
    pub fn name(&self) -> Cow<'_, str> {
        one_line(text(&self.0, "Name"))
    }

    /// The feature plan, if the service shows one.
    pub fn tier(&self) -> Option<&str> {
        self.0.get("UserPoolTier").and_then(Value::as_str)
    }

    /// The date of the last write; if two values differ, there was a write in between.
    pub fn last_modified(&self) -> Option<&Value> {
        self.0.get("LastModifiedDate")
    }

    /// The triggers and their settings.
    pub fn lambda_config(&self) -> Option<&Map<String, Value>> {
        self.0.get("LambdaConfig").and_then(Value::as_object)
    }

    /// The function behind a trigger.
    pub fn trigger(&self, trigger: Trigger) -> Option<&str> {
        self.lambda_config()?
            .get(trigger.member())?
            .as_str()
            .filter(|arn| !arn.is_empty())
    }

    /// The triggers that call our function, with the ARN that they call.
    pub fn our_triggers<'a>(
        &'a self,
        names: &'a Names,
    ) -> impl Iterator<Item = (Trigger, &'a str)> {
        Trigger::ALL.into_iter().filter_map(|trigger| {
            let arn = self.trigger(trigger)?;
            names.is_our_function(arn).then_some((trigger, arn))
        })
    }

    /// This description with these triggers set, or removed.
    #[must_use]
    pub fn with_triggers(&self, triggers: &[(Trigger, Option<&str>)]) -> Self {
        let mut pool = self.clone();
        // The map is kept even without a trigger: in an update, `{}` removes the last one, and leaving the map out might keep it.
        let config = &mut pool.0["LambdaConfig"];
        if !config.is_object() {
            *config = json!({});
        }
        for (trigger, arn) in triggers {
            match arn {
                Some(arn) => config[trigger.member()] = (*arn).into(),
                None => {
                    config
                        .as_object_mut()
                        .map(|config| config.remove(trigger.member()));
                }
            }
        }
        pool
    }

    /// The function that migrates users.
    pub fn user_migration(&self) -> Option<&str> {
        self.trigger(Trigger::UserMigration)
    }

    /// The attributes a user can have.
    pub fn schema_attributes(&self) -> impl Iterator<Item = SchemaAttribute<'_>> {
        let attributes = self.0.get("SchemaAttributes").and_then(Value::as_array);
        attributes
            .into_iter()
            .flatten()
            .map(|attribute| SchemaAttribute {
                name: text(attribute, "Name"),
                required: attribute
                    .get("Required")
                    .and_then(Value::as_bool)
                    .unwrap_or(false),
                mutable: attribute
                    .get("Mutable")
                    .and_then(Value::as_bool)
                    .unwrap_or(true),
                constraint: constraint(attribute),
            })
    }

    /// The attributes that users sign in with instead of a user name, if there are any.
    pub fn username_attributes(&self) -> impl Iterator<Item = &str> {
        texts(&self.0, "UsernameAttributes")
    }

    /// The attributes that users can sign in with besides the user name.
    pub fn alias_attributes(&self) -> impl Iterator<Item = &str> {
        texts(&self.0, "AliasAttributes")
    }

    /// Whether `Ann` and `ann` are two users; this is the default.
    pub fn case_sensitive(&self) -> bool {
        self.0
            .pointer("/UsernameConfiguration/CaseSensitive")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    }

    /// The password policy, as described.
    pub fn password_policy(&self) -> Option<&Value> {
        self.0
            .pointer("/Policies/PasswordPolicy")
            .filter(|policy| policy.is_object())
    }

    /// Whether only administrators create users.
    pub fn admin_creates_users_only(&self) -> bool {
        self.0
            .pointer("/AdminCreateUserConfig/AllowAdminCreateUserOnly")
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// The ways to recover an account, the first choice first; an empty list means the service's legacy way.
    pub fn recovery_mechanisms(&self) -> Vec<&str> {
        let mechanisms = self
            .0
            .pointer("/AccountRecoverySetting/RecoveryMechanisms")
            .and_then(Value::as_array);
        let mut mechanisms: Vec<&Value> = mechanisms.into_iter().flatten().collect();
        mechanisms.sort_by_key(|mechanism| mechanism.get("Priority").and_then(Value::as_u64));
        mechanisms
            .into_iter()
            .map(|mechanism| text(mechanism, "Name"))
            .collect()
    }

    /// The estimated number of users; the service counts from time to time.
    pub fn estimated_users(&self) -> Option<u64> {
        self.0.get("EstimatedNumberOfUsers").and_then(Value::as_u64)
    }

    /// This description, with the fields that no update changes taken from `now`.
    pub(super) fn with_fixed_of(&self, now: &Self) -> Self {
        let mut pool = with_fixed_of(&self.0, &now.0, RULES);
        for member in self.out_of_reach_of(now) {
            pool[member] = now.0[member].clone();
        }
        Self(pool)
    }

    /// The fields that an update cannot change from their value `now` to their value here: only leaving them out would express
    /// that, and a field that is left out keeps its value.
    pub fn out_of_reach_of(&self, now: &Self) -> Vec<&'static str> {
        let unsaid = |member: &str| match self.0.get(member) {
            None | Some(Value::Null) => true,
            Some(set) => {
                member == REGISTRATION && matches!(dynamic_registration(&self.0, set), Fate::Omit)
            }
        };
        let differs = |member: &str| {
            let only = |pool: &Value| json!({ member: pool.get(member) });
            !differences(&only(&self.0), &only(&now.0)).is_empty()
        };
        KEPT.into_iter()
            .filter(|member| unsaid(member) && differs(member))
            .collect()
    }

    fn update(&self, target: Value, unknown: &Decisions) -> Result<Update, Refusal> {
        Update::project(
            || format!("user pool `{}`", self.id()),
            target,
            RULES,
            unknown,
        )
    }
}

/// One attribute of a pool's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaAttribute<'a> {
    /// Its name; custom ones start with `custom:`.
    pub name: &'a str,
    /// Whether every user must have it.
    pub required: bool,
    /// Whether it can change once the user exists.
    pub mutable: bool,
    /// The limits of its values, unless any text of up to 2,048 characters is allowed.
    pub constraint: Option<Constraint>,
}

/// The longest text of any attribute.
const LONGEST: u32 = 2048;

fn constraint(attribute: &Value) -> Option<Constraint> {
    let limit = |group: &str, member: &str| {
        let limit = &attribute[group][member];
        limit.as_str().and_then(|limit| limit.parse::<i64>().ok())
    };
    match text(attribute, "AttributeDataType") {
        "Boolean" => Some(Constraint::Boolean),
        "Number" => {
            let limit = |member| limit("NumberAttributeConstraints", member);
            Some(Constraint::Number(limit("MinValue"), limit("MaxValue")))
        }
        "String" => {
            let limit = |member| u32::try_from(limit("StringAttributeConstraints", member)?).ok();
            let least = limit("MinLength").unwrap_or(0);
            let most = limit("MaxLength").map_or(LONGEST, |most| most.min(LONGEST));
            ((least, most) != (0, LONGEST)).then_some(Constraint::Length(least, most))
        }
        _ => None,
    }
}

/// The update that sets or removes triggers and keeps everything else.
pub fn pool_update(
    pool: &PoolDocument,
    triggers: &[(Trigger, Option<&str>)],
    unknown: &Decisions,
) -> Result<Update, Refusal> {
    pool.update(pool.with_triggers(triggers).0, unknown)
}

/// The update that puts the pool back to an earlier description, as far as updates can.
pub fn restore_pool(earlier: &PoolDocument, unknown: &Decisions) -> Result<Update, Refusal> {
    let migration = (Trigger::UserMigration, earlier.user_migration());
    pool_update(earlier, &[migration], unknown)
}

fn policies(pool: &Value, policies: &Value) -> Fate {
    let mut policies = policies.clone();
    if let Some(policy) = policies
        .get_mut("PasswordPolicy")
        .and_then(Value::as_object_mut)
    {
        match temporary_password_days(pool) {
            Some(days) => policy.insert(TEMPORARY_DAYS.to_owned(), days.clone()),
            None => policy.remove(TEMPORARY_DAYS),
        };
    }
    Fate::Send(policies)
}

/// Cognito now rejects `UnusedAccountValidityDays`; `policies` moves the value to its new place.
fn admin_create_user(pool: &Value, config: &Value) -> Fate {
    let policy = pool
        .pointer("/Policies/PasswordPolicy")
        .filter(|policy| policy.is_object());
    // A policy with only the days might change what an absent policy means, so none is created.
    if policy.is_none()
        && temporary_password_days(pool).is_some_and(|days| *days != json!(DEFAULT_DAYS))
    {
        return Fate::Refuse(Reason::HomelessDays);
    }
    let mut config = config.clone();
    config
        .as_object_mut()
        .map(|config| config.remove(UNUSED_DAYS));
    if is_empty_object(&config) {
        Fate::Omit
    } else {
        Fate::Send(config)
    }
}

fn sms_message(pool: &Value, message: &Value) -> Fate {
    legacy_message(pool, message, "SmsVerificationMessage", "SmsMessage", None)
}

fn email_message(pool: &Value, message: &Value) -> Fate {
    legacy_message(
        pool,
        message,
        "EmailVerificationMessage",
        "EmailMessage",
        Some("EmailMessageByLink"),
    )
}

fn email_subject(pool: &Value, subject: &Value) -> Fate {
    legacy_message(
        pool,
        subject,
        "EmailVerificationSubject",
        "EmailSubject",
        Some("EmailSubjectByLink"),
    )
}

/// The legacy messages duplicate the template. If they differ, it is unclear which one an update would keep. A message that
/// repeats the text for links must not be sent: the service expects a code in it, and finds none.
fn legacy_message(
    pool: &Value,
    message: &Value,
    member: &'static str,
    template: &'static str,
    by_link: Option<&str>,
) -> Fate {
    let texts = pool.get("VerificationMessageTemplate");
    let text = |name: &str| {
        texts
            .and_then(|texts| texts.get(name))
            .filter(|text| !text.is_null() && **text != "")
    };
    match text(template) {
        Some(text) if text != message => Fate::Doubt(Reason::Contradiction { member, template }),
        None if by_link.and_then(text) == Some(message) => Fate::Omit,
        _ => Fate::Send(message.clone()),
    }
}

/// Only AWS can write its own tags; they keep their values.
fn tags(_: &Value, tags: &Value) -> Fate {
    let mut tags = tags.clone();
    if let Some(tags) = tags.as_object_mut() {
        tags.retain(|key, _| {
            !key.get(..4)
                .is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
        });
    }
    Fate::Send(tags)
}

/// The service also describes the default names, and accepts names of any kind only from the more expensive tiers on.
fn acr_names(pool: &Value, levels: &Value) -> Fate {
    let is_default = |(level, name): (&String, &Value)| {
        (1..=4).any(|n| {
            *level == format!("Level{n}")
                && *name == json!({ "AcrValue": format!("urn:cognito:loa:{n}") })
        })
    };
    let only_defaults = levels
        .as_object()
        .is_some_and(|levels| levels.iter().all(is_default));
    if only_defaults || pool.get("UserPoolTier").is_some_and(|tier| tier == "LITE") {
        Fate::Omit
    } else {
        Fate::Send(levels.clone())
    }
}

/// If it is left out, it keeps its value; if it is sent without a status, it is switched on.
fn dynamic_registration(_: &Value, registration: &Value) -> Fate {
    match registration.get("EnableStatus") {
        None | Some(Value::Null) => Fate::Omit,
        Some(_) => Fate::Send(registration.clone()),
    }
}
