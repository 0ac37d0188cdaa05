//! Trino's page `ip`: networks and the addresses in them.

use std::net::{IpAddr, Ipv6Addr};

use arrow::array::{Array, ArrayRef, FixedSizeBinaryArray, StructArray};
use arrow::datatypes::DataType;
use datafusion_common::{Result, exec_err};

use crate::columns::{Call, Resolved, Scalar, Types, invalid, known};
use crate::types;
use crate::{Doc, Functions};

/// The functions of this page.
pub(crate) fn functions() -> Functions {
    let scalars = vec![Scalar::new("contains", Types::Rule(contains_types), contains).into()];
    Functions { scalars, docs: DOCS, ..Functions::default() }
}

fn contains_types(actual: &[DataType]) -> Option<Resolved> {
    match actual {
        [network, address] if types::is_ipaddress(address) && (network.is_null() || types::is_varchar(network)) => {
            Some((vec![DataType::Utf8View, types::ipaddress()], DataType::Boolean))
        }
        _ => None,
    }
}

/// Whether a network in CIDR notation holds an address.
fn contains(call: &Call) -> Result<ArrayRef> {
    let network = call.text(0)?;
    let address = call.column::<StructArray>(1)?;
    let structs = address.array();
    let Some(bytes) = structs.column(0).as_any().downcast_ref::<FixedSizeBinaryArray>() else {
        return exec_err!("an ipaddress is carried by 16 bytes, not by {}", structs.column(0).data_type());
    };
    let constant = network.is_constant();
    let mut parsed: Option<Network> = None;
    call.booleans(|row| {
        let network = known!(network.get(row));
        let row = if address.is_constant() { 0 } else { row };
        if !constant {
            parsed = None;
        }
        // A network that is none is an error even where the address is NULL.
        let network = match &parsed {
            Some(network) => network,
            None => parsed.insert(Network::parse(network)?),
        };
        if structs.is_null(row) || bytes.is_null(row) {
            return Ok(None);
        }
        let Ok(address) = <[u8; 16]>::try_from(bytes.value(row)) else {
            return exec_err!("an ipaddress has 16 bytes, not {}", bytes.value(row).len());
        };
        Ok(Some(network.holds(u128::from_be_bytes(address))))
    })
}

/// The prefix of addresses, IPv4 mapped into IPv6 (`::ffff:a.b.c.d`).
#[derive(Debug)]
struct Network {
    base: u128,
    mask: u128,
    v4: bool,
}

impl Network {
    fn parse(cidr: &str) -> Result<Self> {
        let broken = || invalid(format!("Invalid CIDR: {cidr}"));
        let (address, prefix) = cidr.split_once('/').ok_or_else(broken)?;
        let prefix: u32 = prefix.parse().map_err(|_| broken())?;
        let address: IpAddr = address.parse().map_err(|_| broken())?;
        let (bits, width, prefix) = match address.to_canonical() {
            IpAddr::V4(v4) => {
                // An IPv4 network written as IPv6 may count the 96 bits in front of the address.
                let prefix = if address.is_ipv6() && prefix >= 96 { prefix - 96 } else { prefix };
                (v4.to_ipv6_mapped().to_bits(), 32, prefix)
            }
            IpAddr::V6(v6) => (v6.to_bits(), 128, prefix),
        };
        if prefix > width {
            return Err(broken());
        }
        let mask = u128::MAX.checked_shl(width - prefix).unwrap_or(0);
        if width == 32 && bits & !mask != 0 {
            return Err(invalid(format!("Invalid network IPv4 CIDR: {cidr} has bits beyond its prefix")));
        }
        Ok(Network { base: bits & mask, mask, v4: width == 32 })
    }

    fn holds(&self, address: u128) -> bool {
        // No network holds addresses of the other family.
        let v4 = Ipv6Addr::from_bits(address).to_ipv4_mapped().is_some();
        v4 == self.v4 && address & self.mask == self.base
    }
}

const DOCS: &[Doc] = &[Doc {
    name: "contains",
    page: "ip",
    signature: "contains(network, ipaddress) -> boolean",
    example: "contains('10.0.0.0/8', IPADDRESS '10.255.255.255') = true",
}];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        let address = match address.parse().unwrap() {
            IpAddr::V4(v4) => v4.to_ipv6_mapped(),
            IpAddr::V6(v6) => v6,
        };
        Network::parse(network).unwrap().holds(address.to_bits())
    }

    #[test]
    fn networks_of_both_families() {
        assert!(holds("10.0.0.0/8", "10.255.0.1") && !holds("10.0.0.0/8", "11.0.0.1"));
        assert!(holds("0.0.0.0/0", "203.0.113.9") && !holds("::/0", "203.0.113.9"));
        assert!(holds("2001:db8::1/32", "2001:db8:ffff::") && !holds("2001:db8::/32", "2001:db9::"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
    }

    #[test]
    fn texts_that_are_no_network() {
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.1/8", "10.0.0/8", "2001:db8::/129", "x/8", "10.0.0.0/-1"] {
            assert!(Network::parse(text).is_err(), "{text}");
        }
    }
}
