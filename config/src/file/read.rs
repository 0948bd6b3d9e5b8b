//! Reads a table as one of the configuration's types, with serde, but without stopping at the first error.
//!
//! The types with their serde attributes are the only description of the file. toml's own deserializer stops at the first error,
//! finds unknown keys only in types that reject them, which would break the handler's JSON, and names no table in its messages.
//! The crates that collect errors keep no positions (deserr), read only JSON (eserde), or need a handwritten parser for each type
//! (toml-span). This deserializer over [`Table`] reports unknown keys and continues; at another error it reports that, repairs
//! its copy of the table by removing the wrong value or adding a placeholder for a missing key, and reads again.

use std::{fmt, ops::Range};

use serde::{
    Deserializer,
    de::{
        DeserializeOwned, DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor,
        value::{MapAccessDeserializer, SeqDeserializer, StrDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};
use toml::de::ValueDeserializer;

use super::{
    http::{ANSWERS, ANSWERS_KEY},
    secret::{self, SECRET_FORMS},
    table::{Entry, Node, Table, listed, nearest},
};
use crate::{Date, InvalidDate};

/// The placeholder for a missing text: every type of the file accepts it, also as the id of a pool.
const STAND_IN: &str = "x_0";

/// Reads a table. Each error is added to the report; the value then contains placeholders. `None` also means that there were
/// errors.
pub(super) fn read<T: DeserializeOwned>(table: &Table<'_, '_>) -> Option<T> {
    let mut root = Node::Table(table.clone());
    let mut removed = Vec::new();
    loop {
        let fault = match T::deserialize(&root) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        if let Node::Table(table) = &mut root {
            repair(table, fault, &mut removed)?;
        }
    }
}

/// Reports an error, and changes the table so that it does not occur again. None if that is impossible, because a placeholder
/// does not help.
fn repair(root: &mut Table<'_, '_>, fault: Fault, removed: &mut Vec<Vec<String>>) -> Option<()> {
    let (key, parents) = fault.path.split_first()?;
    let mut table = root;
    for parent in parents.iter().rev() {
        table = table.table_mut(parent)?;
    }
    let place = table.place();
    match (fault.what, table.get(key)) {
        (What::Missing, None) => {
            if !removed.contains(&fault.path) {
                table.problem(format_args!("`{key}` is missing in {place}"));
            }
            table.put(key, Node::StandIn);
            return Some(());
        }
        (What::Missing, Some(_)) | (_, None | Some(Node::StandIn)) => return None,
        (What::Wrong(span, message), Some(node)) => {
            let span = span.unwrap_or(node.span());
            // If a check has reported this value already, its message is better.
            if !table.has_problem(&span) {
                table.problem_at(span, format_args!("`{key}`{message}"));
            }
        }
        (What::NotTable(instead), Some(node)) => {
            table.problem_at(node.span(), format_args!("`{key}` in {place}: {instead}"));
        }
    }
    table.remove(key);
    removed.push(fault.path);
    Some(())
}

/// Why a value could not be read.
#[derive(Debug)]
pub(super) struct Fault {
    /// The path of keys to it, the last key first.
    path: Vec<String>,
    what: What,
}

#[derive(Debug)]
enum What {
    Missing,
    /// Its place, if it is not the whole value, and the message after the key.
    Wrong(Option<Range<usize>>, String),
    NotTable(&'static str),
}

impl Fault {
    fn at(mut self, key: &str) -> Self {
        self.path.push(key.to_owned());
        self
    }
}

impl From<What> for Fault {
    fn from(what: What) -> Self {
        let path = Vec::new();
        Self { path, what }
    }
}

impl From<toml::de::Error> for Fault {
    fn from(error: toml::de::Error) -> Self {
        What::Wrong(error.span(), format!(": {}", error.message())).into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.what)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // Our own types have messages with `must`.
        let colon = if message.starts_with("must ") {
            ""
        } else {
            ":"
        };
        What::Wrong(None, format!("{colon} {message}")).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Self::from(What::Missing).at(field)
    }
}

/// Reports the keys that a type with these fields does not have.
fn refuse_unknown(table: &Table<'_, '_>, fields: &[&str]) {
    let in_file = |field| match field {
        ANSWERS_KEY => ANSWERS.to_vec(),
        field => vec![field],
    };
    let known: Vec<_> = fields.iter().copied().flat_map(in_file).collect();
    for Entry { key, key_span, .. } in table.entries() {
        if fields.contains(&key.as_str()) {
            continue;
        }
        let hint = nearest(key, known.iter().copied()).map_or_else(
            || format!("known are {}", listed(&known)),
            |nearest| format!("did you mean `{nearest}`?"),
        );
        let message = format!("unknown key `{key}` in {}; {hint}", table.place());
        table.problem_at(key_span.clone(), message);
    }
}

impl<'de> Deserializer<'de> for &'de Node<'_, 'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Table(table) => visitor.visit_map(Reading::of(table, |_| true)),
            Node::Value(value) => {
                Ok(ValueDeserializer::from(value.clone()).deserialize_any(visitor)?)
            }
            Node::StandIn => visitor.visit_str(STAND_IN),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let Node::Table(table) = self else {
            return Err(What::NotTable("must be a table").into());
        };
        refuse_unknown(table, fields);
        visitor.visit_map(Reading::of(table, |key| fields.contains(&key)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::Table(_) => self.deserialize_any(visitor),
            _ => Err(What::NotTable("must be a table").into()),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == "Secret" {
            // The file has its fields in one table.
            let json = match self {
                Node::Table(table) => secret::as_json(table, read(table).unwrap_or_default()),
                Node::Value(_) => return Err(What::NotTable(SECRET_FORMS).into()),
                Node::StandIn => serde_json::json!({ "env": STAND_IN }),
            };
            let secret = json.deserialize_enum(name, variants, visitor);
            return secret.map_err(Fault::custom);
        }
        match self {
            Node::Table(table) if name == "Directory" => {
                let variant = Reading::of(table, |key| variants.contains(&key));
                visitor.visit_enum(MapAccessDeserializer::new(variant))
            }
            Node::Value(value) if value.get_ref().is_str() => {
                let value = ValueDeserializer::from(value.clone());
                let read = value.deserialize_enum(name, variants, visitor);
                match (name, read) {
                    ("HashFormat", Err(error)) => Err(Fault::custom(format_args!(
                        "{}; docs/from-sql.md lists them by framework",
                        error.message()
                    ))),
                    (_, read) => Ok(read?),
                }
            }
            Node::Table(_) | Node::Value(_) => {
                let variants = listed(variants);
                Err(Fault::custom(format_args!("expected one of {variants}")))
            }
            Node::StandIn => {
                let first: StrDeserializer<'_, Fault> = variants[0].into_deserializer();
                first.deserialize_enum(name, variants, visitor)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name != "Date" {
            return visitor.visit_newtype_struct(self);
        }
        // TOML has dates; in JSON they are texts.
        let date = match self {
            Node::Value(value) => {
                let quoted = value.get_ref().as_str();
                if let Some(date) = quoted.filter(|text| text.parse::<Date>().is_ok()) {
                    let remedy = format!("a date is written without quotes: {date}");
                    return Err(Fault::custom(remedy));
                }
                value.get_ref().as_datetime()
            }
            _ => None,
        };
        let text = date.ok_or(Fault::custom(InvalidDate))?.to_string();
        let text: StringDeserializer<Fault> = text.into_deserializer();
        visitor.visit_newtype_struct(text)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::StandIn => visitor.visit_seq(SeqDeserializer::new(std::iter::empty::<()>())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct tuple tuple_struct
        identifier
    }
}

/// The entries of a table in sequence.
struct Reading<'t> {
    entries: std::vec::IntoIter<(&'t str, &'t Node<'t, 't>)>,
    value: Option<(&'t str, &'t Node<'t, 't>)>,
}

impl<'t> Reading<'t> {
    fn of(table: &'t Table<'_, 't>, wanted: impl Fn(&str) -> bool) -> Self {
        let entries = table.entries().iter();
        let entries = entries.map(|entry| (entry.key.as_str(), &entry.node));
        let entries: Vec<_> = entries.filter(|(key, _)| wanted(key)).collect();
        Self {
            entries: entries.into_iter(),
            value: None,
        }
    }
}

impl<'de> MapAccess<'de> for Reading<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.value = self.entries.next();
        let key = self.value.map(|(key, _)| key.into_deserializer());
        key.map(|key: StrDeserializer<'_, Fault>| seed.deserialize(key))
            .transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let (key, node) = self.value.ok_or(Fault::custom("a value without a key"))?;
        seed.deserialize(node).map_err(|fault| fault.at(key))
    }
}
