//! One configuration for the pools of several accounts: each is reached with its own profile or role.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Corner, sandbox};

/// A simulated STS that returns these keys and records its requests.
async fn sts(keys: [String; 2]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // The body is short, and follows the header at once.
            while !String::from_utf8_lossy(&request).contains("RoleArn=") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(read) => request.extend_from_slice(&buffer[..read]),
                }
            }
            let request = String::from_utf8_lossy(&request).into_owned();
            heard.lock().expect("no panic").push(request);
            let [id, secret] = &keys;
            let body = format!(
                "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
                 <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey><SessionToken>token</SessionToken>\
                 <Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"
            );
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

#[tokio::test]
async fn one_file_serves_the_pools_of_several_accounts() {
    let mut home = Corner::new().await;
    let others = [Corner::new().await, Corner::new().await];
    let mut pools = Vec::new();
    for corner in [&home, &others[0], &others[1]] {
        let pool = corner.create_pool(json!({})).await;
        let client = corner.create_client(&pool, json!({})).await;
        home.jane.register_client(&client, &pool, corner.region);
        pools.push(pool);
    }
    let secret = sandbox().await.secret_key().to_owned();
    let files = home.folder.path().to_owned();
    let config = files.join("aws-config");
    let profile = format!(
        "[profile other]\naws_access_key_id = {}\naws_secret_access_key = {secret}\n",
        others[0].account
    );
    std::fs::write(&config, profile).expect("written");
    let (url, asked) = sts([others[1].account.clone(), secret]).await;
    home.environment = vec![
        ("AWS_CONFIG_FILE".into(), config.display().to_string()),
        ("AWS_ENDPOINT_URL_STS".into(), url),
    ];
    let role = format!("arn:aws:iam::{}:role/deployer", others[1].account);
    home.configure("");
    let file = files.join("migrate.toml");
    let written = std::fs::read_to_string(&file).expect("read");
    let [first, second, third] = &pools[..] else {
        panic!("three pools");
    };
    std::fs::write(
        &file,
        format!(
            "{written}\n[[pool]]\nid = \"{first}\"\n[[pool]]\nid = \"{second}\"\nprofile = \"other\"\n\
             [[pool]]\nid = \"{third}\"\nrole_arn = \"{role}\"\n"
        ),
    )
    .expect("written");

    home.run(&["deploy", "--yes"]).await.ended(0);
    for (corner, pool) in [&home, &others[0], &others[1]].into_iter().zip(&pools) {
        let function = corner.pool(pool).await["LambdaConfig"]["UserMigration"].take();
        let own = format!(":{}:function:jane-migrate-{pool}:live", corner.account);
        assert!(
            function.as_str().is_some_and(|arn| arn.ends_with(&own)),
            "{function}"
        );
    }
    {
        let asked = asked.lock().expect("no panic");
        let wanted = role.replace(':', "%3A").replace('/', "%2F");
        assert!(asked.iter().any(|one| one.contains(&wanted)), "{asked:?}");
    }
    let verified = home.run(&["verify", "--json"]).await.ended(0).json();
    assert_eq!(verified["pools"].as_array().map(Vec::len), Some(3));
    // A command of the AWS CLI gets the profile of the account.
    let aws = others[0].aws().await;
    let name = format!("jane-migrate-{second}");
    let group = format!("/aws/lambda/{name}");
    others[0]
        .logs("DeleteLogGroup", json!({ "logGroupName": group }))
        .await;
    let account = &others[0].account;
    let stranger = format!("arn:aws:cognito-idp:us-west-2:{account}:userpool/us-west-2_Another1");
    aws.add_permission(&name, "stranger", &stranger, account)
        .await;
    let said = home
        .run(&["verify", "--pool", second])
        .await
        .ended(1)
        .stdout;
    assert!(said.contains(" --profile other"), "{said}");
    home.run(&["teardown", "--yes", "--force"]).await.ended(0);
    assert!(aws.function(&name).await.unwrap().is_none());
}
