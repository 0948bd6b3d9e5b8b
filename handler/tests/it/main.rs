//! The compiled `bootstrap` with a Runtime API and directories over real HTTP on loopback.

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
