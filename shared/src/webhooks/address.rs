//! Where deliveries may go: an admin of Lastseen is not to reach, by a webhook, what only the machines beside it should.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The longest URL, in bytes.
pub const LONGEST: usize = 2_000;

/// Whether an address is one of the public internet's. What carries an IPv4 address within it is what that is.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let refused = match (a, b, c) {
        // This network, private, loopback, multicast, reserved and broadcast.
        (0 | 10 | 127 | 224..=255, ..) => true,
        // Carriers' own (CGNAT), link-local with the clouds' metadata, private.
        (100, 64..=127, _) | (169, 254, _) | (172, 16..=31, _) | (192, 168, _) => true,
        // Protocols' own, documentation, 6to4 relays, benchmarks.
        (192, 0, 0 | 2) | (192, 88, 99) | (198, 18 | 19, _) | (198, 51, 100) | (203, 0, 113) => true,
        _ => false,
    };
    !refused
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let s = address.segments();
    let within = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match s {
        // IPv4-mapped, and NAT64's well-known prefix.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => within(high, low),
        // 6to4.
        [0x2002, high, low, ..] => within(high, low),
        // Teredo and other protocols' own, documentation.
        [0x2001, 0..=0x01ff | 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => false,
        // Nothing but global unicast: not loopback, unspecified, unique local, link-local, site-local, multicast.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

/// Checks a URL that deliveries shall go to, as far as it can be without asking what its name resolves to.
///
/// # Errors
/// A sentence that goes on where the field's name ends.
pub fn check_url(text: &str, allow_private: bool) -> Result<Url, String> {
    if text.len() > LONGEST {
        return Err(format!("must have {LONGEST} characters at most"));
    }
    let url = Url::parse(text).map_err(|problem| format!("must be a URL: {problem}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("must begin with https:// or http://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user's name or password".to_owned());
    }
    if url.fragment().is_some() {
        return Err("must not hold a fragment".to_owned());
    }
    let host = url.host().ok_or("must name a host")?;
    if !allow_private && !may_be_public(&host) {
        return Err("must not lead to a private address".to_owned());
    }
    Ok(url)
}

/// Whether a host may be public: an address that is, or a name that is not this machine's own.
#[must_use]
pub fn may_be_public(host: &Host<&str>) -> bool {
    match host {
        Host::Ipv4(address) => is_public_v4(*address),
        Host::Ipv6(address) => is_public_v6(*address),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:c0a8:101::",
            "2001::1",
            "2001:db8::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "5f00::1",
        ];
        for address in private {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "192.167.1.1",
            "198.17.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2002:808:808::",
            "2606:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn urls_are_checked() {
        for bad in [
            "",
            "example.org",
            "ftp://example.org",
            "file:///etc/passwd",
            "https://",
            "http://user@example.org",
            "http://user:word@example.org",
            "https://:word@example.org",
            "https://example.org/#x",
            "http://127.0.0.1",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://localhost:8000/",
            "http://a.LOCALHOST./",
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.1./",
            "http://①②⑦.⓪.⓪.①/",
        ] {
            assert!(check_url(bad, false).is_err(), "{bad}");
        }
        assert!(check_url(&format!("https://example.org/{}", "a".repeat(2_000)), false).is_err());
        for good in
            ["https://example.org/hook?a=b", "http://example.org:8080/", "https://8.8.8.8/", "https://bücher.example"]
        {
            assert!(check_url(good, false).is_ok(), "{good}");
        }
        assert!(check_url("http://localhost:9000/hook", true).is_ok());
        assert!(check_url("http://u:p@localhost/", true).is_err());
    }
}
