//! Invalid values, and the values that messages never repeat.

use super::{SMALLEST, http, read, refused, with};
use crate::{Directory, Secret};

#[test]
fn urls_are_https_except_on_loopback() {
    let url = |url: &str| SMALLEST.replace("[directory]", &format!("[directory]\nurl = '{url}'"));
    for good in [
        "https://api.example",
        "https://api.example:8443/base",
        "http://127.0.0.1:8080",
        "http://localhost",
        "http://[::1]:1",
    ] {
        read(&url(good));
    }
    for bad in [
        "http://api.example",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example",
        "ftp://api.example",
        "api.example",
        "https://",
        "https://a b",
        "//api.example",
        "https://api.example?x=1",
        "https://api.example/#x",
        "",
    ] {
        assert!(refused(&url(bad)).contains(":3:7: `url` "), "{bad}");
    }
}

#[test]
fn a_password_in_a_url_is_rejected_and_not_quoted() {
    let message = refused(&SMALLEST.replace(
        "[directory]",
        "[directory]\nurl = 'https://me:hunter2@api.example'",
    ));
    assert!(
        message.contains("must not carry a user name or password"),
        "{message}"
    );
    assert!(!message.contains("hunter2"));
}

#[test]
fn a_literal_secret_is_rejected_and_not_quoted() {
    for value in [
        "'hunter2'",
        "['hunter2']",
        "{ secretsmanager = 'hunter2' }",
        "{ ssm = 'hunter2 x' }",
        "{ env = 'hunter2!' }",
        "{ value = 'hunter2' }",
        "{}",
    ] {
        let message = refused(&SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", value));
        assert!(message.starts_with("migrate.toml:5:"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
    }
    let secrets =
        http("url = 'https://a/'\njson = '{password}'\n[directory.secrets]\ntoken = 'hunter2'");
    assert!(!refused(&secrets).contains("hunter2"));
}

#[test]
fn a_secret_has_three_forms() {
    let secret =
        |value: &str| match read(&SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", value))
            .directory
        {
            Directory::Jane(jane) => jane.client_secret,
            other => panic!("{other:?}"),
        };
    let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf";
    assert_eq!(
        secret(&format!("{{ secretsmanager = '{arn}' }}")),
        Secret::SecretsManager {
            arn: arn.parse().unwrap(),
            key: None,
            kms_key: None
        }
    );
    let keyed = Secret::SecretsManager {
        arn: arn.parse().unwrap(),
        key: Some("k".into()),
        kms_key: None,
    };
    assert_eq!(
        secret(&format!("{{ secretsmanager = '{arn}', key = 'k' }}")),
        keyed
    );
    let parameter = |kms_key: Option<&str>| Secret::Ssm {
        name: "/a/b".into(),
        kms_key: kms_key.map(Into::into),
    };
    assert_eq!(secret("{ ssm = '/a/b' }"), parameter(None));
    let kms_key = "arn:aws:kms:us-east-1:123456789012:key/1234";
    let encrypted = secret(&format!("{{ ssm = '/a/b', kms_key = '{kms_key}' }}"));
    assert_eq!(encrypted, parameter(Some(kms_key)));
    assert_eq!(secret("{ env = 'A_B' }"), Secret::Env("A_B".into()));
    for both in [
        "{ ssm = '/a', env = 'AB' }",
        "{ env = 'AB', key = 'k' }",
        "{ env = 'AWS_SECRET' }",
        "{ env = 'AB', kms_key = 'arn:aws:kms:us-east-1:123456789012:key/1234' }",
        "{ ssm = '/a', kms_key = 'arn:aws:kms:us-east-1:123456789012:alias/mine' }",
        "{ secretsmanager = 'arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-AbCdEf', kms_key = 'arn:aws:kms:us-east-1:123456789012:key/1' }",
        "{ ssm = 'a/b' }",
        "{ ssm = '/a//b' }",
        "{ ssm = '/a/' }",
        "{ ssm = '/AWS/reference/secretsmanager/jane' }",
        "{ ssm = 'ssm-jane' }",
        "{ ssm = '/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16' }",
    ] {
        refused(&SMALLEST.replace("{ env = \"JANE_CLIENT_SECRET\" }", both));
    }
}

#[test]
fn invalid_values_are_rejected() {
    for (line, message) in [
        (
            "[function]\nlog_retention_days = 31",
            "`log_retention_days` must be one of [1, 3, 5, 7, 14, 30,",
        ),
        (
            "[function]\nmemory_mb = 10241",
            "`memory_mb` must be between 128 and 10240",
        ),
        (
            "[function]\nreserved_concurrency = 0",
            "`reserved_concurrency` must be between 1",
        ),
        (
            "[function]\nkms_key_arn = 'key'",
            "`kms_key_arn` must be an ARN such as",
        ),
        (
            "[function]\nlog_kms_key_arn = 'key'",
            "`log_kms_key_arn` must be an ARN such as",
        ),
        (
            "[function]\nsigning_profile = 'migration'",
            "`signing_profile` must be an ARN such as",
        ),
        (
            "[function]\nname_prefix = 'a/b'",
            "`name_prefix` must have 1 to 26 letters",
        ),
        (
            "[function]\nname_prefix = 'abcdefghijklmnopqrstuvwxyz-'",
            "`name_prefix` must have 1 to 26 letters",
        ),
        (
            "[function]\nrole_path = 'apps'",
            "`role_path` must be a path of IAM",
        ),
        (
            "[function]\nrole_path = '/a//b/'",
            "`role_path` must be a path of IAM",
        ),
        (
            "[function]\npermissions_boundary = 'arn:aws:iam::123456789012:role/b'",
            "`permissions_boundary` must be an ARN such as",
        ),
        (
            "[function]\nrole_arn = 'migration'",
            "`role_arn` must be an ARN such as",
        ),
        (
            "[function]\nrole_arn = 'arn:aws:iam::123456789012:role/r'\nrole_path = '/a/'",
            "`role_path` in [function] has no effect with `role_arn`",
        ),
        (
            "[pool]\nid = 'us-east-1_AbC123'\nrole_arn = 'deployer'",
            "`role_arn` must be an ARN such as",
        ),
        (
            "[pool]\nid = 'us-east-1_AbC123'\nprofile = ''",
            "`profile` ",
        ),
        (
            "[function]\nrole_arn = 'arn:aws:iam::123456789012:role/r'\narn = 'migration'",
            "`arn` must be an ARN such as arn:aws:lambda",
        ),
        (
            "[function]\nrole_arn = 'arn:aws:iam::123456789012:role/r'\narn = 'arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST'",
            "`arn` must be an ARN such as arn:aws:lambda",
        ),
        (
            "[function]\narn = 'arn:aws:lambda:us-east-1:123456789012:function:f'",
            "`arn` in [function] needs `role_arn`",
        ),
        (
            "[function]\ncode_sha256 = 'Ab+/47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
            "`code_sha256` must be the CodeSha256",
        ),
        (
            "[function]\ncode_sha256 = '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
            "`code_sha256` in [function] has no effect without `arn`",
        ),
        (
            "[pool]\nid = 'eu-west-1_AbC123'\n[function]\nrole_arn = 'arn:aws:iam::123456789012:role/r'\narn = 'arn:aws:lambda:us-east-1:123456789012:function:f'",
            "`arn` must be in eu-west-1, where the pool is, not in us-east-1",
        ),
        (
            "[pool]\nid = 'eu-west-1_AbC123'\n[function]\nlog_kms_key_arn = 'arn:aws:kms:us-east-1:123456789012:key/1'",
            "`log_kms_key_arn` must be in eu-west-1, where the pool is, not in us-east-1",
        ),
        (
            "[alarms]\ntopic = 'on-call'",
            "`topic` must be an ARN such as",
        ),
        (
            "[alarms]\np99_ms = 6000",
            "`p99_ms` must be between 100 and 5000",
        ),
        (
            "[alarms]\nconcurrency_percent = 0",
            "`concurrency_percent` must be between 1 and 100",
        ),
        (
            "[function]\nvpc = { subnets = ['x'], security_groups = ['sg-1'] }",
            "`subnets` must list ids such as subnet-",
        ),
        (
            "[function]\nvpc = { subnets = ['subnet-1'] }",
            "`security_groups` is missing in [function.vpc]",
        ),
        (
            "[function]\ntags = { 'aws:x' = 'y' }",
            "`aws:x` cannot be set",
        ),
        (
            "[function]\ntags = { 'AWS:x' = 'y' }",
            "`AWS:x` cannot be set",
        ),
        (
            "[function]\ntags = { 'Jane-Migrate:pool' = 'y' }",
            "is one of the tags the tool sets itself",
        ),
        (
            "[function]\ntags = { 'a' = 'b;c' }",
            "`a` may have letters, digits, spaces and _ . : / = + - @ alone",
        ),
        (
            "[function]\ntags = { 'a&b' = 'c' }",
            "`a&b` may have letters",
        ),
        (
            "[function]\ntags = { team = 'a', Team = 'b' }",
            "`Team` and `team` differ only in case, and IAM takes them for one",
        ),
        (
            "[function.vpc]\nsecurity_groups = ['sg-1','sg-2','sg-3','sg-4','sg-5','sg-6']\nsubnets = ['subnet-1']",
            "`security_groups` has 6 ids, and Lambda takes 5",
        ),
        (
            "[pool]\nid = 'eu-west-1_AbC123'\n[function]\nkms_key_arn = 'arn:aws:kms:us-east-1:123456789012:key/1'",
            "`kms_key_arn` must be in eu-west-1, where the pool is, not in us-east-1",
        ),
        ("[window]\ncloses = '2027-03-31'", "`closes`"),
        (
            "[window]\ncloses = 2027-03-31T10:00:00Z",
            "`closes` must be a date alone",
        ),
        (
            "[window]\ntotal_users = -1",
            "`total_users` must be between 1",
        ),
        (
            "[pool]\nclients = ['a b']",
            "`clients` must be an app client's id",
        ),
        (
            "[pool]\nclients = []",
            "`clients` in [pool] names no client",
        ),
        (
            "[response]\nfinal_user_status = 'FORCE_CHANGE_PASSWORD'",
            "expected `CONFIRMED` or `RESET_REQUIRED`",
        ),
        (
            "[response]\nmessage_action = 'RESEND'",
            "expected `SUPPRESS` or `SEND`",
        ),
        (
            "[response]\nmessage_action = 'SEND'",
            "needs `delivery_mediums`",
        ),
        (
            "[response]\ndelivery_mediums = ['EMAIL']",
            "has no effect without",
        ),
        (
            "[response]\nusername = 'upper'",
            "expected `lowercase` or `as-typed`",
        ),
        (
            "[response]\nforce_alias_creation = 'yes'",
            "`force_alias_creation`: invalid type",
        ),
        ("[attributes]\nsub = 'id'", "`sub` is given by Cognito"),
        ("[attributes]\nemial = 'email'", "did you mean `email`?"),
        (
            "[attributes]\nlegacy_id = 'id'",
            "did you mean `custom:legacy_id`",
        ),
        ("[attributes]\nemail = ''", "`email` must not be empty"),
        (
            "[verify.accept]\nopen-sign-up = ''",
            "`open-sign-up` needs a reason",
        ),
        (
            "[verify.accept]\nOpen = 'why'",
            "`Open` must be the id of a check",
        ),
        (
            "[verify.accept]\n'' = 'why'",
            "`` must be the id of a check",
        ),
        (
            "ca_certificate = '-----BEGIN CERTIFICATE-----'",
            "`ca_certificate` must be a certificate in PEM",
        ),
        (
            "timeout_ms = 5000",
            "`timeout_ms` must be between 100 and 4500",
        ),
        (
            "ca_certificate = 'x'",
            "`ca_certificate` must be a certificate in PEM",
        ),
    ] {
        let found = refused(&with(line));
        assert!(found.contains(message), "{line}: {found}");
    }
}

#[test]
fn an_old_pools_values_are_checked() {
    let old = |lines: &str| {
        format!(
            "[directory]\nkind = 'cognito'\npool_id = 'us-east-1_Old1'\nclient_id = 'c'\n{lines}\n"
        )
    };
    let role = "role_arn = 'arn:aws:iam::123456789012:role/a'";
    read(&old(&format!("{role}\nexternal_id = 'shop'")));
    for (lines, words) in [
        ("external_id = 'shop'", "no effect without `role_arn`"),
        (
            "role_arn = 'arn:aws:iam::123456789012:user/a'",
            "must be an ARN",
        ),
        ("region = 'nowhere'", "`region`"),
    ] {
        let message = refused(&old(lines));
        assert!(message.contains(words), "{message}");
    }
    let problems = crate::parse(&old("external_id = 'shop'"), "m").unwrap_err();
    assert_eq!(problems.problems().len(), 1);
}

#[test]
fn an_architecture_has_lambdas_name() {
    let of = |name: &str| {
        let text = format!("{SMALLEST}[function]\narchitecture = '{name}'\n");
        read(&text).function.architecture.as_str()
    };
    assert_eq!((of("x86_64"), of("arm64")), ("x86_64", "arm64"));
}
