//! One server, well and badly behaved.

use super::double::{Double, Play};
use super::*;
use lapsed_core::step::Fault;
use rstest::rstest;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;

fn impatient() -> HttpTimeouts {
    HttpTimeouts { connect_seconds: 1, request_seconds: 1 }
}

fn to(url: &str, login: &LoginSettings) -> Http {
    Http::new(url, None, login, &impatient()).unwrap()
}

fn with_secret(folder: &tempfile::TempDir, by: LoginBy) -> LoginSettings {
    let path = folder.path().join("secret");
    std::fs::write(&path, "s3cret & more\n").unwrap();
    LoginSettings {
        by,
        user: Some("lapsed".into()),
        secret_file: Some(path),
        name: Some("X-Key".into()),
        prefix: "token ".into(),
        ..LoginSettings::default()
    }
}

#[tokio::test]
async fn a_request_goes_below_the_address_and_its_reply_comes_whole() {
    let double = Double::start(|_| Play::answer(201, r#"{"id":"7"}"#).with("ETag", "W/1")).await;
    let http = to(&format!("{}/v2/", double.url), &LoginSettings::default());
    let request = Request::new(Method::POST, "/Users?x=1").json(&serde_json::json!({"a": 1}));
    let reply = http.send(request.header("If-Match", "W/0").unwrap()).await.unwrap();
    assert_eq!((reply.status.as_u16(), reply.header("etag")), (201, Some("W/1")));
    assert_eq!(reply.json().unwrap()["id"], "7");
    let asked = &double.asked()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v2/Users?x=1"));
    assert_eq!(asked.header("if-match"), Some("W/0"));
    assert_eq!(asked.header("content-type"), Some("application/json"));
    assert_eq!(asked.json(), serde_json::json!({"a": 1}));
}

#[rstest]
#[case(LoginBy::Basic, "authorization", "Basic bGFwc2VkOnMzY3JldCAmIG1vcmU=", "/a?b=c")]
#[case(LoginBy::Bearer, "authorization", "Bearer s3cret & more", "/a?b=c")]
#[case(LoginBy::Header, "x-key", "token s3cret & more", "/a?b=c")]
#[case(LoginBy::Query, "accept", "*/*", "/a?b=c&X-Key=s3cret+%26+more")]
#[tokio::test]
async fn the_daemon_says_who_it_is(
    #[case] by: LoginBy,
    #[case] header: &str,
    #[case] value: &str,
    #[case] path: &str,
) {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::start(|_| Play::answer(200, "{}")).await;
    to(&double.url, &with_secret(&folder, by)).send(Request::get("/a?b=c")).await.unwrap();
    let asked = &double.asked()[0];
    assert_eq!((asked.header(header), asked.path.as_str()), (Some(value), path));
}

#[tokio::test]
async fn a_token_is_had_once_and_anew_when_it_is_refused() {
    static GIVEN: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let double = Double::start(|asked| {
        if asked.path == "/token" {
            let nth = GIVEN.fetch_add(1, Ordering::SeqCst);
            return Play::answer(200, format!(r#"{{"access_token":"t{nth}","expires_in":3600}}"#));
        }
        let first = asked.header("authorization") == Some("Bearer t0");
        Play::answer(if first && asked.path == "/last" { 401 } else { 200 }, "{}")
    })
    .await;
    let mut login = with_secret(&folder, LoginBy::ClientCredentials);
    login.token_url = Some(format!("{}/token", double.url));
    login.scope = Some("users".into());
    let http = to(&double.url, &login);
    for path in ["/a", "/b", "/last", "/last"] {
        http.send(Request::get(path)).await.unwrap();
    }
    let lines = double.lines();
    let expected = ["POST /token", "GET /a", "GET /b", "GET /last", "POST /token", "GET /last"];
    assert_eq!(lines, expected);
    let asked = &double.asked()[0];
    assert_eq!(asked.body, "grant_type=client_credentials&scope=users");
    assert_eq!(asked.header("authorization"), Some("Basic bGFwc2VkOnMzY3JldCAmIG1vcmU="));
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::start(|_| Play::answer(401, r#"{"error":"invalid_client"}"#)).await;
    let mut login = with_secret(&folder, LoginBy::ClientCredentials);
    login.token_url = Some(format!("{}/token", double.url));
    login.client_secret_in = ClientSecretIn::Body;
    let failed = to(&double.url, &login).send(Request::get("/a")).await.unwrap_err();
    assert!(
        matches!(&failed, Failed::NotSent(why) if why.contains("no token to log on with")),
        "{failed:?}"
    );
    assert_eq!(double.lines(), ["POST /token"]);
    assert!(double.asked()[0].body.contains("client_secret=s3cret+%26+more"));
}

#[rstest]
#[case(Play::Silence)]
#[case(Play::HangUp)]
#[case(Play::CutOff)]
#[tokio::test]
async fn a_reply_that_does_not_come_whole_leaves_a_change_unknown(#[case] play: Play) {
    let double = Double::start(move |_| play.clone()).await;
    let failed =
        to(&double.url, &LoginSettings::default()).send(Request::get("/a")).await.unwrap_err();
    assert!(matches!(failed, Failed::Lost(_)), "{failed:?}");
    assert!(matches!(failed.fault("x", Kind::Changes), Fault::Unknown(_)));
    assert!(matches!(failed.fault("x", Kind::Looks), Fault::Retry(_)));
    assert_eq!(double.asked().len(), 1, "nothing is sent twice");
}

#[tokio::test]
async fn a_server_that_is_down_was_sent_nothing() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let failed = to(&url, &LoginSettings::default()).send(Request::get("/a")).await.unwrap_err();
    assert!(matches!(&failed, Failed::NotSent(why) if why.contains("refused")), "{failed:?}");
    assert!(matches!(failed.fault("x", Kind::Changes), Fault::Retry(_)));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_was_sent_nothing() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let http = to(&url, &LoginSettings::default());
    let speak_plainly = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        stream
    };
    let (reply, _) = tokio::join!(http.send(Request::get("/a")), speak_plainly);
    let failed = reply.unwrap_err();
    assert!(matches!(&failed, Failed::NotSent(why) if why.contains("TLS")), "{failed:?}");
}

#[tokio::test]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let double = Double::start(|_| Play::answer(429, "").with("Retry-After", "120")).await;
    let http = to(&double.url, &LoginSettings::default());
    let reply = http.send(Request::get("/a")).await.unwrap();
    let fault = fault_of(&reply, "x", Kind::Changes).unwrap();
    assert!(matches!(&fault, Fault::Retry(cause) if cause.message.contains("120 s")), "{fault}");
    let failed = http.send(Request::get("/a")).await.unwrap_err();
    assert!(matches!(&failed, Failed::NotSent(why) if why.contains("left alone")), "{failed:?}");
    assert_eq!(double.asked().len(), 1);
}

#[tokio::test]
async fn no_redirect_is_followed_with_our_secret() {
    let other = Double::start(|_| Play::answer(200, "{}")).await;
    let location = format!("{}/there", other.url);
    let double = Double::start(move |_| Play::answer(302, "").with("Location", &location)).await;
    let folder = tempfile::tempdir().unwrap();
    let http = to(&double.url, &with_secret(&folder, LoginBy::Bearer));
    let reply = http.send(Request::get("/a")).await.unwrap();
    assert!(matches!(fault_of(&reply, "x", Kind::Changes), Some(Fault::Retry(_))));
    assert!(other.asked().is_empty());
}

#[tokio::test]
async fn a_reply_that_never_ends_is_given_up() {
    let body = "x".repeat(17 * 1024 * 1024);
    let double = Double::start(move |_| Play::answer(200, &body)).await;
    let mut patient = impatient();
    patient.request_seconds = 60;
    let http = Http::new(&double.url, None, &LoginSettings::default(), &patient).unwrap();
    let failed = http.send(Request::get("/a")).await.unwrap_err();
    assert!(matches!(&failed, Failed::Lost(why) if why.contains("too long")), "{failed:?}");
}

#[tokio::test]
async fn no_secret_is_in_what_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let double = Double::start(|_| Play::HangUp).await;
    let http = to(&double.url, &with_secret(&folder, LoginBy::Query));
    let request = Request::get("/a?ssn=123456789").form(&[("password", "s3cret & more")]);
    let shown = format!("{http:?} {request:?}");
    let failed = http.send(request).await.unwrap_err();
    let all = format!("{shown} {failed} {failed:?}");
    assert!(!all.contains("s3cret") && !all.contains("123456789"), "{all}");
}

#[rstest]
#[case(204, None, None)]
#[case(302, Some("retry"), Some("retry"))]
#[case(400, Some("refused"), Some("refused"))]
#[case(401, Some("retry"), Some("retry"))]
#[case(403, Some("retry"), Some("retry"))]
#[case(404, Some("retry"), Some("retry"))]
#[case(408, Some("retry"), Some("retry"))]
#[case(409, Some("refused"), Some("refused"))]
#[case(425, Some("retry"), Some("retry"))]
#[case(429, Some("retry"), Some("retry"))]
#[case(500, Some("retry"), Some("unknown"))]
#[case(501, Some("retry"), Some("unknown"))]
#[case(502, Some("retry"), Some("unknown"))]
#[case(503, Some("retry"), Some("retry"))]
#[case(504, Some("retry"), Some("unknown"))]
fn a_status_means(
    #[case] status: u16,
    #[case] looking: Option<&str>,
    #[case] changing: Option<&str>,
) {
    let status = reqwest::StatusCode::from_u16(status).unwrap();
    let reply = Reply { status, headers: HeaderMap::new(), body: Vec::new() };
    let word = |kind| {
        fault_of(&reply, "x", kind).map(|fault| match fault {
            Fault::Retry(_) => "retry",
            Fault::Refused(_) => "refused",
            Fault::Unknown(_) => "unknown",
        })
    };
    assert_eq!((word(Kind::Looks), word(Kind::Changes)), (looking, changing));
}

#[rstest]
#[case("a b/c?d=e&f", "a%20b%2Fc%3Fd%3De%26f")]
#[case("\"; é\n", "%22%3B%20%C3%A9%0A")]
#[case("mz.smith-j_1~", "mz.smith-j_1~")]
fn a_value_in_an_address_can_be_nothing_else(#[case] value: &str, #[case] encoded: &str) {
    assert_eq!(segment(value), encoded);
}

#[rstest]
#[case(LoginSettings { by: LoginBy::Bearer, ..LoginSettings::default() }, &["login.by"])]
#[case(LoginSettings { secret_file: Some("/x".into()), ..LoginSettings::default() }, &["login.by"])]
#[case(
    LoginSettings { by: LoginBy::Basic, secret_credential: Some("x".into()), ..LoginSettings::default() },
    &["login.user"]
)]
#[case(
    LoginSettings { by: LoginBy::Header, name: Some("a b".into()), secret_credential: Some("x".into()), ..LoginSettings::default() },
    &["login.name"]
)]
#[case(
    LoginSettings { by: LoginBy::Query, secret_credential: Some("x".into()), ..LoginSettings::default() },
    &["login.name"]
)]
#[case(
    LoginSettings {
        by: LoginBy::ClientCredentials,
        user: Some("lapsed".into()),
        secret_credential: Some("x".into()),
        token_url: Some("http://log-on.example.org".into()),
        ..LoginSettings::default()
    },
    &["login.token_url"]
)]
#[case(LoginSettings { prefix: "a\nb".into(), ..LoginSettings::default() }, &["login.prefix"])]
fn what_is_wrong_with_a_log_on_is_told_at_its_key(
    #[case] login: LoginSettings,
    #[case] keys: &[&str],
) {
    let found = problems("https://h", &login, &HttpTimeouts::default());
    let found: Vec<_> = found.iter().map(|problem| problem.key.as_ref()).collect();
    assert_eq!(found, keys);
}
