//! The queries in `docs/from-sql.md`, unchanged, with tables that have the columns they name. The tables follow the products'
//! documentation: none of the products can be started here.

use std::{fs, num::NonZeroU32};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::pbkdf2;

use crate::{
    database::{DATABASE_PASSWORD, Server},
    function::{Function, settings, sign_in},
    mariadb::MariaDb,
};

const PASSWORD: &str = "canary-user-password";

/// The SQL block after the paragraph that starts with this name.
fn query(product: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/from-sql.md");
    let page = fs::read_to_string(page).unwrap();
    let paragraph = [" (", ".", ":"].map(|after| format!("\n{product}{after}"));
    let begins = paragraph.iter().find_map(|begin| page.find(begin));
    let rest = &page[begins.unwrap_or_else(|| panic!("no {product}"))..];
    let block = rest.split_once("```sql\n").unwrap().1;
    block.split_once("```").unwrap().0.to_owned()
}

/// A product: its name on the page, its column and hash, and the columns with the address and with its verification.
struct Product {
    name: &'static str,
    column: &'static str,
    hash: &'static str,
    email: &'static str,
    verified: &'static str,
}

fn product(name: &'static str, column: &'static str) -> Product {
    Product {
        name,
        column,
        hash: "bcrypt",
        email: "email",
        verified: "verified",
    }
}

impl Product {
    fn function(&self, kind: &str, port: u16, certificate: &str, database: &str) -> Function {
        let toml = format!(
            "[directory]\nkind = '{kind}'\nhost = '127.0.0.1'\nport = {port}\ndatabase = '{database}'\nuser = 'migration'\n\
             password = {{ env = 'DATABASE_PASSWORD' }}\nquery = '''{}'''\npassword_column = '{}'\nhash = '{}'\n\
             ca_certificate = '''{certificate}'''\n[attributes]\nemail = '{}'\nemail_verified = '{}'\n",
            query(self.name),
            self.column,
            self.hash,
            self.email,
            self.verified
        );
        Function::start(
            &settings(&toml),
            &[("DATABASE_PASSWORD", DATABASE_PASSWORD)],
        )
    }
}

/// Ann is verified and Eve is not. Both have the password; no other account may sign in, such as one with a second factor.
#[track_caller]
fn finds_its_users(product: &Product, function: &Function) {
    for (name, verified) in [("ann@example.com", true), ("eve@example.com", false)] {
        let answer = function.invoke(&sign_in(name, PASSWORD)).event();
        let found = &answer["response"]["userAttributes"];
        assert_eq!(
            found["email"],
            name,
            "{}: {}",
            product.name,
            function.output()
        );
        assert_eq!(
            found["email_verified"] == "true",
            verified,
            "{}: {name}",
            product.name
        );
        function.record();
        let wrong = function.outcome(&sign_in(name, "wrong")).0;
        assert_eq!(wrong, "wrong-password", "{}", product.name);
    }
    for name in [
        "unknown@example.com",
        "blocked@example.com",
        "factor@example.com",
    ] {
        let outcome = function.outcome(&sign_in(name, PASSWORD)).0;
        assert_eq!(outcome, "not-found", "{}: {name}", product.name);
    }
}

#[test]
fn the_queries_of_the_documentation_find_their_users() {
    let bcrypt = bcrypt::hash(PASSWORD, 4).unwrap();
    let parts: Vec<&str> = bcrypt.split('$').collect();
    let (salt, digest) = parts[3].split_at(22);
    let keycloak = keycloak();
    let postgres = Server::start(&format!(
        "CREATE SCHEMA auth;
         CREATE TABLE auth.users (id int, email text, email_confirmed_at timestamptz, raw_user_meta_data jsonb, encrypted_password text, deleted_at timestamptz, is_sso_user boolean DEFAULT false, banned_until timestamptz);
         INSERT INTO auth.users VALUES (1, 'ann@example.com', '2024-01-01', '{{}}', '{bcrypt}'), (2, 'eve@example.com', NULL, NULL, '{bcrypt}');
         INSERT INTO auth.users VALUES (3, 'blocked@example.com', NULL, NULL, '{bcrypt}', now()), (4, 'factor@example.com', NULL, NULL, '{bcrypt}', NULL);
         CREATE TABLE auth.mfa_factors (user_id int, status text);
         INSERT INTO auth.mfa_factors VALUES (1, 'unverified'), (4, 'verified');
         CREATE TABLE identity_credential_types (id int, name text);
         INSERT INTO identity_credential_types VALUES (1, 'password'), (2, 'oidc'), (3, 'totp');
         CREATE TABLE identities (id int, traits jsonb, state text, email text, verified boolean, users_id int, encryption_scheme text, factor int, salt text, password text);
         INSERT INTO identities VALUES (1, '{{\"email\": \"ann@example.com\"}}', 'active'), (2, '{{\"email\": \"eve@example.com\"}}', 'active'), (3, '{{\"email\": \"blocked@example.com\"}}', 'inactive'), (9, '{{\"email\": \"factor@example.com\"}}', 'active');
         CREATE TABLE identity_credentials (id int, config jsonb, identity_credential_type_id int, identity_id int);
         INSERT INTO identity_credentials SELECT id, '{{\"hashed_password\": \"{bcrypt}\"}}', 1, id FROM identities;
         INSERT INTO identity_credentials VALUES (10, '{{}}', 3, 9);
         CREATE TABLE identity_credential_identifiers (identifier text, identity_credential_id int);
         INSERT INTO identity_credential_identifiers SELECT traits->>'email', id FROM identities;
         CREATE TABLE identity_verifiable_addresses (identity_id int, via text, value text, verified boolean);
         INSERT INTO identity_verifiable_addresses VALUES (1, 'email', 'ann@example.com', true), (2, 'email', 'eve@example.com', false);
         CREATE TABLE users (id int, first_name text, last_name text, active boolean);
         INSERT INTO users VALUES (1, 'Ann', 'A', true), (2, 'Eve', 'E', true), (3, 'B', 'B', false);
         INSERT INTO identities VALUES (4, NULL, NULL, 'ann@example.com', true, 1, 'salted-pbkdf2-hmac-sha256', 24000, 'c2FsdHNhbHRzYWx0c2FsdA==', '{FUSIONAUTH}'),
           (5, NULL, NULL, 'eve@example.com', false, 2, 'salted-bcrypt', 4, '{salt}', '{digest}'), (6, NULL, NULL, 'blocked@example.com', true, 3, 'salted-bcrypt', 4, '{salt}', '{digest}');
         CREATE TABLE emailpassword_users (app_id text, user_id char(36), email text, password_hash text);
         INSERT INTO emailpassword_users VALUES ('public', '{ID}1', 'ann@example.com', '{bcrypt}'), ('public', '{ID}2', 'eve@example.com', '{bcrypt}'), ('other', '{ID}3', 'blocked@example.com', '{bcrypt}'), ('public', '{ID}4', 'factor@example.com', '{bcrypt}');
         CREATE TABLE totp_user_devices (app_id text, user_id varchar(128), verified boolean);
         INSERT INTO totp_user_devices VALUES ('public', '{ID}1', false), ('public', '{ID}4', true);
         CREATE TABLE emailverification_verified_emails (app_id text, user_id varchar(128), email text);
         INSERT INTO emailverification_verified_emails VALUES ('public', '{ID}1', 'ann@example.com');
         CREATE TABLE \"user\" (id text, email text, \"emailVerified\" boolean, name text);
         INSERT INTO \"user\" VALUES ('1', 'ann@example.com', true, 'Ann'), ('2', 'eve@example.com', false, 'Eve');
         CREATE TABLE account (id text, \"userId\" text, \"providerId\" text, password text);
         INSERT INTO account VALUES ('1', '1', 'credential', '{bcrypt}'), ('2', '2', 'credential', '{bcrypt}'), ('3', '2', 'google', NULL);
         CREATE TABLE realm (id text, name text);
         INSERT INTO realm VALUES ('1', 'shop'), ('2', 'master');
         CREATE TABLE user_entity (id int, email text, email_verified boolean, first_name text, last_name text, realm_id text, enabled boolean);
         INSERT INTO user_entity VALUES (1, 'ann@example.com', true, '', '', '1', true), (2, 'eve@example.com', false, '', '', '1', true);
         INSERT INTO user_entity VALUES (3, 'blocked@example.com', true, '', '', '1', false), (4, 'factor@example.com', true, '', '', '1', true), (5, 'ann@example.com', true, '', '', '2', true);
         CREATE TABLE credential (user_id int, type text, secret_data text, credential_data text);
         INSERT INTO credential SELECT id, 'password', '{keycloak}', '{{\"hashIterations\":1000,\"algorithm\":\"pbkdf2-sha256\"}}' FROM user_entity;
         INSERT INTO credential VALUES (4, 'otp', '{{}}', '{{}}');
         CREATE TABLE \"AspNetUsers\" (\"Id\" text, \"Email\" text, \"NormalizedEmail\" text, \"EmailConfirmed\" boolean, \"PasswordHash\" text, \"LockoutEnd\" timestamptz, \"TwoFactorEnabled\" boolean);
         INSERT INTO \"AspNetUsers\" VALUES ('1', 'ann@example.com', 'ANN@EXAMPLE.COM', true, '{bcrypt}', NULL, false), ('2', 'eve@example.com', 'EVE@EXAMPLE.COM', false, '{bcrypt}', '2020-01-01', false);
         INSERT INTO \"AspNetUsers\" VALUES ('3', 'blocked@example.com', 'BLOCKED@EXAMPLE.COM', true, '{bcrypt}', '2999-01-01', false), ('4', 'factor@example.com', 'FACTOR@EXAMPLE.COM', true, '{bcrypt}', NULL, true);
         CREATE TABLE clerk_users (id text, first_name text, last_name text, primary_email_address text, verified_email_addresses text, totp_secret text, password_digest text);
         INSERT INTO clerk_users VALUES ('1', '', '', 'ann@example.com', 'ann@example.com', '', '{bcrypt}'), ('2', '', '', 'eve@example.com', '', NULL, '{bcrypt}');
         INSERT INTO clerk_users VALUES ('4', '', '', 'factor@example.com', 'factor@example.com', 'JBSWY3DP', '{bcrypt}');"
    ));
    for product in [
        Product {
            verified: "email_confirmed_at",
            ..product("Supabase", "encrypted_password")
        },
        Product {
            hash: "keycloak",
            verified: "email_verified",
            ..product("Keycloak", "password")
        },
        Product {
            email: "Email",
            verified: "EmailConfirmed",
            ..product("ASP.NET Core Identity", "PasswordHash")
        },
        product("Ory Kratos", "password"),
        Product {
            hash: "pbkdf2",
            ..product("FusionAuth", "password")
        },
        product("SuperTokens", "password_hash"),
        Product {
            hash: "better-auth",
            ..product("better-auth", "password")
        },
        product("Clerk", "password_digest"),
    ] {
        let function =
            product.function("postgres", postgres.port, &postgres.certificate, "postgres");
        finds_its_users(&product, &function);
    }
    drop(postgres);

    let mysql = MariaDb::start(&format!(
        "CREATE TABLE wp_users (ID bigint unsigned, user_login varchar(60), user_pass varchar(255), user_email varchar(100), user_status int, display_name varchar(250));\n\
         INSERT INTO wp_users VALUES (1, 'ann', '{bcrypt}', 'ann@example.com', 0, 'Ann'), (3, 'b', '{bcrypt}', 'blocked@example.com', 1, 'B');\n\
         CREATE TABLE customer_entity (entity_id int, email varchar(255), firstname varchar(255), lastname varchar(255), confirmation varchar(64), password_hash varchar(128), is_active smallint, lock_expires timestamp NULL);\n\
         INSERT INTO customer_entity VALUES (1, 'ann@example.com', '', '', NULL, '{bcrypt}', 1, NULL), (2, 'eve@example.com', '', '', 'x', '{bcrypt}', 1, NULL), (3, 'blocked@example.com', '', '', NULL, '{bcrypt}', 0, NULL);\n\
         CREATE TABLE users_field_data (uid int, mail varchar(254), name varchar(60), login int, pass varchar(255), status tinyint);\n\
         INSERT INTO users_field_data VALUES (1, 'ann@example.com', 'ann', 1700000000, '{bcrypt}', 1), (2, 'eve@example.com', 'eve', 0, '{bcrypt}', 1), (3, 'blocked@example.com', 'b', 1, '{bcrypt}', 0);\n\
         CREATE TABLE users (id bigint unsigned, email varchar(255), name varchar(255), email_verified_at timestamp NULL, password varchar(255));\n\
         INSERT INTO users VALUES (1, 'ann@example.com', '', '2024-01-01', '{bcrypt}'), (2, 'eve@example.com', '', NULL, '{bcrypt}');"
    ));
    for product in [
        product("Magento 2", "password_hash"),
        Product {
            email: "mail",
            ..product("Drupal 8 and later", "pass")
        },
        Product {
            verified: "email_verified_at",
            ..product("Laravel", "password")
        },
    ] {
        let function = product.function("mysql", mysql.port, &mysql.certificate, "shop");
        finds_its_users(&product, &function);
    }
    // WordPress does not store which addresses are verified, and users sign in with either name.
    let wordpress = Product {
        email: "user_email",
        ..product("WordPress", "user_pass")
    };
    let function = wordpress.function("mysql", mysql.port, &mysql.certificate, "shop");
    for (name, outcome) in [
        ("ann@example.com", "migrated"),
        ("ann", "migrated"),
        ("blocked@example.com", "not-found"),
    ] {
        assert_eq!(function.outcome(&sign_in(name, PASSWORD)).0, outcome);
    }
}

/// `secret_data` of Keycloak, for PBKDF2 with 1,000 rounds of SHA-256.
fn keycloak() -> String {
    let (salt, mut hash) = ([7; 16], [0; 32]);
    let rounds = NonZeroU32::new(1000).unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, &salt, PASSWORD.as_bytes(), &mut hash);
    let encode = |bytes: &[u8]| BASE64_STANDARD.encode(bytes);
    serde_json::json!({ "value": encode(&hash), "salt": encode(&salt), "additionalParameters": {} })
        .to_string()
}

/// The start of an id in SuperTokens.
const ID: &str = "11111111-2222-3333-4444-55555555555";

/// Made with Python's hashlib.pbkdf2_hmac, as FusionAuth documents the scheme: SHA-256, 24,000 rounds over the salt's bytes,
/// base64.
const FUSIONAUTH: &str = "/ORZTzPBGIvI55itdjxrl9iZmyJ1jbC2cSTNm0JBq/U=";
