//! Checks `[on_migrated]` in the file: exactly one kind of notification is set, and the settings fit together.

use toml::de::DeValue;

use super::{
    check,
    directory::DATABASES,
    table::{Node, Table},
};

/// The kinds of notification.
const WAYS: [&str; 4] = ["statement", "url", "queue", "event_bus"];

/// The kinds that each other key belongs to.
const OF: [(&str, &[&str]); 7] = [
    ("value", &["statement"]),
    ("method", &["url"]),
    ("headers", &["url"]),
    ("secrets", &["url"]),
    ("ca_certificate", &["url"]),
    ("json", &["url", "queue", "event_bus"]),
    ("kms_key", &["queue"]),
];

/// Checks each value of the table, and that they fit together. `kind` is the directory's.
pub(super) fn check(table: &Table<'_, '_>, kind: Option<&str>) {
    let ways: Vec<_> = WAYS.into_iter().filter(|way| table.has(way)).collect();
    if ways.len() != 1 {
        table.problem(format_args!(
            "[on_migrated] needs one of `statement`, `url`, `queue` and `event_bus`, and has {}",
            ways.len()
        ));
    }
    if let [way] = ways[..] {
        for (key, of) in OF {
            if let (Some(node), false) = (table.get(key), of.contains(&way)) {
                let of = of.join("` and `");
                let message = format_args!("`{key}` in [on_migrated] is for `{of}`");
                table.problem_at(node.span(), message);
            }
        }
    }
    if let (Some(node), Some(kind)) = (table.get("statement"), kind)
        && !DATABASES.contains(&kind)
    {
        table.problem_at(
            node.span(),
            "`statement` in [on_migrated] is for `kind = \"postgres\"` and `kind = \"mysql\"`; use `url`, `queue` or `event_bus`",
        );
    }
    let placeholder = if kind == Some("mysql") { "?" } else { "$1" };
    table.text("statement", |text| check::statement(text, placeholder));
    table.text("value", check::told_openly);
    table.text("url", |text| {
        check::told_openly(text)?;
        check::url_template(text)
    });
    table.map("headers", |name, value| {
        check::header_name(name)?;
        check::told(value)
    });
    table.text("ca_certificate", check::pem);
    table.text("kms_key", check::kms_key);
    table.text("queue", |arn| {
        check::arn(
            arn,
            "sqs",
            "",
            "arn:aws:sqs:us-east-1:123456789012:migrated",
        )
    });
    table.text("event_bus", |arn| {
        let example = "arn:aws:events:us-east-1:123456789012:event-bus/default";
        check::arn(arn, "events", "event-bus/", example)
    });
    table.range("timeout_ms", 100..=4500);
    if table.str("method") == Some("GET") && table.has("json") {
        table.problem("[on_migrated] is a GET and has no body");
    }
    if let Some(node) = table.get("json") {
        body(table, node);
    }
    secrets(table);
}

/// The strings of a body are templates. Other people read it, so it contains no secret.
fn body(table: &Table<'_, '_>, node: &Node<'_, '_>) {
    let mut texts = Vec::new();
    strings(node, &mut texts);
    for text in texts {
        table.checked("json", node.span(), check::told_openly(&text));
    }
}

fn strings(node: &Node<'_, '_>, into: &mut Vec<String>) {
    match node {
        Node::Table(table) => {
            for entry in table.entries() {
                strings(&entry.node, into);
            }
        }
        Node::Value(value) => of_value(value.get_ref(), into),
        Node::StandIn => {}
    }
}

fn of_value(value: &DeValue<'_>, into: &mut Vec<String>) {
    match value {
        DeValue::String(text) => into.push(text.to_string()),
        DeValue::Array(items) => {
            for item in items.iter() {
                of_value(item.get_ref(), into);
            }
        }
        DeValue::Table(table) => {
            for value in table.values() {
                of_value(value.get_ref(), into);
            }
        }
        _ => {}
    }
}

/// Every secret in a header is defined.
fn secrets(table: &Table<'_, '_>) {
    let named = |key: &str| table.table("secrets").is_some_and(|named| named.has(key));
    let headers = table.table("headers").into_iter();
    for entry in headers.flat_map(Table::entries) {
        let Node::Value(value) = &entry.node else {
            continue;
        };
        let text = value.get_ref().as_str().unwrap_or_default();
        let keys = text.split("{secrets.").skip(1);
        for key in keys.filter_map(|rest| rest.split('}').next()) {
            if !named(key) {
                table.problem_at(
                    value.span(),
                    format_args!(
                        "[on_migrated] uses {{secrets.{key}}}: add `{key} = {{ ssm = \"/...\" }}` under [on_migrated.secrets]"
                    ),
                );
            }
        }
    }
}
