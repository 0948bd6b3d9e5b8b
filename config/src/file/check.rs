//! The checks of single values. Each error message follows the key's name.

use std::net::IpAddr;

use http::Uri;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::table::nearest;
use crate::{
    Arn, LdapServer, NAME_PLACEHOLDER, Source,
    config::RETENTIONS,
    is_loopback, is_region,
    template::{self, Part, Placeholder},
};

type Checked = Result<(), String>;

fn ensure(holds: bool, message: impl Into<String>) -> Checked {
    if holds { Ok(()) } else { Err(message.into()) }
}

/// `https`, except on loopback; no credentials, query or fragment.
pub(super) fn url(text: &str) -> Checked {
    // The text is not quoted, because it may contain a password.
    let uri: Uri = text.parse().map_err(|_| "is not a URL")?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err("must be a full URL, such as https://directory.example".to_owned());
    };
    ensure(
        !authority.as_str().contains('@'),
        "must not carry a user name or password",
    )?;
    ensure(
        uri.query().is_none() && !text.contains('#'),
        "must not carry a query or fragment",
    )?;
    match scheme {
        "https" => Ok(()),
        "http" => ensure(
            is_loopback(authority.host()),
            "must begin with https://; http is for this machine alone",
        ),
        _ => Err("must begin with https://".to_owned()),
    }
}

/// `ldaps`, except on loopback; only the server.
pub(super) fn ldap_url(text: &str) -> Checked {
    // The text is not quoted, because it may contain a password.
    let server = LdapServer::parse(text).ok_or(
        "must be ldaps:// with a host and, if it is not 636, a port, such as ldaps://ldap.example.com",
    )?;
    ensure(
        server.tls || is_loopback(&server.host),
        "must begin with ldaps://; ldap is for this machine alone",
    )
}

/// A DN.
pub(super) fn dn(text: &str) -> Checked {
    ensure(
        text.contains('='),
        "must be a DN, such as ou=people,dc=example,dc=com",
    )
}

/// The DN of a user, in which the user name is a complete value: it is escaped as one.
pub(super) fn user_dn(text: &str) -> Checked {
    let mut parts = text.split(NAME_PLACEHOLDER);
    let (before, after, more) = (parts.next(), parts.next(), parts.next());
    let whole = before.is_some_and(|before| before.len() > 1 && before.ends_with('='))
        && after.is_some_and(|after| after.is_empty() || after.starts_with([',', '+']));
    ensure(
        whole && more.is_none(),
        "must be a DN with {username} as one of its values, such as uid={username},ou=people,dc=example,dc=com",
    )
}

/// The filter for a user's entry. Only the server can check it completely, in the deploy's probe.
pub(super) fn ldap_filter(text: &str) -> Checked {
    ensure(
        text.contains(NAME_PLACEHOLDER),
        "must use {username}, which is the user name",
    )?;
    all_filter(text)
}

/// The filter of `[import]`, which finds all users.
pub(super) fn import_filter(text: &str) -> Checked {
    ensure(
        !text.contains(NAME_PLACEHOLDER),
        "finds all users, so it has no placeholder for a name",
    )?;
    all_filter(text)
}

fn all_filter(text: &str) -> Checked {
    let count = |sought: char| text.matches(sought).count();
    ensure(
        text.starts_with('(') && text.ends_with(')') && count('(') == count(')'),
        "must be a filter in parentheses, such as (&(objectClass=person)(mail={username}))",
    )
}

/// A URL as a template that reveals neither password nor secrets.
pub(super) fn url_template(text: &str) -> Checked {
    let mut plain = String::new();
    for part in template::parse(text).map_err(|error| error.to_string())? {
        match part {
            Part::Text(text) => plain.push_str(&text),
            Part::Placeholder(Placeholder::Password | Placeholder::Secret(_)) => {
                return Err(
                    "must carry neither the password nor a secret: URLs end up in logs".to_owned(),
                );
            }
            // Otherwise a user who signs in could choose where the password is sent.
            Part::Placeholder(_) if plain.matches('/').count() < 3 => {
                return Err("may have placeholders behind the host only".to_owned());
            }
            Part::Placeholder(_) => plain.push('x'),
        }
    }
    url(plain.split(['?', '#']).next().unwrap_or_default())
}

/// A template.
pub(super) fn template(text: &str) -> Checked {
    template::parse(text)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// A template of `[on_migrated]`: only values that both events have that can send it.
pub(super) fn told(text: &str) -> Checked {
    let known = |part: &Part| {
        matches!(
            part,
            Part::Text(_)
                | Part::Placeholder(
                    Placeholder::Username
                        | Placeholder::ClientId
                        | Placeholder::Attribute(_)
                        | Placeholder::Secret(_)
                )
        )
    };
    let parts = template::parse(text).map_err(|error| error.to_string())?;
    ensure(
        parts.iter().all(known),
        "may have the placeholders {username}, {client_id}, {attributes.NAME} and {secrets.KEY} alone",
    )
}

/// A template of `[on_migrated]` that other people may read.
pub(super) fn told_openly(text: &str) -> Checked {
    told(text)?;
    ensure(
        !text.contains("{secrets."),
        "must carry no secret: put it into `headers`",
    )
}

/// A statement of `[on_migrated]`, with the placeholder of the directory's kind.
pub(super) fn statement(statement: &str, placeholder: &str) -> Checked {
    let first = statement.split_whitespace().next().unwrap_or_default();
    let verbs = [
        "insert", "update", "delete", "merge", "replace", "with", "select", "call",
    ];
    ensure(
        verbs.iter().any(|verb| first.eq_ignore_ascii_case(verb)),
        "must be an INSERT, UPDATE, DELETE, MERGE, REPLACE, WITH, SELECT or CALL",
    )?;
    ensure(
        statement.contains(placeholder),
        format!("must use {placeholder}, which stands for the user"),
    )?;
    ensure(
        !statement.trim_end().trim_end_matches(';').contains(';'),
        "must be one statement",
    )
}

/// A template of a token's request. All sign-ins share the token, so it can contain no value of a user.
pub(super) fn settings_only(text: &str) -> Checked {
    let parts = template::parse(text).map_err(|error| error.to_string())?;
    let filled = |part: &Part| {
        matches!(
            part,
            Part::Text(_) | Part::Placeholder(Placeholder::Setting(_))
        )
    };
    ensure(
        parts.iter().all(filled),
        "may have no placeholder but {settings.KEY}",
    )
}

/// The value of a setting.
pub(super) fn plain(text: &str) -> Checked {
    ensure(
        !text.contains(['{', '}']),
        "must be plain text, without braces",
    )?;
    not_empty(text)
}

/// A header field of a request.
pub(super) fn header(name: &str, value: &str) -> Checked {
    header_name(name)?;
    template(value)
}

/// The name of a header field.
pub(super) fn header_name(name: &str) -> Checked {
    http::HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is no name of a header field")?;
    let taken = ["host", "content-length", "transfer-encoding", "connection"];
    ensure(
        !taken.iter().any(|taken| name.eq_ignore_ascii_case(taken)),
        "is set by the handler itself",
    )
}

/// The query for a user's row. The handler runs it in a read-only transaction; this check only finds obvious mistakes.
pub(super) fn query(query: &str, name: &str) -> Checked {
    let first = query.split_whitespace().next().unwrap_or_default();
    ensure(
        ["select", "with"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word)),
        "must be a SELECT",
    )?;
    ensure(
        query.contains(name),
        format!("must use {name}, which is the user name"),
    )?;
    ensure(
        !query.trim_end().trim_end_matches(';').contains(';'),
        "must be one statement",
    )
}

/// The query of `[import]`, which lists all users.
pub(super) fn export(query: &str) -> Checked {
    let first = query.split_whitespace().next().unwrap_or_default();
    ensure(
        ["select", "with"]
            .iter()
            .any(|word| first.eq_ignore_ascii_case(word)),
        "must be a SELECT",
    )?;
    ensure(
        !query.contains("$1"),
        "lists all users, so it has no placeholder for a name",
    )?;
    ensure(
        !query.trim_end().trim_end_matches(';').contains(';'),
        "must be one statement",
    )
}

/// The column of a CSV header.
pub(super) fn column(name: &str) -> Checked {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_:".contains(&byte);
    ensure(
        !name.is_empty() && name.bytes().all(known),
        "must be a column's name, such as password_hash",
    )
}

/// A column that the query must select. The database checks this completely in the deploy's probe; this finds mistakes earlier.
pub(super) fn selected(column: &str, select: &str, name: &str) -> Checked {
    if query(select, name).is_err() {
        return Ok(());
    }
    let (column, query) = (column.to_lowercase(), select.to_lowercase());
    ensure(
        query.contains('*') || query.contains(column.trim()),
        "is not among the columns that `query` selects",
    )
}

/// The id of an EC2 resource.
pub(super) fn id(text: &str, prefix: &str) -> Checked {
    let rest = text.strip_prefix(prefix).unwrap_or_default();
    ensure(
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        format!("must list ids such as {prefix}0123456789abcdef0"),
    )
}

/// A tag of the function, its role and its log group: the characters that all three services accept,
/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]*`.
pub(super) fn tag(name: &str, value: &str) -> Checked {
    use GeneralCategoryGroup::{Letter, Number, Separator};
    let begins = |prefix: &str| {
        let start = name.get(..prefix.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(prefix)
    };
    ensure(
        !begins("aws:"),
        "cannot be set: AWS keeps tags that begin with `aws:` to itself",
    )?;
    ensure(
        !begins("jane-migrate"),
        "is one of the tags the tool sets itself",
    )?;
    let allowed = |c: char| {
        "_.:/=+-@".contains(c) || matches!(c.general_category_group(), Letter | Number | Separator)
    };
    ensure(
        name.chars().chain(value.chars()).all(allowed),
        "may have letters, digits, spaces and _ . : / = + - @ alone, in its name and its value",
    )?;
    ensure(
        (1..=128).contains(&name.chars().count()),
        "must have 1 to 128 characters",
    )?;
    ensure(
        value.chars().count() <= 256,
        "must have a value of at most 256 characters",
    )
}

/// An accepted finding, with its reason.
pub(super) fn accepted(id: &str, reason: &str) -> Checked {
    let kebab = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ensure(
        !id.is_empty() && id.bytes().all(kebab),
        "must be the id of a check, such as open-sign-up",
    )?;
    ensure(
        !reason.trim().is_empty(),
        "needs a reason: the next reader will want to know why",
    )
}

/// A JSON pointer.
pub(super) fn pointer(text: &str) -> Checked {
    ensure(
        text.is_empty() || text.starts_with('/'),
        "must be a JSON pointer: empty, or beginning with `/`",
    )
}

/// One or more certificates in PEM.
pub(super) fn pem(text: &str) -> Checked {
    let certificate =
        text.contains("-----BEGIN CERTIFICATE-----") && text.contains("-----END CERTIFICATE-----");
    ensure(
        !text.contains("PRIVATE KEY"),
        "must hold certificates only, and no private key",
    )?;
    ensure(
        certificate,
        "must be a certificate in PEM: -----BEGIN CERTIFICATE-----...",
    )
}

/// Any text that is not empty.
pub(super) fn not_empty(text: &str) -> Checked {
    ensure(!text.trim().is_empty(), "must not be empty")
}

/// The name of an AWS region.
pub(super) fn region(text: &str) -> Checked {
    ensure(is_region(text), "must be an AWS region, such as us-east-1")
}

/// The id of an app client of a user pool.
pub(super) fn client_id(text: &str) -> Checked {
    let valid = (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+'));
    ensure(
        valid,
        "must be an app client's id: letters, digits, `_` and `+`",
    )
}

/// An ARN of this service whose resource starts with this.
pub(super) fn arn(text: &str, service: &str, resource: &str, example: &str) -> Checked {
    let valid = text.parse::<Arn>().is_ok_and(|arn| {
        arn.partition.starts_with("aws")
            && arn.service == service
            && arn.account.len() == 12
            && arn.account.bytes().all(|byte| byte.is_ascii_digit())
            && arn
                .resource
                .strip_prefix(resource)
                .is_some_and(|name| !name.is_empty())
            && !text.contains([' ', '*', '?'])
    });
    ensure(valid, format!("must be an ARN such as {example}"))
}

/// The ARN of a KMS key: a policy that names an alias of the key allows nothing.
pub(super) fn kms_key(text: &str) -> Checked {
    let example = "arn:aws:kms:us-east-1:123456789012:key/...";
    arn(text, "kms", "key/", example)
}

/// The prefix of our resources' names. The longest suffix is `jane-migrate-us-east-1_AbC123456-renew`, and IAM allows 64
/// characters.
pub(super) fn name_prefix(text: &str) -> Checked {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    ensure(
        (1..=26).contains(&text.len()) && text.bytes().all(allowed),
        "must have 1 to 26 letters, digits, `-` and `_`",
    )
}

/// A managed policy of IAM: one of the account, or one of AWS.
pub(super) fn managed_policy(text: &str) -> Checked {
    let example = "arn:aws:iam::123456789012:policy/boundary";
    let of_aws = text.replacen("::aws:", "::000000000000:", 1);
    arn(&of_aws, "iam", "policy/", example)
}

/// A path of IAM.
pub(super) fn role_path(text: &str) -> Checked {
    let inner = text.strip_prefix('/').and_then(|text| match text {
        "" => Some(""),
        text => text.strip_suffix('/'),
    });
    let valid = inner.is_some_and(|inner| {
        inner.is_empty()
            || inner
                .split('/')
                .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic()))
    });
    ensure(
        valid && text.len() <= 512,
        "must be a path of IAM: begin and end with `/`, such as /migration/",
    )
}

/// The ARN of an SNS topic.
pub(super) fn topic(text: &str) -> Checked {
    arn(
        text,
        "sns",
        "",
        "arn:aws:sns:us-east-1:123456789012:on-call",
    )
}

/// The ARN of a signing profile, or of a version of it.
pub(super) fn signing_profile(text: &str) -> Checked {
    let example = "arn:aws:signer:us-east-1:123456789012:/signing-profiles/migration";
    arn(text, "signer", "/signing-profiles/", example)
}

/// The ARN of a role.
pub(super) fn role(text: &str) -> Checked {
    arn(
        text,
        "iam",
        "role/",
        "arn:aws:iam::123456789012:role/migration",
    )
}

/// The ARN of a Lambda function, or of an alias or version of it.
pub(super) fn function(text: &str) -> Checked {
    let example = "arn:aws:lambda:us-east-1:123456789012:function:migration:live";
    arn(text, "lambda", "function:", example)?;
    let parts: Vec<&str> = text.split(':').skip(6).collect();
    let named = |part: &&str, longest: usize| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        (1..=longest).contains(&part.len()) && part.bytes().all(allowed)
    };
    let valid = match &parts[..] {
        [name] => named(name, 64),
        [name, qualifier] => named(name, 64) && named(qualifier, 128),
        _ => false,
    };
    ensure(valid, format!("must be an ARN such as {example}"))
}

/// A digest in Lambda's form: base64 of 32 bytes.
pub(super) fn code_sha256(text: &str) -> Checked {
    let base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let valid = text.len() == 44
        && text
            .strip_suffix('=')
            .is_some_and(|digits| digits.bytes().all(base64));
    ensure(
        valid,
        "must be the CodeSha256 that `jane-migrate build` prints",
    )
}

/// The name of an environment variable that Lambda allows.
pub(super) fn variable(name: &str) -> Checked {
    let mut bytes = name.bytes();
    let valid = bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && name.len() >= 2
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    ensure(
        valid,
        "must name an environment variable: two letters or more, digits and `_`, a letter first",
    )?;
    let taken = ["AWS_", "LAMBDA_", "JANE_MIGRATE_", "_"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    ensure(
        !taken,
        "must not begin with AWS_, LAMBDA_ or JANE_MIGRATE_: those are taken",
    )
}

/// The name of a parameter of the SSM parameter store: a word, or a path of up to 15.
pub(super) fn parameter(name: &str) -> Checked {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let path = name.strip_prefix('/').unwrap_or(name);
    let levels: Vec<&str> = path.split('/').collect();
    let valid = name.len() <= 1011
        && (levels.len() == 1 || name.starts_with('/'))
        && levels
            .iter()
            .all(|level| !level.is_empty() && level.bytes().all(allowed));
    ensure(
        valid,
        "must be a parameter's name, such as /jane/client-secret",
    )?;
    ensure(levels.len() <= 15, "must have at most 15 levels")?;
    let begins = |word: &str| {
        let start = path.get(..word.len()).unwrap_or_default();
        start.eq_ignore_ascii_case(word)
    };
    ensure(
        !begins("aws") && !begins("ssm"),
        "cannot begin with `aws` or `ssm`: those names are AWS's own (a secret of Secrets Manager is named by its ARN under `secretsmanager`)",
    )
}

/// The external id that a role of another account requires, so that no other caller can make its owner use it.
pub(super) fn external_id(text: &str) -> Checked {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_+=,.@:/-".contains(c);
    ensure(
        (2..=1224).contains(&text.len()) && text.chars().all(allowed),
        "must have 2 to 1224 letters, digits and _ + = , . @ : / -",
    )
}

/// A host name or address.
pub(super) fn host(text: &str) -> Checked {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let valid = text.parse::<IpAddr>().is_ok() || (!text.is_empty() && text.bytes().all(allowed));
    ensure(
        valid,
        "must be a host name or an address, without port or scheme",
    )
}

/// A retention that CloudWatch supports.
pub(super) fn retention(days: i64) -> Checked {
    ensure(
        RETENTIONS.iter().any(|known| i64::from(*known) == days),
        format!("must be one of {RETENTIONS:?}, not {days}"),
    )
}

/// Cognito's standard attributes that can be set, and the user name.
pub(super) const ATTRIBUTES: [&str; 20] = [
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "updated_at",
    "username",
    "website",
    "zoneinfo",
];

/// One line of `[attributes]`.
pub(super) fn attribute(name: &str, source: &str) -> Checked {
    let custom = name
        .strip_prefix("dev:")
        .unwrap_or(name)
        .strip_prefix("custom:");
    ensure(name != "sub", "is given by Cognito and cannot be set")?;
    if !ATTRIBUTES.contains(&name)
        && !custom.is_some_and(|name| (1..=20).contains(&name.chars().count()))
    {
        let hint = nearest(name, ATTRIBUTES).map_or_else(
            || format!("`custom:{name}`, if it is one of the pool's own"),
            |nearest| format!("`{nearest}`"),
        );
        return Err(format!("is no attribute of Cognito; did you mean {hint}?"));
    }
    for source in Source::alternatives(source) {
        if let Source::Field(field) = source {
            not_empty(&field)?;
            ensure(
                !field.contains(['{', '}']),
                "knows the placeholders `{username}` and `{uuid}` only",
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_checked(check: fn(&str) -> Checked, good: &[&str], bad: &[&str]) {
        for text in good {
            assert!(check(text).is_ok(), "{text}");
        }
        for text in bad {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_arn_names_one_resource_of_its_service() {
        assert_checked(
            role,
            &[
                "arn:aws:iam::123456789012:role/migration",
                "arn:aws-us-gov:iam::123456789012:role/apps/migration",
            ],
            &[
                "arn:azure:iam::123456789012:role/migration",
                "arn:aws:lambda::123456789012:role/migration",
                "arn:aws:iam::1234:role/migration",
                "arn:aws:iam::12345678901x:role/migration",
                "arn:aws:iam::123456789012:user/migration",
                "arn:aws:iam::123456789012:role/",
                "arn:aws:iam::123456789012:role/*",
                "migration",
            ],
        );
    }

    #[test]
    fn a_function_has_a_name_and_perhaps_a_qualifier() {
        const FUNCTION: &str = "arn:aws:lambda:us-east-1:123456789012:function:";
        let of = |name: &str| function(&format!("{FUNCTION}{name}")).is_ok();
        assert!(of("migration") && of("migration:live") && of("migration:7"));
        assert!(of(&"f".repeat(64)) && of(&format!("f:{}", "q".repeat(128))));
        for name in ["", "a.b", "a:", "a:b:c", "a b", "a:b.c"] {
            assert!(!of(name), "{name}");
        }
        assert!(!of(&"f".repeat(65)) && !of(&format!("f:{}", "q".repeat(129))));
    }

    #[test]
    fn digests_variables_and_external_ids_have_their_characters() {
        assert_checked(
            code_sha256,
            &["3q2NxtEMYU6l1TonXlvQQoXme71+4hsvExL53LUzm2Y="],
            &[
                "3q2NxtEMYU6l1TonXlvQQoXme71+4hsvExL53LUzm2Ya",
                "3q2N",
                "3q2NxtEMYU6l1TonXlvQQoXme71-4hsvExL53LUzm2Y=",
            ],
        );
        assert_checked(
            variable,
            &["DB_PASSWORD", "a1"],
            &["A", "1A", "A-B", "AWS_KEY", "LAMBDA_KEY", "_AB", ""],
        );
        let long = "x".repeat(1225);
        assert_checked(
            external_id,
            &["shop-1", "a:b/c=d@e.f,g+h_i", &long[1..]],
            &["x", "a b", "a#b", &long],
        );
    }

    #[test]
    fn a_filter_is_in_parentheses_and_a_dn_has_the_name_as_one_value() {
        assert_checked(
            ldap_filter,
            &["(mail={username})", "(&(a=b)(mail={username}))"],
            &[
                "mail={username}",
                "(mail={username}",
                "mail={username})",
                "((mail={username})",
                "(mail={username})x",
                "(mail=x)",
            ],
        );
        assert_checked(
            user_dn,
            &["uid={username},ou=people", "cn={username}+sn=x,o=shop"],
            &[
                "={username},ou=people",
                "uid={username}x,ou=people",
                "uid=x{username},ou=people",
                "uid={username},cn={username}",
                "uid=x",
            ],
        );
    }
}
