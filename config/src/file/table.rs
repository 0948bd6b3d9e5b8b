//! The file's tables with the position of every key, and the checks of single values. The types define which keys exist and their
//! types (`read`).

use std::{
    fmt::Display,
    ops::{Range, RangeInclusive},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::error::Report;

type Checked = Result<(), String>;

/// A table of the file. Clones share the report.
#[derive(Clone)]
pub(super) struct Table<'r, 'i> {
    name: String,
    header: Range<usize>,
    entries: Vec<Entry<'r, 'i>>,
    report: &'r Report,
}

/// A key with its value.
#[derive(Clone)]
pub(super) struct Entry<'r, 'i> {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) node: Node<'r, 'i>,
}

/// The value of a key.
#[derive(Clone)]
pub(super) enum Node<'r, 'i> {
    Table(Table<'r, 'i>),
    Value(Spanned<DeValue<'i>>),
    /// Replaces a missing or invalid value, so that reading continues and finds the other problems. It never appears in a result:
    /// its problem was reported.
    StandIn,
}

impl Node<'_, '_> {
    pub(super) fn span(&self) -> Range<usize> {
        match self {
            Self::Table(table) => table.header.clone(),
            Self::Value(value) => value.span(),
            Self::StandIn => 0..0,
        }
    }
}

impl<'r, 'i> Table<'r, 'i> {
    /// The whole document.
    pub(super) fn root(document: Spanned<DeTable<'i>>, report: &'r Report) -> Self {
        let header = document.span();
        Self::new(String::new(), header, document.into_inner(), report)
    }

    fn new(name: String, header: Range<usize>, table: DeTable<'i>, report: &'r Report) -> Self {
        let mut this = Self {
            name,
            header,
            entries: Vec::new(),
            report,
        };
        for (key, value) in table {
            let key_span = key.span();
            let key = key.into_inner().into_owned();
            let node = this.node(&key, value);
            this.entries.push(Entry {
                key,
                key_span,
                node,
            });
        }
        this
    }

    fn node(&self, key: &str, value: Spanned<DeValue<'i>>) -> Node<'r, 'i> {
        let span = value.span();
        match value.into_inner() {
            DeValue::Table(table) => {
                let name = match self.name.as_str() {
                    "" => key.to_owned(),
                    name => format!("{name}.{key}"),
                };
                Node::Table(Self::new(name, span, table, self.report))
            }
            value => Node::Value(Spanned::new(span, value)),
        }
    }

    /// Another document, whose problems go to the same report.
    pub(super) fn beside(&self, document: Spanned<DeTable<'i>>) -> Self {
        Self::root(document, self.report)
    }

    /// The table with only these keys.
    pub(super) fn only(mut self, keys: &[&str]) -> Self {
        self.entries
            .retain(|entry| keys.contains(&entry.key.as_str()));
        self
    }

    /// Reports problems of all its entries at this place.
    pub(super) fn placed(mut self, place: &Range<usize>) -> Self {
        self.header = place.clone();
        for entry in &mut self.entries {
            entry.key_span = place.clone();
            entry.node = match entry.node.clone() {
                Node::Table(table) => Node::Table(table.placed(place)),
                Node::Value(value) => Node::Value(Spanned::new(place.clone(), value.into_inner())),
                Node::StandIn => Node::StandIn,
            };
        }
        self
    }

    /// The table with another's entries replacing its own with the same keys; for keys in `deep` the tables are merged in the
    /// same way. The other's name and place are used.
    pub(super) fn overlaid(mut self, over: Self, deep: &[&str]) -> Self {
        for mut entry in over.entries {
            let own = self.position(&entry.key).map(|at| self.entries.remove(at));
            if deep.contains(&entry.key.as_str())
                && let Some(Node::Table(own)) = own.map(|own| own.node)
                && let Node::Table(table) = entry.node
            {
                entry.node = Node::Table(own.overlaid(table, deep));
            }
            self.entries.push(entry);
        }
        Self {
            name: over.name,
            header: over.header,
            ..self
        }
    }

    /// Reports a problem of the whole table.
    pub(super) fn problem(&self, message: impl Display) {
        self.problem_at(self.header.clone(), message);
    }

    /// Reports a problem at another place.
    pub(super) fn problem_at(&self, span: Range<usize>, message: impl Display) {
        self.report.add(span, message.to_string());
    }

    /// Whether there is a problem at this place.
    pub(super) fn has_problem(&self, span: &Range<usize>) -> bool {
        self.report.has(span)
    }

    /// The table's name in messages.
    pub(super) fn place(&self) -> String {
        match self.name.as_str() {
            "" => "the file".to_owned(),
            name => format!("[{name}]"),
        }
    }

    /// The position of the table.
    pub(super) fn span(&self) -> Range<usize> {
        self.header.clone()
    }

    pub(super) fn entries(&self) -> &[Entry<'r, 'i>] {
        &self.entries
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.entries.iter().position(|entry| entry.key == key)
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&Node<'r, 'i>> {
        self.position(key).map(|at| &self.entries[at].node)
    }

    /// Whether the file has the key.
    pub(super) fn has(&self, key: &str) -> bool {
        self.position(key).is_some()
    }

    /// The table of a key.
    pub(super) fn table(&self, key: &str) -> Option<&Self> {
        match self.get(key)? {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table of a key, mutable.
    pub(super) fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        let at = self.position(key)?;
        match &mut self.entries[at].node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The text of a key.
    pub(super) fn str(&self, key: &str) -> Option<&str> {
        match self.get(key)? {
            Node::Value(value) => value.get_ref().as_str(),
            _ => None,
        }
    }

    /// Whether a key is `true`.
    pub(super) fn is_true(&self, key: &str) -> bool {
        match self.get(key) {
            Some(Node::Value(value)) => value.get_ref().as_bool() == Some(true),
            _ => false,
        }
    }

    /// The length of a key's list.
    pub(super) fn list_len(&self, key: &str) -> Option<usize> {
        match self.get(key)? {
            Node::Value(value) => value.get_ref().as_array().map(|list| list.len()),
            _ => None,
        }
    }

    /// Checks that a list is not empty.
    pub(super) fn not_empty(&self, key: &str, message: impl Display) {
        if let (Some(0), Some(node)) = (self.list_len(key), self.get(key)) {
            self.problem_at(node.span(), format_args!("`{key}` {message}"));
        }
    }

    /// Checks that a list is not longer than AWS allows.
    pub(super) fn at_most(&self, key: &str, most: usize) {
        if let (Some(length), Some(node)) = (self.list_len(key), self.get(key))
            && length > most
        {
            let message = format_args!("`{key}` has {length} ids, and Lambda takes {most}");
            self.problem_at(node.span(), message);
        }
    }

    /// Removes a key.
    pub(super) fn remove(&mut self, key: &str) -> Option<Node<'r, 'i>> {
        self.position(key).map(|at| self.entries.remove(at).node)
    }

    /// Moves these keys into a table of their own, with this table's name and place.
    pub(super) fn nest(&mut self, keys: &[&str], key: &str) {
        if let Some(node) = self.get(key) {
            let place = self.place();
            self.problem_at(node.span(), format_args!("unknown key `{key}` in {place}"));
        }
        let mut nested = self.clone();
        nested
            .entries
            .retain(|entry| keys.contains(&entry.key.as_str()));
        self.entries
            .retain(|entry| !keys.contains(&entry.key.as_str()));
        self.put(key, Node::Table(nested));
    }

    /// Sets a key, replacing its value.
    pub(super) fn put(&mut self, key: &str, node: Node<'r, 'i>) {
        self.remove(key);
        self.entries.push(Entry {
            key: key.to_owned(),
            key_span: self.header.clone(),
            node,
        });
    }

    /// Removes and returns the tables of a key: one, or an array of them.
    pub(super) fn take_tables(&mut self, key: &str) -> Vec<Self> {
        let nodes = match self.remove(key) {
            Some(Node::Value(value)) => {
                let span = value.span();
                match value.into_inner() {
                    DeValue::Array(items) => {
                        items.into_iter().map(|item| self.node(key, item)).collect()
                    }
                    other => vec![Node::Value(Spanned::new(span, other))],
                }
            }
            node => node.into_iter().collect(),
        };
        let table = |node| match node {
            Node::Table(table) => Some(table),
            other => {
                let place = self.place();
                self.problem_at(
                    other.span(),
                    format_args!("`{key}` in {place}: must be a table"),
                );
                None
            }
        };
        nodes.into_iter().filter_map(table).collect()
    }

    /// Checks a text, if the key exists. A value of another type is reported when it is read.
    pub(super) fn text(&self, key: &str, check: impl Fn(&str) -> Checked) {
        if let (Some(node), Some(text)) = (self.get(key), self.str(key)) {
            self.checked(key, node.span(), check(text));
        }
    }

    /// Checks each text of a list.
    pub(super) fn texts(&self, key: &str, check: impl Fn(&str) -> Checked) {
        let Some(Node::Value(list)) = self.get(key) else {
            return;
        };
        for item in list
            .get_ref()
            .as_array()
            .into_iter()
            .flat_map(|list| list.iter())
        {
            if let Some(text) = item.get_ref().as_str() {
                self.checked(key, item.span(), check(text));
            }
        }
    }

    /// Checks the texts of a table whose keys are the user's own.
    pub(super) fn map(&self, key: &str, check: impl Fn(&str, &str) -> Checked) {
        if let Some(table) = self.table(key) {
            table.all(check);
        }
    }

    /// Notes the second of two keys that differ only in case.
    pub(super) fn distinct_without_case(&self, key: &str) {
        let entries = self.table(key).map(Self::entries).unwrap_or_default();
        for (at, entry) in entries.iter().enumerate() {
            let folded = entry.key.to_lowercase();
            let same = |other: &&Entry<'_, '_>| other.key.to_lowercase() == folded;
            if let Some(other) = entries[..at].iter().find(same) {
                let message = format_args!(
                    "`{}` and `{}` differ only in case, and IAM takes them for one",
                    other.key, entry.key
                );
                self.problem_at(entry.key_span.clone(), message);
            }
        }
    }

    /// Checks every text of this table, whose keys are the user's own.
    pub(super) fn all(&self, check: impl Fn(&str, &str) -> Checked) {
        for Entry { key, .. } in &self.entries {
            self.text(key, |text| check(key, text));
        }
    }

    /// Checks a whole number.
    pub(super) fn integer(&self, key: &str, check: impl Fn(i64) -> Checked) {
        let Some(Node::Value(value)) = self.get(key) else {
            return;
        };
        let number = value.get_ref().as_integer();
        if let Some(number) =
            number.and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok())
        {
            self.checked(key, value.span(), check(number));
        }
    }

    /// Checks that a whole number lies within a range.
    pub(super) fn range(&self, key: &str, range: RangeInclusive<i64>) {
        self.integer(key, |number| match range.contains(&number) {
            true => Ok(()),
            false => Err(format!(
                "must be between {} and {}, not {number}",
                range.start(),
                range.end()
            )),
        });
    }

    /// Reports the error of a check. Returns whether the value is valid.
    pub(super) fn checked(&self, key: &str, span: Range<usize>, checked: Checked) -> bool {
        if let Err(message) = &checked {
            self.problem_at(span, format_args!("`{key}` {message}"));
        }
        checked.is_ok()
    }
}

/// The known word that is most similar.
pub(super) fn nearest<'a>(
    written: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(written, word), word))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

/// Words as a list in a message.
pub(super) fn listed(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whether a word is known; otherwise a message with the most similar one.
pub(super) fn one_of(word: &str, known: &[&str]) -> Checked {
    if known.contains(&word) {
        return Ok(());
    }
    let hint = nearest(word, known.iter().copied())
        .map(|nearest| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default();
    Err(format!("must be one of {}{hint}", listed(known)))
}
