//! A resource in another tool's code, before it is written: a tree of settings with the tool's own names.

use serde_json::Value;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A text.
    Text(String),
    /// Another value that all tools write in the same way: a number, a boolean.
    Plain(Value),
    /// A list.
    List(Vec<Node>),
    /// Settings by name.
    Map(Vec<(&'static str, Node)>),
    /// The same if Terraform has a block for it.
    Block(Vec<(&'static str, Node)>),
    /// Names and values that do not belong to the tool: variables, tags.
    Named(Vec<(String, String)>),
    /// A document of its own: a policy, a dashboard. CloudFormation accepts some of them as objects.
    Document(Value),
    /// A document as one string.
    JsonText(Value),
    /// A reference to another resource: its name here, and the attribute; empty for the resource itself.
    Of(String, &'static str),
    /// The zip, which the tool reads from its own folder.
    Zip,
}

impl Node {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(number: impl Into<Value>) -> Self {
        Self::Plain(number.into())
    }

    pub(super) fn texts<'a>(texts: impl IntoIterator<Item = &'a String>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// Any JSON value.
    pub(super) fn json(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(values) => Self::List(values.iter().map(Self::json).collect()),
            other => Self::Plain(other.clone()),
        }
    }
}

/// Settings by name.
pub(super) type Settings = Vec<(&'static str, Node)>;

/// A resource.
#[derive(Debug, Clone)]
pub(super) struct Resource {
    /// Its name in the code.
    pub name: String,
    /// Its type, by the tool's name.
    pub kind: &'static str,
    pub settings: Settings,
    /// The resources that must exist before, and that no setting refers to.
    pub after: Vec<String>,
    /// It is kept when the code no longer contains it.
    pub retained: bool,
}

impl Resource {
    pub(super) fn new(name: impl Into<String>, kind: &'static str, settings: Settings) -> Self {
        Self {
            name: name.into(),
            kind,
            settings,
            after: Vec::new(),
            retained: false,
        }
    }

    pub(super) fn after(self, others: impl IntoIterator<Item = String>) -> Self {
        Self {
            after: others.into_iter().collect(),
            ..self
        }
    }
}

/// Adds the settings that have a value.
pub(super) fn with(
    mut settings: Settings,
    more: impl IntoIterator<Item = Option<(&'static str, Node)>>,
) -> Settings {
    settings.extend(more.into_iter().flatten());
    settings
}
