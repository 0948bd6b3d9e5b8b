//! The codes that Cognito would have sent: the delivery medium, the masked address for the app, and when a code expires.

use std::sync::Mutex;

use serde_json::{Value, json};

use super::pool::Pool;
use super::users::User;
use crate::lock::lock;
use crate::wire::{Answer, Refusal};

/// A code sent to a user.
#[derive(Clone)]
pub(crate) struct Delivery {
    pool: String,
    username: String,
    /// The name that was typed when the code was requested.
    typed: String,
    pub medium: &'static str,
    pub destination: String,
    pub code: String,
}

#[derive(Default)]
pub(crate) struct Deliveries(Mutex<Vec<Delivery>>);

impl Deliveries {
    /// Sends a code to `user`, who typed `typed`, by the medium that the pool's account recovery setting prefers.
    pub fn send(&self, pool: &Pool, user: &User, typed: &str) -> Result<Answer, Refusal> {
        // Without the setting, SMS comes first.
        let default = json!([
            {"Name": "verified_phone_number", "Priority": 1},
            {"Name": "verified_email", "Priority": 2},
        ]);
        let setting = &pool.settings["AccountRecoverySetting"]["RecoveryMechanisms"];
        let mechanisms = setting.as_array().or(default.as_array());
        let mut mechanisms: Vec<&Value> = mechanisms.into_iter().flatten().collect();
        mechanisms.sort_by_key(|mechanism| mechanism["Priority"].as_i64());
        let names = mechanisms.iter().map(|mechanism| &mechanism["Name"]);
        if names.clone().any(|name| name == "admin_only") {
            return Err(Refusal::new(
                "NotAuthorizedException",
                "Contact administrator to reset password.",
            ));
        }
        let channel = names.filter_map(Value::as_str).find_map(|name| {
            let (medium, attribute) = channel(name == "verified_email");
            let verified = user.is(&format!("{attribute}_verified"), "true");
            let destination = user.attributes.get(attribute).filter(|_| verified)?;
            Some((medium, attribute, destination))
        });
        let Some((medium, attribute, destination)) = channel else {
            return Err(Refusal::invalid(
                "Cannot reset password for the user as there is no registered/verified email or phone_number",
            ));
        };
        lock(&self.0).push(Delivery {
            pool: pool.id.clone(),
            username: user.username.clone(),
            typed: typed.to_owned(),
            medium,
            destination: destination.clone(),
            code: format!("{:06}", fastrand::u32(0..1_000_000)),
        });
        Ok(sent(medium, attribute, destination))
    }

    /// The newest code of `user`: a username, the name that was typed, or an address.
    pub fn code(&self, pool: &str, user: &str) -> Option<Delivery> {
        let deliveries = lock(&self.0);
        let mut newest = deliveries.iter().rev();
        let newest = newest.find(|delivery| {
            let names = [&delivery.username, &delivery.typed, &delivery.destination];
            delivery.pool == pool && names.into_iter().any(|name| name == user)
        });
        newest.cloned()
    }

    /// A code can be used once.
    pub fn use_up(&self, pool: &str, username: &str) {
        lock(&self.0).retain(|delivery| delivery.pool != pool || delivery.username != username);
    }
}

/// The response for an unknown user if PreventUserExistenceErrors is ENABLED: as if a code were sent to the typed name.
pub(crate) fn pretended(typed: &str, is_phone: bool) -> Answer {
    let (medium, attribute) = channel(!is_phone);
    sent(medium, attribute, typed)
}

fn channel(email: bool) -> (&'static str, &'static str) {
    match email {
        true => ("EMAIL", "email"),
        false => ("SMS", "phone_number"),
    }
}

fn sent(medium: &str, attribute: &str, destination: &str) -> Answer {
    let first = |text: &str| text.chars().take(1).collect::<String>();
    let masked = match destination.split_once('@') {
        Some((local, domain)) => format!("{}***@{}***", first(local), first(domain)),
        None => {
            let tail = destination.chars().count().saturating_sub(4);
            let tail: String = destination.chars().skip(tail).collect();
            format!("+*******{tail}")
        }
    };
    Answer::json(&json!({
        "CodeDeliveryDetails": {"Destination": masked, "DeliveryMedium": medium, "AttributeName": attribute}
    }))
}
