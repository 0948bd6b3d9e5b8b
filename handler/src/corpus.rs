//! JSON for property tests: the seeds in `tests/corpus`, with some values replaced, and arbitrary JSON.

use std::{fs, path::Path};

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    sample::select,
    strategy::ValueTree,
    test_runner::TestRunner,
};
use serde_json::Value;

pub fn corpus(folder: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpus")
        .join(folder);
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap());
    files
        .map(|text| serde_json::from_str(&text).unwrap())
        .collect()
}

pub fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[+0-9 ()-]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(".{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A seed in which arbitrary JSON replaces some values, at any depth.
pub fn mutated(folder: &'static str) -> impl Strategy<Value = Value> {
    (
        select(corpus(folder)),
        vec((any::<prop::sample::Index>(), any_json()), 0..3),
    )
        .prop_map(|(mut value, changes)| {
            for (index, replacement) in changes {
                let mut places = Vec::new();
                pointers(&value, String::new(), &mut places);
                if let Some(place) = value.pointer_mut(&places[index.index(places.len())]) {
                    *place = replacement;
                }
            }
            value
        })
}

fn pointers(value: &Value, at: String, into: &mut Vec<String>) {
    if let Value::Object(members) = value {
        for (name, member) in members {
            pointers(
                member,
                format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                into,
            );
        }
    }
    into.push(at);
}

/// How many values of a strategy satisfy a condition. A property about some values only would hold trivially
/// without any.
pub fn made<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
    wanted: impl Fn(T) -> bool,
) -> usize {
    let mut runner = TestRunner::deterministic();
    let values = (0..500).map(|_| strategy.new_tree(&mut runner).unwrap().current());
    values
        .filter_map(|value| wanted(value).then_some(()))
        .count()
}
