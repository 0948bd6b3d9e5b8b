//! The compiled `bootstrap` against a Runtime API and directories that speak real HTTP over loopback.

mod canary;
mod catalogue;
mod cognito;
mod counting;
mod database;
mod export;
mod function;
mod http;
mod jane;
mod ldap;
mod makers;
mod mariadb;
mod mysql;
mod on_migrated;
mod openldap;
mod postgres;
mod python;
mod secrets;
mod server;
