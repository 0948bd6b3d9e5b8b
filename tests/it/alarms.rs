//! Alarms: created by deploy, checked by verify, removed by teardown; and they change their state with their metric. The emulator
//! evaluates an alarm whenever a value of its metric is put. It does not evaluate the passing of time or missing data, so the
//! test checks that `silent` exists, not that it goes off.

use serde_json::{Value, json};

use crate::support::{Corner, REGION};

async fn states(corner: &Corner) -> Vec<(String, String)> {
    let answer = corner.cloudwatch("DescribeAlarms", json!({})).await;
    let alarms = answer["MetricAlarms"].as_array().expect("alarms").iter();
    let text = |alarm: &Value, member: &str| alarm[member].as_str().expect("a text").to_owned();
    alarms
        .map(|alarm| (text(alarm, "AlarmName"), text(alarm, "StateValue")))
        .collect()
}

#[tokio::test]
async fn each_alarm_goes_off_is_checked_and_is_torn_down() {
    let corner = Corner::new().await;
    corner.add_accounts();
    let closed = json!({ "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true } });
    let pool = corner.create_pool(closed).await;
    corner.create_client(&pool, json!({})).await;
    let topic = format!("arn:aws:sns:{REGION}:{}:on-call", corner.account);
    let configure = |more: &str| {
        corner.configure(&format!(
            "[function]\ntags = {{ team = \"accounts\" }}\n[alarms]\ntopic = \"{topic}\"\n{more}"
        ));
    };
    configure("");
    let run = async |arguments: &[&str], code: i32| {
        let arguments = [arguments, &["--pool", &pool]].concat();
        corner.run(&arguments).await.ended(code)
    };
    run(&["deploy", "--yes"], 0).await;
    run(&["verify", "--only", "alarms", "--strict"], 0).await;
    // A second deploy finds nothing to do.
    let again = run(&["deploy", "--yes", "--json"], 0).await.json();
    assert_eq!(again["result"], "nothing-to-do", "{again:#}");

    let function = format!("jane-migrate-{pool}");
    let name = |end: &str| format!("{function}-{end}");
    let names: Vec<String> = states(&corner)
        .await
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let all = [
        "concurrency",
        "directory-unavailable",
        "errors",
        "silent",
        "slow",
        "throttles",
    ];
    assert_eq!(names, all.map(name));
    let tags = json!({ "ResourceARN": format!("arn:aws:cloudwatch:{REGION}:{}:alarm:{}", corner.account, name("errors")) });
    let tags = corner.cloudwatch("ListTagsForResource", tags).await;
    assert!(
        tags["Tags"]
            .as_array()
            .unwrap()
            .contains(&json!({ "Key": "team", "Value": "accounts" })),
        "{tags}"
    );
    let dashboard = json!({ "DashboardName": function });
    let dashboard = corner.cloudwatch("GetDashboard", dashboard).await;
    assert!(
        dashboard["DashboardBody"]
            .as_str()
            .unwrap()
            .contains("DirectoryUnavailable")
    );

    // Values are put as AWS does it, and each alarm for a value that is too high goes off.
    let own = format!("jane-migrate/{function}");
    let of_function = json!([{ "Name": "FunctionName", "Value": function }]);
    for (namespace, metric, dimensions, quiet, loud, end) in [
        (
            &*own,
            "DirectoryUnavailable",
            json!([]),
            0.0,
            3.0,
            "directory-unavailable",
        ),
        (
            "AWS/Lambda",
            "Errors",
            of_function.clone(),
            0.0,
            1.0,
            "errors",
        ),
        (
            "AWS/Lambda",
            "Throttles",
            of_function.clone(),
            0.0,
            1.0,
            "throttles",
        ),
        ("AWS/Lambda", "Duration", of_function, 20.0, 4600.0, "slow"),
        (
            "AWS/Lambda",
            "ConcurrentExecutions",
            json!([]),
            10.0,
            950.0,
            "concurrency",
        ),
    ] {
        for (value, state) in [(quiet, "OK"), (loud, "ALARM")] {
            let datum = json!({ "MetricName": metric, "Dimensions": dimensions, "Value": value });
            corner
                .cloudwatch(
                    "PutMetricData",
                    json!({ "Namespace": namespace, "MetricData": [datum] }),
                )
                .await;
            let states = states(&corner).await;
            let found = states
                .iter()
                .find(|(alarm, _)| *alarm == name(end))
                .expect("the alarm");
            assert_eq!(found.1, state, "{end} at {value}");
        }
    }

    // An operator turns one alarm off and removes the action of another: verify reports it, and deploy fixes it.
    corner
        .cloudwatch("DeleteAlarms", json!({ "AlarmNames": [name("errors")] }))
        .await;
    corner
        .cloudwatch(
            "DisableAlarmActions",
            json!({ "AlarmNames": [name("slow")] }),
        )
        .await;
    let found = run(&["verify", "--only", "alarms", "--strict", "--json"], 1)
        .await
        .json();
    let found = found["findings"].as_array().unwrap().iter();
    let about: Vec<&str> = found
        .map(|finding| finding["subject"].as_str().unwrap())
        .collect();
    assert_eq!(about, [name("errors"), name("slow")]);
    configure("p99_ms = 3000\n[window]\ncloses = 2027-03-31\n");
    let planned = run(&["plan"], 0).await;
    assert!(
        planned.stdout.contains("/Threshold: 4000.0 => 3000.0"),
        "{planned:#?}"
    );
    run(&["deploy", "--yes"], 0).await;
    run(&["verify", "--only", "alarms", "--strict"], 0).await;

    // An alarm with this name from another owner is a conflict, and stays.
    corner.configure("");
    run(&["deploy", "--yes"], 0).await;
    assert!(states(&corner).await.is_empty());
    let foreign = json!({ "AlarmName": name("errors"), "AlarmDescription": "mine", "Namespace": "AWS/Lambda", "MetricName": "Errors",
        "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 1.0, "ComparisonOperator": "GreaterThanThreshold" });
    corner.cloudwatch("PutMetricAlarm", foreign).await;
    configure("");
    let refused = run(&["deploy", "--yes"], 1).await;
    assert!(
        refused.stdout.contains("an alarm of this name exists"),
        "{refused:#?}"
    );
    run(&["deploy", "--yes", "--replace"], 0).await;

    // Teardown finds them without a configuration.
    std::fs::remove_file(corner.folder.path().join("migrate.toml")).expect("there");
    run(&["teardown", "--yes", "--force"], 0).await;
    assert!(states(&corner).await.is_empty());
    let left = corner.cloudwatch("ListDashboards", json!({})).await;
    assert!(!left.to_string().contains(&function), "{left}");
}
