//! AWS WAF: the web ACL of a pool.

use serde_json::json;

use super::client::Reader;
use super::service::{Protocol, Service, ask};
use jane_migrate_core::aws_error::AwsError;
use jane_migrate_core::firewall::WebAcl;
use jane_migrate_core::ids::PoolArn;

const WAF: Service = Service {
    signed_as: "wafv2",
    id: "WAFV2",
    protocol: Protocol::Json {
        version: "1.1",
        target: "AWSWAF_20190729",
    },
};

impl Reader {
    /// The web ACL that is associated with the pool.
    pub(crate) async fn web_acl(&self, pool: &PoolArn) -> Result<Option<WebAcl>, AwsError> {
        let asked = json!({ "ResourceArn": pool.to_string() });
        let action = "wafv2:GetWebACLForResource";
        match ask(&self.config, &WAF, action, &pool.region, asked).await {
            // AWS omits the field if there is no web ACL; emulators return this error.
            Err(error) if error.code == "WAFNonexistentItemException" => Ok(None),
            answer => Ok(answer?.get("WebACL").map(WebAcl::read)),
        }
    }
}
