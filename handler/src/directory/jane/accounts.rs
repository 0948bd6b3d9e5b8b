//! Requests to Jane when users are created: the connection between a Cognito user and its account at Jane, sign-ups, and accounts
//! for new users. Jane's own package does the same in two functions.
//!
//! For an event of the operator's tool, requests store nothing anywhere: the response lists the notifications that Jane would
//! get.

use std::env;

use http::StatusCode;
use jane_migrate_config::HandlerSettings;
use serde_json::{Map, Value, json};

use super::{AppClient, Jane, profile::Profile, refused};
use crate::{
    attributes::{Attributes, attributes},
    aws::Service,
    budget::{Budget, Unavailable},
    decide::Decision,
    event::Event,
    guard,
    outcome::{Outcome, Refusal, Trigger},
    upstream::Answer,
};

/// The attributes that are filled in from Jane's profile of a customer of Google or Apple.
const PROFILE: [&str; 4] = ["birthdate", "family_name", "given_name", "phone_number"];

impl Jane {
    /// Makes the requests to Jane for this trigger. `today` is counted as in [`jane_migrate_config::Date::epoch_days`].
    pub async fn account(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        today: i64,
        budget: &Budget,
    ) -> Result<Decision, Unavailable> {
        match event.trigger() {
            Trigger::AdminCreateUser => self.connected(settings, event, budget).await,
            Trigger::SignUp | Trigger::ExternalProvider => {
                let asked = self.asked(settings, event, budget).await?;
                Ok(decide(event, asked))
            }
            Trigger::ConfirmSignUp => self.created(settings, event, today, budget).await,
            _ => Ok(Decision::unchanged(Outcome::NothingToDo)),
        }
    }

    /// Connects a Cognito user with its account at Jane.
    pub async fn connect(
        &self,
        pool: &str,
        user_name: &str,
        attributes: &Map<String, Value>,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        let body = connection(pool, user_name, attributes);
        done(&self.post(ENSURE, &body, budget).await?)
    }

    async fn connected(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        budget: &Budget,
    ) -> Result<Decision, Unavailable> {
        let attributes = event.attributes_for_directory();
        let (pool, user_name) = (&*settings.pool, event.typed());
        let mut said = Vec::new();
        if event.is_trial() {
            self.reached(event, budget).await?;
            said.push(told(ENSURE, connection(pool, user_name, &attributes)));
        } else {
            self.connect(pool, user_name, &attributes, budget).await?;
        }
        Ok(Decision {
            told: said,
            ..Decision::unchanged(Outcome::Connected)
        })
    }

    /// Jane's responses about a sign-up: three calls in parallel.
    async fn asked(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        budget: &Budget,
    ) -> Result<Asked, Unavailable> {
        // Before the calls, so that they do not each fetch one.
        self.token.current(&self.upstream, budget).await?;
        let body =
            Profile::new(&event.attributes_for_directory()).body(&[("pool_id", &settings.pool)]);
        let (client, exists, validated) = tokio::join!(
            self.app_client(event.client_id(), budget),
            self.known(settings, event, budget),
            self.post("validate_user", &body, budget),
        );
        Ok(Asked {
            client: client?,
            exists: exists?,
            valid: valid(&validated?, &body)?,
        })
    }

    /// Whether Jane has the address in one of its spellings.
    async fn known(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        budget: &Budget,
    ) -> Result<bool, Unavailable> {
        for email in guard::names(settings, event) {
            if self.exists(&email, event.client_id(), budget).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn created(
        &self,
        settings: &HandlerSettings,
        event: &Event,
        today: i64,
        budget: &Budget,
    ) -> Result<Decision, Unavailable> {
        let mut said = Vec::new();
        if let Some(identities) = identities(event) {
            // If this fails, the customer still has an account and can fill in the rest.
            let found = self.sso_user(event, identities, budget).await;
            if let Ok(Some(user)) = found
                && let Some(query) = update(settings, event, &user, today)
            {
                match event.is_trial() {
                    true => said.push(told(UPDATE, query)),
                    false => self.update_user(event, query, budget).await,
                }
            }
        }
        let mut body = Profile::new(&event.attributes_for_directory()).body(&[
            ("pool_id", &settings.pool),
            ("external_id", event.typed()),
            ("app_client_id", event.client_id()),
        ]);
        if event.is_trial() {
            self.reached(event, budget).await?;
            said.push(told(CREATE, body.take()));
        } else {
            done(&self.post(CREATE, &body, budget).await?)?;
        }
        Ok(Decision {
            told: said,
            ..Decision::unchanged(Outcome::AccountCreated)
        })
    }

    /// Jane's profile of a customer who signs in through another provider.
    async fn sso_user(
        &self,
        event: &Event,
        identities: Value,
        budget: &Budget,
    ) -> Result<Option<Map<String, Value>>, Unavailable> {
        let mut attributes = event.attributes_for_directory();
        attributes.insert("identities".to_owned(), identities);
        let body = Profile::new(&attributes)
            .email_only()
            .body(&[("app_client_id", event.client_id())]);
        let answer = self.post("verify_sso_user", &body, budget).await?;
        if answer.status != StatusCode::OK {
            return Ok(None);
        }
        match answer.json()?["user"].take() {
            Value::Object(user) => Ok(Some(user)),
            _ => Ok(None),
        }
    }

    /// Writes attributes to the user in the pool. A failure appears in the log, as the status of the call.
    async fn update_user(&self, event: &Event, query: Value, budget: &Budget) {
        // The function is in the pool's Region.
        let region = env::var("AWS_REGION").unwrap_or_else(|_| event.region().to_owned());
        let service = Service::new("cognito-idp", &["COGNITO_IDENTITY_PROVIDER"], &region);
        let target = format!("AWSCognitoIdentityProviderService.{UPDATE}");
        let secrets = self.token.secrets();
        let _ = secrets.aws(service, UPDATE, &target, query, budget).await;
    }

    /// Whether Jane responds, tested with a call that stores nothing.
    async fn reached(&self, event: &Event, budget: &Budget) -> Result<(), Unavailable> {
        let body = json!({ "email": event.name(), "app_client_id": event.client_id() });
        super::exists(&self.post("user_exists", &body, budget).await?).map(drop)
    }
}

const ENSURE: &str = "ensure_external_user_exists";
const CREATE: &str = "create_user";
const UPDATE: &str = "AdminUpdateUserAttributes";

/// A call that is shown to the operator's tool instead of being made.
fn told(call: &str, body: Value) -> Value {
    json!({ "call": call, "body": body })
}

/// The body of `ensure_external_user_exists`.
fn connection(pool: &str, user_name: &str, attributes: &Map<String, Value>) -> Value {
    let profile = Profile::new(attributes).email_only();
    profile.body(&[("pool_id", pool), ("external_id", user_name)])
}

/// The meaning of a response to a call that stores something. The page of a proxy in front of Jane is no such response.
fn done(answer: &Answer) -> Result<(), Unavailable> {
    match answer.status {
        StatusCode::OK if answer.body().is_empty() => Ok(()),
        StatusCode::OK => answer.json().map(drop),
        _ => Err(Unavailable("status")),
    }
}

/// Jane's responses about a sign-up.
#[derive(Clone, Debug)]
struct Asked {
    client: Option<AppClient>,
    exists: bool,
    /// If it is invalid: the text to show, if there is one.
    valid: Result<(), Option<String>>,
}

/// The meaning of a response of `validate_user`.
fn valid(answer: &Answer, sent: &Value) -> Result<Result<(), Option<String>>, Unavailable> {
    match answer.status {
        StatusCode::OK => done(answer).map(Ok),
        StatusCode::BAD_REQUEST => {
            let body = answer.json().unwrap_or_default();
            Ok(Err(refused::shown(&body, sent)))
        }
        _ => Err(Unavailable("status")),
    }
}

/// Whether a sign-up is allowed. A customer of the old menu with another provider is allowed; one who signs up must log in.
fn decide(event: &Event, asked: Asked) -> Decision {
    let refuse = |refusal| Decision::unchanged(Outcome::Refused(refusal));
    let Some(client) = asked.client else {
        return Decision {
            reason: Some("app-client"),
            ..refuse(Refusal::SignUpRefused)
        };
    };
    let external = event.trigger() == Trigger::ExternalProvider;
    let (outcome, confirmed) = match (asked.exists, external) {
        (true, false) => return refuse(Refusal::UserExists),
        (true, true) => (Outcome::Admitted, true),
        (false, _) => match asked.valid {
            Ok(()) => (
                Outcome::SignUpAllowed,
                client.auto_confirm_email == Some(true),
            ),
            Err(shown) => {
                return Decision {
                    shown,
                    ..refuse(Refusal::SignUpRefused)
                };
            }
        },
    };
    let mut response = Map::new();
    if confirmed {
        response.insert("autoConfirmUser".to_owned(), true.into());
        // Cognito refuses to verify an absent address.
        if event.attribute("email").is_some() {
            response.insert("autoVerifyEmail".to_owned(), true.into());
        }
    }
    Decision {
        response: confirmed.then_some(response),
        ..Decision::unchanged(outcome)
    }
}

/// The identities at other providers, which Cognito stores as JSON in a text.
fn identities(event: &Event) -> Option<Value> {
    let identities: Value = serde_json::from_str(event.attribute("identities")?).ok()?;
    let some = identities.as_array().is_some_and(|list| !list.is_empty());
    some.then_some(identities)
}

/// The query that writes Jane's profile to the user in the pool.
fn update(
    settings: &HandlerSettings,
    event: &Event,
    user: &Map<String, Value>,
    today: i64,
) -> Option<Value> {
    let mut mapped: Attributes = attributes(settings, event.name(), user, today);
    mapped.retain(|name, _| PROFILE.contains(&name.as_str()));
    let mapped: Vec<_> = mapped
        .iter()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect();
    (!mapped.is_empty()).then(
        || json!({ "UserPoolId": settings.pool, "Username": event.typed(), "UserAttributes": mapped }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{account, event, settings};

    fn client(auto_confirm_email: Option<bool>) -> AppClient {
        AppClient {
            pool_id: None,
            region: None,
            app_client_id: None,
            auto_confirm_email,
        }
    }

    fn asked(auto: Option<bool>, exists: bool) -> Asked {
        Asked {
            client: Some(client(auto)),
            exists,
            valid: Ok(()),
        }
    }

    fn decided(source: &str, attributes: Value, asked: Asked) -> Decision {
        let event = event(account(source, "id-1", attributes), &settings(&[]));
        decide(&event, asked)
    }

    fn email() -> Value {
        json!({ "email": "ann@example.com" })
    }

    #[test]
    fn a_new_customer_signs_up_and_is_confirmed_if_jane_says_so() {
        for source in ["PreSignUp_SignUp", "PreSignUp_ExternalProvider"] {
            for auto in [None, Some(false)] {
                let allowed = decided(source, email(), asked(auto, false));
                assert_eq!(allowed, Decision::unchanged(Outcome::SignUpAllowed));
            }
            let confirmed = decided(source, email(), asked(Some(true), false));
            assert_eq!(
                json!(confirmed.response),
                json!({ "autoConfirmUser": true, "autoVerifyEmail": true })
            );
            let without_email = decided(source, json!({}), asked(Some(true), false));
            assert_eq!(
                json!(without_email.response),
                json!({ "autoConfirmUser": true })
            );
        }
    }

    #[test]
    fn a_customer_must_log_in_or_use_the_old_provider() {
        let refused = decided("PreSignUp_SignUp", email(), asked(Some(true), true));
        let expected = Decision::unchanged(Outcome::Refused(Refusal::UserExists));
        assert_eq!(refused, expected);
        // Jane's rules for new customers do not apply to existing ones.
        let invalid = Asked {
            valid: Err(None),
            ..asked(None, true)
        };
        let admitted = decided("PreSignUp_ExternalProvider", email(), invalid);
        assert_eq!(admitted.outcome, Outcome::Admitted);
        assert_eq!(
            json!(admitted.response),
            json!({ "autoConfirmUser": true, "autoVerifyEmail": true })
        );
    }

    #[test]
    fn an_unknown_client_and_details_that_jane_rejects_are_rejected() {
        for source in ["PreSignUp_SignUp", "PreSignUp_ExternalProvider"] {
            let unknown = Asked {
                client: None,
                ..asked(None, true)
            };
            let decision = decided(source, email(), unknown);
            assert_eq!(decision.outcome, Outcome::Refused(Refusal::SignUpRefused));
            assert_eq!(decision.reason, Some("app-client"));
            let invalid = Asked {
                valid: Err(Some("too young".into())),
                ..asked(Some(true), false)
            };
            let decision = decided(source, email(), invalid);
            assert_eq!(decision.outcome, Outcome::Refused(Refusal::SignUpRefused));
            assert_eq!(
                (decision.shown.as_deref(), decision.response),
                (Some("too young"), None)
            );
        }
    }

    #[test]
    fn an_answer_about_details_is_yes_or_no_or_an_outage() {
        let answer = |status, body: &str| {
            Answer::made_up(StatusCode::from_u16(status).unwrap(), body.to_owned())
        };
        let sent = json!({ "birth_date": "2015-02-28" });
        let young = r#"{"errors":{"birth_date":["is too late"]}}"#;
        assert_eq!(valid(&answer(200, "{}"), &sent), Ok(Ok(())));
        let shown = Some("birth date is too late".to_owned());
        assert_eq!(valid(&answer(400, young), &sent), Ok(Err(shown)));
        assert_eq!(valid(&answer(400, "<html>"), &sent), Ok(Err(None)));
        let page = valid(&answer(200, "<html>"), &sent);
        assert_eq!(page, Err(Unavailable("malformed")));
        for status in [201, 404, 422, 500] {
            let outage = valid(&answer(status, young), &sent);
            assert_eq!(outage, Err(Unavailable("status")), "{status}");
        }
    }

    #[test]
    fn janes_profile_fills_in_four_attributes() {
        let mut settings = settings(&[
            ("email", "{username}"),
            ("given_name", "first_name"),
            ("phone_number", "phone"),
            ("custom:id", "id"),
        ]);
        let payload = account("PostConfirmation_ConfirmSignUp", "Google_1", email());
        let event = event(payload, &settings);
        let user = json!({ "first_name": "Ann", "phone": "5550100000", "id": 7 });
        let user = user.as_object().unwrap();
        assert_eq!(
            update(&settings, &event, user, 0),
            Some(
                json!({ "UserPoolId": settings.pool, "Username": "Google_1", "UserAttributes": [
                { "Name": "given_name", "Value": "Ann" }, { "Name": "phone_number", "Value": "+15550100000" },
            ] })
            )
        );
        settings.attributes.clear();
        assert_eq!(update(&settings, &event, user, 0), None);
    }

    #[test]
    fn identities_are_a_list_in_a_text() {
        let of = |text: &str| {
            let attributes = json!({ "identities": text });
            let payload = account("PostConfirmation_ConfirmSignUp", "Google_1", attributes);
            identities(&event(payload, &settings(&[])))
        };
        let google = r#"[{"providerName":"Google","userId":"1"}]"#;
        assert_eq!(of(google).unwrap()[0]["providerName"], "Google");
        for none in ["", "[]", "{}", "[", "null"] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
