//! Input that nobody sends by accident. The broker answers or closes, its memory stays near that of its idle self, and a
//! well-behaved client beside it notices nothing.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Context;
use super::bomb;
use super::broker::Broker;
use super::raw::{self, Batch, Body, Connection};
use super::report::Row;

/// How much more memory than at rest the broker may take, whatever it is sent.
const MEMORY_ALLOWED: u64 = 256 * 1024 * 1024;

/// The longest that the well-behaved client may wait for a produce and a fetch, on a machine that others use too.
const LATENCY_ALLOWED: Duration = Duration::from_secs(3);

type Attack = fn(SocketAddr) -> Result<String, String>;

const ATTACKS: &[(&str, Attack)] = &[
    ("a length of 2 GiB", |to| closes(to, &i32::MAX.to_be_bytes())),
    ("a length above socket.request.max.bytes", |to| closes(to, &(200_i32 << 20).to_be_bytes())),
    ("negative lengths", |to| closes(to, &(-1_i32).to_be_bytes()).and(closes(to, &i32::MIN.to_be_bytes()))),
    ("counts of 2^31-1", huge_counts),
    ("counts of 2^32-1 in compact arrays and tagged fields", huge_compact_counts),
    ("garbage, cut and unknown requests", garbage),
    ("noise to every API at every version", noise),
    ("an unknown version of ApiVersions is answered with version 0", unknown_api_versions),
    ("batches that lie about themselves", lying_batches),
    ("a decompression bomb in gzip", |to| bombs(to, 1, &bomb::gzip(900 << 20))),
    ("a decompression bomb in snappy", |to| bombs(to, 2, &bomb::snappy(0x7fff_ffff))),
    ("a decompression bomb in lz4", |to| bombs(to, 3, &bomb::lz4(200 << 20))),
    ("a decompression bomb in zstd", |to| bombs(to, 4, &bomb::zstd(1 << 30))),
    ("fifty slow senders", slow_senders),
    ("a client that never reads its answers", never_reads),
    ("3,000 idle connections", idle_connections),
    ("forty clients announce 90 MB and send 1 MB", forty_announce),
];

pub fn run(context: &Context) -> Result<Vec<Row>, String> {
    let dir = context.part_dir("hostile")?;
    let mut broker = Broker::start(context, &dir)?;
    let address = broker.address();
    let mut connection = Connection::open(address)?;
    raw::create_topic(&mut connection, "well")?;
    raw::create_topic(&mut connection, "bombs")?;
    for _ in 0..200 {
        exchange(&mut connection)?;
    }
    let pid = broker.pid().ok_or("the broker does not run")?;
    let idle = memory(pid, "VmRSS")?;
    let mut rows = Vec::new();
    for (name, attack) in ATTACKS {
        let start = Instant::now();
        let result = beside_a_good_client(address, *attack);
        let result = result.and_then(|message| match memory(pid, "VmHWM")?.saturating_sub(idle) {
            grown if grown > MEMORY_ALLOWED => Err(format!("memory grew by {} MiB at its peak", grown >> 20)),
            grown => Ok(format!("{message}, memory +{} MiB at its peak", grown >> 20)),
        });
        let failed = result.is_err();
        rows.push(Row::from_result("hostile", name, result).took(start.elapsed()));
        if !broker.alive() {
            rows.push(Row::fail("hostile", name, format!("the broker ended\n{}", broker.log_tail())));
            return Ok(rows);
        }
        if failed {
            println!("{}", broker.log_tail());
        }
        // The peak of one attack is not held against the next.
        let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
    }
    let stopped = broker.stop().map(|()| format!("idle at {} MiB", idle >> 20));
    rows.push(Row::from_result("hostile", "the broker survives and ends on SIGTERM", stopped));
    Ok(rows)
}

/// A value of /proc/PID/status, in bytes.
fn memory(pid: u32, key: &str) -> Result<u64, String> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).map_err(|error| format!("cannot read {path}: {error}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(|| format!("no {key} in {path}"))
}

/// Produces one small record and fetches it back.
fn exchange(connection: &mut Connection) -> Result<(), String> {
    exchange_of(connection, 100)
}

/// Produces one record of a size and fetches it back.
fn exchange_of(connection: &mut Connection, size: usize) -> Result<(), String> {
    let payload = raw::record(&vec![b'x'; size]);
    let batch = Batch { codec: 0, count: 1, payload: &payload, good_crc: true }.encode();
    let mut answer = connection.request(raw::PRODUCE, 7, &raw::produce("well", &batch))?;
    let (error, offset) = raw::produced(&mut answer)?;
    if error != 0 {
        return Err(format!("produce: error {error}"));
    }
    let mut answer = connection.request(raw::FETCH, 4, &raw::fetch("well", offset, 1 << 20))?;
    match raw::fetched(&mut answer)? {
        (0, bytes) if bytes > 0 => Ok(()),
        (error, bytes) => Err(format!("fetch: error {error}, {bytes} bytes")),
    }
}

/// Runs the attack while another client goes on with its work; its errors and its longest wait decide too.
fn beside_a_good_client(address: SocketAddr, attack: Attack) -> Result<String, String> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let good = scope.spawn(|| -> Result<Duration, String> {
            let mut longest = Duration::ZERO;
            let mut connection = Connection::open(address)?;
            let mut sizes = [100, 1_000, 100, 100_000, 100, 900_000].into_iter().cycle();
            while !done.load(Ordering::Relaxed) {
                let start = Instant::now();
                let size = sizes.next().unwrap_or(100);
                exchange_of(&mut connection, size)
                    .map_err(|error| format!("record of {size} bytes: {error}"))?;
                longest = longest.max(start.elapsed());
                thread::sleep(Duration::from_millis(5));
            }
            // A new client gets in, too.
            exchange(&mut Connection::open(address)?)?;
            Ok(longest)
        });
        let result = attack(address);
        done.store(true, Ordering::Relaxed);
        let longest = good.join().map_err(|_| "the well-behaved client panicked")?;
        let longest = longest.map_err(|error| format!("the well-behaved client saw: {error}"))?;
        if longest > LATENCY_ALLOWED {
            return Err(format!("the well-behaved client waited {longest:.1?}"));
        }
        result.map(|message| format!("{message}; others waited {longest:.0?} at most"))
    })
}

/// The broker must close the connection.
fn closes(to: SocketAddr, bytes: &[u8]) -> Result<String, String> {
    let mut connection = Connection::open(to)?;
    // The broker may close before it has all.
    let _ = connection.send(bytes).and_then(|()| connection.send(&[0; 4096]));
    match connection.answer()? {
        None => Ok("closed".to_owned()),
        Some(answer) => Err(format!("answered with {} bytes", answer.len())),
    }
}

/// Sends each frame on a connection of its own; the broker answers or closes.
fn answers_or_closes(to: SocketAddr, frames: &[Vec<u8>]) -> Result<String, String> {
    let mut answered = 0;
    for (index, frame) in frames.iter().enumerate() {
        let mut connection = Connection::open(to)?;
        let _ = connection.send(frame);
        let answer = connection.answer().map_err(|error| format!("request {index}: {error}"))?;
        answered += usize::from(answer.is_some());
    }
    Ok(format!("{answered} answered, {} closed", frames.len() - answered))
}

fn huge_counts(to: SocketAddr) -> Result<String, String> {
    let many = i32::MAX;
    let body = Body::default;
    let frames = [
        raw::frame(raw::METADATA, 4, &body().i32(many).i8(1)),
        raw::frame(raw::PRODUCE, 7, &body().i16(-1).i16(-1).i32(1000).i32(many)),
        raw::frame(raw::PRODUCE, 7, &body().i16(-1).i16(-1).i32(1000).i32(1).string("well").i32(many)),
        raw::frame(raw::FETCH, 4, &body().i32(-1).i32(0).i32(0).i32(1000).i8(0).i32(many)),
        raw::frame(raw::LIST_OFFSETS, 2, &body().i32(-1).i8(0).i32(many)),
        raw::frame(
            raw::JOIN_GROUP,
            2,
            &body().string("g").i32(10_000).i32(10_000).string("").string("consumer").i32(many),
        ),
        raw::frame(raw::CREATE_TOPICS, 4, &body().i32(many)),
        raw::frame(
            raw::CREATE_TOPICS,
            4,
            &body().i32(1).string("huge").i32(many).i16(1).i32(many).i32(many).i32(1000).i8(0),
        ),
        raw::frame(raw::DESCRIBE_CONFIGS, 1, &body().i32(many).i8(1)),
    ];
    answers_or_closes(to, &frames)
}

fn huge_compact_counts(to: SocketAddr) -> Result<String, String> {
    const MANY: &[u8] = &[0xff, 0xff, 0xff, 0xff, 0x0f];
    // Header v2 ends with tagged fields.
    let flexible = |tags: &[u8], body: &[u8]| Body::default().raw(tags).raw(body);
    let frames = [
        raw::frame(raw::METADATA, 12, &flexible(&[0], MANY)),
        raw::frame(raw::METADATA, 12, &flexible(MANY, &[1, 1, 0, 0])),
        raw::frame(raw::METADATA, 12, &flexible(&[0], &[&[0, 1, 0][..], MANY].concat())),
        raw::frame(raw::METADATA, 12, &flexible(&[1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f], &[1, 1, 0, 0])),
        raw::frame(raw::API_VERSIONS, 3, &flexible(&[0], MANY)),
        raw::frame(raw::FETCH, 12, &flexible(&[0], &[&[0; 25][..], MANY].concat())),
    ];
    answers_or_closes(to, &frames)
}

fn garbage(to: SocketAddr) -> Result<String, String> {
    let frames = vec![
        Body::default().bytes(&[]).0,
        Body::default().bytes(&[0xff; 3]).0,
        Body::default().bytes(&[0xff; 4000]).0,
        Body::default().bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").0,
        raw::frame(9999, 0, &Body::default()),
        raw::frame(-1, -1, &Body::default()),
        raw::frame(raw::METADATA, 99, &Body::default()),
        raw::frame(raw::PRODUCE, 0, &Body::default()),
        raw::frame(raw::METADATA, 4, &Body::default().i32(1).i16(i16::MAX).i8(1)),
        raw::frame(raw::METADATA, 4, &Body::default().i32(1).string("\u{0}\u{7f}/../..").i8(1)),
    ];
    answers_or_closes(to, &frames)
}

/// Every API at every version with a body of noise, behind a header without and with tagged fields.
fn noise(to: SocketAddr) -> Result<String, String> {
    let mut chance: u32 = 12_345;
    let mut frames = Vec::new();
    for (api, version) in (0..92).flat_map(|api| (0..18).map(move |version| (api, version))) {
        let mut bytes = vec![0];
        for _ in 0..64 {
            chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Small numbers get further than large ones before they are refused.
            let [byte, few, ..] = chance.to_be_bytes();
            bytes.push(if few < 128 { byte % 4 } else { byte });
        }
        frames.push(raw::frame(api, version, &Body::default().raw(&bytes)));
    }
    answers_or_closes(to, &frames)
}

fn unknown_api_versions(to: SocketAddr) -> Result<String, String> {
    let mut connection = Connection::open(to)?;
    let mut answer = connection.request(raw::API_VERSIONS, 99, &Body::default().raw(&[0]))?;
    match answer.i16()? {
        35 => exchange(&mut connection).map(|()| "answered".to_owned()),
        error => Err(format!("error {error} instead of 35")),
    }
}

fn lying_batches(to: SocketAddr) -> Result<String, String> {
    let payload = raw::record(b"value");
    let good = Batch { codec: 0, count: 1, payload: &payload, good_crc: true };
    let batches = [
        ("a wrong CRC", Batch { good_crc: false, ..good.clone() }),
        ("a count of 2^31-1", Batch { count: i32::MAX, ..good.clone() }),
        ("a negative count", Batch { count: -5, ..good.clone() }),
        ("an unknown codec", Batch { codec: 7, ..good.clone() }),
        ("a control batch", Batch { codec: 1 << 5, ..good.clone() }),
        ("no records where one is claimed", Batch { payload: &[], ..good.clone() }),
        ("a record length of 2^30", Batch { payload: &raw::varint(1 << 30), ..good.clone() }),
    ];
    let mut connection = Connection::open(to)?;
    for (what, batch) in batches {
        let mut answer = connection.request(raw::PRODUCE, 7, &raw::produce("bombs", &batch.encode()))?;
        if raw::produced(&mut answer)?.0 == 0 {
            return Err(format!("{what} was accepted"));
        }
    }
    for (what, bytes) in [("an empty set", &[][..]), ("half a header", &[0; 30]), ("zeros", &[0; 200])] {
        let mut connection = Connection::open(to)?;
        connection
            .send(&raw::frame(raw::PRODUCE, 7, &raw::produce("bombs", bytes)))
            .map_err(|error| format!("{what}: {error}"))?;
        connection.answer().map_err(|error| format!("{what}: {error}"))?;
    }
    Ok("refused".to_owned())
}

/// Four connections produce the same bomb at the same time.
fn bombs(to: SocketAddr, codec: i16, payload: &[u8]) -> Result<String, String> {
    let batch = Batch { codec, count: 1, payload, good_crc: true }.encode();
    let frame = raw::frame(raw::PRODUCE, 7, &raw::produce("bombs", &batch));
    thread::scope(|scope| {
        let senders: Vec<_> =
            (0..4).map(|_| scope.spawn(|| answers_or_closes(to, std::slice::from_ref(&frame)))).collect();
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        Ok(format!("{} KiB four times", batch.len() >> 10))
    })
}

fn slow_senders(to: SocketAddr) -> Result<String, String> {
    let request = raw::frame(raw::METADATA, 4, &Body::default().i32(0).i8(1));
    let mut senders: Vec<_> = (0..50).map(|_| Connection::open(to)).collect::<Result<_, _>>()?;
    for byte in request.iter().take(5) {
        for sender in &mut senders {
            sender.send(&[*byte]).map_err(|error| format!("a slow sender was cut off: {error}"))?;
        }
        thread::sleep(Duration::from_secs(1));
    }
    for sender in &mut senders {
        sender.send(request.get(5..).unwrap_or_default()).map_err(|error| format!("cut off: {error}"))?;
        sender.answer()?.ok_or("a slow sender got no answer")?;
    }
    Ok("all answered in the end".to_owned())
}

/// Asks for many megabytes and takes none of them.
fn never_reads(to: SocketAddr) -> Result<String, String> {
    let mut filler = Connection::open(to)?;
    // A new topic each time would be cleaner, but a former attack may have left nothing in this one.
    raw::create_topic(&mut filler, "unread")?;
    let payload = raw::record(&[b'x'; 900_000]);
    let batch = Batch { codec: 0, count: 1, payload: &payload, good_crc: true }.encode();
    for _ in 0..20 {
        let mut answer = filler.request(raw::PRODUCE, 7, &raw::produce("unread", &batch))?;
        raw::produced(&mut answer)?;
    }
    let request = raw::frame(raw::FETCH, 4, &raw::fetch("unread", 0, 50 << 20));
    let mut deaf: Vec<_> = (0..20).map(|_| Connection::open(to)).collect::<Result<_, _>>()?;
    for connection in &mut deaf {
        connection.0.set_nonblocking(true).map_err(|error| error.to_string())?;
        for _ in 0..200 {
            if connection.0.write(&request).is_err() {
                break;
            }
        }
    }
    thread::sleep(Duration::from_secs(3));
    Ok(format!("{} clients, 18 MB a request", deaf.len()))
}

fn idle_connections(to: SocketAddr) -> Result<String, String> {
    let mut idle: Vec<Connection> = Vec::with_capacity(3000);
    for index in 0..3000 {
        idle.push(Connection::open(to).map_err(|error| format!("connection {index}: {error}"))?);
    }
    thread::sleep(Duration::from_secs(2));
    for connection in idle.iter_mut().step_by(500) {
        let mut answer = connection.request(raw::API_VERSIONS, 0, &Body::default())?;
        if answer.i16()? != 0 {
            return Err("an idle connection is not served".to_owned());
        }
    }
    Ok("served when they wake".to_owned())
}

fn forty_announce(to: SocketAddr) -> Result<String, String> {
    let mut greedy: Vec<_> = (0..40).map(|_| Connection::open(to)).collect::<Result<_, _>>()?;
    let megabyte = vec![0_u8; 1 << 20];
    let mut taken = 0_u64;
    for connection in &mut greedy {
        connection
            .0
            .set_write_timeout(Some(Duration::from_millis(200)))
            .map_err(|error| error.to_string())?;
        // The front of a real Produce request, so that nothing short of reading it all tells.
        let mut head = (90_000_000_i32).to_be_bytes().to_vec();
        head.extend(raw::frame(raw::PRODUCE, 7, &Body::default()).get(4..).unwrap_or_default());
        let _ = connection.send(&head);
        taken += connection.0.write(&megabyte).map_or(0, |bytes| bytes as u64);
    }
    thread::sleep(Duration::from_secs(4));
    Ok(format!("{} MB taken", taken >> 20))
}
