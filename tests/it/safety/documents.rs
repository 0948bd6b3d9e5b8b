//! The pool's other settings when an update of it goes wrong: unknown fields, a service that changes more than requested, lost
//! responses, messages that must reach the operator.

use jane_migrate_sandbox::Gateway;
use jane_migrate_test_kit::{Fate, Passing, Proxy};
use serde_json::json;

use super::{Scene, assert_same};
use crate::support::{Corner, Ran};

/// A setting of a future Cognito.
const HOLOGRAM: Fate =
    Fate::Edit(|answer| answer["UserPool"]["Hologram"] = json!({ "Colour": "blue" }));

/// The description by a service that has changed more than it should.
const LOST_EMAIL: Fate = Fate::Edit(|answer| {
    answer["UserPool"]["EmailConfiguration"] = json!({ "EmailSendingAccount": "COGNITO_DEFAULT" });
});

const LOST_EMAIL_AND_HOLOGRAM: Fate = Fate::Edit(|answer| {
    answer["UserPool"]["EmailConfiguration"] = json!({ "EmailSendingAccount": "COGNITO_DEFAULT" });
    answer["UserPool"]["Hologram"] = json!({ "Colour": "blue" });
});

/// The third description of the pool in a deploy runs in parallel with the write and may show its result, the fourth is the
/// comparison after it, the fifth the read before the settings are put back.
fn proof(passing: &Passing) -> bool {
    passing.action == "DescribeUserPool" && (3..=5).contains(&passing.nth)
}

fn update(passing: &Passing, nth: usize) -> bool {
    passing.action == "UpdateUserPool" && passing.nth == nth
}

#[tokio::test]
async fn an_unknown_field_stops_the_deploy_before_anything_is_written() {
    let scene = Scene::new().await;
    let unknown = |passing: &Passing| match passing.action.as_str() {
        "DescribeUserPool" => HOLOGRAM,
        _ => Fate::Pass,
    };
    let ran = scene.disturbed("deploy", &[], unknown).await.ended(1);
    assert!(ran.stdout.contains("`Hologram`"), "{ran:#?}");
    assert!(ran.stdout.contains("--unknown Hologram=carry"), "{ran:#?}");
    assert!(!ran.stdout.contains("blue"), "{ran:#?}");
    scene.assert_gone("stopped").await;

    let drop = ["--unknown", "Hologram=drop"];
    scene.disturbed("deploy", &drop, unknown).await.ended(0);
    scene.assert_deployed("dropped").await;
}

#[tokio::test]
async fn other_changes_by_the_service_are_put_back_and_reported() {
    let scene = Scene::new().await;
    let ran = scene.disturbed("deploy", &[], |passing| match passing {
        passing if proof(passing) => LOST_EMAIL,
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    for words in [
        "/EmailConfiguration/ReplyToEmailAddress",
        "help@example.com",
        "put back",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.documents().await;
    assert_same(&scene.before[0], &now[0], "put back");
}

#[tokio::test]
async fn other_changes_are_put_back_even_if_the_operator_dropped_a_field() {
    let scene = Scene::new().await;
    let drop = ["--unknown", "Hologram=drop"];
    let ran = scene.disturbed("deploy", &drop, |passing| match passing {
        passing if proof(passing) => LOST_EMAIL_AND_HOLOGRAM,
        passing if passing.action == "DescribeUserPool" => HOLOGRAM,
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    assert!(ran.stderr.contains("ReplyToEmailAddress"), "{ran:#?}");
    assert!(ran.stderr.contains("put back"), "{ran:#?}");
    let now = scene.documents().await;
    assert_same(&scene.before[0], &now[0], "put back");
}

#[tokio::test]
async fn putting_back_survives_a_lost_response_and_a_parallel_update() {
    let busy = Fate::Refuse(
        400,
        "ConcurrentModificationException",
        "Only one request to update this UserPool can be processed at a time",
    );
    for trouble in [Fate::LoseAnswer, Fate::Drop, busy] {
        let scene = Scene::new().await;
        let fault = trouble.clone();
        let ran = scene.disturbed("deploy", &[], move |passing| match passing {
            passing if proof(passing) => LOST_EMAIL,
            passing if update(passing, 2) => trouble.clone(),
            _ => Fate::Pass,
        });
        let ran = ran.await.ended(1);
        assert!(ran.stderr.contains("put back"), "{fault:?}: {ran:#?}");
        assert!(!ran.stderr.contains("failed:"), "{fault:?}: {ran:#?}");
        let now = scene.documents().await;
        assert_same(&scene.before[0], &now[0], "put back");
    }
}

#[tokio::test]
async fn a_setting_that_cannot_be_put_back_is_reported_with_the_command_to_do_it() {
    let scene = Scene::new().await;
    let ran = scene.disturbed("deploy", &[], |passing| match passing {
        passing if proof(passing) => LOST_EMAIL,
        passing if update(passing, 1) => Fate::Pass,
        passing if passing.action == "UpdateUserPool" => {
            Fate::Refuse(400, "AccessDeniedException", "no more of this")
        }
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    for words in [
        "ReplyToEmailAddress",
        "no more of this",
        "jane-migrate restore --snapshot jane-migrate.",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    scene.assert_unharmed("not put back").await;
}

#[tokio::test]
async fn an_update_whose_responses_are_all_lost_is_found_to_be_done() {
    let scene = Scene::new().await;
    let lost = |passing: &Passing| match passing.action.as_str() {
        "UpdateUserPool" | "UpdateUserPoolClient" => Fate::LoseAnswer,
        _ => Fate::Pass,
    };
    scene.disturbed("deploy", &[], lost).await.ended(0);
    scene.assert_deployed("answers lost").await;
    scene.disturbed("teardown", &[], lost).await.ended(0);
    scene.assert_gone("answers lost").await;
}

#[tokio::test]
async fn a_lost_response_does_not_hide_other_changes_by_the_service() {
    let scene = Scene::new().await;
    let ran = scene.disturbed("deploy", &[], |passing| match passing {
        passing if update(passing, 1) => Fate::LoseAnswer,
        passing if passing.action == "DescribeUserPool" && (4..=6).contains(&passing.nth) => {
            LOST_EMAIL
        }
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    assert!(ran.stderr.contains("ReplyToEmailAddress"), "{ran:#?}");
    assert!(ran.stderr.contains("put back"), "{ran:#?}");
    assert!(
        !ran.stderr.contains("changed since the plan was made"),
        "{ran:#?}"
    );
    let now = scene.documents().await;
    assert_same(&scene.before[0], &now[0], "put back");
}

#[tokio::test]
async fn an_error_of_the_service_is_shown_unchanged() {
    let scene = Scene::new().await;
    let ran = scene.disturbed("deploy", &[], |passing| match passing.action.as_str() {
        "UpdateUserPool" => Fate::Refuse(
            400,
            "InvalidSmsRoleTrustRelationshipException",
            "Role does not have a trust relationship allowing Cognito to assume the role",
        ),
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    for words in [
        "InvalidSmsRoleTrustRelationshipException",
        "Role does not have a trust relationship",
        "nothing of the pool was changed",
        "the pool's own SMS role",
        "not tried",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
    let now = scene.documents().await;
    assert_same(&scene.before[0], &now[0], "refused");
}

#[tokio::test]
async fn without_a_response_the_error_says_nothing_was_done_only_if_that_was_read() {
    let scene = Scene::new().await;
    let ran = scene.disturbed("deploy", &[], |passing| match passing.action.as_str() {
        "UpdateUserPool" => Fate::Page(503),
        _ => Fate::Pass,
    });
    let ran = ran.await.ended(1);
    assert!(
        ran.stderr
            .contains("the pool was read again and is as it was"),
        "{ran:#?}"
    );
    scene.assert_unharmed("no answer").await;
    scene.run_undisturbed("deploy").await.ended(0);
    scene.assert_deployed("no answer").await;
}

async fn deploy_where(
    decide: impl Fn(&Passing) -> Fate + Send + Sync + 'static,
    more: &[&str],
    prepare: impl Fn(&Gateway, &str),
) -> Ran {
    let sandbox = super::sandbox().await;
    let corner = Corner::of(sandbox).await;
    let pool = corner.create_pool(json!({})).await;
    corner.create_client(&pool, json!({})).await;
    prepare(sandbox.gateway(), &pool);
    let proxy = Proxy::start(&corner.endpoint, decide)
        .await
        .expect("a proxy");
    let zip = super::zip().await.to_str().expect("a path of text");
    let mut command = corner.command(&["deploy", "--yes", "--pool", &pool, "--artifact", zip]);
    command.args(more).env("AWS_ENDPOINT_URL", proxy.url());
    let ran = Ran::of(command).await;
    let updates = proxy.passed().into_iter();
    let updates = updates.filter(|call| call.action == "UpdateUserPool");
    assert_eq!(
        updates.count(),
        if ran.code == 0 { 1 } else { 2 },
        "the pool was written more often than needed: {ran:#?}"
    );
    ran
}

#[tokio::test]
async fn a_default_that_appears_is_reported_and_no_error() {
    let appear = |gateway: &Gateway, pool: &str| gateway.let_defaults_appear(pool);
    let ran = deploy_where(|_| Fate::Pass, &[], appear).await.ended(0);
    for words in [
        "/AccountRecoverySetting/RecoveryMechanisms: none => ",
        "/VerificationMessageTemplate/DefaultEmailOption: none => \"CONFIRM_WITH_CODE\"",
        "a default that Cognito now shows",
    ] {
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
    }
}

#[tokio::test]
async fn another_difference_is_kept_only_if_the_operator_accepts_it() {
    const TIER: Fate = Fate::Edit(|answer| answer["UserPool"]["UserPoolTier"] = json!("PLUS"));
    let decide = |passing: &Passing| match passing.action.as_str() {
        "DescribeUserPool" if passing.nth >= 3 => TIER,
        _ => Fate::Pass,
    };
    let ran = deploy_where(decide, &[], |_, _| ()).await.ended(1);
    let words = "`--accept-difference /UserPoolTier` lets the next run keep it";
    assert!(ran.stderr.contains(words), "{ran:#?}");
    let accepted = ["--accept-difference", "/UserPoolTier"];
    let ran = deploy_where(decide, &accepted, |_, _| ()).await.ended(0);
    assert!(
        ran.stderr.contains("accepted by --accept-difference"),
        "{ran:#?}"
    );
}
