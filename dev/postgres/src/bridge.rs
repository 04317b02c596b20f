use std::net::Ipv4Addr;

use nix::ifaddrs::getifaddrs;
use nix::sys::socket::SockaddrStorage;

use crate::Error;

/// This machine's end of a network of containers.
#[derive(Clone, Copy, Debug)]
pub struct Bridge {
    /// Where the containers find this machine.
    pub address: Ipv4Addr,
    /// Tells which part of the address all of the network has.
    pub netmask: Ipv4Addr,
}

impl Bridge {
    /// The bridge that the network interface of this name is.
    ///
    /// # Errors
    /// There is no such interface, or it has no IPv4 address.
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

    /// A `pg_hba.conf` that admits this machine and the bridge's network, with the password.
    pub(crate) fn hba(&self) -> String {
        let Self { address, netmask } = self;
        format!(
            "host all all 127.0.0.1/32 scram-sha-256\n\
             host all all {} {netmask} scram-sha-256\n",
            address & netmask
        )
    }
}
