//! What a test reads and changes in its account besides the program. Reads use the program's own code; changes use the SDK
//! directly, like another tool or the console.

use std::collections::BTreeMap;
use std::ops::Deref;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::{Architecture, Environment, FunctionCode, Runtime};
use jane_migrate::aws::{Connection, Reader};
use serde_json::Value;

/// Access to one account and Region.
#[derive(Debug)]
pub struct Aws {
    reader: Reader,
    lambda: aws_sdk_lambda::Client,
    iam: aws_sdk_iam::Client,
}

impl Deref for Aws {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl Aws {
    /// Connects with an access key (id, secret).
    pub async fn connect(endpoint: &str, region: &str, [id, secret]: [&str; 2]) -> Self {
        let connection = Connection {
            region: region.to_owned(),
            profile: None,
            role_arn: None,
            endpoint_url: Some(endpoint.to_owned()),
            timeout: None,
        };
        let reader = Reader::connect_as(&connection, [id, secret]).await;
        let keys = Credentials::new(id, secret, None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .endpoint_url(endpoint)
            .credentials_provider(SharedCredentialsProvider::new(keys))
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Self {
            reader,
            lambda: aws_sdk_lambda::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
        }
    }

    pub async fn tag_function(&self, arn: &str, tags: &BTreeMap<String, String>) {
        let call = self.lambda.tag_resource().resource(arn);
        let tags = tags.clone().into_iter().collect();
        call.set_tags(Some(tags)).send().await.expect("tagged");
    }

    pub async fn untag_function(&self, arn: &str, key: &str) {
        let call = self.lambda.untag_resource().resource(arn);
        call.tag_keys(key).send().await.expect("untagged");
    }

    pub async fn delete_function(&self, name: &str) {
        let call = self.lambda.delete_function().function_name(name);
        call.send().await.expect("deleted");
    }

    /// Creates a function as another tool would: from this zip, with the output of `settings --json`, a version and an alias.
    pub async fn make_function(&self, name: &str, role: &str, zip: Vec<u8>, settings: &Value) {
        let text = |key: &str| settings[key].as_str().expect("a text").to_owned();
        let number = |key: &str| i32::try_from(settings[key].as_i64().expect("a number"));
        let variables = settings["environment"].as_object().expect("variables");
        let variables = variables.iter();
        let variables = variables
            .map(|(name, value)| (name.clone(), value.as_str().expect("a text").to_owned()));
        let environment = Environment::builder().set_variables(Some(variables.collect()));
        self.lambda
            .create_function()
            .function_name(name)
            .role(role)
            .code(FunctionCode::builder().zip_file(Blob::new(zip)).build())
            .runtime(Runtime::from(&*text("runtime")))
            .handler(text("handler"))
            .architectures(Architecture::from(&*text("architecture")))
            .memory_size(number("memory_mb").expect("small"))
            .timeout(number("timeout_s").expect("small"))
            .environment(environment.build())
            .send()
            .await
            .expect("made");
        self.publish_as(name, "prod").await;
    }

    /// Publishes the function as it is and points an alias to it.
    async fn publish_as(&self, name: &str, alias: &str) {
        let version = loop {
            let call = self.lambda.publish_version().function_name(name);
            match call.send().await {
                Ok(published) => break published.version.expect("a version"),
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
            }
        };
        let call = self.lambda.create_alias().function_name(name).name(alias);
        call.function_version(version).send().await.expect("led");
    }

    /// Lets Cognito invoke what the pool calls, for the pools of `source_arn`.
    pub async fn add_permission(&self, name: &str, id: &str, source_arn: &str, account: &str) {
        self.lambda
            .add_permission()
            .function_name(name)
            .qualifier("live")
            .statement_id(id)
            .principal("cognito-idp.amazonaws.com")
            .action("lambda:InvokeFunction")
            .source_arn(source_arn)
            .source_account(account)
            .send()
            .await
            .expect("added");
    }

    /// Sets the description of the alias that the pool calls.
    pub async fn describe_alias(&self, name: &str, text: &str) {
        let call = self.lambda.update_alias().function_name(name).name("live");
        call.description(text).send().await.expect("described");
    }

    pub async fn remove_permission(&self, name: &str, id: &str) {
        let call = self.lambda.remove_permission().function_name(name);
        call.qualifier("live")
            .statement_id(id)
            .send()
            .await
            .expect("removed");
    }

    pub async fn set_trust(&self, role: &str, trust: &Value) {
        let call = self.iam.update_assume_role_policy().role_name(role);
        let call = call.policy_document(trust.to_string());
        call.send().await.expect("trusted");
    }

    pub async fn create_role(&self, role: &str, trust: &Value) {
        let call = self.iam.create_role().role_name(role);
        let call = call.assume_role_policy_document(trust.to_string());
        call.send().await.expect("created");
    }

    pub async fn put_role_policy(&self, role: &str, name: &str, policy: &Value) {
        let call = self.iam.put_role_policy().role_name(role);
        let call = call.policy_name(name).policy_document(policy.to_string());
        call.send().await.expect("put");
    }

    pub async fn delete_role_policy(&self, role: &str, name: &str) {
        let call = self.iam.delete_role_policy().role_name(role);
        call.policy_name(name).send().await.expect("deleted");
    }

    pub async fn delete_role(&self, role: &str) {
        let call = self.iam.delete_role().role_name(role);
        call.send().await.expect("deleted");
    }

    pub async fn tag_role(&self, role: &str, key: &str, value: &str) {
        let tag = Tag::builder().key(key).value(value).build().expect("a tag");
        let call = self.iam.tag_role().role_name(role).tags(tag);
        call.send().await.expect("tagged");
    }
}
