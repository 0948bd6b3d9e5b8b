//! The calls that a customer's app makes to Cognito. The sandbox's tour signs in with it; a deploy needs none
//! of it.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;

use super::client::Reader;
use super::error::During;
use super::known::know;
use jane_migrate_core::aws_error::AwsError;

/// The app of a customer.
#[derive(Debug)]
pub(crate) struct Customer(Client);

impl Customer {
    /// Makes calls with the connection of this reader.
    pub(crate) fn new(reader: &Reader) -> Self {
        Self(reader.cognito.clone())
    }

    /// Signs in with a password. Returns whether there were tokens.
    pub(crate) async fn sign_in(
        &self,
        client: &str,
        user: &str,
        password: &str,
    ) -> Result<bool, AwsError> {
        know(password);
        let answer = self
            .0
            .initiate_auth()
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .client_id(client)
            .set_auth_parameters(Some(HashMap::from([
                ("USERNAME".to_owned(), user.to_owned()),
                ("PASSWORD".to_owned(), password.to_owned()),
            ])))
            .send()
            .await
            .during("cognito-idp:InitiateAuth")?;
        Ok(answer
            .authentication_result
            .is_some_and(|result| result.id_token.is_some()))
    }

    /// Signs up. Returns whether the user is confirmed at once.
    pub(crate) async fn sign_up(
        &self,
        client: &str,
        user: &str,
        password: &str,
    ) -> Result<bool, AwsError> {
        know(password);
        let answer = self
            .0
            .sign_up()
            .client_id(client)
            .username(user)
            .password(password)
            .send()
            .await
            .during("cognito-idp:SignUp")?;
        Ok(answer.user_confirmed)
    }

    /// Asks for a code to set a new password.
    pub(crate) async fn forgot_password(&self, client: &str, user: &str) -> Result<(), AwsError> {
        self.0
            .forgot_password()
            .client_id(client)
            .username(user)
            .send()
            .await
            .during("cognito-idp:ForgotPassword")?;
        Ok(())
    }

    /// Sets a new password with the code.
    pub(crate) async fn confirm_forgot_password(
        &self,
        client: &str,
        user: &str,
        code: &str,
        password: &str,
    ) -> Result<(), AwsError> {
        know(password);
        self.0
            .confirm_forgot_password()
            .client_id(client)
            .username(user)
            .confirmation_code(code)
            .password(password)
            .send()
            .await
            .during("cognito-idp:ConfirmForgotPassword")?;
        Ok(())
    }
}
