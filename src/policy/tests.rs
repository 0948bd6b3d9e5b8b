use super::*;

fn subject(id: &str) -> Subject<'static> {
    let arn = format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{id}");
    Subject {
        names: Names::new(arn.parse().unwrap()),
        sms_role: None,
        sender_key: None,
        config: None,
    }
}

fn actions(statements: &[Statement]) -> BTreeSet<&'static str> {
    statements
        .iter()
        .flat_map(|statement| statement.actions.iter().copied())
        .collect()
}

#[test]
fn read_only_commands_allow_no_change() {
    for duty in [Plan, Verify, Status] {
        for action in actions(&statements(&[duty], &[subject("us-east-1_Ab1")])) {
            let reads = ["Describe", "Get", "List", "Filter", "StartQuery"];
            let verb = action.split_once(':').unwrap().1;
            assert!(
                reads.iter().any(|read| verb.starts_with(read)),
                "{duty:?} may {action}"
            );
        }
    }
}

#[test]
fn a_role_is_passed_only_to_its_own_service() {
    let mut subject = subject("us-east-1_Ab1");
    let sms = "arn:aws:iam::123456789012:role/service-role/sms";
    subject.sms_role = Some(sms.into());
    let document = document(&statements(&[Deploy], &[subject.clone()]));
    let passes: Vec<_> = document["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|statement| statement["Action"] == json!(["iam:PassRole"]))
        .map(|statement| {
            (
                statement["Resource"][0].clone(),
                statement["Condition"]["StringEquals"]["iam:PassedToService"].clone(),
            )
        })
        .collect();
    assert_eq!(
        passes,
        [
            (json!(subject.names.role_arn), json!("lambda.amazonaws.com")),
            (json!(sms), json!("cognito-idp.amazonaws.com")),
        ]
    );
}

#[test]
fn the_configuration_adds_needed_permissions() {
    let text = "[directory]\nkind = \"jane\"\nurl = \"https://jane.example\"\nclient_id = \"c\"\n\
        client_secret = { ssm = \"/jane/secret\" }\n[function]\n\
        kms_key_arn = \"arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab\"\n\
        vpc = { subnets = [\"subnet-0123456789abcdef0\"], security_groups = [\"sg-0123456789abcdef0\"] }\n";
    let config = jane_migrate_config::parse(text, "migrate.toml").unwrap();
    let subjects = [subject("us-east-1_Ab1")];
    let without = actions(&statements(&[Deploy], &subjects));
    let configured = subjects.map(|subject| Subject {
        config: Some(&config),
        ..subject
    });
    let with = statements(&[Deploy], &configured);
    let more: Vec<_> = actions(&with).difference(&without).copied().collect();
    assert_eq!(
        more,
        [
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
            "kms:CreateGrant",
            "kms:Decrypt",
            "kms:Encrypt",
            "ssm:GetParameter",
        ]
    );
    let parameter = "arn:aws:ssm:us-east-1:123456789012:parameter/jane/secret";
    assert!(
        with.iter()
            .any(|statement| statement.resources.contains(parameter))
    );
}

#[test]
fn the_documents_fit_into_a_managed_policy() {
    for duty in Duty::value_variants() {
        let subjects: Vec<_> = (0..3)
            .map(|n| subject(&format!("us-east-1_AbC12345{n}")))
            .collect();
        let document = document(&statements(&[*duty], &subjects)).to_string();
        // The size limit of a managed policy.
        assert!(document.len() <= 6_144, "{duty:?} {}", document.len());
    }
}

#[test]
fn a_duty_has_the_same_name_on_the_command_line_and_in_the_document() {
    for duty in Duty::value_variants() {
        let value = duty.to_possible_value().unwrap();
        assert_eq!(value.get_name(), duty.name());
    }
}
