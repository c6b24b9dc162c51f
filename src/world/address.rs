//! Addresses of rank 0: what it listens at, and who may come.

use super::environment::World;
use super::secret;
use crate::error::{Error, Result};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs};

/// Addresses of rank 0's host as this process sees them.
///
/// # Errors
///
/// When the name has none.
pub fn resolve(world: &World) -> io::Result<Vec<SocketAddr>> {
    let found = (world.address.as_str(), world.port).to_socket_addrs()?;
    let found: Vec<SocketAddr> = found.collect();
    match found.is_empty() {
        true => Err(io::Error::other("the name has no address")),
        false => Ok(found),
    }
}

/// Refuses addresses beyond this machine where no secret is shared.
///
/// # Errors
///
/// When there is such an address.
pub fn trust(world: &World, addresses: &[SocketAddr]) -> Result<()> {
    let beyond = addresses.iter().find(|address| !address.ip().is_loopback());
    match beyond {
        Some(beyond) if !world.secret.is_given() => Err(Error::new(format!(
            "MASTER_ADDR is {} ({}), which others can reach, and there is no shared secret",
            world.address,
            beyond.ip()
        ))
        .help(secret::MAKE)),
        Some(_) | None => Ok(()),
    }
}

/// Listens as rank 0: at `MASTER_ADDR`'s own addresses, or, with a secret, at all addresses of
/// this host where those are not its own (a service in front of it, or a name that it gives
/// itself on loopback).
///
/// # Errors
///
/// When the port is taken, when the name has no address, and when others can reach the address
/// and there is no secret.
pub fn listen(world: &World) -> Result<Vec<TcpListener>> {
    let taken = |e: io::Error| {
        let error = Error::new(format!(
            "rank 0 cannot listen at {}, port {}: {e}",
            world.address, world.port
        ));
        match e.kind() == ErrorKind::AddrInUse {
            true => error.help("give another MASTER_PORT, one that is free"),
            false => error.help("MASTER_ADDR is the name or an address of rank 0's host"),
        }
    };
    let mut bound = Vec::new();
    for address in own(world)? {
        match TcpListener::bind(address) {
            Ok(listener) => bound.push(listener),
            Err(e) if e.kind() == ErrorKind::AddrNotAvailable && world.secret.is_given() => {}
            Err(e) => return Err(taken(e)),
        }
    }
    if bound.is_empty() {
        bound.push(everywhere(world.port).map_err(taken)?);
    }
    for listener in &bound {
        listener.set_nonblocking(true).map_err(taken)?;
    }
    Ok(bound)
}

/// Addresses to listen at; none where they are not rank 0's own.
fn own(world: &World) -> Result<Vec<SocketAddr>> {
    if world.address == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, world.port).into()]);
    }
    let mut found = match resolve(world) {
        Ok(found) => found,
        Err(_) if world.secret.is_given() => return Ok(Vec::new()),
        Err(e) => {
            let error = Error::new(format!("MASTER_ADDR is {}: {e}", world.address));
            return Err(error.help("give a name or an address of rank 0's host"));
        }
    };
    trust(world, &found)?;
    let is_literal = world.address.parse::<IpAddr>().is_ok();
    let is_loopback = found.iter().all(|address| address.ip().is_loopback());
    if is_loopback && !is_literal && world.secret.is_given() {
        return Ok(Vec::new());
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// Listens at all addresses. Not every host has IPv6, but where it has, this is both.
fn everywhere(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).or_else(|e| {
        match e.kind() == ErrorKind::AddrInUse {
            true => Err(e),
            false => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)),
        }
    })
}
