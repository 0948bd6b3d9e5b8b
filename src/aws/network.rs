//! The network interfaces that Lambda made for a function in a VPC.

use serde_json::{Value, json};

use super::Reader;
use super::service::{self, Protocol, Service};
use jane_migrate_core::aws_error::AwsError;

const EC2: Service = Service {
    signed_as: "ec2",
    id: "EC2",
    protocol: Protocol::Query {
        version: "2016-11-15",
    },
};

/// One of these interfaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    /// Its id, such as `eni-0123456789abcdef0`.
    pub id: String,
    /// `in-use`, or `available` after Lambda has released it.
    pub status: String,
}

impl Reader {
    /// The interfaces of the function. Lambda names the function only in their descriptions.
    pub(crate) async fn interfaces(&self, function: &str) -> Result<Vec<Interface>, AwsError> {
        let asked = json!({
            "Filter.1.Name": "description",
            "Filter.1.Value.1": format!("AWS Lambda VPC ENI-{function}-*"),
        });
        let region = self.config.region().map(AsRef::as_ref).unwrap_or_default();
        let action = "ec2:DescribeNetworkInterfaces";
        let answer = service::ask(&self.config, &EC2, action, region, asked).await?;
        // A function has at most one for each of its sixteen subnets, and a page holds a thousand.
        let listed = answer["networkInterfaceSet"].as_array();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(listed
            .into_iter()
            .flatten()
            .map(|one| Interface {
                id: text(&one["networkInterfaceId"]),
                status: text(&one["status"]),
            })
            .collect())
    }
}
