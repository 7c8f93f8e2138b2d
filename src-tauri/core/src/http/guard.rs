//! Which addresses may be called: the egress policy. Pure.
//!
//! Checked in three places: the literal host when a URL is saved and before every call
//! ([`check_url`]), every address a name resolves to (the resolver in
//! [`super`]), and the peer that answered. Ranges: IANA special-purpose registries (RFC 6890 and
//! its updates) and the metadata addresses of the large clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv4Net;
use url::{Host, Url};

/// How near an address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Never called: link-local, metadata, multicast, unspecified, reserved.
    Never,
    /// This computer.
    Loopback,
    /// The owner's own network.
    Private,
    /// The internet.
    Public,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// `invalid`, `https_required`, `private_address`, `blocked_address`
    pub code: &'static str,
    /// For the owner.
    pub sentence: &'static str,
}

const fn net(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const NEVER: [Ipv4Net; 10] = [
    net(0, 0, 0, 0, 8),
    net(169, 254, 0, 0, 16),
    net(100, 100, 100, 200, 32),
    net(168, 63, 129, 16, 32),
    net(192, 0, 0, 0, 24),
    net(192, 0, 2, 0, 24),
    net(198, 51, 100, 0, 24),
    net(192, 88, 99, 0, 24),
    net(224, 0, 0, 0, 4),
    net(240, 0, 0, 0, 4),
];
const PRIVATE: [Ipv4Net; 5] = [
    net(10, 0, 0, 0, 8),
    net(172, 16, 0, 0, 12),
    net(192, 168, 0, 0, 16),
    net(100, 64, 0, 0, 10),
    net(198, 18, 0, 0, 15),
];

/// How near `ip` is, after undoing every way of writing an IPv4 address inside an IPv6 one.
#[must_use]
pub fn classify(ip: IpAddr) -> Class {
    match ip {
        IpAddr::V4(ip) => classify_v4(ip),
        IpAddr::V6(ip) => classify_v6(ip),
    }
}

fn classify_v4(ip: Ipv4Addr) -> Class {
    if NEVER.iter().any(|n| n.contains(&ip)) {
        Class::Never
    } else if ip.is_loopback() {
        Class::Loopback
    } else if PRIVATE.iter().any(|n| n.contains(&ip)) {
        Class::Private
    } else {
        Class::Public
    }
}

fn classify_v6(ip: Ipv6Addr) -> Class {
    let parts = ip.segments();
    let [a, b, c, d, _, _, g, h] = parts;
    let v4 = |high: u16, low: u16| {
        let ([w, x], [y, z]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(w, x, y, z)
    };
    if ip.is_loopback() {
        return Class::Loopback;
    }
    if ip.is_unspecified() {
        return Class::Never;
    }
    match parts {
        // ::ffff:0:0/96, ::ffff:0:0:0/96 and ::/96 carry an IPv4 address.
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            return classify_v4(v4(g, h));
        }
        // NAT64, RFC 6052 and RFC 8215.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => return classify_v4(v4(g, h)),
        // 6to4, RFC 3056.
        [0x2002, ..] => return classify_v4(v4(b, c)),
        // Teredo, RFC 4380.
        [0x2001, 0, ..] => return classify_v4(v4(!g, !h)),
        _ => {}
    }
    if a & 0xffc0 == 0xfe80 || a & 0xff00 == 0xff00 || a & 0xffc0 == 0xfec0 {
        return Class::Never;
    }
    // Documentation, discard-only, and the metadata address of EC2.
    if (a == 0x2001 && b == 0xdb8)
        || (a == 0x100 && b == 0 && c == 0 && d == 0)
        || ip == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
    {
        return Class::Never;
    }
    if a & 0xfe00 == 0xfc00 {
        return Class::Private;
    }
    if a & 0xe000 == 0x2000 {
        Class::Public
    } else {
        Class::Never
    }
}

/// Checks a URL as it is saved, and again before it is called.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_url(text: &str, allow_private: bool) -> Result<Url, Refused> {
    const INVALID: Refused = Refused {
        code: "invalid",
        sentence: "This is not a web address; one looks like https://shop.example/hooks.",
    };
    let url = Url::parse(text).map_err(|_| INVALID)?;
    if !matches!(url.scheme(), "https" | "http") || url.host().is_none() || text.len() > 2048 {
        return Err(INVALID);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Refused {
            code: "invalid",
            sentence: "A user name and password do not belong in the address; they would be seen in logs.",
        });
    }
    let class = match url.host() {
        Some(Host::Ipv4(ip)) => Some(classify_v4(ip)),
        Some(Host::Ipv6(ip)) => Some(classify_v6(ip)),
        // RFC 6761: localhost and what ends in it is this computer.
        Some(Host::Domain(name)) if name == "localhost" || name.ends_with(".localhost") => {
            Some(Class::Loopback)
        }
        _ => None,
    };
    match class {
        Some(Class::Never) => Err(Refused {
            code: "blocked_address",
            sentence: "This address belongs to the inner workings of a network and is never called.",
        }),
        Some(Class::Loopback | Class::Private) if !allow_private => Err(Refused {
            code: "private_address",
            sentence: "This address is on your own network or computer. If you mean that, allow the private network for this webhook.",
        }),
        Some(Class::Public) if url.scheme() == "http" => Err(HTTPS),
        // A name may turn out to be private only with consent; until then it counts as public.
        None if url.scheme() == "http" && !allow_private => Err(HTTPS),
        _ => Ok(url),
    }
}

const HTTPS: Refused = Refused {
    code: "https_required",
    sentence: "Use https: over http anybody on the way could read and change what is sent.",
};

/// True when an address may be called under this consent. Plain http goes to near addresses only.
#[must_use]
pub fn allowed(ip: IpAddr, allow_private: bool, plain_http: bool) -> bool {
    match classify(ip) {
        Class::Never => false,
        Class::Loopback | Class::Private => allow_private,
        Class::Public => !plain_http,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_this_computer_and_of_metadata_is_recognised() {
        for url in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://localhost/",
            "https://a.localhost/",
            "http://10.1.2.3/",
            "https://192.168.1.40:8080/",
            "https://[fd12::1]/",
        ] {
            assert_eq!(
                check_url(url, false).unwrap_err().code,
                "private_address",
                "{url}"
            );
            assert!(check_url(url, true).is_ok(), "{url}");
        }
        for url in [
            "http://169.254.169.254/",
            "https://[fe80::1]/",
            "http://0.0.0.0/",
            "https://[::ffff:169.254.169.254]/",
            "https://[64:ff9b::a9fe:a9fe]/",
            "https://[2002:a9fe:a9fe::]/",
            "https://100.100.100.200/",
            "https://[fd00:ec2::254]/",
            "https://224.0.0.1/",
            "https://255.255.255.255/",
            "https://[::]/",
            "https://2852039166/",
        ] {
            for consent in [false, true] {
                assert_eq!(
                    check_url(url, consent).unwrap_err().code,
                    "blocked_address",
                    "{url}"
                );
            }
        }
    }

    #[test]
    fn https_is_required_for_what_is_not_near() {
        assert_eq!(
            check_url("http://shop.example/", false).unwrap_err().code,
            "https_required"
        );
        assert_eq!(
            check_url("http://93.184.215.14/", true).unwrap_err().code,
            "https_required"
        );
        assert!(check_url("https://shop.example/hook?x=1", false).is_ok());
        assert!(!allowed("93.184.215.14".parse().unwrap(), true, true));
    }

    #[test]
    fn what_is_no_web_address_is_refused() {
        for url in [
            "",
            "shop.example",
            "ftp://shop.example/",
            "https://",
            "https://user:secret@shop.example/",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert_eq!(check_url(url, true).unwrap_err().code, "invalid", "{url}");
        }
    }
}
