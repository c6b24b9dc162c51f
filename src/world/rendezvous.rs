//! Rendezvous of the processes of a world: rank 0 listens at an address that all know, the
//! others connect, tell their rank, and compare settings.

use super::environment::World;
use super::wire::{Frame, GREETING, Message, is_late};
use crate::error::{Error, Result};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest time that the processes of a world wait for one another at the beginning.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Longest time for a process that has connected to tell its rank, and for one answer.
const ANSWER: Duration = Duration::from_secs(10);

/// Time between two looks for new connections.
const LOOK: Duration = Duration::from_millis(20);

/// Settings of a training as one process knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Text of its `config.json`.
    pub config: String,
    /// Text of its `.van` file.
    pub source: String,
}

/// Waits as rank 0 for all others, `limit` at most; returns their ranks and connections.
///
/// # Errors
///
/// When the port is taken, when a rank does not come in time, and when one comes that
/// does not fit: with a rank taken already, another size of the world, another version of
/// the program, or other settings.
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
    match rank.checked_sub(1).and_then(|index| streams.get_mut(index)) {
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
    let loopback = match world.address.as_str() {
        "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        other => other.parse().ok().filter(IpAddr::is_loopback),
    };
    let bind = |address: IpAddr| TcpListener::bind(SocketAddr::new(address, world.port));
    let bound = match loopback {
        Some(address) => bind(address),
        // Not every host has IPv6, but where it has, this is both.
        None => bind(Ipv6Addr::UNSPECIFIED.into()).or_else(|e| {
            match e.kind() == io::ErrorKind::AddrInUse {
                true => Err(e),
                false => bind(Ipv4Addr::UNSPECIFIED.into()),
            }
        }),
    };
    let listener = bound.map_err(|e| {
        let error = Error::new(format!("rank 0 cannot listen at port {}: {e}", world.port));
        error.help("give another MASTER_PORT, one that is free")
    })?;
    listener
        .set_nonblocking(true)
        .map_err(|e| failed(world, &e))?;
    Ok(listener)
}

/// Admits a process that has connected. None if it is no rank of this world.
fn admit(
    world: &World,
    settings: &Settings,
    stream: TcpStream,
) -> Result<Option<(usize, TcpStream)>> {
    let greet = || -> io::Result<Option<Message>> {
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
    })) = greet()
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
    let exchange = || -> io::Result<Message> {
        let Settings { config, source } = settings.clone();
        Frame::from(Message::Settings { config, source }).send(&stream)?;
        Ok(Frame::receive(&mut &stream)?.message)
    };
    match exchange() {
        Ok(Message::Failed { why }) => Err(Error::new(why)),
        Ok(message) => Ok((message == Message::Agreed).then_some((rank, stream))),
        Err(e) => {
            Err(Error::new(format!("rank {rank} came and was lost: {e}"))
                .help("see what it has said"))
        }
    }
}

/// Connects to rank 0, which may take `limit` to be there. `compare` is an error where rank
/// 0's settings differ from ours.
///
/// # Errors
///
/// When rank 0 does not come in time, refuses this process or is lost, and when `compare`
/// finds a difference, which rank 0 is told.
pub fn join(
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
    let exchange = || -> io::Result<Message> {
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
    let answer = exchange().map_err(lost)?;
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
    let verdict = match &compared {
        Ok(()) => Message::Agreed,
        Err(error) => Message::Failed {
            why: world.with_rank(error.clone()).message,
        },
    };
    Frame::from(verdict).send(&stream).map_err(lost)?;
    compared.map(|()| stream)
}

/// Connects to rank 0 as soon as it listens.
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

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(300);

    fn world(rank: usize, size: usize, port: u16) -> World {
        World {
            rank,
            size,
            local: rank,
            address: "127.0.0.1".into(),
            port,
        }
    }

    fn free_port() -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    }

    fn settings() -> Settings {
        Settings {
            config: "{}".into(),
            source: "model m {}".into(),
        }
    }

    /// Runs rank 0 of `size` while `others` connect; the ranks that it admits.
    fn led(size: usize, port: u16, others: impl FnOnce() + Send) -> Result<Vec<usize>> {
        std::thread::scope(|scope| {
            scope.spawn(others);
            let streams = lead(&world(0, size, port), &settings(), SHORT * 10)?;
            Ok(streams.into_iter().map(|(rank, _)| rank).collect())
        })
    }

    fn come(rank: usize, size: usize, port: u16) -> Result<()> {
        join(&world(rank, size, port), SHORT * 10, |theirs| {
            assert_eq!(*theirs, settings());
            Ok(())
        })
        .map(|_| ())
    }

    #[test]
    fn all_meet_in_the_order_of_their_ranks_and_strangers_are_sent_away() {
        let port = free_port();
        let ranks = led(4, port, || {
            for rank in [3, 1] {
                come(rank, 4, port).unwrap();
            }
            let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
            come(2, 4, port).unwrap();
        });
        assert_eq!(ranks.unwrap(), [1, 2, 3]);
    }

    #[test]
    fn who_does_not_come_is_named_and_so_is_who_is_not_there() {
        let port = free_port();
        let waited = lead(&world(0, 3, port), &settings(), SHORT).unwrap_err();
        assert!(waited.message.contains("rank 1, 2 of 3"), "{waited}");
        let nobody = join(&world(1, 2, port), SHORT, |_| Ok(())).unwrap_err();
        let place = format!("rank 0 is not at 127.0.0.1:{port}");
        assert!(nobody.message.contains(&place), "{nobody}");
        let mut nowhere = world(1, 2, port);
        nowhere.address = "no.such.host.invalid".into();
        let nobody = join(&nowhere, SHORT, |_| Ok(())).unwrap_err();
        assert!(nobody.message.contains("no.such.host.invalid"), "{nobody}");
        let _taken = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let taken = lead(&world(0, 2, port), &settings(), SHORT).unwrap_err();
        assert!(taken.message.contains("cannot listen"), "{taken}");
    }

    #[test]
    fn worlds_that_do_not_fit_are_refused_on_both_sides() {
        let port = free_port();
        let other_size = led(2, port, || {
            let refused = come(1, 3, port).unwrap_err();
            assert!(refused.message.contains("rank 1 of 3"), "{refused}");
        });
        assert!(other_size.unwrap_err().message.contains("rank 1 of 3"));
        let twice = led(3, port, || {
            come(1, 3, port).unwrap();
            let _ = come(1, 3, port);
        });
        assert!(twice.unwrap_err().message.contains("are rank 1"));
        let differs = led(2, port, || {
            let worker = world(1, 2, port);
            let compare = |_: &Settings| Err(Error::new("the batch differs"));
            let refused = join(&worker, SHORT * 10, compare).unwrap_err();
            assert_eq!(refused.message, "the batch differs");
        });
        let differs = differs.unwrap_err().message;
        assert_eq!(differs, "rank 1 of 2: the batch differs");
    }

    #[test]
    fn what_answers_otherwise_is_no_rank_0() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let (mut stream, _) = listener.accept().unwrap();
                stream.write_all(b"HTTP/1.1 400 Bad Request\r\n").unwrap();
            });
            assert!(
                come(1, 2, port)
                    .unwrap_err()
                    .message
                    .contains("rank 0 was lost")
            );
        });
    }
}
