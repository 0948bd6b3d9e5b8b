//! Why a directory is unavailable, or a customer not eligible, as a sentence: the meaning of each `reason` in the handler's log.
//! `docs/while-it-runs.md` says what to do about each.

/// The reasons with their meaning, in words that follow the name of the call.
const REASONS: [(&str, &str); 27] = [
    ("connect", "no connection could be opened"),
    (
        "certificate",
        "the certificate of the directory is of another name, or of an authority that the function does not trust",
    ),
    (
        "certificate-expired",
        "the certificate of the directory has expired",
    ),
    ("connection", "the connection broke before the answer"),
    ("body", "the answer broke off, or is too long"),
    ("timeout", "no answer came in time"),
    (
        "paused",
        "the directory is not asked for two seconds, because it did not answer two names in a row",
    ),
    (
        "status",
        "the answer is none of those that the configuration knows",
    ),
    ("malformed", "the answer does not have the expected form"),
    (
        "request",
        "the request could not be made from the name, the settings and the secrets",
    ),
    ("secret", "the directory's secret could not be read"),
    (
        "token",
        "the token endpoint refused the client id or the client secret",
    ),
    (
        "credentials",
        "the directory refused the function's own credentials",
    ),
    (
        "login",
        "the database or LDAP server refused the user or its password",
    ),
    (
        "query",
        "the database refused the query, or the LDAP server the filter",
    ),
    (
        "base",
        "the LDAP server has nothing at `base`, or nothing that `bind_dn` may see",
    ),
    (
        "referral",
        "the LDAP server knows no such users itself and names another server, which is not asked",
    ),
    (
        "password_column",
        "the query selects no column, or more than one, of the name in `password_column`",
    ),
    (
        "salt_column",
        "the query selects no column, or more than one, of the name in `salt_column`",
    ),
    ("hash", "the hash could not be checked"),
    (
        "statement",
        "the database refused the statement of [on_migrated], or `on_wrong_password`",
    ),
    (
        "denied",
        "the database user, or the execution role, may not do what [on_migrated] or `on_wrong_password` asks for",
    ),
    (
        "read-only",
        "the database is one that takes no changes, such as a replica",
    ),
    ("panic", "the handler crashed"),
    ("app-client", "Jane does not know the app client"),
    (
        "other-name",
        "the directory has another email or phone number than the one that was typed, so the customer could not sign in again with it",
    ),
    (
        "unverified-alias",
        "the directory has not verified the email or phone number that was typed, and Cognito takes an alias only once it is verified, so the customer could sign in once and never again",
    ),
];

/// What a reason means.
pub fn meaning(reason: &str) -> Option<&'static str> {
    let mut reasons = REASONS.iter();
    reasons
        .find(|(known, _)| *known == reason)
        .map(|(_, meaning)| *meaning)
}
