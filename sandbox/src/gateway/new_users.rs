//! Cognito's calls for a new user: it calls the pre sign-up trigger before the user exists, which may reject the user, and the
//! post confirmation trigger after the user is confirmed. This includes migrated users.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::journal::Journal;
use super::json::required;
use super::lambda::Functions;
use super::pool::Pool;
use super::rules;
use super::trigger;
use super::users::{self, User};
use crate::wire::{Answer, Call, Refusal, Upstream};

/// The app client in an event for an operator's call.
const NO_CLIENT: &str = "CLIENT_ID_NOT_APPLICABLE";

/// A user who is about to be created, or who was confirmed.
pub(crate) struct NewUser<'a> {
    /// The part after the trigger's name, such as `SignUp`.
    pub source: &'static str,
    pub client: &'a str,
    pub username: &'a str,
    pub attributes: &'a BTreeMap<String, String>,
    pub validation: &'a Value,
    pub metadata: &'a Value,
}

/// The decision of the pre sign-up trigger.
#[derive(Default)]
pub(crate) struct Admitted {
    confirmed: bool,
    email: bool,
    phone: bool,
}

impl NewUser<'_> {
    fn event(&self, pool: &Pool, trigger: &str, request: Value, response: Value) -> Value {
        let mut event = json!({
            "version": "1",
            "triggerSource": format!("{trigger}_{}", self.source),
            "region": pool.scope.region,
            "userPoolId": pool.id,
            "userName": self.username,
            "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": self.client},
            "request": request,
            "response": response,
        });
        if self.metadata.is_object() {
            event["request"]["clientMetadata"] = self.metadata.clone();
        }
        event
    }
}

/// The parts of the gateway that these calls use.
#[derive(Clone, Copy)]
pub(crate) struct NewUsers<'a> {
    pub upstream: &'a Upstream,
    pub functions: &'a Functions,
    pub journal: &'a Journal,
}

impl NewUsers<'_> {
    /// Calls the pre sign-up trigger about a user who does not exist yet.
    pub async fn pre_sign_up(&self, pool: &Pool, user: &NewUser<'_>) -> Result<Admitted, Refusal> {
        let request = json!({"userAttributes": user.attributes, "validationData": user.validation});
        let response =
            json!({"autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false});
        let event = user.event(pool, "PreSignUp", request, response);
        let Some(returned) = self.call_trigger(pool, "PreSignUp", user, &event).await? else {
            return Ok(Admitted::default());
        };
        let flag = |name: &str| match &returned["response"][name] {
            Value::Null => Ok(false),
            Value::Bool(flag) => Ok(*flag),
            _ => Err(trigger::unrecognizable()),
        };
        let admitted = Admitted {
            confirmed: flag("autoConfirmUser")?,
            email: flag("autoVerifyEmail")?,
            phone: flag("autoVerifyPhone")?,
        };
        // "If this is set to true, the attribute must be valid and not null."
        let missing = |flag, name: &str| flag && !user.attributes.contains_key(name);
        if missing(admitted.email, "email") || missing(admitted.phone, "phone_number") {
            return Err(trigger::unrecognizable());
        }
        Ok(admitted)
    }

    /// Calls the post confirmation trigger. The user stays confirmed whatever its response is.
    pub async fn post_confirmation(
        &self,
        pool: &Pool,
        source: &'static str,
        client: &str,
        user: &User,
        metadata: &Value,
    ) -> Result<(), Refusal> {
        let mut attributes = user.attributes.clone();
        attributes.insert("cognito:user_status".into(), user.status.clone());
        let user = NewUser {
            source,
            client,
            username: &user.username,
            attributes: &attributes,
            validation: &Value::Null,
            metadata,
        };
        let request = json!({"userAttributes": attributes});
        let event = user.event(pool, "PostConfirmation", request, json!({}));
        self.call_trigger(pool, "PostConfirmation", &user, &event)
            .await
            .map(drop)
    }

    /// The response of the pool's trigger with this name; none if the pool has no such trigger.
    async fn call_trigger(
        &self,
        pool: &Pool,
        name: &str,
        user: &NewUser<'_>,
        event: &Value,
    ) -> Result<Option<Value>, Refusal> {
        let Some(arn) = pool.settings["LambdaConfig"][name].as_str() else {
            return Ok(None);
        };
        let called = trigger::call((self.upstream, self.functions), pool, arn, name, event).await;
        let source = format!("{name}_{}", user.source);
        let refused = called.as_ref().err();
        self.journal
            .invocation(pool, arn, user.client, &source, refused);
        called.map(Some)
    }

    /// SignUp.
    pub async fn sign_up(&self, call: &Call, pool: &Pool) -> Result<Answer, Refusal> {
        rules::check_new_password(call, &pool.settings)?;
        if pool.settings["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] == true {
            return Err(Refusal::new(
                "NotAuthorizedException",
                "SignUp is not permitted for this user pool",
            ));
        }
        let mut request = call.request()?;
        let client = required(&request, "ClientId")?.to_owned();
        let typed = required(&request, "Username")?.to_owned();
        let attributes = attributes(pool, &request, &typed)?;
        let username = name(pool, &mut request, &typed);
        let validation = pairs(&request["ValidationData"]);
        let validation = match validation.is_empty() {
            true => Value::Null,
            false => json!(validation),
        };
        let metadata = request["ClientMetadata"].clone();
        let user = NewUser {
            source: "SignUp",
            client: &client,
            username: &username,
            attributes: &attributes,
            validation: &validation,
            metadata: &metadata,
        };
        let admitted = self.pre_sign_up(pool, &user).await?;
        let answer = self.upstream.forward_as(call, &request).await?;
        self.verify(pool, &username, &admitted).await?;
        if !admitted.confirmed {
            return Ok(answer);
        }
        let named = json!({"UserPoolId": pool.id, "Username": username});
        let confirmed = self
            .upstream
            .cognito(&pool.scope, "AdminConfirmSignUp", &named);
        confirmed.await?;
        self.confirmed(pool, "ConfirmSignUp", &client, &username, &metadata)
            .await?;
        let mut shown = answer.value();
        shown["UserConfirmed"] = json!(true);
        super::json::remove(&mut shown, "CodeDeliveryDetails");
        Ok(answer.with_value(&shown))
    }

    /// AdminCreateUser. The trigger's decision about confirmation does not matter here.
    pub async fn admin_create_user(&self, call: &Call, pool: &Pool) -> Result<Answer, Refusal> {
        rules::check_new_password(call, &pool.settings)?;
        let mut request = call.request()?;
        if request["MessageAction"] == "RESEND" {
            return self.upstream.forward(call).await;
        }
        let typed = required(&request, "Username")?.to_owned();
        let attributes = attributes(pool, &request, &typed)?;
        let username = name(pool, &mut request, &typed);
        let validation = pairs(&request["ValidationData"]);
        let user = NewUser {
            source: "AdminCreateUser",
            client: NO_CLIENT,
            username: &username,
            attributes: &attributes,
            validation: &match validation.is_empty() {
                true => Value::Null,
                false => json!(validation),
            },
            metadata: &request["ClientMetadata"],
        };
        self.pre_sign_up(pool, &user).await?;
        self.upstream.forward_as(call, &request).await
    }

    /// ConfirmSignUp and AdminConfirmSignUp.
    pub async fn confirm_sign_up(&self, call: &Call, pool: &Pool) -> Result<Answer, Refusal> {
        let request = call.request()?;
        let typed = required(&request, "Username")?;
        let answer = self.upstream.forward(call).await?;
        let client = request["ClientId"].as_str().unwrap_or(NO_CLIENT);
        let metadata = &request["ClientMetadata"];
        self.confirmed(pool, "ConfirmSignUp", client, typed, metadata)
            .await?;
        Ok(answer)
    }

    async fn confirmed(
        &self,
        pool: &Pool,
        source: &'static str,
        client: &str,
        typed: &str,
        metadata: &Value,
    ) -> Result<(), Refusal> {
        let named = json!({"UserPoolId": pool.id, "Username": typed});
        let found = self
            .upstream
            .cognito(&pool.scope, "AdminGetUser", &named)
            .await?;
        let user = User::read(&found);
        self.post_confirmation(pool, source, client, &user, metadata)
            .await
    }

    /// Marks the addresses as verified that the trigger has confirmed.
    async fn verify(
        &self,
        pool: &Pool,
        username: &str,
        admitted: &Admitted,
    ) -> Result<(), Refusal> {
        let flags = [
            (admitted.email, "email_verified"),
            (admitted.phone, "phone_number_verified"),
        ];
        let verified: Vec<_> = flags
            .iter()
            .filter(|(flag, _)| *flag)
            .map(|(_, name)| json!({"Name": name, "Value": "true"}))
            .collect();
        if verified.is_empty() {
            return Ok(());
        }
        let asked =
            json!({"UserPoolId": pool.id, "Username": username, "UserAttributes": verified});
        self.upstream
            .cognito(&pool.scope, "AdminUpdateUserAttributes", &asked)
            .await
            .map(drop)
    }

    /// The first sign-in with an external provider of the pool, which has no API call: on AWS a browser uses Cognito's pages.
    /// Returns the user name.
    pub async fn first_federated(
        &self,
        pool: &Pool,
        client: &str,
        provider: &str,
        subject: &str,
        email: &str,
    ) -> Result<String, Refusal> {
        let username = format!("{}_{subject}", provider.to_lowercase());
        let mut attributes = BTreeMap::from([("email".to_owned(), email.to_owned())]);
        // The aliases that the user would have; empty if there are none.
        for alias in ["cognito:email_alias", "cognito:phone_number_alias"] {
            attributes.insert(alias.to_owned(), String::new());
        }
        let user = NewUser {
            source: "ExternalProvider",
            client,
            username: &username,
            attributes: &attributes,
            validation: &json!({}),
            metadata: &Value::Null,
        };
        let admitted = self.pre_sign_up(pool, &user).await?;
        let by_attribute = !pool.identity("UsernameAttributes").is_empty();
        let mut asked = json!({"UserPoolId": pool.id, "MessageAction": "SUPPRESS"});
        // The emulator takes the user name in such a pool from `sub`.
        let (typed, mut given) = match by_attribute {
            true => (
                email,
                json!([{"Name": "email", "Value": email}, {"Name": "sub", "Value": username}]),
            ),
            false => (&*username, json!([{"Name": "email", "Value": email}])),
        };
        let identities = json!([{
            "userId": subject, "providerName": provider, "providerType": provider,
            "issuer": null, "primary": "true", "dateCreated": "1790000000000",
        }]);
        if let Some(given) = given.as_array_mut() {
            given.push(json!({"Name": users::IDENTITIES, "Value": identities.to_string()}));
        }
        asked["Username"] = json!(typed);
        asked["UserAttributes"] = given;
        self.upstream
            .cognito(&pool.scope, "AdminCreateUser", &asked)
            .await?;
        self.verify(pool, &username, &admitted).await?;
        let named = json!({"UserPoolId": pool.id, "Username": username});
        let confirmed = self
            .upstream
            .cognito(&pool.scope, "AdminConfirmSignUp", &named);
        confirmed.await?;
        self.confirmed(pool, "ConfirmSignUp", client, &username, &Value::Null)
            .await?;
        Ok(username)
    }
}

/// The attributes of a request, including the one that the typed name is.
fn attributes(
    pool: &Pool,
    request: &Value,
    typed: &str,
) -> Result<BTreeMap<String, String>, Refusal> {
    let mut attributes = pairs(&request["UserAttributes"]);
    if attributes.contains_key("sub") {
        return Err(Refusal::invalid(
            "Cannot modify the non-mutable attribute sub",
        ));
    }
    let names = pool.identity("UsernameAttributes");
    let own = match trigger::is_phone(typed) {
        true => "phone_number",
        false => "email",
    };
    if names.contains(&own) {
        attributes
            .entry(own.to_owned())
            .or_insert_with(|| typed.to_owned());
    }
    Ok(attributes)
}

/// The user name: an id if users sign in with an attribute. The trigger gets it before the user exists, so the emulator must use
/// the same one.
fn name(pool: &Pool, request: &mut Value, typed: &str) -> String {
    if pool.identity("UsernameAttributes").is_empty() {
        return typed.to_owned();
    }
    let id = id();
    let sub = json!({"Name": "sub", "Value": id});
    match request["UserAttributes"].as_array_mut() {
        Some(attributes) => attributes.push(sub),
        None => request["UserAttributes"] = json!([sub]),
    }
    id
}

/// A random UUID.
pub(crate) fn id() -> String {
    let digits = |length: usize| -> String {
        std::iter::repeat_with(|| fastrand::digit(16))
            .take(length)
            .collect()
    };
    let variant = ['8', '9', 'a', 'b'][fastrand::usize(..4)];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        digits(8),
        digits(4),
        digits(3),
        digits(3),
        digits(12)
    )
}

fn pairs(list: &Value) -> BTreeMap<String, String> {
    let items = list.as_array().into_iter().flatten();
    let pair = |item: &Value| {
        let text = |member: &str| item[member].as_str().map(str::to_owned);
        Some((text("Name")?, text("Value")?))
    };
    items.filter_map(pair).collect()
}
