//! The integration tests: the real program with real servers. One binary, because each binary links the SDKs
//! again.

mod accounts;
mod alarms;
mod artifact;
mod attach;
mod aws;
mod browser;
mod companies;
mod connections;
mod credentials;
#[allow(dead_code, reason = "the handler's tests use more of it")]
#[path = "../../handler/tests/it/database.rs"]
mod database;
mod docs;
mod errors;
mod evaluator;
mod export;
mod help;
mod history;
mod house;
mod import;
mod init;
mod json;
mod ldap;
mod life;
mod live_check;
mod many;
mod on_migrated;
#[allow(dead_code, reason = "the handler's tests use more of it")]
#[path = "../../handler/tests/it/openldap.rs"]
mod openldap;
mod packaging;
mod pictures;
mod pipelines;
mod plan;
mod policy;
mod printed;
#[allow(dead_code, reason = "the handler's tests use more of it")]
#[path = "../../handler/tests/it/python.rs"]
mod python;
mod safety;
mod sandbox;
#[allow(dead_code, reason = "the handler's tests use more of it")]
#[path = "../../handler/tests/it/server.rs"]
mod server;
mod shop;
mod signals;
mod site;
mod status;
mod support;
mod teardown;
mod terminal;
mod traffic;
mod transcript;
mod triggers;
mod try_;
mod verify;
mod words;
