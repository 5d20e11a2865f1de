//! What a container's health check runs: a program asks another of its kind, on the same machine, whether it is alive.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// How long the answer may take.
const WITHIN: Duration = Duration::from_secs(5);

/// Asks whoever listens on `bind` for `/healthz`; on loopback where that is every address.
///
/// # Errors
/// What was answered instead, or why nothing was.
pub async fn ask(scheme: &str, bind: SocketAddr) -> Result<(), String> {
    let host = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let url = format!("{scheme}://{}/healthz", SocketAddr::new(host, bind.port()));
    // The certificate is in the name of the service, not of loopback's.
    let client = reqwest::Client::builder().timeout(WITHIN).no_proxy().tls_danger_accept_invalid_certs(true).build();
    let client = client.map_err(|error| error.to_string())?;
    let answer = client.get(&url).send().await.map_err(|error| format!("does not answer: {error}"))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(format!("answers {}", answer.status())),
    }
}
