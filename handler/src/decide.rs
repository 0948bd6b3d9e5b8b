//! What Cognito is told: pure, from what the directory said and what the settings want. `architecture`'s table "The
//! handler's answers" is decided here and nowhere else.

use jane_migrate_config::{DeliveryMedium, FinalUserStatus, HandlerSettings, MessageAction};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::{
    attributes::{Attributes, attributes},
    directory::Verdict,
    event::Event,
    outcome::{Outcome, Trigger},
    password,
};

/// What Cognito is told, and what is noted about it.
#[derive(Debug, PartialEq)]
pub struct Decision {
    /// The members of the response to set; `None` leaves it as it came, which to Cognito means: no such user.
    pub response: Option<Map<String, Value>>,
    /// What became of the event.
    pub outcome: Outcome,
    /// Required attributes that the directory's user lacks.
    pub missing: Vec<String>,
}

impl Decision {
    /// Nobody is migrated.
    pub fn untouched(outcome: Outcome) -> Self {
        Self {
            response: None,
            outcome,
            missing: Vec::new(),
        }
    }
}

/// What Cognito is told about this event.
pub fn decide(settings: &HandlerSettings, event: &Event, verdict: Verdict) -> Decision {
    let user = match verdict {
        Verdict::Known(user) => user,
        Verdict::NotFound => return Decision::untouched(Outcome::NotFound),
        Verdict::NotEligible => return Decision::untouched(Outcome::NotEligible),
        Verdict::WrongPassword => return Decision::untouched(Outcome::WrongPassword),
        Verdict::SsoOnly => return Decision::untouched(Outcome::SsoOnly),
    };
    let attributes = attributes(settings, event.name(), &user);
    let missing: Vec<_> = settings
        .required_attributes
        .iter()
        .filter(|name| !attributes.contains_key(*name))
        .cloned()
        .collect();
    // Whoever must set a new password gets a code first, and without one is locked out of both places.
    let unreachable = status(settings, event) != Some("CONFIRMED") && !reachable(&attributes);
    if attributes.is_empty() || !missing.is_empty() || unreachable {
        return Decision {
            missing,
            ..Decision::untouched(Outcome::NotEligible)
        };
    }
    let outcome = match event.trigger() {
        Trigger::Authentication => Outcome::Migrated,
        Trigger::ForgotPassword => Outcome::MigratedForReset,
    };
    Decision {
        response: Some(response(settings, event, attributes)),
        outcome,
        missing,
    }
}

/// Whether there is an address the directory vouches for: Cognito sends the code there.
fn reachable(attributes: &Attributes) -> bool {
    ["email_verified", "phone_number_verified"]
        .iter()
        .any(|name| attributes.contains_key(*name))
}

fn response(
    settings: &HandlerSettings,
    event: &Event,
    attributes: Attributes,
) -> Map<String, Value> {
    let wanted = &settings.response;
    let mut response = Map::new();
    let mut set = |member: &str, value: Value| response.insert(member.to_owned(), value);
    if wanted.enable_sms_mfa && attributes.contains_key("phone_number") {
        set("enableSMSMFA", true.into());
    }
    if let Some(status) = status(settings, event) {
        set("finalUserStatus", status.into());
    }
    set("userAttributes", json!(attributes));
    set("forceAliasCreation", wanted.force_alias_creation.into());
    match wanted.message_action {
        MessageAction::Suppress => {
            set("messageAction", "SUPPRESS".into());
        }
        // Cognito has no word for "send": it sends unless told not to.
        MessageAction::Send => {
            let mediums = wanted.delivery_mediums.iter().map(|medium| match medium {
                DeliveryMedium::Email => "EMAIL",
                DeliveryMedium::Sms => "SMS",
            });
            set("desiredDeliveryMediums", mediums.collect());
        }
    }
    response
}

/// What the user's status is to be; a forgotten password leaves it to Cognito.
fn status(settings: &HandlerSettings, event: &Event) -> Option<&'static str> {
    let stays = settings.response.final_user_status == FinalUserStatus::Confirmed
        && password_may_stay(settings, event);
    match event.trigger() {
        Trigger::Authentication if stays => Some("CONFIRMED"),
        Trigger::Authentication => Some("RESET_REQUIRED"),
        Trigger::ForgotPassword => None,
    }
}

/// Whether the password may stay.
fn password_may_stay(settings: &HandlerSettings, event: &Event) -> bool {
    match (&settings.password_policy, event.password()) {
        (Some(policy), Some(password)) => password::satisfies(policy, password.expose_secret()),
        _ => true,
    }
}
