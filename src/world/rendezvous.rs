//! Rendezvous of the processes of a world: rank 0 listens at an address that all know, the
//! others connect, prove that they belong to it, tell their rank, and compare settings.

use super::address;
use super::environment::World;
use super::handshake::{Proved, Until, challenge, greet, prove};
use super::secret::Nonce;
use super::wire::{Message, is_late};
use crate::error::{Error, Result};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Longest time that the processes of a world wait for one another at the beginning.
pub const LIMIT: Duration = Duration::from_secs(120);

/// Longest time between a process's connecting and its having a seat.
const ANSWER: Duration = Duration::from_secs(10);

/// Time between two looks for new connections.
const LOOK: Duration = Duration::from_millis(20);

/// Connections beyond the number of ranks that are heard at once; more have to come again.
const STRANGERS: usize = 64;

/// Stack of a thread that hears one connection.
const STACK: usize = 256 << 10;

/// Settings of a training as one process knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Text of its `config.json`.
    pub config: String,
    /// Text of its `.van` file.
    pub source: String,
}

/// End of a conversation with a process that has connected.
enum Arrival {
    /// It has this rank's seat.
    Seated(usize, TcpStream),
    /// It was sent away, or went, for this reason.
    SentAway(String),
    /// It is the rank that was waited for, with other settings.
    Differs(Error),
}

/// State of rank 0 that the threads share, each of which hears one connection.
struct Host {
    world: World,
    settings: Settings,
    /// Whether a rank has its seat, or is being talked to; from rank 1.
    seats: Mutex<Vec<bool>>,
}

/// Waits as rank 0 for all others, `limit` at most; returns their ranks and connections.
///
/// A process that is no rank of this world, or comes as one that is here already, is sent away
/// and ends nothing.
///
/// # Errors
///
/// When it cannot listen, when a rank does not come in time, and when one has other settings.
pub fn lead(
    world: &World,
    settings: &Settings,
    limit: Duration,
) -> Result<Vec<(usize, TcpStream)>> {
    let listeners = address::listen(world)?;
    let late = Instant::now() + limit;
    let host = Arc::new(Host {
        world: world.clone(),
        settings: settings.clone(),
        seats: Mutex::new(vec![false; world.size.saturating_sub(1)]),
    });
    let mut streams: Vec<Option<TcpStream>> = (1..world.size).map(|_| None).collect();
    let mut sent_away = Vec::new();
    let (sender, arrivals) = channel();
    let mut heard = 0;
    while streams.iter().any(Option::is_none) {
        if Instant::now() >= late {
            return Err(missing(world, &streams, &sent_away, limit));
        }
        for arrival in arrivals.try_iter() {
            heard -= 1;
            match arrival {
                Arrival::Seated(rank, stream) => {
                    if let Some(seat) = rank.checked_sub(1).and_then(|at| streams.get_mut(at)) {
                        *seat = Some(stream);
                    }
                }
                Arrival::SentAway(why) => sent_away.push(why),
                Arrival::Differs(error) => return Err(error),
            }
        }
        let mut came = false;
        for listener in &listeners {
            // One that went at once, or for which there is no room now, ends nothing.
            let Ok((stream, from)) = listener.accept() else {
                continue;
            };
            came = true;
            if heard < world.size + STRANGERS && hear(&host, stream, from, &sender) {
                heard += 1;
            }
        }
        if !came {
            sleep(LOOK);
        }
    }
    Ok((1..).zip(streams.into_iter().flatten()).collect())
}

/// Hears a connection on a thread of its own; false where there can be none.
fn hear(host: &Arc<Host>, stream: TcpStream, from: SocketAddr, to: &Sender<Arrival>) -> bool {
    let (host, to) = (host.clone(), to.clone());
    let admit = move || {
        let arrival = admit(&host, stream)
            .unwrap_or_else(|e| Arrival::SentAway(format!("lost before it had a seat ({e})")));
        let arrival = match arrival {
            Arrival::SentAway(why) => Arrival::SentAway(format!("{}: {why}", from.ip())),
            other @ (Arrival::Seated(..) | Arrival::Differs(_)) => other,
        };
        // Nobody waits any more once all have come.
        let _ = to.send(arrival);
    };
    let thread = std::thread::Builder::new().stack_size(STACK);
    thread.name("arrival".into()).spawn(admit).is_ok()
}

/// The error of rank 0 that has waited in vain.
fn missing(
    world: &World,
    streams: &[Option<TcpStream>],
    sent_away: &[String],
    limit: Duration,
) -> Error {
    let missing = (1..).zip(streams);
    let missing: Vec<String> = missing
        .filter(|(_, stream)| stream.is_none())
        .map(|(rank, _): (usize, _)| rank.to_string())
        .collect();
    let strangers = match (sent_away.len(), sent_away.last()) {
        (1, Some(last)) => format!("; one process was sent away, {last}"),
        (count, Some(last)) => format!("; {count} processes were sent away, the last {last}"),
        (_, None) => String::new(),
    };
    Error::new(format!(
        "rank {} of {} did not come to {} within {} s{strangers}",
        missing.join(", "),
        world.size,
        place(world),
        limit.as_secs()
    ))
    .help("see whether all processes were started, and what they say")
}

/// A seat that is kept free for a process as long as it is talked to.
struct Seat<'a> {
    host: &'a Host,
    rank: usize,
    is_taken: bool,
}

impl Host {
    /// Holds the seat of `rank`. None if it is taken.
    fn hold(&self, rank: usize) -> Option<Seat<'_>> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = rank.checked_sub(1).and_then(|at| seats.get_mut(at))?;
        let was_taken = std::mem::replace(seat, true);
        // Made only where it is held: a seat that is dropped is free.
        (!was_taken).then(|| Seat {
            host: self,
            rank,
            is_taken: false,
        })
    }

    /// The reason to refuse a process of this version, rank and size of the world.
    fn misfit(&self, version: &str, rank: usize, size: usize) -> Option<String> {
        let ours = env!("CARGO_PKG_VERSION");
        let world = &self.world;
        if version != ours {
            return Some(format!(
                "rank {rank} runs vanc {version:?}, and rank 0 vanc {ours:?}"
            ));
        }
        (size != world.size || rank == 0 || rank >= size).then(|| {
            format!(
                "a process came to {} as rank {rank} of {size}, where rank 0 of {} waits",
                place(world),
                world.size
            )
        })
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let seats = &self.host.seats;
        let mut seats = seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seat) = self.rank.checked_sub(1).and_then(|at| seats.get_mut(at)) {
            *seat = self.is_taken;
        }
    }
}

/// Talks to a process that has connected, until it has a seat or is sent away.
fn admit(host: &Host, stream: TcpStream) -> io::Result<Arrival> {
    let mut until = Until::new(&stream, ANSWER)?;
    match challenge(&host.world, &mut until)? {
        Proved::Secret => {}
        Proved::Other => return Ok(Arrival::SentAway("another secret, or none".into())),
        Proved::Stranger => {
            return Ok(Arrival::SentAway(
                "no process of this version of vanc".into(),
            ));
        }
    }
    let Message::Join {
        version,
        rank,
        size,
    } = until.receive_short()?
    else {
        return Ok(Arrival::SentAway("it did not tell its rank".into()));
    };
    let held = match host.misfit(&version, rank, size) {
        Some(why) => Err(why),
        None => host
            .hold(rank)
            .ok_or_else(|| format!("two processes say that they are rank {rank}")),
    };
    let mut seat = match held {
        Ok(seat) => seat,
        Err(why) => {
            until.send(Message::Failed { why: why.clone() })?;
            return Ok(Arrival::SentAway(why));
        }
    };
    let Settings { config, source } = host.settings.clone();
    until.send(Message::Settings { config, source })?;
    let verdict = until.receive_short()?;
    if let Message::Failed { why } = verdict {
        return Ok(Arrival::Differs(Error::new(why)));
    }
    if verdict != Message::Agreed {
        return Ok(Arrival::SentAway(
            "it did not answer to the settings".into(),
        ));
    }
    seat.is_taken = true;
    drop(seat);
    Ok(Arrival::Seated(rank, stream))
}

/// Connects to rank 0, which may take `limit` to be there. `compare` is an error where rank
/// 0's settings differ from ours.
///
/// # Errors
///
/// When rank 0 does not come in time, refuses this process or is lost, when one of both knows
/// another secret, and when `compare` finds a difference, which rank 0 is told.
pub fn join(
    world: &World,
    limit: Duration,
    compare: impl FnOnce(&Settings) -> Result<()>,
) -> Result<TcpStream> {
    let (stream, nonces) = connect(world, limit)?;
    let lost = |e: io::Error| {
        let why = match is_late(&e) {
            true => "it does not answer as vanc does".to_string(),
            false => e.to_string(),
        };
        Error::new(format!("rank 0 was lost at {}: {why}", place(world)))
            .help("see what rank 0 has said, and whether something else listens there")
    };
    let mut until = Until::new(&stream, ANSWER * 3).map_err(lost)?;
    match prove(world, &mut until, &nonces).map_err(lost)? {
        Proved::Secret => {}
        Proved::Other => {
            return Err(Error::new(format!(
                "rank 0 at {} has another secret than this process, or one of both has none",
                place(world)
            ))
            .help("give all processes the same VANC_SECRET or VANC_SECRET_FILE"));
        }
        Proved::Stranger => return Err(otherwise(world)),
    }
    let join = Message::Join {
        version: env!("CARGO_PKG_VERSION").into(),
        rank: world.rank,
        size: world.size,
    };
    let mut exchange = || until.send(join.clone()).and_then(|()| until.receive());
    let answer = exchange().map_err(lost)?;
    if let Message::Failed { why } = answer {
        return Err(Error::new(why).help("start all processes alike, each with a RANK of its own"));
    }
    let Message::Settings { config, source } = answer else {
        return Err(otherwise(world));
    };
    let compared = compare(&Settings { config, source });
    let verdict = match &compared {
        Ok(()) => Message::Agreed,
        Err(error) => Message::Failed {
            why: world.with_rank(error.clone()).message,
        },
    };
    until.send(verdict).map_err(lost)?;
    compared.map(|()| stream)
}

fn otherwise(world: &World) -> Error {
    Error::new(format!(
        "what listens at {} answers otherwise than this version of vanc does",
        place(world)
    ))
    .help("see whether it is rank 0, of the same version of vanc")
}

/// Connects to rank 0 as soon as it listens and has room to answer; returns the nonces of both.
fn connect(world: &World, limit: Duration) -> Result<(TcpStream, (Nonce, Nonce))> {
    let late = Instant::now() + limit;
    loop {
        let mut last = None;
        match address::resolve(world) {
            Ok(addresses) => {
                address::trust(world, &addresses)?;
                for address in addresses {
                    let left = late.saturating_duration_since(Instant::now());
                    let left = left.clamp(Duration::from_millis(100), ANSWER);
                    let attempt = TcpStream::connect_timeout(&address, left).and_then(|stream| {
                        let greeted = greet(&mut Until::new(&stream, left)?)?;
                        Ok(greeted.map(|nonces| (stream, nonces)))
                    });
                    match attempt {
                        Ok(Some(met)) => return Ok(met),
                        Ok(None) => return Err(otherwise(world)),
                        Err(e) => last = Some(e),
                    }
                }
            }
            Err(e) => last = Some(e),
        }
        if Instant::now() >= late {
            let last = last.map_or(String::new(), |e| format!(": {e}"));
            return Err(Error::new(format!(
                "rank 0 is not at {} (MASTER_ADDR and MASTER_PORT), where it was waited for \
                 {} s{last}",
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

#[cfg(test)]
mod tests {
    use super::super::Secret;
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    const SHORT: Duration = Duration::from_millis(300);

    fn world(rank: usize, size: usize, port: u16) -> World {
        World {
            rank,
            size,
            local: rank,
            address: "127.0.0.1".into(),
            port,
            secret: Secret::default(),
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
        let other_size = other_size.unwrap_err().message;
        assert!(
            other_size.contains("rank 1 of 2 did not come"),
            "{other_size}"
        );
        assert!(other_size.contains("as rank 1 of 3"), "{other_size}");
        let twice = led(3, port, || {
            come(1, 3, port).unwrap();
            let again = come(1, 3, port).unwrap_err();
            assert!(again.message.contains("are rank 1"), "{again}");
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
                    .contains("answers otherwise")
            );
        });
    }
}
