//! Is it us? Whether a failure means that this computer is offline, judged per destination.
//!
//! Loopback is never offline; a private address only when no interface is up; the internet when
//! there is no route, or when no name resolves anywhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::http::guard::Class;
use crate::http::literal_class;
use crate::outcome::{Code, Failure, Trouble};

/// True when an interface other than loopback has an address.
pub(crate) fn interface_up() -> bool {
    let Ok(interfaces) = netwatcher::list_interfaces() else {
        return true;
    };
    interfaces
        .values()
        .flat_map(|i| i.ips.iter())
        .any(|record| match record.ip {
            IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_loopback() && ip.segments()[0] & 0xffc0 != 0xfe80,
        })
}

/// True when the routing table knows a way to the internet. Connecting a UDP socket sends nothing.
pub(crate) fn public_route() -> bool {
    let try_way = |from: IpAddr, to: IpAddr| {
        UdpSocket::bind(SocketAddr::new(from, 0))
            .and_then(|s| s.connect(SocketAddr::new(to, 53)))
            .is_ok()
    };
    try_way(
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv4Addr::new(1, 1, 1, 1).into(),
    ) || try_way(
        Ipv6Addr::UNSPECIFIED.into(),
        Ipv6Addr::new(0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111).into(),
    )
}

async fn resolves(name: &str) -> bool {
    let look_up = tokio::net::lookup_host((name, 443));
    match tokio::time::timeout(std::time::Duration::from_secs(5), look_up).await {
        Ok(Ok(mut found)) => found.next().is_some(),
        _ => false,
    }
}

/// Whether `url` can be reached from here as far as the network goes.
pub(crate) async fn reachable(url: &url::Url, well_known_names: &[String]) -> bool {
    match literal_class(url) {
        Some(Class::Loopback) => true,
        Some(Class::Private) => interface_up(),
        Some(Class::Public | Class::Never) => public_route(),
        None => {
            // A name of the own network may resolve without a way to the internet.
            let Some(host) = url.host_str() else {
                return true;
            };
            if resolves(host).await {
                return true;
            }
            if !public_route() {
                return false;
            }
            for name in well_known_names {
                if resolves(name).await {
                    return true;
                }
            }
            false
        }
    }
}

/// The failure of a call, seen again: offline when the cause is on our side. Refused, reset, a TLS
/// error or any answer means online, and so does a time-out where there is a way.
pub(crate) async fn judge(
    failure: Failure,
    url: &url::Url,
    well_known_names: &[String],
) -> Failure {
    let suspicious = matches!(
        failure.args.trouble,
        Some(Trouble::NoRoute | Trouble::NameNotFound)
    ) || (failure.code == Code::TimedOut && failure.args.status.is_none());
    if failure.code == Code::BlockedAddress || !suspicious || reachable(url, well_known_names).await
    {
        failure
    } else {
        Failure::new(Code::Offline)
    }
}
