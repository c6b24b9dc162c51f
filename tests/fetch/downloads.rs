//! Tests of downloading one file from mirrors of every kind.

use crate::server::{
    Server, bytes, fetch_files, fetch_from, good, names, options, redirect, send, serve,
    serve_from_start, status, sum,
};
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::tempdir;
use vanc::fetch::{Dataset, Event, File, Options, fetch};

const SIZE: usize = 300_000;

/// URL where nobody listens.
const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn a_file_arrives_and_is_not_fetched_twice() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let server = good(&body);
    let into = dir.path().join("a/b");
    for _ in 0..2 {
        assert!(
            fetch_from(&[&server.base], &body, &into)
                .unwrap()
                .is_empty()
        );
        assert_eq!(fs::read(into.join("dots.bin")).unwrap(), body);
        assert_eq!(names(&into), ["dots.bin"]);
    }
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "GET /dots.bin HTTP/1.1");
    // A file of another length is not the one.
    fs::write(into.join("dots.bin"), "short").unwrap();
    fetch_from(&[&server.base], &body, &into).unwrap();
    assert_eq!(fs::read(into.join("dots.bin")).unwrap(), body);
}

#[test]
fn progress_is_told_up_to_the_last_byte() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let server = good(&body);
    let sum = sum(&body);
    let dataset = Dataset {
        name: "dots",
        folder: "dots",
        mirrors: &[&server.base],
        files: &[File {
            name: "dots.bin",
            bytes: SIZE as u64,
            sha256: &sum,
            members: &[],
        }],
    };
    let told = Mutex::new(Vec::new());
    let watch = |event: Event| {
        told.lock().unwrap().push(match event {
            Event::Begun { file, part } => {
                format!("{} {}", file.name, part.ends_with("dots.bin.part"))
            }
            Event::At(bytes) => bytes.to_string(),
            Event::Checking | Event::Unpacking | Event::Trouble(_) => format!("{event:?}"),
        });
    };
    fetch(&dataset, dir.path(), &options(), &watch).unwrap();
    let told = told.into_inner().unwrap();
    assert_eq!(told[..2], ["dots.bin true", "0"]);
    assert_eq!(told[told.len() - 2..], ["300000", "Checking"]);
    assert!(told.len() > 5, "{told:?}");
}

#[test]
fn a_connection_that_is_cut_goes_on_where_it_was() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let served = body.clone();
    let server = Server::start(move |request, stream| serve(request, stream, &served, 90_000));
    let troubles = fetch_from(&[&server.base], &body, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
    assert_eq!(server.starts(), [0, 90_000, 180_000, 270_000]);
    assert_eq!(troubles.len(), 3, "{troubles:?}");
}

#[test]
fn a_server_without_ranges_loses_nothing() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let served = body.clone();
    // Its second answer is cut before the first one was.
    let server = Server::start(move |request, stream| {
        let most = [100_000, 50_000, 200_000, SIZE][request.number.min(3)];
        serve_from_start(stream, &served, most)
    });
    fetch_from(&[&server.base], &body, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
    assert_eq!(server.starts(), [0, 100_000, 100_000, 200_000]);
}

#[test]
fn a_body_without_a_length_is_taken() {
    let (dir, body) = (tempdir().unwrap(), bytes(1000));
    let served = body.clone();
    let server = Server::start(move |_, stream| {
        send(
            stream,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        for part in served.chunks(300) {
            send(stream, format!("{:x}\r\n", part.len()).as_bytes());
            send(stream, part);
            send(stream, b"\r\n");
        }
        send(stream, b"0\r\n\r\n");
    });
    fetch_from(&[&server.base], &body, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
}

#[test]
fn a_body_without_an_end_is_cut_off() {
    let (dir, body) = (tempdir().unwrap(), bytes(1000));
    let server = Server::start(|_, stream| {
        send(stream, b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        for _ in 0..100_000 {
            send(stream, &[7; 1000]);
        }
    });
    let error = fetch_from(&[&server.base], &body, dir.path()).unwrap_err();
    assert!(error.message.contains("a wrong sum"), "{error}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn wrong_bytes_are_dropped_and_the_next_mirror_is_asked() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let liar = good(&[0; SIZE]);
    let honest = good(&body);
    let troubles = fetch_from(&[&liar.base, &honest.base], &body, dir.path()).unwrap();
    assert!(troubles[0].contains(&liar.base) && troubles[0].contains("wrong sum"));
    assert_eq!((liar.asked().len(), honest.starts()), (1, vec![0]));
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
}

#[test]
fn where_every_mirror_lies_nothing_is_left() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let (a, b) = (good(&[0; SIZE]), good(&[1; SIZE]));
    let error = fetch_from(&[&a.base, &b.base], &body, dir.path()).unwrap_err();
    for part in ["cannot fetch dots.bin", &a.base, &b.base, "wrong sum"] {
        assert!(error.message.contains(part), "no {part} in {error}");
    }
    assert!(error.help.unwrap().contains("--from"));
    assert_eq!((a.asked().len(), b.asked().len()), (1, 1));
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn a_mirror_is_not_blamed_for_what_another_sent() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    // The one sends wrong bytes and breaks off, again and again; the other is honest.
    let liar = Server::start(|request, stream| match request.number % 2 {
        0 => serve(request, stream, &[0; SIZE], 1000),
        _ => status(stream, "503 Service Unavailable"),
    });
    let honest = good(&body);
    fetch_from(&[&liar.base, &honest.base], &body, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
    assert_eq!(honest.starts(), [1000, 0]);
}

#[test]
fn what_is_left_of_an_earlier_fetch_is_used_if_it_can_be() {
    let body = bytes(SIZE);
    let server = good(&body);
    let starts_with = |left: &[u8]| {
        let dir = tempdir().unwrap();
        fs::write(dir.path().join("dots.bin.part"), left).unwrap();
        let before = server.asked().len();
        fetch_from(&[&server.base], &body, dir.path()).unwrap();
        assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
        assert_eq!(names(dir.path()), ["dots.bin"]);
        server.starts()[before..].to_vec()
    };
    assert_eq!(starts_with(&body[..123_456]), [123_456]);
    assert_eq!(starts_with(&body), [0; 0]);
    assert_eq!(starts_with(&[9; 5000]), [5000, 0]);
    assert_eq!(starts_with(&[9; SIZE]), [0]);
    assert_eq!(starts_with(&[9; SIZE + 1]), [0]);
}

#[test]
fn another_file_is_not_even_read() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let other = good(&bytes(SIZE + 1));
    let troubles = fetch_from(&[&other.base, &good(&body).base], &body, dir.path()).unwrap();
    assert!(
        troubles[0].contains("300001 bytes instead of 300000"),
        "{troubles:?}"
    );
    let error = fetch_from(&[&other.base], &body, &dir.path().join("again")).unwrap_err();
    assert!(error.message.contains("has another file"), "{error}");
}

#[test]
fn redirects_are_followed_unless_they_go_in_circles() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let target = good(&body);
    let elsewhere = format!("{}/deep/dots.bin", target.base);
    let server =
        Server::start(
            move |request, stream| match request.line.split(' ').nth(1).unwrap() {
                "/dots.bin" => redirect(stream, "/moved/dots.bin"),
                "/moved/dots.bin" => redirect(stream, "further.bin"),
                "/moved/further.bin" => redirect(stream, &elsewhere),
                other => panic!("{other}"),
            },
        );
    fs::write(dir.path().join("dots.bin.part"), &body[..1000]).unwrap();
    fetch_from(&[&server.base], &body, dir.path()).unwrap();
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
    assert_eq!(target.asked()[0].line, "GET /deep/dots.bin HTTP/1.1");
    assert_eq!(target.starts(), [1000], "the range is lost on the way");
    let circle = Server::start(|_, stream| redirect(stream, "/dots.bin"));
    let error = fetch_from(&[&circle.base], &body, &dir.path().join("x")).unwrap_err();
    assert!(error.message.contains("redirects without end"), "{error}");
    assert!(circle.asked().len() < 20);
}

#[test]
fn a_mirror_that_stalls_is_left() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let served = body.clone();
    let hanging = Server::start(move |request, stream| {
        if request.number == 0 {
            serve(request, stream, &served, 1000);
        }
        // The connection stays open, and nothing comes.
        std::thread::sleep(Duration::from_secs(20));
    });
    let honest = good(&body);
    let begun = Instant::now();
    let troubles = fetch_from(&[&hanging.base, &honest.base], &body, dir.path()).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "it waited");
    assert!(
        troubles
            .iter()
            .all(|t| t.contains("sent nothing for 0.3 s")),
        "{troubles:?}"
    );
    assert_eq!(honest.starts(), [1000]);
    assert_eq!(fs::read(dir.path().join("dots.bin")).unwrap(), body);
}

#[test]
fn passing_failures_are_tried_again_and_lasting_ones_are_not() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let served = body.clone();
    let busy = Server::start(move |request, stream| match request.number {
        0 | 1 => status(stream, "503 Service Unavailable"),
        2 => drop(stream.shutdown(std::net::Shutdown::Both)),
        _ => serve(request, stream, &served, usize::MAX),
    });
    let gone = Server::start(|_, stream| status(stream, "404 Not Found"));
    let sum = sum(&body);
    let files = [File {
        name: "dots.bin",
        bytes: SIZE as u64,
        sha256: &sum,
        members: &[],
    }];
    let options = Options {
        retries: 6,
        ..options()
    };
    let mirrors = [NOBODY, &gone.base, &busy.base];
    fetch_files(&mirrors, &files, dir.path(), &options).unwrap();
    assert_eq!((gone.asked().len(), busy.asked().len()), (1, 4));
}

#[test]
fn retries_come_to_an_end() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let busy = Server::start(|_, stream| status(stream, "503 Service Unavailable"));
    for retries in [0, 2] {
        let before = busy.asked().len();
        let options = Options {
            retries,
            ..options()
        };
        let sum = sum(&body);
        let files = [File {
            name: "dots.bin",
            bytes: SIZE as u64,
            sha256: &sum,
            members: &[],
        }];
        let error = fetch_files(&[&busy.base], &files, dir.path(), &options).unwrap_err();
        assert!(
            error.message.contains("answers 503 Service Unavailable"),
            "{error}"
        );
        assert_eq!(busy.asked().len() - before, 1 + retries as usize);
    }
}

#[test]
fn a_failure_keeps_what_came_and_says_so() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let served = body.clone();
    let server = Server::start(move |request, stream| match request.number {
        0 => serve(request, stream, &served, 1000),
        _ => status(stream, "404 Not Found"),
    });
    let error = fetch_from(&[&server.base], &body, dir.path()).unwrap_err();
    let help = error.help.unwrap();
    assert!(help.contains("keeps 1000 of 300000 bytes"), "{help}");
    assert_eq!(
        fs::read(dir.path().join("dots.bin.part")).unwrap(),
        body[..1000]
    );
}

#[test]
fn two_processes_do_not_write_one_file() {
    let (dir, body) = (tempdir().unwrap(), bytes(SIZE));
    let server = good(&body);
    let other = fs::File::create(dir.path().join("dots.bin.part")).unwrap();
    other.lock().unwrap();
    let error = fetch_from(&[&server.base], &body, dir.path()).unwrap_err();
    assert!(
        error.message.contains("another process is fetching"),
        "{error}"
    );
    drop(other);
    fetch_from(&[&server.base], &body, dir.path()).unwrap();
}

#[test]
fn nonsense_is_no_answer() {
    let (dir, body) = (tempdir().unwrap(), bytes(1000));
    let answers: [&'static [u8]; 8] = [
        b"",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 \xff\xfe\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 900-999/1000\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: ht!tp:// /\r\n\r\n",
    ];
    for answer in answers {
        let server = Server::start(move |_, stream| send(stream, answer));
        let error = fetch_from(&[&server.base], &body, dir.path()).unwrap_err();
        assert!(error.message.contains("cannot fetch dots.bin"), "{error}");
        assert_eq!(names(dir.path()), [""; 0], "{error}");
    }
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let (dir, body) = (tempdir().unwrap(), bytes(10));
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let error = fetch_from(&[NOBODY], &body, &file.join("dots")).unwrap_err();
    assert!(error.message.contains("cannot make the folder"), "{error}");
    assert!(error.help.unwrap().contains("--data-dir"));
}
