//! Hashes from other software: published examples of crates and products, and hashes of one password by Django, passlib and
//! bcrypt.

use super::*;

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

/// Published with crypt_blowfish. No crate can compute what its bug makes of bytes beyond ASCII.
#[test]
fn a_hash_of_phps_old_bug_is_checked_only_against_ascii() {
    let ascii = "$2x$04$mzL0N04zmEBsoPiNsy1vxeJ9zaqtw8WySG/OtJr9EgVaj42jyJuoi";
    let other = "$2x$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e";
    assert_eq!(verify(b"Password 1!", ascii), Ok(true));
    assert_eq!(verify(b"another", ascii), Ok(false));
    assert_eq!(verify("\u{a3}".as_bytes(), other), Err(Unreadable));
    let django = format!("bcrypt${other}");
    assert_eq!(verify("\u{a3}".as_bytes(), &django), Err(Unreadable));
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
        // More memory than there is: a failed allocation would end the process.
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
        assert_eq!(verify(b"", stored), Err(Unreadable), "{stored}");
    }
}

#[test]
fn every_decoy_can_be_checked_and_matches_no_password() {
    use HashFormat::*;
    for format in [
        Bcrypt, Argon2, Scrypt, Pbkdf2, Django, Phpass, ShaCrypt, Ssha,
    ] {
        assert_eq!(
            verify(b"any password", decoy(format)),
            Ok(false),
            "{format:?}"
        );
    }
}

#[test]
fn php_trims_six_characters_at_either_end() {
    assert_eq!(trim(b" \t\n\r\0\x0ba b\x0c \0"), b"a b\x0c");
    assert_eq!(trim(b"  "), b"");
    assert_eq!(trim(b"a"), b"a");
}

#[test]
fn a_hash_of_another_length_is_unreadable() {
    let pbkdf2 = "$pbkdf2-sha256$i=1000,l=16$mHMO4dz7n/O.F.Lc25vTGg$";
    let whole = "zqYpChTE/jOJdY/uOq2rNotdNW9EtV7wCXu2nNdbhbM";
    assert_eq!(
        verify(PASSWORD.as_bytes(), &format!("{pbkdf2}{whole}")),
        Err(Unreadable)
    );
    let half = "zqYpChTE/jOJdY/uOq2rNg";
    assert_eq!(
        verify(PASSWORD.as_bytes(), &format!("{pbkdf2}{half}")),
        Ok(true)
    );
    let too_short = pbkdf2.replace("l=16", "l=8") + "zqYpChTE/jM";
    assert_eq!(verify(PASSWORD.as_bytes(), &too_short), Err(Unreadable));
}

#[test]
fn a_phpass_cost_is_between_seven_and_twenty_five() {
    for (cost, readable) in [('4', false), ('5', true)] {
        let stored = format!("$P${cost}0y8janSpvvRc1fwe1OxL1HsGY8nP6.");
        assert_eq!(verify(b"x", &stored).is_ok(), readable, "{cost}");
    }
}
