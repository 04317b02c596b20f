//! The network that a request comes from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::{extract::FromRequestParts, http::request::Parts};
use lambda_http::request::RequestContext;

use crate::Error;

/// The network that a request comes from, for rate limits: an IPv4 address, or the first 64 bits of an IPv6 address, which
/// is the least that a subscriber has ([RFC 6177] §2).
///
/// The address is the one that API Gateway saw, never one from a header of the client. Without API Gateway it is the
/// request's extension of this type, which `cargo dev` sets to the socket's peer; without either it is `0.0.0.0`.
///
/// [RFC 6177]: https://www.rfc-editor.org/rfc/rfc6177#section-2
#[derive(Clone, Copy, Debug)]
pub struct ClientIp(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientIp {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        let address = match parts.extensions.get() {
            Some(RequestContext::ApiGatewayV2(context)) => {
                context.http.source_ip.as_deref().and_then(|address| address.parse().ok())
            }
            _ => parts.extensions.get().map(|ClientIp(address)| *address),
        };
        Ok(Self(network(address.unwrap_or(Ipv4Addr::UNSPECIFIED.into()))))
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_an_ipv4_address_or_the_first_64_bits_of_an_ipv6_address() {
        for (address, expected) in [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
            ("2001:db8:1:3::", "2001:db8:1:3::"),
        ] {
            assert_eq!(network(address.parse().unwrap()).to_string(), expected);
        }
    }
}
