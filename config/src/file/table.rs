//! Reading one table of the file: typed access by key, every problem noted with its place, no key overlooked.

use std::{
    collections::BTreeMap,
    fmt::Display,
    ops::{Range, RangeInclusive},
};

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue, ValueDeserializer},
};

use super::error::Report;

/// A table that is being read. Cloned, it can be read again with other entries laid over it. Reading goes on after a problem, with a stand-in for the value, to find the others too.
#[derive(Clone)]
pub(super) struct Table<'r, 'i> {
    name: String,
    header: Range<usize>,
    entries: Vec<(Spanned<DeString<'i>>, Spanned<DeValue<'i>>)>,
    asked: Vec<&'static str>,
    report: &'r Report,
}

impl<'r, 'i> Table<'r, 'i> {
    /// The whole document.
    pub(super) fn root(document: Spanned<DeTable<'i>>, report: &'r Report) -> Self {
        Self::new(String::new(), document, report)
    }

    fn new(name: String, table: Spanned<DeTable<'i>>, report: &'r Report) -> Self {
        let header = table.span();
        Self {
            name,
            header,
            entries: table.into_inner().into_iter().collect(),
            asked: Vec::new(),
            report,
        }
    }

    /// The table with another's entries in place of its own of the same keys. What a table is about, such as its kind, cannot be
    /// overridden alone: with another `key` the other table stands for itself.
    pub(super) fn overlaid(mut self, over: Self, key: &str) -> Self {
        if over.has(key) {
            return over;
        }
        self.entries.retain(|(name, _)| !over.has(name.get_ref()));
        self.entries.extend(over.entries);
        Self {
            name: over.name,
            header: over.header,
            ..self
        }
    }

    /// Notes a problem with the table as a whole.
    pub(super) fn problem(&self, message: impl Display) {
        self.report.add(self.header.clone(), format!("{message}"));
    }

    /// Where the table begins.
    pub(super) fn span(&self) -> Range<usize> {
        self.header.clone()
    }

    /// Notes a problem with what stands elsewhere.
    pub(super) fn problem_at(&self, span: Range<usize>, message: impl Display) {
        self.report.add(span, format!("{message}"));
    }

    /// How messages call the table.
    pub(super) fn place(&self) -> String {
        if self.name.is_empty() {
            "the file".to_owned()
        } else {
            format!("[{}]", self.name)
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Spanned<DeValue<'i>>> {
        self.asked.push(key);
        let index = self
            .entries
            .iter()
            .position(|(name, _)| name.get_ref() == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Whether the key is there and not read yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.get_ref() == key)
    }

    fn child_name(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    /// The value of a key, of any type serde can read.
    pub(super) fn get<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.checked(key, |_| Ok(()))
    }

    /// The value of a key, if the check takes it.
    pub(super) fn checked<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&T) -> Result<(), String>,
    ) -> Option<T> {
        let value = self.take(key)?;
        self.typed(key, value, check)
    }

    fn typed<T: DeserializeOwned>(
        &self,
        key: &str,
        value: Spanned<DeValue<'i>>,
        check: impl FnOnce(&T) -> Result<(), String>,
    ) -> Option<T> {
        let span = value.span();
        match T::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => match check(&value) {
                Ok(()) => Some(value),
                Err(message) => {
                    self.report.add(span, format!("`{key}` {message}"));
                    None
                }
            },
            Err(error) => {
                let span = error.span().unwrap_or(span);
                self.report
                    .add(span, format!("`{key}`: {}", error.message()));
                None
            }
        }
    }

    /// The value of a key that must be there.
    pub(super) fn required<T: DeserializeOwned + Default>(
        &mut self,
        key: &'static str,
        check: impl FnOnce(&T) -> Result<(), String>,
    ) -> T {
        self.require(key);
        self.checked(key, check).unwrap_or_default()
    }

    /// Notes a problem if the key is not there.
    pub(super) fn require(&mut self, key: &'static str) {
        if !self.has(key) {
            self.problem(format_args!("`{key}` is missing in {}", self.place()));
        }
    }

    /// A whole number within a range.
    pub(super) fn integer<T: TryFrom<i64>>(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let within = |number: &i64| match range.contains(number) {
            true => Ok(()),
            false => Err(format!(
                "must be between {} and {}, not {number}",
                range.start(),
                range.end()
            )),
        };
        self.checked(key, within)
            .and_then(|number: i64| T::try_from(number).ok())
    }

    /// A list of texts, each of which the check must take.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Option<Vec<String>> {
        let items: Vec<Spanned<String>> = self.get(key)?;
        for item in &items {
            if let Err(message) = check(item.get_ref()) {
                self.report.add(item.span(), format!("`{key}` {message}"));
            }
        }
        Some(items.into_iter().map(Spanned::into_inner).collect())
    }

    /// A table below this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Table<'r, 'i>> {
        self.table_or(key, "must be a table")
    }

    /// A table below this one; the message is for whatever else stands there, which is not quoted.
    pub(super) fn table_or(&mut self, key: &'static str, otherwise: &str) -> Option<Table<'r, 'i>> {
        let value = self.take(key)?;
        self.open(key, value, otherwise)
    }

    /// Tables below this one: one, or an array of them.
    pub(super) fn tables(&mut self, key: &'static str) -> Vec<Table<'r, 'i>> {
        let Some(value) = self.take(key) else {
            return Vec::new();
        };
        let span = value.span();
        let values = match value.into_inner() {
            DeValue::Array(array) => array.into_iter().collect(),
            other => vec![Spanned::new(span, other)],
        };
        values
            .into_iter()
            .filter_map(|value| self.open(key, value, "must be a table"))
            .collect()
    }

    fn open(
        &self,
        key: &str,
        value: Spanned<DeValue<'i>>,
        otherwise: &str,
    ) -> Option<Table<'r, 'i>> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => Some(Self::new(
                self.child_name(key),
                Spanned::new(span, table),
                self.report,
            )),
            _ => {
                self.report
                    .add(span, format!("`{key}` in {}: {otherwise}", self.place()));
                None
            }
        }
    }

    /// A table below this one whose keys are the user's own.
    pub(super) fn map<T: DeserializeOwned>(
        &mut self,
        key: &'static str,
        check: impl Fn(&str, &T) -> Result<(), String>,
    ) -> BTreeMap<String, T> {
        self.table(key)
            .map(|table| table.into_map(check))
            .unwrap_or_default()
    }

    /// All of this table, whose keys are the user's own.
    pub(super) fn into_map<T: DeserializeOwned>(
        mut self,
        check: impl Fn(&str, &T) -> Result<(), String>,
    ) -> BTreeMap<String, T> {
        let entries = std::mem::take(&mut self.entries);
        let read = entries.into_iter().filter_map(|(name, value)| {
            let name = name.into_inner();
            let value = self.typed(&name, value, |value| check(&name, value))?;
            Some((name.into_owned(), value))
        });
        read.collect()
    }

    /// Like [`Table::map`], for values that are tables.
    pub(super) fn map_of_tables<T>(
        &mut self,
        key: &'static str,
        otherwise: &str,
        read: impl Fn(Table<'r, 'i>) -> T,
    ) -> BTreeMap<String, T> {
        let Some(mut table) = self.table(key) else {
            return BTreeMap::new();
        };
        let entries = std::mem::take(&mut table.entries);
        let read = entries.into_iter().filter_map(|(name, value)| {
            let value = read(table.open(name.get_ref(), value, otherwise)?);
            Some((name.into_inner().into_owned(), value))
        });
        read.collect()
    }

    /// Ends the reading: whatever was not asked for is a problem.
    pub(super) fn finish(self) {
        for (name, _) in &self.entries {
            let written = name.get_ref();
            let nearest = nearest(written, self.asked.iter().copied());
            let hint = nearest.map_or_else(
                || format!("known are {}", listed(&self.asked)),
                |nearest| format!("did you mean `{nearest}`?"),
            );
            self.report.add(
                name.span(),
                format!("unknown key `{written}` in {}; {hint}", self.place()),
            );
        }
    }
}

/// The known word that was most likely meant.
pub(super) fn nearest<'a>(written: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|word| (strsim::jaro_winkler(written, word), word))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Words as a message lists them.
pub(super) fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
