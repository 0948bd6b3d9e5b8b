//! CloudFormation's resources as YAML: for CloudFormation itself, SAM and the Serverless Framework.

use serde_json::Value;

use super::cloudformation::{ALIAS, BUCKET, FUNCTION, KEY};
use super::model::{Whole, ZIP};
use super::node::{Node, Resource, Settings};

pub(super) fn cloudformation(resources: &[Resource], whole: &Whole<'_>) -> String {
    let parameters = format!(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nDescription: {}\nParameters:\n  {BUCKET}:\n    Type: String\n    Description: The bucket that holds the zip\n  {KEY}:\n    Type: String\n    Description: The zip in it\n    Default: {}\n",
        text(&format!("User migration of {}", whole.names.pool.id)),
        text(&whole.code_key()),
    );
    let refer = |name: &str, attribute: &str| refer(name, attribute);
    let outputs = format!(
        "Outputs:\n  FunctionArn:\n    Value: {}\n",
        refer(ALIAS, "")
    );
    parameters + &all(resources, 0, &refer) + &outputs
}

pub(super) fn sam(resources: &[Resource], whole: &Whole<'_>) -> String {
    let head = format!(
        "AWSTemplateFormatVersion: \"2010-09-09\"\nTransform: AWS::Serverless-2016-10-31\nDescription: {}\n",
        text(&format!("User migration of {}", whole.names.pool.id)),
    );
    let outputs = format!(
        "Outputs:\n  FunctionArn:\n    Value: {}\n",
        refer(&format!("{FUNCTION}.Alias"), "")
    );
    head + &all(resources, 0, &refer) + &outputs
}

pub(super) fn serverless(resources: &[Resource], whole: &Whole<'_>) -> String {
    // The framework has its own parameters.
    let refer = |name: &str, attribute: &str| match name {
        BUCKET => "${param:codeBucket}".to_owned(),
        KEY => text(&whole.code_key()),
        _ => refer(name, attribute),
    };
    format!("resources:\n{}", all(resources, 2, &refer))
}

/// A reference to another resource.
fn refer(name: &str, attribute: &str) -> String {
    match attribute {
        "" => format!("!Ref {name}"),
        attribute => format!("!GetAtt {name}.{attribute}"),
    }
}

/// How references are written.
type Refer<'a> = &'a dyn Fn(&str, &str) -> String;

fn all(resources: &[Resource], indent: usize, refer: Refer<'_>) -> String {
    let mut lines = Lines {
        out: String::new(),
        refer,
    };
    lines.line(indent, "Resources:");
    for resource in resources {
        lines.line(indent + 2, &format!("{}:", resource.name));
        let at = indent + 4;
        lines.line(at, &format!("Type: {}", resource.kind));
        if let [one] = &resource.after[..] {
            lines.line(at, &format!("DependsOn: {one}"));
        }
        if resource.retained {
            lines.line(at, "DeletionPolicy: Retain");
            lines.line(at, "UpdateReplacePolicy: Retain");
        }
        lines.line(at, "Properties:");
        lines.settings(at + 2, &resource.settings);
    }
    lines.out
}

struct Lines<'a> {
    out: String,
    refer: Refer<'a>,
}

impl Lines<'_> {
    fn line(&mut self, indent: usize, line: &str) {
        self.out.push_str(&format!("{:indent$}{line}\n", ""));
    }

    fn settings(&mut self, indent: usize, settings: &Settings) {
        for (name, node) in settings {
            self.node(indent, &format!("{name}:"), node);
        }
    }

    /// Writes a node behind `head`: a name, or the dash of a list.
    fn node(&mut self, indent: usize, head: &str, node: &Node) {
        let line = match node {
            Node::Text(value) => text(value),
            Node::Plain(value) => value.to_string(),
            Node::JsonText(value) => text(&value.to_string()),
            Node::Of(name, attribute) => (self.refer)(name, attribute),
            Node::Zip => text(ZIP),
            Node::List(nodes) => {
                self.line(indent, head);
                for node in nodes {
                    self.node(indent + 2, "-", node);
                }
                return;
            }
            Node::Map(settings) | Node::Block(settings) => {
                let settings: Vec<(String, Node)> = settings
                    .iter()
                    .map(|(name, node)| ((*name).to_owned(), node.clone()))
                    .collect();
                return self.map(indent, head, settings);
            }
            Node::Named(named) => {
                let named = named.iter();
                let named = named.map(|(name, value)| (name.clone(), Node::text(value)));
                return self.map(indent, head, named.collect());
            }
            Node::Document(Value::Object(members)) => {
                let members = members.iter();
                let members =
                    members.map(|(name, value)| (name.clone(), Node::Document(value.clone())));
                return self.map(indent, head, members.collect());
            }
            Node::Document(Value::Array(values)) => {
                let values = values.iter().map(|value| Node::Document(value.clone()));
                return self.node(indent, head, &Node::List(values.collect()));
            }
            Node::Document(Value::String(value)) => text(value),
            Node::Document(value) => value.to_string(),
        };
        self.line(indent, &format!("{head} {line}"));
    }

    fn map(&mut self, indent: usize, head: &str, members: Vec<(String, Node)>) {
        // In a list, the first field is on the line of the dash.
        if head == "-" {
            let mut first = true;
            for (name, node) in members {
                let at = if first { "- " } else { "" };
                first = false;
                let inner = indent + 2 - at.len();
                let head = format!("{at}{}:", key(&name));
                self.member(inner, indent + 2, &head, &node);
            }
            return;
        }
        self.line(indent, head);
        for (name, node) in members {
            self.node(indent + 2, &format!("{}:", key(&name)), &node);
        }
    }

    /// A field whose head begins at `indent` and whose own fields are below `column`.
    fn member(&mut self, indent: usize, column: usize, head: &str, node: &Node) {
        let begun = self.out.len();
        self.node(column, "HEAD", node);
        let written = self.out.split_off(begun);
        let was = format!("{:column$}HEAD", "");
        let now = format!("{:indent$}{head}", "");
        self.out.push_str(&written.replacen(&was, &now, 1));
    }
}

fn key(name: &str) -> String {
    text(name)
}

/// A text, without quotes if every reader takes it for a text.
fn text(value: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "_-./:@".contains(c);
    let word = value.to_ascii_lowercase();
    let known = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let plain = value.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && value.chars().all(safe)
        && !value.ends_with(':')
        && !known.contains(&&*word);
    match plain {
        true => value.to_owned(),
        // JSON's strings are also valid in YAML.
        false => Value::from(value).to_string(),
    }
}
