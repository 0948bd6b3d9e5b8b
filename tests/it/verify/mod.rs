//! Verify: a deployed migration for which everything holds, broken in one way at a time.

pub mod bench;
mod capture;
mod doctor;
mod documents;
mod formats;
mod function;
mod pool;
mod probe;
mod reads;
mod secrets;
mod sign_up;
mod trigger;
