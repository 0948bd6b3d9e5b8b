//! Queries of Logs Insights: parses and runs `fields`, `filter`, `stats`, `sort` and `limit`. Any other query is rejected like a
//! malformed one at AWS.

use std::collections::BTreeMap;

use regex_lite::Regex;

use super::expression::{Expression, Fields, Value};

/// A query: its commands in order.
pub(super) struct Query(Vec<Command>);

enum Command {
    Fields(Vec<(String, Expression)>),
    Filter(Expression),
    Stats(
        Vec<(String, String, Option<Expression>)>,
        Vec<(String, Expression)>,
    ),
    Sort(String, bool),
    Limit(usize),
}

/// One row of a response: columns in their order.
pub(super) type Row = Vec<(String, String)>;

impl Query {
    /// Parses a query; `None` if it is malformed.
    pub fn read(text: &str) -> Option<Self> {
        let mut reader = Reader {
            tokens: tokens(text)?,
            at: 0,
        };
        let mut commands = vec![reader.command()?];
        while reader.take("|") {
            commands.push(reader.command()?);
        }
        (reader.at == reader.tokens.len()).then_some(Self(commands))
    }

    /// Runs it over events.
    pub fn run(&self, mut events: Vec<Fields>, limit: usize) -> Vec<Row> {
        let mut columns = vec!["@timestamp".to_owned(), "@message".to_owned()];
        let mut limit = limit;
        let (mut named, mut sorted) = (false, false);
        for command in &self.0 {
            match command {
                Command::Fields(list) => {
                    if !named {
                        columns.clear();
                        named = true;
                    }
                    for (name, expression) in list {
                        columns.push(name.clone());
                        for event in &mut events {
                            match expression.value(event) {
                                Some(value) => event.insert(name.clone(), value),
                                None => event.remove(name),
                            };
                        }
                    }
                }
                Command::Filter(condition) => events.retain(|event| condition.holds(event)),
                Command::Stats(figures, groups) => {
                    events = grouped(&events, figures, groups);
                    columns = groups.iter().map(|(name, _)| name.clone()).collect();
                    columns.extend(figures.iter().map(|(name, ..)| name.clone()));
                    (named, sorted) = (true, true);
                }
                Command::Sort(name, descending) => {
                    sorted = true;
                    events.sort_by(|one, other| {
                        let order = match (one.get(name), other.get(name)) {
                            (Some(one), Some(other)) => one.compare(other),
                            (one, other) => one.is_some().cmp(&other.is_some()),
                        };
                        if *descending { order.reverse() } else { order }
                    });
                }
                Command::Limit(most) => limit = limit.min(*most),
            }
        }
        if !sorted {
            // Newest first is the default.
            events.reverse();
        }
        events.truncate(limit);
        let shown = |event: &Fields| {
            let value = |name: &String| Some((name.clone(), event.get(name)?.show()));
            columns.iter().filter_map(value).collect()
        };
        events.iter().map(shown).collect()
    }
}

fn grouped(
    events: &[Fields],
    figures: &[(String, String, Option<Expression>)],
    groups: &[(String, Expression)],
) -> Vec<Fields> {
    let mut by_key: BTreeMap<Vec<Option<String>>, Vec<&Fields>> = BTreeMap::new();
    for event in events {
        let key = groups
            .iter()
            .map(|(_, group)| group.value(event).map(|value| value.show()));
        by_key.entry(key.collect()).or_default().push(event);
    }
    by_key
        .into_values()
        .filter_map(|events| {
            let first = events.first()?;
            let mut row: Fields = groups
                .iter()
                .filter_map(|(name, group)| Some((name.clone(), group.value(first)?)))
                .collect();
            for (name, function, of) in figures {
                row.extend(
                    figure(function, of.as_ref(), &events).map(|value| (name.clone(), value)),
                );
            }
            Some(row)
        })
        .collect()
}

fn figure(function: &str, of: Option<&Expression>, events: &[&Fields]) -> Option<Value> {
    let values: Vec<Value> = match of {
        Some(of) => events.iter().filter_map(|event| of.value(event)).collect(),
        None => vec![Value::Number(1.0); events.len()],
    };
    let sum = || -> f64 {
        values
            .iter()
            .filter_map(|value| value.show().parse::<f64>().ok())
            .sum()
    };
    match function {
        "count" => Some(Value::Number(values.len() as f64)),
        "sum" => Some(Value::Number(sum())),
        "avg" => (!values.is_empty()).then(|| Value::Number(sum() / values.len() as f64)),
        "min" => values
            .iter()
            .min_by(|one, other| one.compare(other))
            .cloned(),
        "max" => values
            .iter()
            .max_by(|one, other| one.compare(other))
            .cloned(),
        _ => None,
    }
}

#[derive(Debug, PartialEq)]
enum Token {
    /// A name, a number or a sign.
    Plain(String),
    Quoted(String),
    Pattern(String),
}

/// The tokens of a query; `None` if a quote is not closed.
fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after_like = tokens.last() == Some(&Token::Plain("like".to_owned()));
        let length = match first {
            '"' | '\'' => rest[1..].find(first)? + 2,
            '/' if after_like => rest[1..].find('/')? + 2,
            _ if first.is_alphanumeric() || "@_.".contains(first) => rest
                .find(|c: char| !c.is_alphanumeric() && !"@_.".contains(c))
                .unwrap_or(rest.len()),
            _ if ["!=", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) => 2,
            _ => first.len_utf8(),
        };
        let (token, left) = rest.split_at(length);
        tokens.push(match first {
            '"' | '\'' => Token::Quoted(token[1..length - 1].to_owned()),
            '/' if after_like => Token::Pattern(token[1..length - 1].to_owned()),
            _ => Token::Plain(token.to_owned()),
        });
        rest = left.trim_start();
    }
    Some(tokens)
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
}

impl Reader {
    fn peek(&self) -> Option<&str> {
        match self.tokens.get(self.at)? {
            Token::Plain(word) => Some(word),
            _ => None,
        }
    }

    fn word(&mut self) -> Option<String> {
        let word = self.peek()?.to_owned();
        self.at += 1;
        Some(word)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, word: &str) -> Option<()> {
        self.take(word).then_some(())
    }

    fn command(&mut self) -> Option<Command> {
        match self.word()?.as_str() {
            "fields" => Some(Command::Fields(self.list(Self::named)?)),
            "filter" => Some(Command::Filter(self.condition()?)),
            "stats" => {
                let figures = self.list(Self::figure)?;
                let groups = match self.take("by") {
                    true => self.list(Self::named)?,
                    false => Vec::new(),
                };
                Some(Command::Stats(figures, groups))
            }
            "sort" => {
                let name = self.word()?;
                let descending = self.take("desc");
                let _ = self.take("asc");
                Some(Command::Sort(name, descending))
            }
            "limit" => Some(Command::Limit(self.word()?.parse().ok()?)),
            _ => None,
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.take(",") {
            items.push(item(self)?);
        }
        Some(items)
    }

    /// An expression and its name, which is its own text unless `as` gives another.
    fn named(&mut self) -> Option<(String, Expression)> {
        let start = self.at;
        let expression = self.sum()?;
        let words = self.tokens[start..self.at].iter().map(|token| match token {
            Token::Plain(word) | Token::Quoted(word) | Token::Pattern(word) => word.as_str(),
        });
        let words: String = words.collect();
        let name = if self.take("as") { self.word()? } else { words };
        Some((name, expression))
    }

    fn figure(&mut self) -> Option<(String, String, Option<Expression>)> {
        let function = self.word()?;
        self.expect("(")?;
        let of = match self.take("*") {
            true => None,
            false => Some(self.sum()?),
        };
        self.expect(")")?;
        let name = match self.take("as") {
            true => self.word()?,
            false => format!("{function}(*)"),
        };
        Some((name, function, of))
    }

    /// Operands joined by operators of one precedence, left-associative.
    fn joined(
        &mut self,
        operators: &[&'static str],
        operand: fn(&mut Self) -> Option<Expression>,
    ) -> Option<Expression> {
        let mut left = operand(self)?;
        while let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            left = Expression::Binary(operator, left.into(), operand(self)?.into());
        }
        Some(left)
    }

    fn condition(&mut self) -> Option<Expression> {
        self.joined(&["or"], Self::conjunction)
    }

    fn conjunction(&mut self) -> Option<Expression> {
        self.joined(&["and"], Self::comparison)
    }

    fn comparison(&mut self) -> Option<Expression> {
        if self.take("not") {
            return Some(Expression::Not(self.comparison()?.into()));
        }
        if self.take("(") {
            let inner = self.condition()?;
            self.expect(")")?;
            return Some(inner);
        }
        let left = self.sum()?;
        if self.take("like") {
            let pattern = match self.tokens.get(self.at)? {
                Token::Pattern(pattern) => Regex::new(pattern).ok()?,
                Token::Quoted(text) => Regex::new(&regex_lite::escape(text)).ok()?,
                Token::Plain(_) => return None,
            };
            self.at += 1;
            return Some(Expression::Matches(left.into(), pattern));
        }
        if self.take("in") {
            self.expect("[")?;
            let list = self.list(Self::sum)?;
            self.expect("]")?;
            return Some(Expression::In(left.into(), list));
        }
        let operators = ["=", "!=", "<=", ">=", "<", ">"];
        if let Some(operator) = operators.iter().find(|operator| self.take(operator)) {
            return Some(Expression::Binary(
                operator,
                left.into(),
                self.sum()?.into(),
            ));
        }
        Some(left)
    }

    fn sum(&mut self) -> Option<Expression> {
        self.joined(&["+", "-"], Self::product)
    }

    fn product(&mut self) -> Option<Expression> {
        self.joined(&["*", "/", "%"], Self::atom)
    }

    fn atom(&mut self) -> Option<Expression> {
        if let Some(Token::Quoted(text)) = self.tokens.get(self.at) {
            let literal = Expression::Literal(Value::Text(text.clone()));
            self.at += 1;
            return Some(literal);
        }
        if self.take("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            return Some(inner);
        }
        let word = self.word()?;
        if let Ok(number) = word.parse::<f64>() {
            return Some(Expression::Literal(Value::Number(number)));
        }
        if let Some(period) = period(&word) {
            return Some(Expression::Period(period));
        }
        if !word.starts_with(|c: char| c.is_alphabetic() || c == '@' || c == '_') {
            return None;
        }
        if !self.take("(") {
            return Some(Expression::Field(word));
        }
        let arguments = self.list(Self::sum)?;
        self.expect(")")?;
        Some(Expression::Call(word.to_lowercase(), arguments))
    }
}

/// A period such as `5m` or `1d`, in milliseconds.
fn period(word: &str) -> Option<i64> {
    let unit = word.find(|c: char| !c.is_ascii_digit())?;
    let count: i64 = word[..unit].parse().ok()?;
    let ms = match &word[unit..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(count * ms)
}
