//! Where a request comes from, for limits.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::http::header::HeaderMap;
use actix_web::{HttpRequest, web};
use ipnet::IpNet;

/// The header in which each proxy adds whom it had the request from.
const FORWARDED: &str = "x-forwarded-for";

/// Proxies whose word about their clients is taken.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(pub Vec<IpNet>);

/// The address that counts for limits: the client's, as far as trusted proxies tell it. Of IPv6 it is the network of 64 bits,
/// of which one customer has all addresses.
#[must_use]
pub fn client_address(request: &HttpRequest) -> String {
    let trusted = request.app_data::<web::Data<TrustedProxies>>();
    match request.peer_addr() {
        None => "unknown".to_owned(),
        Some(peer) => {
            let proxies = trusted.map_or(&[][..], |trusted| trusted.0.as_slice());
            network(client(peer.ip(), request.headers(), proxies))
        }
    }
}

/// Who is on the other side of all trusted proxies. Read from the end: what stands before the first that is not trusted is
/// whatever the client has written.
fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let trusts = |address: &IpAddr| proxies.iter().any(|proxy| proxy.contains(&address.to_canonical()));
    let mut nearest = peer.to_canonical();
    let lines: Vec<&str> = headers.get_all(FORWARDED).filter_map(|value| value.to_str().ok()).collect();
    let mut told = lines.iter().flat_map(|line| line.split(',')).collect::<Vec<_>>();
    while trusts(&nearest) {
        let Some(next) = told.pop().and_then(|text| address(text.trim())) else { break };
        nearest = next.to_canonical();
    }
    nearest
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let alone = text.parse().ok().or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()));
    alone.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn seen(peer: &str, forwarded: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(HeaderName::from_static(FORWARDED), HeaderValue::from_str(line).unwrap());
        }
        let proxies: Vec<IpNet> = proxies.iter().map(|proxy| proxy.parse().unwrap()).collect();
        network(client(peer.parse().unwrap(), &headers, &proxies))
    }

    #[test]
    fn nobody_is_believed_who_is_not_trusted() {
        assert_eq!(seen("9.9.9.9", &["1.1.1.1"], &[]), "9.9.9.9");
        assert_eq!(seen("9.9.9.9", &["1.1.1.1"], &["10.0.0.0/8"]), "9.9.9.9");
        assert_eq!(seen("10.0.0.1", &[], &["10.0.0.0/8"]), "10.0.0.1");
    }

    #[test]
    fn what_a_client_writes_itself_is_not_reached() {
        let proxies = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 2.2.2.2"], proxies), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1, 2.2.2.2, 10.0.0.2"], proxies), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", &["1.1.1.1", "2.2.2.2", "10.0.0.2, fd00::7"], proxies), "2.2.2.2");
        assert_eq!(seen("::ffff:10.0.0.1", &["2.2.2.2:4711"], proxies), "2.2.2.2");
        assert_eq!(seen("10.0.0.1", &["2.2.2.2, nonsense"], proxies), "10.0.0.1");
        assert_eq!(seen("10.0.0.1", &["10.0.0.3"], proxies), "10.0.0.3");
    }

    #[test]
    fn of_a_longer_address_its_network_counts() {
        assert_eq!(seen("2001:db8:1:2:3:4:5:6", &[], &[]), "2001:db8:1:2::/64");
        assert_eq!(seen("10.0.0.1", &["\"[2001:db8:1:2::9]:443\""], &["10.0.0.1/32"]), "2001:db8:1:2::/64");
        assert_eq!(seen("10.0.0.1", &["[2001:db8:1:2::9]"], &["10.0.0.1/32"]), "2001:db8:1:2::/64");
    }
}
