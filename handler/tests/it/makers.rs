//! Password hashes from the libraries that the frameworks use, from PyPI and npm, in a real table: each user signs in with the right
//! password and with no other. Hashes of software that cannot be installed are in `hash::tests`.

use std::process::Command;

use serde_json::Value;

use crate::{
    database::Server,
    function::sign_in,
    python::{environment, node_modules, run},
};

const PASSWORD: &str =
    "Pässword 1! that is longer than the seventy-two bytes that bcrypt reads of it all";

/// The packages that make the hashes. `docs/from-sql.md` lists the same.
const PYTHON: &str =
    "passlib==1.7.4 bcrypt==4.0.1 argon2-cffi==25.1.0 werkzeug==3.1.9 django==5.2.19";
const NODE: &str = "scrypt-kdf@4.0.0 aspnetcore-identity-password-hasher@1.0.1 drupal-hash@1.0.4 bcryptjs@3.0.3 \
     @better-auth/utils@0.5.1 lucia@3.2.2";

/// Prints `{format: hash}`. The costs are low if the library allows it.
const PYTHON_MAKER: &str = r#"
import json, sys
from passlib import hash as h
from werkzeug.security import generate_password_hash as werkzeug
from django.conf import settings
from django.contrib.auth import hashers
settings.configure(PASSWORD_HASHERS=["django.contrib.auth.hashers." + name for name in (
    "PBKDF2PasswordHasher", "PBKDF2SHA1PasswordHasher", "Argon2PasswordHasher", "BCryptSHA256PasswordHasher", "ScryptPasswordHasher")])
password = sys.argv[1]
made = {
    "passlib bcrypt": h.bcrypt.using(rounds=4).hash(password),
    "passlib bcrypt 2a": h.bcrypt.using(rounds=4, ident="2a").hash(password),
    "passlib bcrypt_sha256": h.bcrypt_sha256.using(rounds=4).hash(password),
    "passlib bcrypt_sha256 v1": h.bcrypt_sha256.using(rounds=4, version=1).hash(password),
    "passlib argon2": h.argon2.using(rounds=2, memory_cost=1024).hash(password),
    "passlib scrypt": h.scrypt.using(rounds=8).hash(password),
    "passlib pbkdf2_sha1": h.pbkdf2_sha1.using(rounds=1000).hash(password),
    "passlib pbkdf2_sha256": h.pbkdf2_sha256.using(rounds=1000).hash(password),
    "passlib pbkdf2_sha512": h.pbkdf2_sha512.using(rounds=1000).hash(password),
    "passlib phpass": h.phpass.using(rounds=8).hash(password),
    "passlib sha256_crypt": h.sha256_crypt.using(rounds=1000).hash(password),
    "passlib sha512_crypt": h.sha512_crypt.using(rounds=1000).hash(password),
    "passlib ldap_salted_sha1": h.ldap_salted_sha1.hash(password),
    "passlib ldap_salted_sha256": h.ldap_salted_sha256.hash(password),
    "passlib ldap_salted_sha512": h.ldap_salted_sha512.hash(password),
    "passlib ldap_sha512_crypt": h.ldap_sha512_crypt.using(rounds=1000).hash(password),
    "werkzeug scrypt": werkzeug(password),
    "werkzeug scrypt cheap": werkzeug(password, "scrypt:1024:8:1"),
    "werkzeug pbkdf2 sha1": werkzeug(password, "pbkdf2:sha1:1000"),
    "werkzeug pbkdf2 sha256": werkzeug(password, "pbkdf2:sha256:1000"),
    "werkzeug pbkdf2 sha512": werkzeug(password, "pbkdf2:sha512:1000"),
}
for hasher in hashers.get_hashers():
    if hasher.algorithm == "bcrypt_sha256":
        hasher.rounds = 4
    if hasher.algorithm.startswith("pbkdf2"):
        hasher.iterations = 1000
    made["django " + hasher.algorithm] = hasher.encode(password, hasher.salt())
refused = {
    "passlib md5_crypt": h.md5_crypt.hash(password),
    "passlib apr_md5_crypt": h.apr_md5_crypt.hash(password),
    "passlib ldap_sha1": h.ldap_sha1.hash(password),
    "passlib ldap_md5": h.ldap_md5.hash(password),
    "passlib ldap_plaintext": h.ldap_plaintext.hash(password),
    "passlib mysql41": h.mysql41.hash(password),
    "passlib hex_md5": h.hex_md5.hash(password),
}
print(json.dumps({"made": made, "refused": refused}))
"#;

const NODE_MAKER: &str = r#"
const { createRequire } = require("module");
const need = createRequire(process.argv[1] + "/");
const password = process.argv[2];
(async () => {
    const scrypt = need("scrypt-kdf");
    const kdf = scrypt.default || scrypt;
    const identity = need("aspnetcore-identity-password-hasher");
    const lucia = await import(need.resolve("lucia"));
    const made = {
        "scrypt-kdf": Buffer.from(await kdf.kdf(password, { logN: 8 })).toString("base64"),
        "aspnetcore-identity-password-hasher v3": await identity.hash(password),
        "drupal-hash": need("drupal-hash").hashPassword(password),
        "bcryptjs": need("bcryptjs").hashSync(password, 4),
        "better-auth": await need("@better-auth/utils/password").hashPassword(password),
        "lucia 3": await new lucia.Scrypt().hash(password),
        "lucia 2": await new lucia.LegacyScrypt().hash(password),
    };
    console.log(JSON.stringify({ made, refused: {} }));
})();
"#;

fn by_python() -> Value {
    let python = environment(PYTHON).join("bin/python");
    let made = run(Command::new(python).args(["-W", "ignore", "-c", PYTHON_MAKER, PASSWORD]));
    serde_json::from_str(&made).unwrap()
}

fn by_node() -> Value {
    let modules = node_modules("makers", NODE);
    let made = run(Command::new("node")
        .args(["-e", NODE_MAKER])
        .arg(&modules)
        .arg(PASSWORD));
    serde_json::from_str(&made).unwrap()
}

fn pairs(of: &Value, member: &str) -> Vec<(String, String)> {
    let object = of[member].as_object().unwrap();
    let address = |name: &str| format!("{}@example.com", name.replace(' ', "."));
    let pair = |(name, hash): (&String, &Value)| (address(name), hash.as_str().unwrap().to_owned());
    object.iter().map(pair).collect()
}

/// Each user is named after the library, and a column of the type char(n) pads the hash with spaces.
fn sign_in_with(made: &[(String, String)], refused: &[(String, String)]) {
    let rows: Vec<String> = made
        .iter()
        .chain(refused)
        .map(|(name, hash)| format!("('{name}', '{}')", hash.replace('\'', "''")))
        .collect();
    let server = Server::start(&format!(
        "CREATE TABLE users (email text, hash char(400));\nINSERT INTO users VALUES {};",
        rows.join(", ").replace('\n', "")
    ));
    let query = "SELECT email, true AS verified, hash FROM users WHERE email = $1";
    let function = server.function("bcrypt", query, "");
    for (name, hash) in made {
        // bcrypt reads at most 72 bytes, so the wrong password differs in the first.
        let wrong = format!("x{PASSWORD}");
        for (password, outcome) in [(PASSWORD, "migrated"), (wrong.as_str(), "wrong-password")] {
            assert_eq!(
                function.outcome(&sign_in(name, password)).0,
                outcome,
                "{name}: {hash}"
            );
        }
    }
    for (name, hash) in refused {
        let outcome = function.outcome(&sign_in(name, PASSWORD)).0;
        assert_eq!(outcome, "unsupported-hash", "{name}: {hash}");
    }
}

#[test]
fn hashes_by_passlib_werkzeug_and_django_sign_in() {
    let by = by_python();
    let (made, refused) = (pairs(&by, "made"), pairs(&by, "refused"));
    assert!(made.len() > 25 && refused.len() > 6);
    sign_in_with(&made, &refused);
}

#[test]
fn hashes_by_packages_of_npm_sign_in() {
    let by = by_node();
    let made = pairs(&by, "made");
    assert_eq!(made.len(), 7);
    sign_in_with(&made, &[]);
}
