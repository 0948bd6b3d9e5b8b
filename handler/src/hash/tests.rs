//! Hashes from other software: published examples of crates and products, and hashes of one password by Django, passlib and
//! bcrypt.

use base64::{Engine, prelude::BASE64_STANDARD};

use super::*;

fn verify(password: &[u8], stored: &str) -> Result<bool, Why> {
    read(stored)?.matches(password)
}

const PASSWORD: &str = "Pässword 1!";

const MADE_BY_OTHERS: [&str; 20] = [
    // Django 5
    "pbkdf2_sha256$1000$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=",
    "pbkdf2_sha1$1000$saltsaltsalt$OAR0+7qNtm4Mbsvq2mEznlo/eRs=",
    "argon2$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
    "bcrypt_sha256$$2b$04$HniSqZ.lhPzerCxjaFkJOO2e9FD1w/72SgAEKLjOgVsU5LeYT.PMO",
    "bcrypt$$2b$04$IID4J3rqa.rmMG7IMrlsTeLtNjamj1nepXYx.Bc8bIw000shrIjM6",
    "scrypt$1024$saltsaltsalt$8$5$9uXCwHmzVXjE5eG8U7MH9pt7dF4E/ebTodNlh10M0AQxXd3aazqiVJHJ2PyzoxxKSe8p1VouxfksSftCwogumg==",
    // bcrypt
    "$2b$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG",
    "$2y$04$mzL0N04zmEBsoPiNsy1vxemdj/rncCjR30iqcdUY4ENlfqiAnNzkG",
    // WordPress 6.8
    "$wp$2y$04$hl.Ac/Oh0Qjkuai15L.Hk.mObclGuiNKYRExZp1tguwLWFUOG3oRO",
    // argon2-cffi
    "$argon2id$v=19$m=64,t=2,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
    "$argon2i$v=19$m=64,t=2,p=1$NHItfn06vyVwyuoWMy4mtw$tZ/pkUelltFB/NQ/pRBfKBvFgojkpwQdgCNQvgAvOYM",
    // passlib
    "$pbkdf2-sha256$1000$mHMO4dz7n/O.F.Lc25vTGg$zqYpChTE/jOJdY/uOq2rNotdNW9EtV7wCXu2nNdbhbM",
    "$pbkdf2-sha512$1000$RmhtLSVESGmt9X7v3ZvT.g$XGMLy83qlVCywssGIMo8z/d.84IC/0oM3W07pscsw4bYPDHnJUb0V4r/1/qvSmP/05uOeNeaKYlV.e8D6rY4/w",
    "$pbkdf2$1000$gnAOgZDyfs85h7B2zpmz9g$8UXH1ploc764IZNljNanVeNR8Dw",
    "$scrypt$ln=10,r=8,p=1$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
    "$P$60y8janSpvvRc1fwe1OxL1HsGY8nP6.",
    "$5$rounds=1000$79zZPtBf6BnfZkIp$bcOzkK8pajLWYVwm3JqH1EFpfzuaXhHcapyJU6QiUM0",
    "$6$rounds=1000$NsipEK.XEzZ7GgjR$c448XAZrWB0DqDPtJni6t0FXKix9tHyJJMxuIkrteT6W6rKNpwnbwuCH0ZgbCTIgWVwZaWzwCTVQvqryci7930",
    "{SSHA}t+5YIHIOWRx0ckCrWT0WWjvFhDx3jlFq",
    "{SSHA512}eL6CLlj6CBRO2fg8xv2varS3o08ok3/2bHiPH2EZfKV7nKoehTt7VJe/63IHqzx55sLbes9Igm4c2W4NXvxBodBaq/UeI4Qw",
];

#[test]
fn hashes_of_other_software_are_recognised() {
    for stored in MADE_BY_OTHERS {
        assert_eq!(verify(PASSWORD.as_bytes(), stored), Ok(true), "{stored}");
        assert_eq!(verify(b"Passw\xc3\xa4rd 1!", stored), Ok(false), "{stored}");
    }
    let ssha256 = "{SSHA256}VGeRnAcECdds9rSvvu9RtfCEDlNozecAf390/6eJKggk5BwjRMhZaw==";
    assert_eq!(verify(PASSWORD.as_bytes(), ssha256), Ok(true));
}

/// Published with crypt_blowfish. No crate can compute its bug for non-ASCII bytes.
#[test]
fn a_hash_of_phps_old_bug_is_checked_only_against_ascii() {
    let ascii = "$2x$04$mzL0N04zmEBsoPiNsy1vxeJ9zaqtw8WySG/OtJr9EgVaj42jyJuoi";
    let other = "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
    assert_eq!(verify(b"Password 1!", ascii), Ok(true));
    assert_eq!(verify(b"another", ascii), Ok(false));
    assert_eq!(verify("\u{a3}".as_bytes(), other), Err(Why::Damaged));
    let django = format!("bcrypt${other}");
    assert_eq!(verify("\u{a3}".as_bytes(), &django), Err(Why::Damaged));
}

#[test]
fn published_examples_are_recognised() {
    for (password, stored) in [
        (
            "U*U",
            "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        ),
        ("test12345", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0"),
        // The first version of argon2, which does not name its version.
        (
            "password",
            "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        ),
        (
            "Hello world!",
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5",
        ),
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
    ] {
        assert_eq!(verify(password.as_bytes(), stored), Ok(true), "{stored}");
    }
}

/// Made by the frameworks themselves, and published with the password by others. If the software can be installed, `makers` among
/// the integration tests generates hashes with it.
const PUBLISHED: [(&str, &str, &str); 21] = [
    // From the reference of Spring Security, for its DelegatingPasswordEncoder.
    (
        "{bcrypt}",
        "password",
        "{bcrypt}$2a$10$dXJ3SW6G7P50lGmMkkmwe.20cQQubK3.HZWzG3YB1tlRy.fqvM/BG",
    ),
    (
        "{pbkdf2}",
        "password",
        "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc",
    ),
    (
        "{scrypt}",
        "password",
        "{scrypt}$e0801$8bWJaSu2IKSn9Z9kM+TPXfOc/9bdYSrN1oD9qfVThWEwdRTnO7re7Ei+fUZRJ68k9lTyuTeUp4of4g24hHnazw==$OAOec05+bXxvuu/1qZ6NUR+xQYvYv7BeL1QxwRpY5Pc=",
    ),
    // By Python's hashlib and argon2-cffi with the parameters of Spring Security 5.8: no hash published with its password was
    // found.
    (
        "{pbkdf2@SpringSecurity_v5_8}",
        "password",
        "{pbkdf2@SpringSecurity_v5_8}000102030405060708090a0b0c0d0e0fe0f65a4bf6716253d2d10a7a4b18f35cd4baf31ff031a187cd0091674905482d",
    ),
    (
        "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=16384,t=2,p=1$",
        "password",
        "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=16384,t=2,p=1$LeLcIaO8xhGVCrpXMkerSw$KKM5K6HJLJqzL7rWJi7W13QFC7uITxXC+L0jyA/AM7U",
    ),
    // The tests of ASP.NET Core Identity (PasswordHasherTest).
    (
        "ASP.NET Identity v2",
        "my password",
        "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==",
    ),
    (
        "ASP.NET Identity v3",
        "my password",
        "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
    ),
    (
        "ASP.NET Identity v3",
        "my password",
        "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C08OLvplNlCDc3oQZ8efcW+jQ=",
    ),
    (
        "ASP.NET Identity v3",
        "my password",
        "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZzmRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==",
    ),
    // Exports of Keycloak realms with the passwords of their demonstration users.
    (
        "pbkdf2-sha256, 27500 iterations",
        "password",
        r#"{"value":"JsfNbCOIdZUbyBJ+BT+VoGI91Ec2rWLOvkLPDaX8e9k=","salt":"P5rtFkGtPfoaryJ6PizUJw==","hashIterations":27500,"algorithm":"pbkdf2-sha256","additionalParameters":{}}"#,
    ),
    (
        "argon2, 5 iterations",
        "iceberg",
        r#"{"value":"BuViHNDGmCq80fvpty/QoggTI8NSt0CuNDGgeoa5f5A=","salt":"RJ0aLMQ2qKbZuROs7qQhcA==","hashIterations":5,"algorithm":"argon2","additionalParameters":{"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]}}"#,
    ),
    // The tests of Drupal (PasswordVerifyTest); the second is a hash of version 6, hashed again.
    (
        "$S$5",
        "valid password",
        "$S$5TOxWPdvJRs0P/xZBdrrPlGgzViOS0drHu3jaIjitesfttrp18bk",
    ),
    (
        "U$S$5",
        "valid password",
        "U$S$5vNHDQyLqCTvsYBLWBUWXJWhA0m3DTpBh04acFEOGB.bKBclhKgo",
    ),
    // The tests of Magento (EncryptorTest), and fixtures of shops.
    (
        "hash:salt:0",
        "password",
        "67a1e09bb1f83f5007dc119c14d663aa:salt:0",
    ),
    (
        "hash:salt:1",
        "password",
        "13601bda4ea78e55a07b98866d2be6be0744e3866f13c00c811cab608a28f322:salt:1",
    ),
    (
        "hash:salt:1",
        "password",
        "a1c7fc88037b70c9be84d3ad12522c7888f647915db78f42eb572008422ba2fa:-----------random_salt----------:1",
    ),
    (
        "hash:salt:3_32_2_67108864",
        "Password@2022",
        "abf1de8d537a1270237b9b56c8db9c67aeece6d89639a64d5ffd7264262541ab:PNK7gwTSnTc9L8AXZEvgZQ4SA66qirus:3_32_2_67108864",
    ),
    (
        "hash:salt:3_32_2_67108864",
        "Password@",
        "ab5ebf8d273b085b6a60336198e0a5a2090fdc3e0606a678315c7274ab06e046:5PiKJRn28bBKoFMopMaaKuV47aJ6GzVg:3_32_2_67108864",
    ),
    // better-auth 1.7, Lucia 3's legacy form, and Lucia 1's, by Node.js: NFKC turns the password into "fish IV".
    (
        "salt:hash",
        "\u{fb01}sh \u{2163}",
        "a204af4b01bf120563d5ec8b251a7ab5:c27efcb007a77f5ab809e6405830a41156a2e0e3079bf61ccd2b81acc4522ea788085507775604d44daaf8a7a2e08dfb8ae5548156509d3c3a3e806eb9395286",
    ),
    (
        "s2:salt:hash",
        "\u{fb01}sh \u{2163}",
        "s2:327deb1eeac5baf5c3ff11e75c0e9173:1bbf365d5a2bbcec325ecf57e97ee0b478755083203016f1d2aa2bd17874f93c21680b029ed7ba4b071988dc0e22518305d673b2bade8b27b6a90abeb1346344",
    ),
    (
        "salt:hash",
        "\u{fb01}sh \u{2163}",
        "000102030405060708090a0b0c0d0e0f:f97428958c0ee96487024b8edf71a607a91211dd32c7627299eab63493b92715efec31b7b4721936ce5d022c9556449cea2d10c9702249fa3a7aab45f6c5c479",
    ),
];

#[test]
fn published_hashes_of_frameworks_are_recognised_and_named() {
    for (format, password, stored) in PUBLISHED {
        let hash = read(stored).unwrap_or_else(|why| panic!("{why:?}: {stored}"));
        assert_eq!(hash.matches(password.as_bytes()), Ok(true), "{stored}");
        // Without optimisation hundreds of thousands of rounds take seconds: once is enough.
        let is_costly = stored.starts_with("{pbkdf2") || stored.starts_with("AQAAAAEAA9CQ");
        if !is_costly {
            assert_eq!(hash.matches(b"another"), Ok(false), "{stored}");
        }
        let shown = label(stored);
        assert!(shown.starts_with(format), "{shown}: {stored}");
    }
}

/// Magento hashes an old hash again when it changes its function. The value is Python's `hashlib`, by Magento's steps.
#[test]
fn a_hash_that_magento_upgraded_is_recognised() {
    let stored = "3b68ca4706cbae291455e4340478076c1e1618e742b6144cfcc3e50f648903e4:salt:0:1";
    assert_eq!(verify(b"password", stored), Ok(true));
}

#[test]
fn a_column_padded_with_spaces_is_read() {
    let stored = format!("{:<80}", MADE_BY_OTHERS[6]);
    assert_eq!(verify(PASSWORD.as_bytes(), &stored), Ok(true));
}

#[test]
fn plain_text_and_weak_digests_are_refused_and_not_compared() {
    for stored in [
        "{noop}password",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "{MD5}X03MO1qnZdYdgyfeuILPmQ==",
        "{sha256}97cde38028ad898ebc02e690819fa220e88c62e0699403e94fff291cfffaf8410849f27605abcbc0",
    ] {
        assert_eq!(verify(b"password", stored), Err(Why::Weak), "{stored}");
    }
    for unknown in [
        "password",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "$1$salt$qJH7.N4xYta3aEG/dfqo/0",
    ] {
        assert_eq!(verify(b"password", unknown), Err(Why::Unknown), "{unknown}");
    }
}

#[test]
fn the_example_of_firebase_is_recognised() {
    let key = FirebaseKey {
        salt_separator: "Bw==",
        rounds: 8,
        mem_cost: 14,
    };
    let signer_key =
        "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==";
    let stored =
        "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    for (password, right) in [("user1password", true), ("user2password", false)] {
        let found = firebase(
            password.as_bytes(),
            stored,
            "42xEC+ixf3L2lw==",
            key,
            signer_key,
        );
        assert_eq!(found, Ok(right));
    }
}

#[test]
fn a_damaged_hash_is_unreadable_and_never_panics() {
    for stored in MADE_BY_OTHERS {
        for end in 0..stored.trim_end_matches('=').len() {
            if let Some(cut) = stored.get(..end) {
                assert_ne!(verify(PASSWORD.as_bytes(), cut), Ok(true), "{cut}");
            }
        }
    }
    for stored in [
        "",
        "x",
        "$",
        "$$",
        "$1$salt$hash",
        "$2b$99$x",
        "md5$a$b",
        "{SSHA}",
        "{SSHA}AAAA",
        "{MD5}AAAA",
        "$P$",
        "$P$zzzzz",
        // More memory than available: a failed allocation would end the process.
        "$argon2id$v=19$m=4294967295,t=1,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
        "$scrypt$ln=40,r=8,p=1$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
        "$scrypt$ln=63,r=1,p=1$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
        "$scrypt$ln=1,r=8,p=134217727$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
        // More time than a sign-in has.
        "$2b$31$C6UzMDM.H6dfI/f/IKcEeO7ZpYb5rDN3ZQm8ZqvNa2eYGRRyVvhQK",
        "$argon2id$v=19$m=8192,t=4294967295,p=1$6HIm3f4Fq9zQKZelyZMoOg$d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8",
        "$scrypt$ln=15,r=8,p=10000$9j5HKOW8t9Y6B8A4Z0yp9Q$3IVwaRKj/8yxCrPotGnzP9OMbQHI7j3D01B2eHikS+0",
        "$pbkdf2-sha256$4294967295$mHMO4dz7n/O.F.Lc25vTGg$zqYpChTE/jOJdY/uOq2rNotdNW9EtV7wCXu2nNdbhbM",
        "pbkdf2_sha256$4294967295$saltsaltsalt$tFmeFaEPJ+XpX+YXQalnoY7okt4zzEFHCqVt+f2GiYA=",
        "$P$S0y8janSpvvRc1fwe1OxL1HsGY8nP6.",
        "$6$rounds=999999999$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
    ] {
        assert!(verify(b"", stored).is_err(), "{stored}");
    }
}

#[test]
fn every_decoy_can_be_checked_and_matches_no_password() {
    use HashFormat::*;
    for format in [
        Bcrypt,
        Argon2,
        Scrypt,
        Pbkdf2,
        Django,
        Phpass,
        ShaCrypt,
        Ssha,
        Werkzeug,
        Spring,
        AspnetIdentity,
        Keycloak,
        Drupal,
        Magento,
        ScryptKdf,
        BetterAuth,
    ] {
        assert_eq!(
            verify(b"any password", decoy(format)),
            Ok(false),
            "{format:?}"
        );
    }
}

#[test]
fn a_hash_of_another_length_is_unreadable() {
    let pbkdf2 = "$pbkdf2-sha256$i=1000,l=16$mHMO4dz7n/O.F.Lc25vTGg$";
    let whole = "zqYpChTE/jOJdY/uOq2rNotdNW9EtV7wCXu2nNdbhbM";
    assert_eq!(
        verify(PASSWORD.as_bytes(), &format!("{pbkdf2}{whole}")),
        Err(Why::Damaged)
    );
    let half = "zqYpChTE/jOJdY/uOq2rNg";
    assert_eq!(
        verify(PASSWORD.as_bytes(), &format!("{pbkdf2}{half}")),
        Ok(true)
    );
    let too_short = pbkdf2.replace("l=16", "l=8") + "zqYpChTE/jM";
    assert_eq!(verify(PASSWORD.as_bytes(), &too_short), Err(Why::Damaged));
}

#[test]
fn a_phpass_cost_is_between_seven_and_twenty_five() {
    for (cost, readable) in [('4', false), ('5', true)] {
        let stored = format!("$P${cost}0y8janSpvvRc1fwe1OxL1HsGY8nP6.");
        assert_eq!(verify(b"x", &stored).is_ok(), readable, "{cost}");
    }
}

/// The processor time of this thread so far, which other work on the machine does not count in.
fn processor_ms() -> f64 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let nanoseconds: f64 = schedule.split(' ').next().unwrap().parse().unwrap();
    nanoseconds / 1e6
}

/// Prints the cost of one check of each format, as a multiple of bcrypt 12, for the tables in `docs/from-sql.md` and
/// `config/src/directory/cost.rs`: `cargo test --release -p jane-migrate-handler --lib -- --ignored --nocapture cost_of_each`,
/// with the profile of `handler/bundle.toml`.
#[test]
#[ignore = "it takes a minute, and measures rather than tests"]
#[expect(clippy::print_stdout, reason = "it is run to be read")]
fn cost_of_each_format() {
    const HASH: &str = "d+2etF5k1aPS8gjJdI/57JoRs1V+nrs3sFOYWQA3QS8";
    let argon2 = |m: u32, t: u32, p: u32| {
        format!("$argon2id$v=19$m={m},t={t},p={p}$6HIm3f4Fq9zQKZelyZMoOg${HASH}")
    };
    let sha512 =
        "vvL.OFP3AGpqu6G3VdJH8T8qJu02Fp2yvgjRZD.zGLIsA0jUnkO/IKNo7QWgbDdc0pBV316tPwdRuvQcRaoq1/";
    let cases = [
        ("bcrypt 12", decoy(HashFormat::Bcrypt).to_owned()),
        ("bcrypt 10", decoy(HashFormat::Spring).to_owned()),
        ("argon2 19 MiB t2 p1", argon2(19_456, 2, 1)),
        ("argon2 64 MiB t3 p4 (PHP, passlib)", argon2(65_536, 3, 4)),
        ("argon2 100 MiB t2 p8 (Django)", argon2(102_400, 2, 8)),
        ("argon2 16 MiB t2 p1 (Spring)", argon2(16_384, 2, 1)),
        ("argon2 7 MiB t5 p1 (Keycloak)", decoy(HashFormat::Keycloak).to_owned()),
        ("scrypt N=2^15 r8 p1 (Werkzeug)", decoy(HashFormat::Werkzeug).to_owned()),
        ("scrypt N=2^16 r8 p1 (Spring, passlib)", decoy(HashFormat::Scrypt).replace("ln=15", "ln=16")),
        ("scrypt N=2^14 r8 p5 (Django)", format!("scrypt$16384$salt$8$5${}", BASE64_STANDARD.encode([7; 64]))),
        ("scrypt N=2^14 r8 p1", decoy(HashFormat::Scrypt).replace("ln=15", "ln=14")),
        ("pbkdf2-sha256 600,000", decoy(HashFormat::Pbkdf2).to_owned()),
        ("pbkdf2-sha256 1,000,000 (Django 5.2)", decoy(HashFormat::Django).replace("$600000", "$1000000")),
        ("pbkdf2-sha512 600,000 (Odoo)", format!("$pbkdf2-sha512$600000$RmhtLSVESGmt9X7v3ZvT.g${}", BASE64_STANDARD.encode([7; 64]).trim_end_matches('='))),
        ("pbkdf2-sha512 210,000 (Keycloak)", format!("$pbkdf2-sha512$210000$RmhtLSVESGmt9X7v3ZvT.g${}", BASE64_STANDARD.encode([7; 64]).trim_end_matches('='))),
        ("pbkdf2-sha512 100,000 (ASP.NET)", decoy(HashFormat::AspnetIdentity).to_owned()),
        ("pbkdf2-sha1 185,000 (Spring 5.5)", "{pbkdf2}5d923b44a6d129f3ddf3e3c8d29412723dcbde72445e8ef6bf3b508fbf17fa4ed4d6b99ca763d8dc".to_owned()),
        ("pbkdf2-sha256 310,000 (Spring 5.8)", decoy(HashFormat::Pbkdf2).replace("600000", "310000")),
        ("sha512-crypt 656,000 (passlib)", format!("$6$rounds=656000$g1YJxtEuNdtTcjpG${sha512}")),
        ("sha512-crypt 5,000", format!("$6$g1YJxtEuNdtTcjpG${sha512}")),
        ("phpass 2^13 (WordPress)", decoy(HashFormat::Phpass).to_owned()),
        ("Drupal 2^15", decoy(HashFormat::Drupal).to_owned()),
        ("Magento argon2 64 MiB t2", decoy(HashFormat::Magento).to_owned()),
        ("scrypt-kdf N=2^15", decoy(HashFormat::ScryptKdf).to_owned()),
        ("better-auth", decoy(HashFormat::BetterAuth).to_owned()),
    ];
    let least = |stored: &str| {
        let hash = read(stored).unwrap();
        let times = (0..5).map(|_| {
            let started = processor_ms();
            let _ = hash.matches(b"any password");
            processor_ms() - started
        });
        times.fold(f64::INFINITY, f64::min)
    };
    let bcrypt = least(&cases[0].1);
    for (name, stored) in &cases {
        let (took, memory) = (least(stored), read(stored).unwrap().memory() >> 20);
        println!(
            "{name}: {took:.0} ms, {:.2} of bcrypt 12, {memory} MiB",
            took / bcrypt
        );
    }
}
