//! How the processes of a world find one another: rank 0 listens at an address that all
//! know, the others come and say who they are, and compare what they are to train.

use super::environment::World;
use super::wire::{Frame, GREETING, Message, is_late};
use crate::error::{Error, Result};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long the processes of a world wait for one another at the beginning.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Time for one who has come to say who it is, and for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Time between two looks whether somebody has come.
const LOOK: Duration = Duration::from_millis(20);

/// What a process is to train, as it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Its `config.json`.
    pub config: String,
    /// Its `.van` file.
    pub source: String,
}

/// Waits as rank 0 for all others, `limit` at most; their ranks and connections.
pub fn lead(
    world: &World,
    settings: &Settings,
    limit: Duration,
) -> Result<Vec<(usize, TcpStream)>> {
    let listener = listen(world)?;
    let late = Instant::now() + limit;
    let mut streams: Vec<Option<TcpStream>> = (1..world.size).map(|_| None).collect();
    loop {
        let missing: Vec<usize> = (1..)
            .zip(&streams)
            .filter_map(|(rank, stream)| stream.is_none().then_some(rank))
            .collect();
        if missing.is_empty() {
            break;
        }
        if Instant::now() >= late {
            return Err(Error::new(format!(
                "rank {} of {} did not come to {} within {} s",
                missing
                    .iter()
                    .map(usize::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
                world.size,
                place(world),
                limit.as_secs()
            ))
            .help("see whether all processes were started, and what they say"));
        }
        match listener.accept() {
            Ok((stream, _)) => {
                if let Some((rank, stream)) = admit(world, settings, stream)? {
                    take_seat(&mut streams, rank, stream)?;
                }
            }
            Err(e) if is_late(&e) => sleep(LOOK),
            Err(e) => return Err(failed(world, &e)),
        }
    }
    Ok((1..).zip(streams.into_iter().flatten()).collect())
}

fn take_seat(streams: &mut [Option<TcpStream>], rank: usize, stream: TcpStream) -> Result<()> {
    match rank.checked_sub(1).and_then(|at| streams.get_mut(at)) {
        Some(seat @ None) => {
            *seat = Some(stream);
            Ok(())
        }
        Some(Some(_)) | None => Err(Error::new(format!(
            "two processes say that they are rank {rank}"
        ))
        .help("give each another RANK")),
    }
}

fn listen(world: &World) -> Result<TcpListener> {
    // A name may be of an address that only this host knows itself by.
    let is_here = world.address == "localhost"
        || (world.address.parse()).is_ok_and(|address: IpAddr| address.is_loopback());
    let addresses: [IpAddr; 2] = match is_here {
        true => [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        false => [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()],
    };
    let addresses = addresses.map(|address| SocketAddr::new(address, world.port));
    let listener = TcpListener::bind(addresses.as_slice()).map_err(|e| {
        let error = Error::new(format!("rank 0 cannot listen at port {}: {e}", world.port));
        error.help("give another MASTER_PORT, one that is free")
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|e| failed(world, &e))?;
    Ok(listener)
}

/// Takes in one that has come; nothing where it is none of us.
fn admit(
    world: &World,
    settings: &Settings,
    stream: TcpStream,
) -> Result<Option<(usize, TcpStream)>> {
    let greeted = || -> io::Result<Option<Message>> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let mut greeting = [0; GREETING.len()];
        (&stream).read_exact(&mut greeting)?;
        match greeting == GREETING {
            true => Frame::receive(&mut &stream).map(|frame| Some(frame.message)),
            false => Ok(None),
        }
    };
    let Ok(Some(Message::Join {
        version,
        rank,
        size,
    })) = greeted()
    else {
        return Ok(None);
    };
    let ours = env!("CARGO_PKG_VERSION");
    let wrong = if version != ours {
        Some(format!(
            "rank {rank} runs vanc {version}, and rank 0 vanc {ours}"
        ))
    } else if size != world.size || rank == 0 || rank >= size {
        Some(format!(
            "a process came to {} as rank {rank} of {size}, where rank 0 of {} waits",
            place(world),
            world.size
        ))
    } else {
        None
    };
    if let Some(why) = wrong {
        let _ = Frame::from(Message::Failed { why: why.clone() }).send(&stream);
        return Err(
            Error::new(why).help("start all processes alike, each world at a port of its own")
        );
    }
    let compared = || -> io::Result<Message> {
        let Settings { config, source } = settings.clone();
        Frame::from(Message::Settings { config, source }).send(&stream)?;
        Ok(Frame::receive(&mut &stream)?.message)
    };
    match compared() {
        Ok(Message::Failed { why }) => Err(Error::new(why)),
        Ok(_) => Ok(Some((rank, stream))),
        Err(e) => {
            Err(Error::new(format!("rank {rank} came and was lost: {e}"))
                .help("see what it has said"))
        }
    }
}

/// Goes to rank 0, for which it waits `limit` at most. `compare` finds what differs from
/// its settings.
pub fn follow(
    world: &World,
    limit: Duration,
    compare: impl FnOnce(&Settings) -> Result<()>,
) -> Result<TcpStream> {
    let stream = connect(world, limit)?;
    let lost = |e: io::Error| {
        let why = match is_late(&e) {
            true => "it does not answer as vanc does".to_string(),
            false => e.to_string(),
        };
        Error::new(format!("rank 0 was lost at {}: {why}", place(world)))
            .help("see what rank 0 has said, and whether something else listens there")
    };
    let asked = || -> io::Result<Message> {
        stream.set_read_timeout(Some(ANSWER * 3))?;
        stream.set_write_timeout(Some(ANSWER))?;
        (&stream).write_all(&GREETING)?;
        let join = Message::Join {
            version: env!("CARGO_PKG_VERSION").into(),
            rank: world.rank,
            size: world.size,
        };
        Frame::from(join).send(&stream)?;
        Ok(Frame::receive(&mut &stream)?.message)
    };
    let answer = asked().map_err(lost)?;
    if let Message::Failed { why } = answer {
        return Err(Error::new(why));
    }
    let Message::Settings { config, source } = answer else {
        return Err(Error::new(format!(
            "what listens at {} answers otherwise than vanc does",
            place(world)
        )));
    };
    let compared = compare(&Settings { config, source });
    let said = match &compared {
        Ok(()) => Message::Agreed,
        Err(error) => Message::Failed {
            why: world.said(error.clone()).message,
        },
    };
    Frame::from(said).send(&stream).map_err(lost)?;
    compared.map(|()| stream)
}

/// Where rank 0 is, once it is there.
fn connect(world: &World, limit: Duration) -> Result<TcpStream> {
    let late = Instant::now() + limit;
    loop {
        let mut last = io::Error::other("the name has no address");
        match (world.address.as_str(), world.port).to_socket_addrs() {
            Ok(addresses) => {
                for address in addresses {
                    let left = late.saturating_duration_since(Instant::now());
                    let left = left.clamp(Duration::from_millis(100), ANSWER);
                    match TcpStream::connect_timeout(&address, left) {
                        Ok(stream) => return Ok(stream),
                        Err(e) => last = e,
                    }
                }
            }
            Err(e) => last = e,
        }
        if Instant::now() >= late {
            return Err(Error::new(format!(
                "rank 0 is not at {} (MASTER_ADDR and MASTER_PORT), where it was waited for \
                 {} s: {last}",
                place(world),
                limit.as_secs()
            ))
            .help("see whether rank 0 was started there, and what it says"));
        }
        sleep(LOOK * 5);
    }
}

fn place(world: &World) -> String {
    format!("{}:{}", world.address, world.port)
}

fn failed(world: &World, error: &io::Error) -> Error {
    Error::new(format!("nobody can come to {}: {error}", place(world)))
}
