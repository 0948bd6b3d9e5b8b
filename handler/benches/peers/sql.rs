//! A sign-in with a hash from PostgreSQL beside the computation of the same hash alone, in turns.

use std::time::Instant;

use serde_json::json;
use sha_crypt::{PasswordVerifier, ShaCrypt};

use crate::{ROUNDS, WARM, database::Server, median, process::Process, tools::Program};

/// sha512-crypt of `password`, with its usual 5000 rounds.
const HASH: &str = "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1";

/// The time of a sign-in and of its hash.
pub struct Sql {
    pub sign_in: f64,
    pub hash: f64,
}

/// Measures the medians, in milliseconds.
pub fn measure(handler: &Program) -> Sql {
    let database = Server::start(&format!(
        "CREATE TABLE users (email text, hash text); INSERT INTO users VALUES ('ann@example.com', '{HASH}');"
    ));
    let directory = json!({ "postgres": {
        "host": "127.0.0.1", "port": database.port, "database": "postgres", "user": "migration",
        "password": { "env": "DATABASE_PASSWORD" }, "query": "SELECT email, hash FROM users WHERE email = $1",
        "password_column": "hash", "hash": "sha-crypt", "timeout_ms": 3500, "ca_certificate": database.certificate,
    } });
    let (mut sign_ins, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let process = Process::with(handler, directory.clone(), "", "", 0);
        process.sign_in();
        for _ in 0..WARM {
            sign_ins.push(process.sign_in());
            let started = Instant::now();
            ShaCrypt::default()
                .verify_password(b"password", HASH)
                .unwrap();
            hashes.push(started.elapsed().as_secs_f64() * 1000.0);
        }
    }
    Sql {
        sign_in: median(&sign_ins),
        hash: median(&hashes),
    }
}
