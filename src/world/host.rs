//! Names and addresses of hosts: what `MASTER_ADDR` may be.

use crate::error::{Error, Result};
use std::net::IpAddr;

/// Longest name of a host, and longest part of one between two dots.
const LONGEST: (usize, usize) = (253, 63);

/// Refuses a text that is no host's name and no address of one host.
///
/// # Errors
///
/// When `address` is such a text.
pub fn check(address: &str) -> Result<()> {
    let (literal, _) = address.split_once('%').unwrap_or((address, ""));
    let is_one = match (literal.parse(), literal == address) {
        (Ok(IpAddr::V4(ip)), true) => {
            !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
        }
        (Ok(IpAddr::V6(ip)), _) => !ip.is_unspecified() && !ip.is_multicast(),
        (Ok(IpAddr::V4(_)), false) | (Err(_), _) => is_name(address),
    };
    match is_one {
        true => Ok(()),
        false => Err(Error::new(format!(
            "MASTER_ADDR is `{address}`, which is neither a host's name nor its address"
        ))
        .help("give rank 0's host alone, as gpu07 or 10.0.0.7; MASTER_PORT has the port")),
    }
}

fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_part = |part: &str| {
        let letters = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=LONGEST.1).contains(&part.len()) && part.bytes().all(letters)
    };
    // Resolvers read a name that ends in a number as an address, or in vain.
    let last = text.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|b| b.is_ascii_digit());
    text.len() <= LONGEST.0 && text.split('.').all(is_part) && !is_number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_of_one_host_are_told_from_other_texts() {
        for good in [
            "localhost",
            "gpu07",
            "n1.cluster.local",
            "a_b",
            "x.",
            "10.0.0.7",
            "::1",
            "3com.de",
            "fe80::1%eth0",
        ] {
            assert!(check(good).is_ok(), "{good}");
        }
        let long = "a".repeat(64);
        for wrong in [
            "",
            ".",
            "a..b",
            "0.0.0.0",
            "::",
            "255.255.255.255",
            "224.0.0.1",
            "ff02::1",
            "10.0.0.256",
            "999",
            "1.2.3",
            "host:29500",
            "http://host",
            "[::1]",
            "a b",
            "kühn",
            "127.0.0.1%eth0",
            long.as_str(),
        ] {
            let error = check(wrong).unwrap_err();
            assert!(error.message.contains("neither"), "{error}");
        }
    }
}
