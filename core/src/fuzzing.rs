//! The entry points of the fuzzer (`fuzz/` in the repository). The properties are in `document::holds`, `permission::holds` and
//! `check::holds`; a function there panics if its property does not hold.

use serde_json::{Deserializer, Value};

use crate::{check, document, permission, permission::Policy};

/// The description of a pool or an app client, followed by an earlier description of it.
pub fn document(input: &[u8]) {
    let mut documents = Deserializer::from_slice(input).into_iter::<Value>();
    let Some(Ok(now)) = documents.next() else {
        return;
    };
    let earlier = documents.next().and_then(Result::ok);
    match now.get("ClientId") {
        Some(_) => document::holds::client(&now, earlier.as_ref()),
        None => document::holds::pool(&now, earlier.as_ref()),
    }
}

/// The policy of a function or of a role.
pub fn policy(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(policy) = Policy::parse(text) else {
        return;
    };
    policy.statement("x");
    for statement in &policy.statements {
        permission::holds::no_other_is_let_in(statement);
        permission::holds::patterns_match_as_defined(statement);
    }
    if let Ok(policy) = serde_json::from_str(text) {
        check::holds::judged_as_defined(&policy);
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::trigger::Trigger;

    fn inputs(target: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
        let files = fs::read_dir(folder.join(target)).unwrap();
        files
            .map(|file| fs::read(file.unwrap().path()).unwrap())
            .collect()
    }

    #[test]
    fn every_input_in_the_corpora_of_the_fuzzer_holds() {
        let [documents, policies] = ["document", "policy"].map(inputs);
        assert!(documents.len() > 10 && policies.len() > 10);
        documents.iter().for_each(|input| document(input));
        policies.iter().for_each(|input| policy(input));
    }

    #[test]
    fn the_corpus_has_documents_that_cognito_accepts() {
        let (mut pools, mut clients) = (0, 0);
        for input in inputs("document") {
            let mut documents = Deserializer::from_slice(&input).into_iter::<Value>();
            if let Some(Ok(now)) = documents
                .next()
                .filter(|now| now.as_ref().is_ok_and(Value::is_object))
            {
                pools += usize::from(
                    document::holds::triggers_come_and_go(&now, &Trigger::ALL) == Ok(vec![]),
                );
                clients += usize::from(document::holds::passwords_come_and_go(&now) == Ok(vec![]));
            }
        }
        assert!(pools > 5 && clients > 5, "{pools} {clients}");
    }
}
