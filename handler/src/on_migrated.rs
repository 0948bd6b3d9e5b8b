//! The notification that a user has migrated. It is sent after the response is decided, within the rest of the sign-in's time. A
//! failure is logged and does not change the response.
//!
//! With the pre sign-up trigger on, it is sent when Cognito is about to create the user; without it, together with the response
//! to the migration. For an event of the operator's tool nothing is sent: the database explains a statement, and the response
//! contains what would be sent.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use http::StatusCode;
use jane_migrate_config::{self as config, Arn, HandlerSettings, template::Placeholder};
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::{
    aws::Service,
    budget::{Budget, ON_MIGRATED as CALL, Unavailable},
    decide::Decision,
    directory::{Directory, Unusable},
    escape::hex,
    event::{Event, normal},
    outcome::{Outcome, Trigger},
    request::{Values, body, fill, filled},
    secrets::Secrets,
    upstream::Upstream,
};

/// The notification that a user has migrated.
#[derive(Debug)]
pub struct OnMigrated {
    settings: config::OnMigrated,
    request: Option<(Upstream, config::Request)>,
    secrets: Arc<Secrets>,
}

/// The result of the notification.
#[derive(Debug, PartialEq)]
pub struct Told {
    /// A word for the log: `sent`, `checked` if nothing was sent, or what went wrong.
    pub word: &'static str,
    /// What would be sent, for the operator's tool.
    pub would: Option<Value>,
}

/// A user who migrates.
struct Migrated<'a> {
    pool: &'a str,
    username: String,
    client_id: &'a str,
    attributes: &'a Map<String, Value>,
    secrets: BTreeMap<&'a str, SecretString>,
}

impl OnMigrated {
    /// The notification of these settings. It makes no call yet.
    pub fn new(settings: &config::OnMigrated, secrets: &Arc<Secrets>) -> Result<Self, Unusable> {
        let request = settings.request().map(|request| {
            let upstream = Upstream::new(settings.ca_certificate.as_deref());
            upstream.map(|upstream| (upstream, request))
        });
        Ok(Self {
            settings: settings.clone(),
            request: request.transpose().map_err(|_| Unusable)?,
            secrets: Arc::clone(secrets),
        })
    }

    /// Sends the notification about the user of this event, if the user migrates.
    pub async fn tell(
        &self,
        settings: &HandlerSettings,
        directory: &Directory,
        event: &Event,
        decision: &Decision,
        budget: &Budget,
    ) -> Option<Told> {
        let created;
        let (username, attributes) = match (event.trigger(), decision.outcome) {
            (_, Outcome::Migrated | Outcome::MigratedForReset)
                if !settings.triggers.pre_sign_up =>
            {
                let set = decision.response.as_ref()?;
                (event.name().to_owned(), set["userAttributes"].as_object()?)
            }
            (
                Trigger::AdminCreateUser,
                Outcome::Connected | Outcome::Unconnected | Outcome::NothingToDo,
            ) => {
                created = event.attributes_for_directory();
                (name_of_created(settings, event), &created)
            }
            _ => return None,
        };
        let mut user = Migrated {
            pool: &settings.pool,
            username,
            client_id: event.client_id(),
            attributes,
            secrets: BTreeMap::new(),
        };
        let budget = budget.shorter(Duration::from_millis(self.settings.timeout_ms));
        if event.is_trial() {
            return Some(self.trial(directory, &user, &budget).await);
        }
        let sent = self.send(directory, &mut user, &budget).await;
        Some(Told {
            word: sent.map_or_else(|Unavailable(reason)| reason, |()| "sent"),
            would: None,
        })
    }

    async fn send<'a>(
        &'a self,
        directory: &Directory,
        user: &mut Migrated<'a>,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        if let Some(statement) = &self.settings.statement {
            let value = fill(user, self.settings.value(), str::to_owned)?;
            return directory.execute(statement, &value, false, budget).await;
        }
        if let Some((upstream, request)) = &self.request {
            return self.ask(upstream, request, user, budget).await;
        }
        match (&self.settings.queue, &self.settings.event_bus) {
            (Some(queue), _) => self.message(queue, user, budget).await,
            (None, Some(bus)) => self.event(bus, user, budget).await,
            (None, None) => Err(Unavailable("request")),
        }
    }

    async fn ask<'a>(
        &'a self,
        upstream: &Upstream,
        request: &config::Request,
        user: &mut Migrated<'a>,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        for (name, secret) in &self.settings.secrets {
            let value = self.secrets.get(secret, budget).await?;
            user.secrets.insert(name, value);
        }
        let send = async |user: &Migrated<'a>| {
            let request = filled(user, request, None)?.ok_or(Unavailable("request"))?;
            upstream.send(CALL, request, budget).await
        };
        let mut answer = send(user).await?;
        if matches!(
            answer.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        ) {
            let mut changed = false;
            for (name, secret) in &self.settings.secrets {
                if let Some(value) = self.secrets.changed(secret, budget).await? {
                    user.secrets.insert(name, value);
                    changed = true;
                }
            }
            if changed {
                answer = send(user).await?;
            }
        }
        match answer.status.is_success() {
            true => Ok(()),
            false => Err(Unavailable("status")),
        }
    }

    async fn message(
        &self,
        queue: &Arn,
        user: &Migrated<'_>,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        let service = Service::new("sqs", &["SQS"], &queue.region).ok_or(Unavailable("request"))?;
        let endpoint = service.endpoint.to_string();
        let endpoint = endpoint.trim_end_matches('/');
        let mut query = json!({
            "QueueUrl": format!("{endpoint}/{}/{}", queue.account, queue.resource),
            "MessageBody": self.body(user)?.to_string(),
        });
        if queue.resource.ends_with(".fifo") {
            // The same for every message about a user, so that a repetition is discarded.
            let about = format!("{} {}", user.pool, user.username);
            let about = hex(digest(&SHA256, about.as_bytes()).as_ref());
            query["MessageGroupId"] = about.clone().into();
            query["MessageDeduplicationId"] = about.into();
        }
        self.aws(service, "AmazonSQS.SendMessage", query, budget)
            .await
            .map(drop)
    }

    async fn event(
        &self,
        bus: &Arn,
        user: &Migrated<'_>,
        budget: &Budget,
    ) -> Result<(), Unavailable> {
        let service =
            Service::new("events", &["EVENTBRIDGE"], &bus.region).ok_or(Unavailable("request"))?;
        let query = json!({ "Entries": [{
            "Source": "jane-migrate",
            "DetailType": "User migrated",
            "Detail": self.body(user)?.to_string(),
            "EventBusName": bus.to_string(),
        }] });
        let answer = self
            .aws(service, "AWSEvents.PutEvents", query, budget)
            .await?;
        match answer["FailedEntryCount"].as_u64() {
            Some(0) => Ok(()),
            _ => Err(Unavailable("status")),
        }
    }

    async fn aws(
        &self,
        service: Service,
        target: &str,
        query: Value,
        budget: &Budget,
    ) -> Result<Value, Unavailable> {
        let secrets = &self.secrets;
        let answer = secrets
            .aws(Some(service), CALL, target, query, budget)
            .await?;
        if answer.status.is_success() {
            return answer.json();
        }
        let denied = answer.json().is_ok_and(|answer| {
            let kind = answer["__type"].as_str().unwrap_or_default();
            kind.contains("AccessDenied")
        });
        Err(Unavailable(if denied { "denied" } else { "status" }))
    }

    /// The body of a message or an event.
    fn body(&self, user: &Migrated<'_>) -> Result<Value, Unavailable> {
        match &self.settings.json {
            Some(json) => body(user, json),
            None => Ok(json!({
                "userPoolId": user.pool,
                "clientId": user.client_id,
                "username": user.username,
            })),
        }
    }

    /// What would be sent. A database checks the statement.
    async fn trial(&self, directory: &Directory, user: &Migrated<'_>, budget: &Budget) -> Told {
        let told = |would: Value| Some(json!({ "call": CALL, "body": would }));
        if let Some(statement) = &self.settings.statement {
            let value = fill(user, self.settings.value(), str::to_owned);
            let checked = match &value {
                Ok(value) => directory.execute(statement, value, true, budget).await,
                Err(unavailable) => Err(*unavailable),
            };
            let shown = json!({ "statement": statement, "value": value.unwrap_or_default() });
            return Told {
                word: checked.map_or_else(|Unavailable(reason)| reason, |()| "checked"),
                would: told(shown),
            };
        }
        // A header may contain a secret, so no header is shown.
        let would = match &self.request {
            Some((_, request)) => {
                let without = config::Request {
                    headers: BTreeMap::new(),
                    ..request.clone()
                };
                filled(user, &without, None).and_then(|filled| {
                    let filled = filled.ok_or(Unavailable("request"))?;
                    let json = self.settings.json.as_ref();
                    let json = json.map(|json| body(user, json)).transpose()?;
                    Ok(json!({
                        "method": filled.method().as_str(),
                        "url": filled.uri().to_string(),
                        "json": json,
                    }))
                })
            }
            None => self.body(user),
        };
        match would {
            Ok(would) => Told {
                word: "checked",
                would: told(would),
            },
            Err(Unavailable(reason)) => Told {
                word: reason,
                would: None,
            },
        }
    }
}

impl Values for Migrated<'_> {
    fn value(&self, placeholder: &Placeholder) -> Result<&str, Unavailable> {
        let missing = Unavailable("request");
        Ok(match placeholder {
            Placeholder::Username => &self.username,
            Placeholder::ClientId => self.client_id,
            // A user without the attribute has no value for it.
            Placeholder::Attribute(name) => match self.attributes.get(name) {
                Some(Value::String(text)) => text,
                _ => "",
            },
            Placeholder::Secret(name) => self
                .secrets
                .get(name.as_str())
                .ok_or(missing)?
                .expose_secret(),
            // The command line rejects these when it reads the file.
            Placeholder::Password
            | Placeholder::Validation(_)
            | Placeholder::Metadata(_)
            | Placeholder::Setting(_) => return Err(missing),
        })
    }
}

/// The directory's name of the user that Cognito is about to create. This event no longer has the typed name.
fn name_of_created(settings: &HandlerSettings, event: &Event) -> String {
    let renamed = settings.attributes.contains_key("username");
    let names = match settings.username_attributes.is_empty() {
        false => &settings.username_attributes,
        true if renamed => &settings.alias_attributes,
        true => return normal(settings.response.username, event.typed()),
    };
    let mut known = names.iter().filter_map(|name| event.attribute(name));
    known.next().map_or_else(
        || event.name().to_owned(),
        |name| normal(settings.response.username, name),
    )
}
