//! What the proxy does to the requests that pass it, as a client sees it.

use std::time::{Duration, Instant};

use jane_migrate_sandbox::{Fate, Passing, Proxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::sandbox;

/// Lists pools through the proxy; gives whatever came until the connection ended.
async fn list_pools(proxy: &Proxy) -> String {
    let url = proxy.url();
    let host = url.strip_prefix("http://").unwrap();
    let body = r#"{"MaxResults":60}"#;
    let request = format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-type: application/x-amz-json-1.1\r\n\
         x-amz-target: AWSCognitoIdentityProviderService.ListUserPools\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=200000000001/20260101/us-west-2/cognito-idp/aws4_request, SignedHeaders=host, Signature=0\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer
}

async fn proxy(fate: Fate) -> Proxy {
    Proxy::start(&sandbox().endpoint(), move |_| fate.clone())
        .await
        .unwrap()
}

fn is_whole(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200") && answer.ends_with(r#"{"UserPools":[]}"#)
}

#[tokio::test]
async fn it_passes_on_and_names_the_call() {
    let proxy = proxy(Fate::Pass).await;
    assert!(is_whole(&list_pools(&proxy).await));
    let expected = Passing {
        number: 1,
        service: "cognito-idp".into(),
        action: "ListUserPools".into(),
        nth: 1,
        attempt: 1,
    };
    assert_eq!(proxy.passed(), [expected]);
}

#[tokio::test]
async fn it_refuses_as_aws_does() {
    let answer =
        list_pools(&proxy(Fate::Refuse(429, "TooManyRequestsException", "Slow")).await).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
    assert!(
        answer.contains(r#""__type":"TooManyRequestsException""#),
        "{answer}"
    );
}

#[tokio::test]
async fn it_answers_like_something_else() {
    let answer = list_pools(&proxy(Fate::Page(503)).await).await;
    assert!(
        answer.starts_with("HTTP/1.1 503") && answer.contains("<html>"),
        "{answer}"
    );
}

#[tokio::test]
async fn it_loses_requests_and_answers() {
    for fate in [Fate::Drop, Fate::LoseAnswer] {
        assert_eq!(list_pools(&proxy(fate).await).await, "");
    }
    let cut = list_pools(&proxy(Fate::CutAnswer).await).await;
    assert!(
        cut.starts_with("HTTP/1.1 200") && cut.ends_with(r#"{"UserPo"#),
        "{cut}"
    );
}

#[tokio::test]
async fn it_holds_until_released() {
    for fate in [Fate::HoldRequest, Fate::HoldAnswer] {
        let proxy = proxy(fate).await;
        let answer = async {
            proxy.held().await;
            proxy.release();
        };
        let (listed, ()) = tokio::join!(list_pools(&proxy), answer);
        assert!(is_whole(&listed), "{listed}");
    }
}

#[tokio::test]
async fn it_edits_answers() {
    let answer = list_pools(&proxy(Fate::Edit(|value| value["Extra"] = true.into())).await).await;
    assert!(answer.contains(r#""Extra":true"#), "{answer}");
}

#[tokio::test]
async fn it_delays_and_counts_what_is_under_way() {
    let delay = Duration::from_millis(200);
    let proxy = proxy(Fate::Delay(delay)).await;
    let started = Instant::now();
    let (one, other) = tokio::join!(list_pools(&proxy), list_pools(&proxy));
    assert!(is_whole(&one) && is_whole(&other));
    assert!(started.elapsed() >= delay);
    assert_eq!(proxy.most_at_once(), 2);
}
