//! The network interfaces of functions in a VPC. Lambda creates one per subnet with the permissions of the function's role, and
//! deletes it, with the same permissions, some time after the function and all of its versions have left the subnet. If the role
//! no longer exists by then, or lacks the permissions, the interface stays forever. One interface serves one function here; AWS
//! shares them between functions.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use super::policy::glob;
use crate::lock::lock;
use crate::wire::{Answer, Call, Refusal, Scope, Upstream};

/// The function that is changed, as opposed to its versions.
pub(super) const LATEST: &str = "$LATEST";

/// The subnets of a function's versions.
type Versions = BTreeMap<String, Vec<String>>;

pub(crate) struct Network {
    upstream: Arc<Upstream>,
    /// How long an interface outlives its last use.
    age: Duration,
    /// By account and name of the function.
    subnets: Mutex<BTreeMap<(String, String), Versions>>,
    interfaces: Arc<Mutex<Vec<Interface>>>,
}

#[derive(Clone)]
struct Interface {
    id: String,
    scope: Scope,
    function: String,
    /// The function's execution role, by name.
    role: String,
    subnet: String,
    groups: Vec<String>,
    in_use: bool,
}

impl Network {
    pub fn new(upstream: Arc<Upstream>, age: Duration) -> Self {
        Self {
            upstream,
            age,
            subnets: Mutex::default(),
            interfaces: Arc::default(),
        }
    }

    /// Rejects a network in which the role may not create interfaces.
    pub async fn check(&self, scope: &Scope, role: &Value, vpc: &Value) -> Result<(), Refusal> {
        let none = strings(&vpc["SubnetIds"]).is_empty();
        if none
            || may(
                &self.upstream,
                scope,
                &name_of(role),
                "ec2:CreateNetworkInterface",
            )
            .await
        {
            return Ok(());
        }
        Err(Refusal::new(
            "InvalidParameterValueException",
            "The provided execution role does not have permissions to call CreateNetworkInterface on EC2",
        ))
    }

    /// The function is in this network from now on, or in none.
    pub fn set(&self, scope: &Scope, function: &str, role: &Value, vpc: &Value) {
        let wanted = strings(&vpc["SubnetIds"]);
        {
            let mut interfaces = lock(&self.interfaces);
            for subnet in &wanted {
                let there = interfaces
                    .iter()
                    .any(|one| one.in_use && one.is_of(scope, function) && one.subnet == *subnet);
                if !there {
                    interfaces.push(Interface {
                        id: format!("eni-{:017x}", fastrand::u64(..)),
                        scope: scope.clone(),
                        function: function.to_owned(),
                        role: name_of(role),
                        subnet: subnet.clone(),
                        groups: strings(&vpc["SecurityGroupIds"]),
                        in_use: true,
                    });
                }
            }
        }
        let of = (scope.account.clone(), function.to_owned());
        let mut subnets = lock(&self.subnets);
        let versions = subnets.entry(of).or_default();
        versions.insert(LATEST.to_owned(), wanted);
        self.release(scope, function, versions);
    }

    /// A version has the network that the function had when it was published.
    pub fn freeze(&self, scope: &Scope, function: &str, version: &str) {
        let of = (scope.account.clone(), function.to_owned());
        let mut subnets = lock(&self.subnets);
        let versions = subnets.entry(of).or_default();
        if let Some(latest) = versions.get(LATEST).cloned() {
            versions.insert(version.to_owned(), latest);
        }
    }

    /// The function was deleted, or one of its versions.
    pub fn forget(&self, scope: &Scope, function: &str, version: Option<&str>) {
        let of = (scope.account.clone(), function.to_owned());
        let mut subnets = lock(&self.subnets);
        let versions = subnets.entry(of).or_default();
        match version {
            Some(version) => drop(versions.remove(version)),
            None => versions.clear(),
        }
        self.release(scope, function, versions);
    }

    /// Deletes the unused interfaces after a while.
    fn release(&self, scope: &Scope, function: &str, versions: &Versions) {
        for interface in lock(&self.interfaces).iter_mut() {
            let used = versions
                .values()
                .flatten()
                .any(|one| *one == interface.subnet);
            if used || !interface.in_use || !interface.is_of(scope, function) {
                continue;
            }
            interface.in_use = false;
            let (upstream, all) = (self.upstream.clone(), self.interfaces.clone());
            let (age, interface) = (self.age, interface.clone());
            tokio::spawn(async move {
                tokio::time::sleep(age).await;
                let (scope, role) = (&interface.scope, &interface.role);
                if may(&upstream, scope, role, "ec2:DeleteNetworkInterface").await {
                    lock(&all).retain(|one| one.id != interface.id);
                }
            });
        }
    }

    /// DescribeNetworkInterfaces, only for Lambda's interfaces.
    pub fn describe(&self, call: &Call) -> Answer {
        let form: BTreeMap<String, String> = call.form().collect();
        let named = |number: usize| form.get(&format!("Filter.{number}.Name"));
        let filters = (1..).map_while(|number| Some((number, named(number)?)));
        let filters: Vec<(&str, Vec<&str>)> = filters
            .map(|(number, name)| {
                let of = format!("Filter.{number}.Value.");
                let values = form.iter().filter(|(key, _)| key.starts_with(&of));
                (
                    name.as_str(),
                    values.map(|(_, value)| value.as_str()).collect(),
                )
            })
            .collect();
        let mut items = String::new();
        for one in lock(&self.interfaces).iter() {
            let description = one.description();
            let fits = |(name, values): &(&str, Vec<&str>)| {
                let found: Vec<&str> = match *name {
                    "description" => vec![&description],
                    "subnet-id" => vec![&one.subnet],
                    "group-id" => one.groups.iter().map(String::as_str).collect(),
                    "status" => vec![one.status()],
                    "interface-type" => vec!["lambda"],
                    _ => Vec::new(),
                };
                found
                    .iter()
                    .any(|found| values.iter().any(|value| glob(value, found)))
            };
            if one.scope == call.scope && filters.iter().all(fits) {
                let groups = one
                    .groups
                    .iter()
                    .map(|id| format!("<item><groupId>{id}</groupId></item>"));
                let _ = write!(
                    items,
                    "<item><networkInterfaceId>{}</networkInterfaceId><subnetId>{}</subnetId><description>{description}</description><interfaceType>lambda</interfaceType><status>{}</status><groupSet>{}</groupSet></item>",
                    one.id,
                    one.subnet,
                    one.status(),
                    groups.collect::<String>(),
                );
            }
        }
        Answer::xml(format!(
            "<DescribeNetworkInterfacesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><networkInterfaceSet>{items}</networkInterfaceSet></DescribeNetworkInterfacesResponse>"
        ))
    }
}

impl Interface {
    fn is_of(&self, scope: &Scope, function: &str) -> bool {
        self.scope == *scope && self.function == function
    }

    fn description(&self) -> String {
        format!("AWS Lambda VPC ENI-{}-{}", self.function, &self.id[4..])
    }

    fn status(&self) -> &'static str {
        match self.in_use {
            true => "in-use",
            false => "available",
        }
    }
}

async fn may(upstream: &Upstream, scope: &Scope, role: &str, action: &str) -> bool {
    let Scope { account, region } = scope;
    let question = json!({ "may": [account, role, region, action, "*", {}] });
    upstream.roles(&question).await.is_ok_and(|may| may == true)
}

fn name_of(role: &Value) -> String {
    let role = role.as_str().unwrap_or_default();
    role.rsplit('/').next().unwrap_or_default().to_owned()
}

fn strings(list: &Value) -> Vec<String> {
    let texts = list.as_array().into_iter().flatten();
    texts.filter_map(Value::as_str).map(str::to_owned).collect()
}
