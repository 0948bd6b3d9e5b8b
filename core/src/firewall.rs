//! The AWS WAF web ACL of a pool, as far as it limits the requests of one address: the parsed response of `GetWebACLForResource`.

use serde_json::Value;

/// A web ACL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebAcl {
    /// Its name.
    pub name: String,
    /// Its own rules that block an address, or another key, with too many requests.
    pub limits: Vec<String>,
    /// Whether it uses rule groups of the account or of Firewall Manager, whose rules are in separate documents.
    pub groups: bool,
}

impl WebAcl {
    /// Reads a web ACL.
    pub fn read(acl: &Value) -> Self {
        let rules = |member: &str| acl[member].as_array().into_iter().flatten();
        let managed = ["PreProcess", "PostProcess"]
            .into_iter()
            .flat_map(|when| rules(&format!("{when}FirewallManagerRuleGroups")));
        let groups =
            rules("Rules").filter(|rule| has(&rule["Statement"], "RuleGroupReferenceStatement"));
        let in_force = |group: &Value| !has(&group["OverrideAction"], "Count");
        Self {
            name: text(&acl["Name"]),
            limits: rules("Rules")
                .filter(|rule| has(&rule["Statement"], "RateBasedStatement"))
                .filter(|rule| !has(&rule["Action"], "Count") && !has(&rule["Action"], "Allow"))
                .map(|rule| text(&rule["Name"]))
                .collect(),
            groups: managed.chain(groups).any(in_force),
        }
    }
}

fn has(value: &Value, member: &str) -> bool {
    value.get(member).is_some_and(Value::is_object)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with_rule(statement: Value, decision: Value) -> WebAcl {
        let mut rule = json!({ "Name": "r", "Statement": statement });
        rule.as_object_mut()
            .unwrap()
            .extend(decision.as_object().unwrap().clone());
        WebAcl::read(&json!({ "Name": "shop", "Rules": [rule] }))
    }

    #[test]
    fn a_rate_based_rule_limits_unless_it_only_counts_or_allows() {
        let rate = json!({ "RateBasedStatement": { "Limit": 100, "AggregateKeyType": "IP" } });
        for (action, limits) in [
            ("Block", true),
            ("Captcha", true),
            ("Challenge", true),
            ("Count", false),
            ("Allow", false),
        ] {
            let acl = with_rule(rate.clone(), json!({ "Action": { action: {} } }));
            assert_eq!(!acl.limits.is_empty(), limits, "{action}");
            assert!(!acl.groups);
        }
        let geo = json!({ "GeoMatchStatement": { "CountryCodes": ["US"] } });
        let acl = with_rule(geo, json!({ "Action": { "Block": {} } }));
        assert!(acl.limits.is_empty() && !acl.groups);
    }

    #[test]
    fn rule_groups_may_limit_unless_their_actions_are_overridden() {
        let group = json!({ "RuleGroupReferenceStatement": { "ARN": "a" } });
        assert!(with_rule(group.clone(), json!({ "OverrideAction": { "None": {} } })).groups);
        assert!(!with_rule(group, json!({ "OverrideAction": { "Count": {} } })).groups);
        // AWS's own rule groups for user pools have no such limit.
        let aws = json!({ "ManagedRuleGroupStatement": { "VendorName": "AWS", "Name": "AWSManagedRulesBotControlRuleSet" } });
        assert!(!with_rule(aws, json!({ "OverrideAction": { "None": {} } })).groups);
        let of_manager = json!({ "Name": "shop", "Rules": [], "PreProcessFirewallManagerRuleGroups": [{ "Name": "g", "OverrideAction": { "None": {} } }] });
        assert!(WebAcl::read(&of_manager).groups);
    }
}
