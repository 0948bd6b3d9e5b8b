//! What a customer's app asks of Cognito. The sandbox's tour signs in through it; deploying needs none of it.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::types::AuthFlowType;

use super::error::During;
use super::{Aws, AwsError, Found};
use jane_migrate_core::ids::PoolId;

impl Aws {
    /// Signs in with a password; whether tokens came.
    pub async fn sign_in(
        &self,
        client: &str,
        user: &str,
        password: &str,
    ) -> Result<bool, AwsError> {
        let answer = self
            .cognito
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

    /// Asks for a code to set a new password.
    pub async fn forgot_password(&self, client: &str, user: &str) -> Result<(), AwsError> {
        self.cognito
            .forgot_password()
            .client_id(client)
            .username(user)
            .send()
            .await
            .during("cognito-idp:ForgotPassword")?;
        Ok(())
    }

    /// Sets a new password with the code.
    pub async fn confirm_forgot_password(
        &self,
        client: &str,
        user: &str,
        code: &str,
        password: &str,
    ) -> Result<(), AwsError> {
        self.cognito
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

    /// The status and attributes of a user of the pool; `None` where the pool does not know it.
    pub async fn user(
        &self,
        pool: &PoolId,
        user: &str,
    ) -> Result<Option<(String, HashMap<String, String>)>, AwsError> {
        let answer = self
            .cognito
            .admin_get_user()
            .user_pool_id(pool.as_str())
            .username(user)
            .send()
            .await
            .during("cognito-idp:AdminGetUser")
            .found()?;
        Ok(answer.map(|user| {
            let status = user
                .user_status
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default();
            let attributes = user
                .user_attributes
                .unwrap_or_default()
                .into_iter()
                .filter_map(|attribute| Some((attribute.name, attribute.value?)))
                .collect();
            (status, attributes)
        }))
    }
}
