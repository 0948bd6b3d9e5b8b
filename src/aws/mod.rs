//! The only place that uses the AWS SDK. Each function is one call, or one wait until a resource is ready; its parameters and
//! results are the program's own types, and its error names the IAM action. `observe`, `apply` and the commands decide when to
//! call it.
//!
//! The type decides what is allowed: a `Reader` changes nothing, and every command has one. A `Writer` changes things, and only
//! `apply` makes one. An `Invoker` runs the function, and a `Customer` does what a customer's app does.

mod client;
mod cognito;
mod connection;
#[cfg(feature = "sandbox")]
mod customer;
mod error;
mod exposure;
mod firewall;
mod iam;
mod import;
mod invoke;
mod known;
mod lambda;
mod logs;
mod metrics;
mod mfa;
mod network;
mod pace;
mod pages;
mod raw;
mod retry;
mod secrets;
mod service;
mod trail;
mod write;

pub use client::{Connections, Reader};
pub(crate) use cognito::PoolUser;
pub use connection::{Connection, by_way_of, ca_bundle};
#[cfg(feature = "sandbox")]
pub(crate) use customer::Customer;
pub(crate) use import::{ImportFile, ImportJob};
pub(crate) use invoke::Invoker;
pub(crate) use logs::Row;
pub use mfa::ask_for_codes;
pub(crate) use pages::Pages;
pub(crate) use retry::attempts;
pub(crate) use write::Writer;

pub use jane_migrate_core::aws_error::{AwsError, Found, Kind};
