//! Requests and settings as JSON values: reading, completing and rejecting them, for several files.

use std::fmt::Display;

use serde_json::Value;

use crate::wire::Refusal;

/// The strings of a list.
pub(crate) fn strings(list: &Value) -> Vec<&str> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).collect()
}

/// A request without its nulls: AWS treats null as absent.
pub(crate) fn given(request: &Value) -> Value {
    let mut given = request.clone();
    if let Some(members) = given.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    given
}

/// Removes a field.
pub(crate) fn remove(object: &mut Value, name: &str) -> Option<Value> {
    object.as_object_mut()?.remove(name)
}

/// Adds the fields that are absent.
pub(crate) fn fill(object: &mut Value, defaults: Value) {
    if let (Some(members), Value::Object(defaults)) = (object.as_object_mut(), defaults) {
        for (name, value) in defaults {
            members.entry(name).or_insert(value);
        }
    }
}

/// A required text of a request.
pub(crate) fn required<'a>(request: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    let text = request[name].as_str();
    text.ok_or_else(|| missing(&lower_first(name)))
}

pub(crate) fn missing(path: &str) -> Refusal {
    Refusal::invalid(format!(
        "1 validation error detected: Value null at '{path}' failed to satisfy constraint: Member must not be null"
    ))
}

/// The refusal of a value that breaks a constraint of the API model.
pub(crate) fn violation(value: impl Display, path: &str, constraint: &str) -> Refusal {
    Refusal::invalid(format!(
        "1 validation error detected: Value '{value}' at '{path}' failed to satisfy constraint: {constraint}"
    ))
}

/// Rejects a value that is not in an enum of the API model.
pub(crate) fn one_of(value: &Value, path: &str, known: &[&str]) -> Result<(), Refusal> {
    match value.as_str() {
        Some(text) if known.contains(&text) => Ok(()),
        other => {
            let set = format!("Member must satisfy enum value set: [{}]", known.join(", "));
            Err(violation(other.unwrap_or("null"), path, &set))
        }
    }
}

/// The name of a field in validation errors.
pub(crate) fn lower_first(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|c| c.to_ascii_lowercase());
    first.into_iter().chain(chars).collect()
}
