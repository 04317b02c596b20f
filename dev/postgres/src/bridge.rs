//! The network interface of a container network.

use std::net::Ipv4Addr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::Error;

/// This machine's address in a container network.
#[derive(Clone, Copy, Debug)]
pub struct Bridge {
    /// The address at which containers reach this machine.
    pub address: Ipv4Addr,
    /// The netmask of the network.
    pub netmask: Ipv4Addr,
}

impl Bridge {
    /// Returns the address and netmask of a network interface.
    ///
    /// # Errors
    /// Fails if the interface does not exist or has no IPv4 address.
    pub fn find(interface: &str) -> Result<Self, Error> {
        let v4 = |address: Option<SockaddrStorage>| Some(address?.as_sockaddr_in()?.ip());
        getifaddrs()
            .ok()
            .into_iter()
            .flatten()
            .filter(|found| found.interface_name == interface)
            .find_map(|found| Some(Self { address: v4(found.address)?, netmask: v4(found.netmask)? }))
            .ok_or_else(|| Error::NoBridge(interface.to_owned()))
    }

    /// Returns a `pg_hba.conf` that lets this machine and the bridge's network connect with the password.
    pub(crate) fn hba(&self) -> String {
        let Self { address, netmask } = self;
        format!(
            "host all all 127.0.0.1/32 scram-sha-256\n\
             host all all {} {netmask} scram-sha-256\n",
            address & netmask
        )
    }
}
