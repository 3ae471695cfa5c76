//! The bare server: axum with the settings of Attache's own, which parses the body of a query into its
//! types and answers a constant. Whatever Attache does beyond that is what the ratio shows.

use std::{net::TcpListener, time::Duration};

use anyhow::Result;
use axum::{Json, Router, http::header::CONTENT_TYPE, response::IntoResponse, routing::post};
use axum_server::accept::NoDelayAcceptor;
use hyper_util::rt::TokioTimer;
use serde::Deserialize;

use crate::load::PATH;

/// CAMARA's request, with each way to name a device.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    device: Option<Device>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Device {
    phone_number: Option<String>,
    network_access_identifier: Option<String>,
    ipv4_address: Option<Ipv4Address>,
    ipv6_address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ipv4Address {
    public_address: Option<String>,
    private_address: Option<String>,
    public_port: Option<u16>,
}

/// As long as what Attache answers about a line at home.
const ANSWER: &str = r#"{"lastStatusTime":"2026-11-21T04:07:09.123456Z","roaming":false}"#;

/// Serves on a free port, which it prints, until it is ended.
pub(crate) async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let mut server = axum_server::from_tcp(listener)?;
    server
        .http_builder()
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_secs(10))
        .max_buf_size(64 * 1024)
        .http2()
        .timer(TokioTimer::new());
    #[expect(clippy::disallowed_methods, reason = "this server is not the one whose routes are walked")]
    let router = Router::new().route(PATH, post(answer));
    Ok(server.acceptor(NoDelayAcceptor).serve(router.into_make_service()).await?)
}

async fn answer(Json(request): Json<Request>) -> impl IntoResponse {
    // Looked at, so that nothing of the parsing is left out.
    let names = request.device.map_or(0, |device| {
        let ipv4 = device.ipv4_address.map_or(0, |address| {
            usize::from(address.public_address.is_some())
                + usize::from(address.private_address.is_some())
                + usize::from(address.public_port.is_some())
        });
        let names = [device.phone_number, device.network_access_identifier, device.ipv6_address];
        ipv4 + names.iter().flatten().map(String::len).sum::<usize>()
    });
    let body = if std::hint::black_box(names) == 0 { "{}" } else { ANSWER };
    ([(CONTENT_TYPE, "application/json")], body)
}
