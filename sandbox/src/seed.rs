//! The demo in the sandbox: a user pool with settings of every kind, two app clients, and accounts at Jane.

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};

use crate::jane::{Account, AccountKind};
use crate::sandbox::Sandbox;
use crate::wire::{Scope, Upstream};

/// The demo.
pub struct Demo {
    /// The user pool.
    pub pool_id: String,
    /// The web shop's client, which allows USER_PASSWORD_AUTH.
    pub web_client: String,
    /// The mobile app's client, which allows only SRP.
    pub mobile_client: String,
    /// An account of each kind, in this order: with a password; Google or Apple; Google or Apple without a reset; marketplace
    /// only.
    pub accounts: [Account; 4],
}

impl Sandbox {
    /// Creates the demo with calls to the endpoint. Each call creates another pool.
    pub async fn seed(&self) -> Result<Demo> {
        let region = self.region();
        let account = self.account_id();
        let function = |name: &str| format!("arn:aws:lambda:{region}:{account}:function:{name}");
        let scope = Scope {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        let aws = Upstream::locked(&self.endpoint(), self.key());
        let call = async |action: &str, body: Value| {
            let answer = aws.cognito(&scope, action, &body).await;
            answer.map_err(|refusal| {
                let (code, message) = (refusal.code, refusal.message);
                anyhow!("failed to seed the sandbox: {action}: {code}: {message}")
            })
        };
        let pool = call(
                "CreateUserPool",
                json!({
                    "PoolName": "Jane Roots",
                    "Policies": {
                        "PasswordPolicy": {
                            "MinimumLength": 10,
                            "RequireUppercase": true,
                            "RequireLowercase": true,
                            "RequireNumbers": true,
                            "RequireSymbols": false,
                            "PasswordHistorySize": 3,
                            "TemporaryPasswordValidityDays": 3,
                        },
                    },
                    "DeletionProtection": "ACTIVE",
                    "UsernameAttributes": ["email"],
                    "UsernameConfiguration": {"CaseSensitive": false},
                    "AutoVerifiedAttributes": ["email"],
                    "VerificationMessageTemplate": {
                        "DefaultEmailOption": "CONFIRM_WITH_CODE",
                        "EmailMessage": "Your code for the shop is {####}.",
                        "EmailSubject": "Your code",
                    },
                    "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
                    "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true},
                    "SmsConfiguration": {
                        "SnsCallerArn": format!("arn:aws:iam::{account}:role/service-role/roots-sms"),
                        "ExternalId": "roots-sms",
                        "SnsRegion": region,
                    },
                    "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT", "ReplyToEmailAddress": "help@example.com"},
                    "LambdaConfig": {
                        "PreAuthentication": function("roots-pre-authentication"),
                        "PostAuthentication": function("roots-post-authentication"),
                    },
                    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_email", "Priority": 1}]},
                    "AdminCreateUserConfig": {
                        "AllowAdminCreateUserOnly": false,
                        "InviteMessageTemplate": {
                            "EmailSubject": "Welcome",
                            "EmailMessage": "Your name is {username}, your password {####}.",
                        },
                    },
                    "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
                    "UserPoolTier": "PLUS",
                    "UserPoolTags": {"team": "roots", "cost-centre": "42"},
                    "DcrConfiguration": {"EnableStatus": "Disabled", "OpenDcrEnabled": false},
                    "Schema": [{"Name": "loyalty", "AttributeDataType": "String", "Mutable": true}],
                }),
            )
            .await?;
        let pool_id = text(&pool["UserPool"]["Id"])?;
        let client = async |settings: Value| {
            let made = call("CreateUserPoolClient", settings).await?;
            let id = text(&made["UserPoolClient"]["ClientId"])?;
            self.jane().register_client(&id, &pool_id, region);
            anyhow::Ok(id)
        };
        let web_client = client(json!({
            "UserPoolId": pool_id,
            "ClientName": "web",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "AccessTokenValidity": 30,
            "IdTokenValidity": 30,
            "RefreshTokenValidity": 14,
            "TokenValidityUnits": {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "days"},
            "SupportedIdentityProviders": ["COGNITO"],
            "CallbackURLs": ["https://shop.example.com/signed-in"],
            "LogoutURLs": ["https://shop.example.com/"],
            "AllowedOAuthFlows": ["code"],
            "AllowedOAuthScopes": ["openid", "email"],
            "AllowedOAuthFlowsUserPoolClient": true,
            "PreventUserExistenceErrors": "ENABLED",
        }))
        .await?;
        let mobile_client = client(json!({
            "UserPoolId": pool_id,
            "ClientName": "mobile",
            "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
            "PreventUserExistenceErrors": "ENABLED",
            "AuthSessionValidity": 5,
        }))
        .await?;
        let accounts = [
            Account::new(
                AccountKind::Password,
                "password@example.com",
                Some("Harvest-Moon-7"),
            ),
            Account::new(AccountKind::Sso, "google@example.com", None),
            Account::new(AccountKind::SsoRefused, "apple@example.com", None),
            Account::new(
                AccountKind::Marketplace,
                "marketplace@example.com",
                Some("Market-Place-7"),
            ),
        ];
        for account in &accounts {
            self.jane().add_account(account.clone());
        }
        Ok(Demo {
            pool_id,
            web_client,
            mobile_client,
            accounts,
        })
    }
}

fn text(value: &Value) -> Result<String> {
    Ok(value
        .as_str()
        .context("the sandbox answered without an id")?
        .to_owned())
}
