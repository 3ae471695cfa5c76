//! The bare loop: the HTTP client that Attache has, with its settings, which posts one body again and again and does
//! nothing else. A process of its own, as Attache is.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use reqwest::{Client, redirect::Policy, retry};
use tokio::time::Instant;

use super::sink::url;

/// Posts a body to so many sinks over so many connections, and prints how many posts were answered in a second.
pub(crate) async fn post(port: &str, sinks: &str, connections: &str, seconds: &str, body: &str) -> Result<()> {
    let (port, sinks): (u16, u64) = (port.parse()?, sinks.parse()?);
    let (connections, time) = (connections.parse::<u64>()?, Duration::from_secs(seconds.parse()?));
    let client = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .retry(retry::never())
        .referer(false)
        .timeout(Duration::from_secs(10))
        .pool_max_idle_per_host(64)
        .pool_idle_timeout(Duration::from_secs(30))
        .build()?;
    let body: Arc<str> = body.into();
    // With many sinks, each of the tasks goes from one to the next, and each sink keeps its connection.
    let tasks = connections.clamp(1, 256);
    let (begin, end) = (Instant::now() + time / 2, Instant::now() + time / 2 + time);
    let posting = (0..tasks).map(|task| {
        let (client, body) = (client.clone(), Arc::clone(&body));
        tokio::spawn(async move {
            let mut answered = 0_u32;
            let mut sink = task % sinks;
            while Instant::now() < end {
                let reply = client
                    .post(url(sink, port))
                    .header("content-type", "application/cloudevents+json")
                    .header("x-correlator", "0190b6f0-0000-7000-8000-000000000000-1")
                    .body(body.to_string())
                    .send()
                    .await?;
                ensure!(reply.status() == 204, "a sink answered {}", reply.status());
                reply.bytes().await?;
                // What came before was for the connections to be opened.
                answered += u32::from(Instant::now() >= begin);
                sink = (sink + tasks) % sinks;
            }
            Ok(answered)
        })
    });
    let mut answered = 0;
    for task in posting.collect::<Vec<_>>() {
        answered += task.await.context("the loop broke off")??;
    }
    println!("{}", f64::from(answered) / time.as_secs_f64());
    Ok(())
}
