//! The expressions of the Logs Insights query language: parsing them, and their value for one event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use regex_lite::Regex;

/// The value of a field. A missing field has no value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    Text(String),
    /// Milliseconds since 1970, shown as a date and time.
    Time(i64),
}

/// The fields of one event.
pub(super) type Fields = BTreeMap<String, Value>;

impl Value {
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Time(ms) => Some(*ms as f64),
            Self::Text(text) => text.trim().parse().ok(),
        }
    }

    /// The text in a query result.
    pub fn show(&self) -> String {
        match self {
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Time(ms) => Timestamp::from_millisecond(*ms)
                .map(|time| time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string())
                .unwrap_or_default(),
        }
    }

    /// The order of values: by number if both are numbers, otherwise by text.
    pub fn compare(&self, other: &Self) -> std::cmp::Ordering {
        match (self.number(), other.number()) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => self.show().cmp(&other.show()),
        }
    }
}

/// One expression.
#[derive(Debug)]
pub(super) enum Expression {
    Field(String),
    Literal(Value),
    Call(String, Vec<Expression>),
    Period(i64),
    Matches(Box<Expression>, Regex),
    In(Box<Expression>, Vec<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
}

impl Expression {
    /// Its value for an event; `None` if a field that it needs is missing.
    pub fn value(&self, fields: &Fields) -> Option<Value> {
        match self {
            Self::Field(name) => fields.get(name).cloned(),
            Self::Literal(value) => Some(value.clone()),
            Self::Period(ms) => Some(Value::Number(*ms as f64)),
            Self::Call(name, arguments) => call(name, arguments, fields),
            Self::Binary(operator @ ("+" | "-" | "*" | "/" | "%"), left, right) => {
                let (left, right) = (
                    left.value(fields)?.number()?,
                    right.value(fields)?.number()?,
                );
                Some(Value::Number(match *operator {
                    "+" => left + right,
                    "-" => left - right,
                    "*" => left * right,
                    "/" => left / right,
                    _ => left % right,
                }))
            }
            condition => Some(Value::Number(f64::from(u8::from(condition.holds(fields))))),
        }
    }

    /// Whether it holds for an event.
    pub fn holds(&self, fields: &Fields) -> bool {
        match self {
            Self::Not(condition) => !condition.holds(fields),
            Self::Binary("and", left, right) => left.holds(fields) && right.holds(fields),
            Self::Binary("or", left, right) => left.holds(fields) || right.holds(fields),
            Self::Binary(operator, left, right)
                if ["=", "!=", "<", "<=", ">", ">="].contains(operator) =>
            {
                let (Some(left), Some(right)) = (left.value(fields), right.value(fields)) else {
                    return *operator == "!=";
                };
                let order = left.compare(&right);
                match *operator {
                    "=" => order.is_eq(),
                    "!=" => order.is_ne(),
                    "<" => order.is_lt(),
                    "<=" => order.is_le(),
                    ">" => order.is_gt(),
                    _ => order.is_ge(),
                }
            }
            Self::Matches(text, pattern) => text
                .value(fields)
                .is_some_and(|text| pattern.is_match(&text.show())),
            Self::In(value, list) => value.value(fields).is_some_and(|value| {
                list.iter()
                    .filter_map(|item| item.value(fields))
                    .any(|item| item.compare(&value).is_eq())
            }),
            Self::Call(name, arguments) if name == "ispresent" => arguments
                .iter()
                .all(|argument| argument.value(fields).is_some()),
            other => other
                .value(fields)
                .and_then(|value| value.number())
                .is_some_and(|number| number != 0.0),
        }
    }
}

fn call(name: &str, arguments: &[Expression], fields: &Fields) -> Option<Value> {
    let argument = |index: usize| arguments.get(index)?.value(fields);
    let number = |index: usize| argument(index)?.number();
    let numbers = || -> Option<Vec<f64>> { (0..arguments.len()).map(number).collect() };
    Some(match name {
        "floor" => Value::Number(number(0)?.floor()),
        "ceil" => Value::Number(number(0)?.ceil()),
        "abs" => Value::Number(number(0)?.abs()),
        "log" => Value::Number(number(0)?.ln()),
        "sqrt" => Value::Number(number(0)?.sqrt()),
        "greatest" => Value::Number(numbers()?.into_iter().fold(f64::MIN, f64::max)),
        "least" => Value::Number(numbers()?.into_iter().fold(f64::MAX, f64::min)),
        "coalesce" => (0..arguments.len()).find_map(argument)?,
        "tomillis" => Value::Number(number(0)?),
        "datefloor" | "bin" => {
            let (time, period) = match arguments {
                [period] => (
                    fields.get("@timestamp")?.number()?,
                    period.value(fields)?.number()?,
                ),
                _ => (number(0)?, number(1)?),
            };
            Value::Time((time / period).floor() as i64 * period as i64)
        }
        _ => return None,
    })
}
