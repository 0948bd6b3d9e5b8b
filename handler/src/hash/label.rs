//! Names the format of a stored hash for logs and reports: the part before its salt. The name contains nothing of a salt, a hash,
//! or a possible password.

use super::{
    fields::{base64, be32},
    scheme::Scheme,
};

/// Names that are short enough to reveal nothing, of formats whose rest may be short.
const SHORT: [&str; 12] = [
    "{noop}",
    "{cleartext}",
    "{plain}",
    "{sha}",
    "{md5}",
    "{smd5}",
    "{crypt}",
    "{ssha}",
    "$1$",
    "$apr1$",
    "$5$",
    "$6$",
];

/// The format of a hash, with its cost if that comes before the salt.
pub(super) fn label(stored: &str) -> String {
    if stored.starts_with("{\"") {
        return json(stored);
    }
    if let Some(known) = SHORT.iter().find(|known| begins(stored, known)) {
        return format!(
            "{}{}",
            &stored[..known.len()],
            rounds(&stored[known.len()..])
        );
    }
    let end = match stored.as_bytes().first() {
        Some(b'{') => stored.find('}').map(|end| end + 1),
        Some(b'$') => Some(modular(stored)),
        _ => named(stored),
    };
    let head = end.and_then(|end| stored.split_at_checked(end));
    match head {
        // Only a text that looks like a hash gets a printed name: a plain-text password may contain a `$`, too.
        Some((head, rest)) if is_name(head) && is_long(rest) => match head.starts_with('{') {
            true if rest.starts_with('$') => head.to_owned() + &label(rest),
            _ => head.to_owned(),
        },
        _ => shape(stored),
    }
}

/// Whether the text starts with this, in upper or lower case.
fn begins(text: &str, beginning: &str) -> bool {
    let start = text.get(..beginning.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(beginning))
}

/// The rounds before the salt in crypt(3)'s form.
fn rounds(rest: &str) -> &str {
    let field = rest.split_inclusive('$').next().unwrap_or_default();
    let digits = field
        .strip_prefix("rounds=")
        .and_then(|rest| rest.strip_suffix('$'));
    match digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
        true => field,
        false => "",
    }
}

/// The end of `$name$`, including the fields of costs after it.
fn modular(stored: &str) -> usize {
    let mut end = 1;
    for field in stored[1..].split_inclusive('$') {
        let is_cost = end > 1
            && (field.contains(['=', ',']) && !field.contains(['/', '+'])
                || field
                    .trim_end_matches('$')
                    .bytes()
                    .all(|byte| byte.is_ascii_digit()));
        let is_name = end == 1 || field == "2y$";
        if !field.ends_with('$') || !(is_cost || is_name) {
            break;
        }
        end += field.len();
    }
    match &stored[..end] {
        // The cost is the next character.
        "$P$" | "$H$" | "$S$" if stored.is_char_boundary(end + 1) => end + 1,
        _ => end,
    }
}

/// Parts of the names of algorithms. Any other text before a `$` may be the start of a password in plain text.
const ALGORITHMS: [&str; 5] = ["crypt", "argon2", "pbkdf2", "md5", "sha"];

/// The end of `name$`, including the rounds after it.
fn named(stored: &str) -> Option<usize> {
    let name = stored.find('$')? + 1;
    let known = |part: &&str| stored[..name].contains(part);
    if !stored.starts_with("U$") && !ALGORITHMS.iter().any(known) {
        return None;
    }
    let rest = &stored[name..];
    let next = rest.find('$').map(|at| &rest[..=at]).unwrap_or_default();
    Some(match &stored[..name] {
        "argon2$" | "bcrypt$" | "bcrypt_sha256$" => {
            name + if rest.starts_with('$') {
                modular(rest)
            } else {
                modular(&stored[name - 1..]) - 1
            }
        }
        "U$" => name + modular(&stored[name - 1..]).saturating_sub(1),
        _ if next.len() > 1
            && next
                .trim_end_matches('$')
                .bytes()
                .all(|byte| byte.is_ascii_digit()) =>
        {
            name + next.len()
        }
        _ => name,
    })
}

fn is_name(head: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"$:{}@=,._-".contains(&byte);
    (2..=60).contains(&head.len()) && head.bytes().all(plain)
}

/// Whether the rest can be a salt and a hash.
fn is_long(rest: &str) -> bool {
    rest.len() >= 20 && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Keycloak's algorithm and rounds.
fn json(stored: &str) -> String {
    let object: serde_json::Value = serde_json::from_str(stored).unwrap_or_default();
    let name = object["algorithm"]
        .as_str()
        .filter(|name| is_name(name))
        .unwrap_or("JSON");
    match object["hashIterations"].as_u64() {
        Some(rounds) => format!("{name}, {rounds} iterations"),
        None => name.to_owned(),
    }
}

/// The form of a text without a name.
fn shape(stored: &str) -> String {
    let length = stored.chars().count();
    let all = |test: fn(&u8) -> bool| stored.bytes().all(|byte| test(&byte));
    match length {
        _ if stored.contains(':') => colons(stored).unwrap_or_else(|| "no known form".to_owned()),
        32 | 40 | 64 | 96 | 128 if all(u8::is_ascii_hexdigit) => {
            format!("{length} hexadecimal digits")
        }
        24.. if all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte)) => {
            binary(stored).unwrap_or_else(|| format!("{length} characters of base64"))
        }
        _ => "no known form".to_owned(),
    }
}

/// The fields of a text with colons.
fn colons(stored: &str) -> Option<String> {
    match super::frameworks::colons(stored).ok()? {
        Scheme::TextSalted { .. } if stored.starts_with("s2:") => Some("s2:salt:hash".to_owned()),
        Scheme::TextSalted { .. } => Some("salt:hash".to_owned()),
        _ => {
            let versions: Vec<_> = stored.split(':').skip(2).collect();
            Some(format!("hash:salt:{}", versions.join(":")))
        }
    }
}

/// The format in the bytes of a base64 text, with the cost.
fn binary(stored: &str) -> Option<String> {
    let bytes = base64(stored).ok()?;
    match bytes.first()? {
        0 if bytes.len() == 49 => Some("ASP.NET Identity v2".to_owned()),
        1 if bytes.starts_with(&[1, 0, 0, 0]) => Some(format!(
            "ASP.NET Identity v3, {} iterations",
            be32(&bytes, 5).ok()?
        )),
        _ if bytes.starts_with(b"scrypt\0") => Some(format!("scrypt-kdf, N = 2^{}", bytes.get(7)?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_the_format_and_its_cost() {
        let tail = "abcdefghijklmnopqrstuvwxyzABCDEF";
        for (stored, expected) in [
            ("$2b$12$", "$2b$12$"),
            ("$wp$2y$10$", "$wp$2y$10$"),
            (
                "$argon2id$v=19$m=65536,t=3,p=4$",
                "$argon2id$v=19$m=65536,t=3,p=4$",
            ),
            ("$scrypt$ln=15,r=8,p=1$", "$scrypt$ln=15,r=8,p=1$"),
            ("$pbkdf2-sha512$600000$", "$pbkdf2-sha512$600000$"),
            (
                "$bcrypt-sha256$v=2,t=2b,r=12$",
                "$bcrypt-sha256$v=2,t=2b,r=12$",
            ),
            ("$6$rounds=656000$", "$6$rounds=656000$"),
            ("$6$", "$6$"),
            ("$P$B", "$P$B"),
            ("$S$D", "$S$D"),
            ("U$S$9", "U$S$9"),
            ("$y$j9T$", "$y$"),
            ("$1$", "$1$"),
            ("pbkdf2_sha256$600000$", "pbkdf2_sha256$600000$"),
            (
                "argon2$argon2id$v=19$m=102400,t=2,p=8$",
                "argon2$argon2id$v=19$m=102400,t=2,p=8$",
            ),
            ("bcrypt_sha256$$2b$12$", "bcrypt_sha256$$2b$12$"),
            ("scrypt:32768:8:1$", "scrypt:32768:8:1$"),
            ("sha1$", "sha1$"),
            ("{bcrypt}$2a$10$", "{bcrypt}$2a$10$"),
            (
                "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=16384,t=2,p=1$",
                "{argon2@SpringSecurity_v5_8}$argon2id$v=19$m=16384,t=2,p=1$",
            ),
            (
                "{pbkdf2@SpringSecurity_v5_8}",
                "{pbkdf2@SpringSecurity_v5_8}",
            ),
            ("{SSHA}", "{SSHA}"),
            ("{SHA}", "{SHA}"),
        ] {
            assert_eq!(label(&format!("{stored}{tail}")), expected);
        }
        assert_eq!(label("{noop}password"), "{noop}");
        assert_eq!(label(&"a1".repeat(16)), "32 hexadecimal digits");
        assert_eq!(
            label(r#"{"algorithm":"pbkdf2-sha512","hashIterations":210000}"#),
            "pbkdf2-sha512, 210000 iterations"
        );
        assert_eq!(
            label(&format!("{}:salt:0:1", "a1".repeat(32))),
            "hash:salt:0:1"
        );
        let (salt, hash) = ("a1".repeat(16), "b2".repeat(64));
        assert_eq!(label(&format!("{salt}:{hash}")), "salt:hash");
        assert_eq!(label(&format!("s2:{salt}:{hash}")), "s2:salt:hash");
    }

    #[test]
    fn a_label_contains_nothing_of_a_plain_text_password() {
        for plain in [
            "hunter2",
            "pa$$word",
            "$ecret$1",
            "{secret}1",
            "a:b:c",
            "canary$canary-canary canary",
            "😀$😀",
            "correcthorsebattery$staplecorrecthorsebattery",
        ] {
            assert_eq!(label(plain), "no known form", "{plain}");
        }
    }
}
