//! What connections may cost: peers that do not read, and packets that do not end.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use lineshaft::broker::Config;
use lineshaft::net::Address;
use lineshaft::protocol::{Limits, OutBuf, Request};
use lineshaft::server::{Server, ServerLimits};
use lineshaft::types::{LogLevel, LogLevels, LogTarget};

const MIB: usize = 1 << 20;

fn start(limits: ServerLimits) -> Server {
    Server::builder().listen("127.0.0.1:0".parse().unwrap()).server_limits(limits).start().unwrap()
}

fn connect(server: &Server) -> TcpStream {
    let Address::Tcp { host, port } = &server.addresses()[0] else { panic!("a TCP address") };
    let stream = TcpStream::connect((host.as_str(), *port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn echo(len: usize) -> Vec<u8> {
    let data = vec![b'e'; len];
    let mut out = OutBuf::new();
    Request::Echo { data: data.as_slice().into() }.encode(&mut out);
    out.to_vec()
}

/// Sends and reads the answer to one echo.
fn is_served(stream: &mut TcpStream, len: usize) {
    let packet = echo(len);
    stream.write_all(&packet).unwrap();
    let mut answer = vec![0; packet.len()];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[12..], packet[12..]);
}

/// Asks for echoes and never reads, until the server closes or `limit` bytes have been asked for; says how many were.
fn ask_without_reading(stream: &mut TcpStream, limit: usize) -> usize {
    let packet = echo(MIB);
    let mut asked = 0;
    while asked < limit {
        match stream.write(&packet[..]) {
            Ok(sent) => asked += sent,
            Err(error) => {
                let closed = matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe);
                let full = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(closed || full, "{error}");
                break;
            }
        }
    }
    asked
}

/// Reads until the end; says how many bytes came before it.
fn read_to_end(stream: &mut TcpStream) -> usize {
    let mut bytes = vec![0; MIB];
    let mut total = 0;
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return total,
            Ok(read) => total += read,
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return total,
            Err(error) => panic!("the connection was not closed: {error}"),
        }
    }
}

#[test]
fn a_reader_that_does_not_read_is_cut_off_and_nobody_else_notices() {
    // The peer is read from up to half its limit; one turn may answer with more than that.
    let server = start(ServerLimits { max_output: 64 << 10, ..ServerLimits::default() });
    let mut slow = connect(&server);
    slow.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let status = b"status\n".repeat(2000);
    let mut honest = connect(&server);
    // Long lines for a short question.
    for number in 0..500 {
        honest.write_all(format!("create function {number:0>500}\r\n").as_bytes()).unwrap();
        let mut ok = [0; 4];
        honest.read_exact(&mut ok).unwrap();
        assert_eq!(&ok, b"OK\r\n");
    }
    let asked = slow.write_all(&status);
    assert!(asked.is_ok() || asked.is_err_and(|error| error.kind() != ErrorKind::InvalidInput));
    is_served(&mut honest, 100);
    let read = read_to_end(&mut slow);
    assert!(read < 2000 * 500 * 500, "{read} bytes came: nothing was cut off");
    is_served(&mut honest, 100);
    assert_eq!(server.connections(), 1, "the slow reader is gone");
}

#[test]
fn slow_readers_together_have_a_limit_too() {
    let limits = ServerLimits { max_output: 512 * MIB, max_backlog: 8 * MIB, ..ServerLimits::default() };
    let server = start(limits);
    let mut slow: Vec<_> = (0..4).map(|_| connect(&server)).collect();
    for stream in &mut slow {
        stream.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        ask_without_reading(stream, 40 * MIB);
    }
    let cut = slow.iter_mut().map(read_to_end_or_timeout).filter(|closed| *closed).count();
    assert!(cut >= 1, "nobody was cut off");
    let mut honest = connect(&server);
    is_served(&mut honest, 100);
}

/// True where the server has closed; false where it is still there after all was read.
fn read_to_end_or_timeout(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut bytes = vec![0; MIB];
    loop {
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::ConnectionReset,
        }
    }
}

#[test]
fn what_has_been_read_no_longer_counts() {
    let limits = ServerLimits { max_backlog: 2 * MIB, ..ServerLimits::default() };
    let server = start(limits);
    // Each of them is sent a megabyte, reads it, and stays.
    let mut readers: Vec<_> = (0..10).map(|_| connect(&server)).collect();
    for _ in 0..3 {
        for reader in &mut readers {
            is_served(reader, MIB);
        }
    }
}

#[test]
fn unfinished_packets_have_a_limit_together() {
    let limits = ServerLimits { max_input: 4 * MIB, ..ServerLimits::default() };
    let server = start(limits);
    let mut honest = connect(&server);
    let half = &echo(2 * MIB)[..MIB];
    let mut halves: Vec<_> = (0..6).map(|_| connect(&server)).collect();
    let mut refused = 0;
    for stream in &mut halves {
        let sent = stream.write_all(half);
        // Whoever stays within the limit hears nothing: the answer of another connection says that its bytes have been seen.
        is_served(&mut honest, 100);
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut answer = [0; 256];
        match stream.read(&mut answer) {
            Ok(read) => {
                let text = String::from_utf8_lossy(&answer[..read]);
                assert!(text.contains("DATA_TOO_LARGE\0The limit of 4194304 bytes (max_input)"), "{text}");
                refused += 1;
            }
            Err(_) if sent.is_err() => refused += 1,
            Err(error) => {
                assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}")
            }
        }
    }
    assert!((1..=2).contains(&refused), "{refused} were refused");
    drop(halves);
    // Their bytes are forgotten with them.
    let mut late = connect(&server);
    is_served(&mut late, 3 * MIB);
}

#[test]
fn limits_change_while_the_server_runs() {
    let server = start(ServerLimits::default());
    let mut old = connect(&server);
    is_served(&mut old, 100_000);
    let limits = Limits { max_packet: 8192, ..Limits::default() };
    let server_limits = ServerLimits { max_connections: 2, ..ServerLimits::default() };
    server.reconfigure(&Config::default(), limits, server_limits).unwrap();
    // Who is there keeps what holds for packets.
    is_served(&mut old, 100_000);
    let mut new = connect(&server);
    is_served(&mut new, 8000);
    let mut third = connect(&server);
    third.write_all(&echo(10)).unwrap();
    let mut answer = Vec::new();
    third.read_to_end(&mut answer).unwrap();
    assert!(String::from_utf8_lossy(&answer).contains("The limit of 2 connections (max_connections)"));
    new.write_all(&echo(9000)).unwrap();
    answer.clear();
    // The rest of the packet may still be under way when the server closes.
    let _ = new.read_to_end(&mut answer);
    assert!(String::from_utf8_lossy(&answer).contains("the limit (max_packet) is 8192 bytes"));
    let wrong = Config { wake_grace: Duration::ZERO, ..Config::default() };
    assert!(server.reconfigure(&wrong, Limits::default(), ServerLimits::default()).is_err());
    server.reconfigure(&Config::default(), Limits::default(), ServerLimits::default()).unwrap();
    is_served(&mut connect(&server), 100_000);
}

#[test]
fn an_embedding_program_hears_of_levels_where_it_wants_to() {
    let (tell, told) = std::sync::mpsc::channel();
    let server = Server::builder().on_log_levels(move |levels| tell.send(levels).unwrap()).start().unwrap();
    let mut admin = server.blocking_admin();
    assert_eq!(admin.set_verbose(LogLevel::Debug, Some(LogTarget::Store)).unwrap(), "DEBUG");
    let levels = told.recv().unwrap();
    assert_eq!((levels.general(), levels.of(Some(LogTarget::Store))), (LogLevel::Error, LogLevel::Debug));
    server.set_log_levels(LogLevels::new(LogLevel::Notice));
    assert_eq!(told.recv().unwrap(), LogLevels::new(LogLevel::Notice));
    assert_eq!((admin.verbose().unwrap().as_str(), server.log_levels().most()), ("NOTICE", LogLevel::Notice));
    // Its log is its own where it does not listen.
    let server = Server::builder().start().unwrap();
    assert!(server.blocking_admin().set_verbose(LogLevel::Debug, None).is_err());
}
