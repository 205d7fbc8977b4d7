//! The control socket: one call of an administrator, with any query and any body.

use crate::fake::{FakeConsole, invented};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use lapsed::control::endpoints::{ENDPOINTS, Method};
use lapsed::control::peer::Peer;
use std::sync::Arc;
use tower::ServiceExt;

/// Which call, its query up to the end of the line, and its body.
pub fn call(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let endpoint = ENDPOINTS[usize::from(*choice) % ENDPOINTS.len()];
    let line = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let query = String::from_utf8_lossy(&rest[..line]);
    let body = rest.get(line + 1..).unwrap_or_default().to_vec();
    let method = match endpoint.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let request = Request::builder()
        .method(method)
        .uri(format!("{}?{query}", endpoint.path))
        .extension(ConnectInfo(Peer { ids: Some((4, 4)) }))
        .body(Body::from(body));
    let Ok(request) = request else { return };
    let console = Arc::new(FakeConsole::default());
    let answer = crate::serving::runtime().block_on(invented(&console).oneshot(request));
    let status = answer.expect("the router answers always").status();
    assert!(!status.is_server_error(), "{} answered {status}", endpoint.path);
    assert!(!console.records().is_empty(), "{} is not on record", endpoint.path);
}
