//! A resource of another tool's code, before it is written down: a tree of settings by the tool's own names.

use serde_json::Value;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// A text.
    Text(String),
    /// Another value that all tools write alike: a number, a truth value.
    Plain(Value),
    /// Several.
    List(Vec<Node>),
    /// Settings by name.
    Map(Vec<(&'static str, Node)>),
    /// The same where Terraform has a block.
    Block(Vec<(&'static str, Node)>),
    /// Names and values that are not the tool's: variables, tags.
    Named(Vec<(String, String)>),
    /// A document of its own: a policy, a dashboard. CloudFormation takes some of them as they are.
    Document(Value),
    /// The same as one text.
    JsonText(Value),
    /// What another resource is: its name here, and the attribute; an empty one is the resource itself.
    Of(String, &'static str),
    /// The zip, as the tool reads it from its own folder.
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

    /// A value of JSON, whatever it is.
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
    /// What must be there before, and is not named by a setting.
    pub after: Vec<String>,
    /// It stays where the code no longer has it.
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

/// With those that are there.
pub(super) fn with(
    mut settings: Settings,
    more: impl IntoIterator<Item = Option<(&'static str, Node)>>,
) -> Settings {
    settings.extend(more.into_iter().flatten());
    settings
}
