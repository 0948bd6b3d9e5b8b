//! Terraform's resources in HCL.

use serde_json::Value;

use super::model::ZIP;
use super::node::{Node, Resource, Settings};

pub(super) fn terraform(resources: &[Resource]) -> String {
    let kind = |name: &str| {
        let named = resources.iter().find(|one| one.name == name);
        named.map(|one| one.kind).unwrap_or_default()
    };
    let mut out = String::new();
    for resource in resources {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(&format!(
            "resource \"{}\" \"{}\" {{\n",
            resource.kind, resource.name
        ));
        settings(&mut out, 2, &resource.settings, &kind);
        if !resource.after.is_empty() {
            let after = resource.after.iter();
            let after: Vec<String> = after.map(|name| format!("{}.{name}", kind(name))).collect();
            out.push_str(&format!("  depends_on = [{}]\n", after.join(", ")));
        }
        out.push_str("}\n");
    }
    out
}

fn settings(
    out: &mut String,
    indent: usize,
    settings_: &Settings,
    kind: &dyn Fn(&str) -> &'static str,
) {
    for (name, node) in settings_ {
        if let Node::Block(members) = node {
            out.push_str(&format!("{:indent$}{name} {{\n", ""));
            settings(out, indent + 2, members, kind);
            out.push_str(&format!("{:indent$}}}\n", ""));
        } else {
            let value = value(node, indent, kind);
            out.push_str(&format!("{:indent$}{name} = {value}\n", ""));
        }
    }
}

fn value(node: &Node, indent: usize, kind: &dyn Fn(&str) -> &'static str) -> String {
    match node {
        Node::Text(value) => text(value),
        Node::Plain(value) => value.to_string(),
        Node::List(nodes) => {
            let nodes: Vec<String> = nodes.iter().map(|node| value(node, indent, kind)).collect();
            format!("[{}]", nodes.join(", "))
        }
        Node::Named(named) => {
            let named: String = named
                .iter()
                .map(|(name, value)| {
                    format!("{:1$}{2} = {3}\n", "", indent + 2, text(name), text(value))
                })
                .collect();
            format!("{{\n{named}{:indent$}}}", "")
        }
        Node::Map(members) | Node::Block(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, node)| format!("{name} = {}", value(node, indent, kind)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Node::Document(value) | Node::JsonText(value) => {
            format!("jsonencode({})", json(value, indent))
        }
        Node::Of(name, "") => format!("{}.{name}", kind(name)),
        Node::Of(name, attribute) => format!("{}.{name}.{attribute}", kind(name)),
        Node::Zip => format!("\"${{path.module}}/{ZIP}\""),
    }
}

/// A document in HCL syntax.
fn json(value: &Value, indent: usize) -> String {
    let inner = indent + 2;
    match value {
        Value::Object(members) => {
            let members: String = members
                .iter()
                .map(|(name, value)| {
                    format!("{:inner$}{} = {}\n", "", text(name), json(value, inner))
                })
                .collect();
            format!("{{\n{members}{:indent$}}}", "")
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            let values: String = values
                .iter()
                .map(|value| format!("{:inner$}{},\n", "", json(value, inner)))
                .collect();
            format!("[\n{values}{:indent$}]", "")
        }
        Value::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| json(value, inner)).collect();
            format!("[{}]", values.join(", "))
        }
        Value::String(value) => text(value),
        other => other.to_string(),
    }
}

/// A string: JSON's escapes, with HCL's templates escaped.
fn text(value: &str) -> String {
    let quoted = Value::from(value).to_string();
    quoted.replace("${", "$${").replace("%{", "%%{")
}
