//! Tests of strangers who come to rank 0: none ends it, holds it, fills it, or learns anything.

use super::handshake::{Until, greet, prove};
use super::rendezvous::{Settings, join, lead};
use super::wire::{Frame, GREETING, Message};
use super::{Secret, World};
use crate::error::Result;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);
const SOURCE: &str = "model confidential {}";

fn secret(text: &str) -> Secret {
    Secret::read(&|name| (name == "VANC_SECRET").then(|| text.to_string())).unwrap()
}

fn world(rank: usize, size: usize, port: u16) -> World {
    World {
        rank,
        size,
        local: rank,
        address: "127.0.0.1".into(),
        port,
        secret: secret("the secret of the tests"),
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

fn settings() -> Settings {
    Settings {
        config: "{}".into(),
        source: SOURCE.into(),
    }
}

/// Runs rank 0 of 2 while `visit` comes to its port and rank 1 after it; returns what rank 0
/// found and how long rank 1 had to wait.
fn visited(visit: impl FnOnce(u16)) -> (Result<Vec<usize>>, Duration) {
    let port = free_port();
    std::thread::scope(|scope| {
        let leader = scope.spawn(move || lead(&world(0, 2, port), &settings(), LIMIT));
        visit(port);
        let begun = Instant::now();
        join(&world(1, 2, port), LIMIT, |_| Ok(())).unwrap();
        let waited = begun.elapsed();
        let streams = leader.join().unwrap();
        let ranks = streams.map(|found| found.into_iter().map(|(rank, _)| rank).collect());
        (ranks, waited)
    })
}

fn connect(port: u16) -> TcpStream {
    let begun = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(e) if begun.elapsed() > LIMIT => panic!("{e}"),
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

/// Connects as a process of vanc with this secret.
fn known(port: u16, secret: Secret) -> TcpStream {
    let stream = connect(port);
    let mut until = Until::new(&stream, LIMIT).unwrap();
    let nonces = greet(&mut until).unwrap().unwrap();
    let world = World {
        secret,
        ..world(1, 2, port)
    };
    prove(&world, &mut until, &nonces).unwrap();
    stream
}

fn say(stream: &mut TcpStream, message: Message) {
    let bytes = Frame::from(message).to_bytes().unwrap();
    stream.write_all(&bytes).unwrap();
}

fn come(stream: &mut TcpStream, version: &str, rank: usize, size: usize) {
    let version = version.into();
    say(
        stream,
        Message::Join {
            version,
            rank,
            size,
        },
    );
}

const VERSION: &str = env!("CARGO_PKG_VERSION");

#[test]
fn a_length_is_not_believed_before_agreement_nor_after() {
    let (ranks, waited) = visited(|port| {
        for mut stream in [
            connect(port),
            known(port, secret("the secret of the tests")),
        ] {
            let mut bytes = GREETING.to_vec();
            bytes.extend([0; 64]);
            bytes.extend(u32::MAX.to_le_bytes());
            bytes.extend((1_u64 << 60).to_le_bytes());
            // It closes the connection and takes no more.
            let mut sent = 0_usize;
            while sent < 1 << 30 {
                match stream.write(&bytes) {
                    Ok(count) => sent += count,
                    Err(_) => break,
                }
                bytes.resize(1 << 16, 0);
            }
            assert!(sent < 64 << 20, "{sent} bytes were taken");
        }
    });
    assert_eq!(ranks.unwrap(), [1]);
    assert!(waited < Duration::from_secs(5), "{waited:?}");
}

#[test]
fn who_is_slow_or_silent_holds_nobody() {
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (ranks, waited) = visited(|port| {
            for pause in [1_u64, 100] {
                let stop = &stop;
                scope.spawn(move || {
                    let mut stream = connect(port);
                    let bytes = GREETING.iter().chain([0; 4096].iter());
                    for byte in bytes {
                        if stop.load(std::sync::atomic::Ordering::SeqCst)
                            || stream.write_all(&[*byte]).is_err()
                        {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(pause * 10));
                    }
                });
            }
            let silent: Vec<TcpStream> = (0..20).map(|_| connect(port)).collect();
            std::thread::sleep(Duration::from_millis(300));
            std::mem::forget(silent);
        });
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(ranks.unwrap(), [1]);
        assert!(waited < Duration::from_secs(5), "{waited:?}");
    });
}

#[test]
fn a_byte_at_a_time_does_not_outlive_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = connect(port);
            while stream.write_all(&[0]).is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let (stream, _) = listener.accept().unwrap();
        let begun = Instant::now();
        let mut until = Until::new(&stream, Duration::from_millis(500)).unwrap();
        let error = until.read_exact(&mut [0; 4096]).unwrap_err();
        assert!(super::wire::is_late(&error), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3));
    });
}

#[test]
fn who_does_not_fit_is_sent_away_and_ends_nothing() {
    let (ranks, _) = visited(|port| {
        let known = || known(port, secret("the secret of the tests"));
        for (version, rank, size, why) in [
            ("0.0.1", 1, 2, "0.0.1"),
            (VERSION, 1, 3, "rank 1 of 3"),
            (VERSION, 0, 2, "rank 0 of 2"),
            (VERSION, 2, 2, "rank 2 of 2"),
        ] {
            let mut stream = known();
            come(&mut stream, version, rank, size);
            let Message::Failed { why: said } = Frame::receive(&mut stream).unwrap().message else {
                panic!("rank {rank} of {size} is admitted");
            };
            assert!(said.contains(why), "{said}");
        }
        // One that comes, has the settings, and goes.
        let mut stream = known();
        come(&mut stream, VERSION, 1, 2);
        let answer = Frame::receive(&mut stream).unwrap().message;
        assert!(matches!(answer, Message::Settings { .. }));
        // A second one for the same seat.
        let mut second = known();
        come(&mut second, VERSION, 1, 2);
        let answer = Frame::receive(&mut second).unwrap().message;
        assert!(matches!(answer, Message::Failed { .. }));
        drop(stream);
        std::thread::sleep(Duration::from_millis(300));
    });
    assert_eq!(ranks.unwrap(), [1]);
}

#[test]
fn who_does_not_know_the_secret_learns_nothing() {
    let (ranks, _) = visited(|port| {
        for other in [Secret::default(), secret("another secret of others")] {
            let mut stream = known(port, other.clone());
            let join_it = Frame::from(Message::Join {
                version: VERSION.into(),
                rank: 1,
                size: 2,
            });
            let _ = stream.write_all(&join_it.to_bytes().unwrap());
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest);
            assert!(rest.is_empty(), "it was told {rest:?}");
            let stranger = World {
                secret: other,
                ..world(1, 2, port)
            };
            let refused = join(&stranger, LIMIT, |_| panic!("it has the settings")).unwrap_err();
            assert!(refused.message.contains("another secret"), "{refused}");
        }
    });
    assert_eq!(ranks.unwrap(), [1]);
}

#[test]
fn without_a_secret_only_this_machine_is_reached() {
    let mut beyond = world(0, 2, 9);
    beyond.secret = Secret::default();
    for address in ["192.0.2.1", "2001:db8::1"] {
        beyond.address = address.into();
        let refused = lead(&beyond, &settings(), LIMIT).unwrap_err();
        assert!(refused.message.contains("no shared secret"), "{refused}");
        assert!(refused.help.unwrap().contains("export VANC_SECRET="));
        let refused = join(&beyond, LIMIT, |_| Ok(())).unwrap_err();
        assert!(refused.message.contains("no shared secret"), "{refused}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn rank_0_listens_at_its_own_address_alone() {
    let port = free_port();
    let mut leader = world(0, 2, port);
    leader.address = "127.0.0.2".into();
    let listeners = super::address::listen(&leader).unwrap();
    assert!(TcpStream::connect(("127.0.0.2", port)).is_ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    drop(listeners);
}
