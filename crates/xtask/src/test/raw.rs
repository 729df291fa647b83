//! Just enough of the protocol to speak it wrongly: frames, a record batch, and one well-behaved exchange.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

pub const PRODUCE: i16 = 0;
pub const FETCH: i16 = 1;
pub const LIST_OFFSETS: i16 = 2;
pub const METADATA: i16 = 3;
pub const JOIN_GROUP: i16 = 11;
pub const API_VERSIONS: i16 = 18;
pub const CREATE_TOPICS: i16 = 19;
pub const DESCRIBE_CONFIGS: i16 = 32;

/// Answers longer than this are not read.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// Bytes in the order in which the protocol wants them.
#[derive(Debug, Default, Clone)]
pub struct Body(pub Vec<u8>);

impl Body {
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    #[must_use]
    pub fn i8(self, value: i8) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub fn i16(self, value: i16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub fn i32(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    #[must_use]
    pub fn string(self, text: &str) -> Self {
        self.i16(i16::try_from(text.len()).unwrap_or(i16::MAX)).raw(text.as_bytes())
    }

    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.i32(length(bytes.len())).raw(bytes)
    }
}

fn length(bytes: usize) -> i32 {
    i32::try_from(bytes).unwrap_or(i32::MAX)
}

/// A request with header v1, behind its length.
pub fn frame(api: i16, version: i16, body: &Body) -> Vec<u8> {
    let request = Body::default().i16(api).i16(version).i32(7).string("hostile").raw(&body.0);
    Body::default().bytes(&request.0).0
}

#[derive(Debug)]
pub struct Connection(pub TcpStream);

impl Connection {
    pub fn open(address: SocketAddr) -> Result<Self, String> {
        let connect = || -> io::Result<TcpStream> {
            let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(15)))?;
            stream.set_write_timeout(Some(Duration::from_secs(15)))?;
            Ok(stream)
        };
        connect().map(Self).map_err(|error| format!("cannot connect: {error}"))
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    /// The next answer without its length, or `None` when the broker has closed the connection.
    pub fn answer(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut size = [0; 4];
        match self.0.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err("neither answered nor closed in 15 s".to_owned());
            }
            Err(_) => return Ok(None),
        }
        let size = usize::try_from(i32::from_be_bytes(size)).map_err(|_| "an answer of negative length")?;
        if size > ANSWER_MAX {
            return Err(format!("an answer of {size} bytes"));
        }
        let mut answer = vec![0; size];
        self.0
            .read_exact(&mut answer)
            .map(|()| Some(answer))
            .map_err(|error| format!("half an answer: {error}"))
    }

    pub fn request(&mut self, api: i16, version: i16, body: &Body) -> Result<Answer, String> {
        self.send(&frame(api, version, body)).map_err(|error| format!("cannot send: {error}"))?;
        let bytes = self.answer()?.ok_or("closed instead of an answer")?;
        let mut answer = Answer { bytes, at: 0 };
        answer.i32()?;
        Ok(answer)
    }
}

/// Reads an answer from its front.
#[derive(Debug)]
pub struct Answer {
    bytes: Vec<u8>,
    at: usize,
}

impl Answer {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let end = self.at + N;
        let taken = self.bytes.get(self.at..end).and_then(|bytes| bytes.try_into().ok());
        self.at = end;
        taken.ok_or_else(|| "the answer is too short".to_owned())
    }

    pub fn i16(&mut self) -> Result<i16, String> {
        self.take().map(i16::from_be_bytes)
    }

    pub fn i32(&mut self) -> Result<i32, String> {
        self.take().map(i32::from_be_bytes)
    }

    pub fn i64(&mut self) -> Result<i64, String> {
        self.take().map(i64::from_be_bytes)
    }

    pub fn skip_string(&mut self) -> Result<(), String> {
        let length = usize::try_from(self.i16()?).map_err(|_| "a null string")?;
        self.at += length;
        Ok(())
    }
}

/// What a batch claims about itself; the well-formed one is `Batch::of(payload)`.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    pub codec: i16,
    pub count: i32,
    pub payload: &'a [u8],
    pub good_crc: bool,
}

impl Batch<'_> {
    /// A batch of format v2 with records from offset 0.
    pub fn encode(&self) -> Vec<u8> {
        let after_crc = Body::default()
            .i16(self.codec)
            .i32(self.count.saturating_sub(1))
            .i64(now_ms())
            .i64(now_ms())
            .i64(-1)
            .i16(-1)
            .i32(-1)
            .i32(self.count)
            .raw(self.payload);
        let crc = crc32c(&after_crc.0) ^ u32::from(!self.good_crc);
        let after_length = Body::default().i32(-1).i8(2).raw(&crc.to_be_bytes()).raw(&after_crc.0);
        Body::default().i64(0).bytes(&after_length.0).0
    }
}

/// One record with the given value and nothing else.
pub fn record(value: &[u8]) -> Vec<u8> {
    let mut inner = vec![0, 0, 0, 1];
    inner.extend(varint(value.len()));
    inner.extend_from_slice(value);
    inner.push(0);
    let mut record = varint(inner.len());
    record.append(&mut inner);
    record
}

/// A zigzag varint of a length.
pub fn varint(length: usize) -> Vec<u8> {
    let mut value = length << 1;
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap_or(0) | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
    out
}

/// Produce v7 of one batch to partition 0.
pub fn produce(topic: &str, batch: &[u8]) -> Body {
    Body::default().i16(-1).i16(-1).i32(10_000).i32(1).string(topic).i32(1).i32(0).bytes(batch)
}

/// Fetch v4 of partition 0 from an offset.
pub fn fetch(topic: &str, offset: i64, max_bytes: i32) -> Body {
    let head = Body::default().i32(-1).i32(500).i32(1).i32(max_bytes).i8(0);
    head.i32(1).string(topic).i32(1).i32(0).i64(offset).i32(max_bytes)
}

/// Error code and base offset in the answer to `produce`.
pub fn produced(answer: &mut Answer) -> Result<(i16, i64), String> {
    answer.i32()?;
    answer.skip_string()?;
    answer.i32()?;
    answer.i32()?;
    Ok((answer.i16()?, answer.i64()?))
}

/// Error code and number of bytes in the answer to `fetch`.
pub fn fetched(answer: &mut Answer) -> Result<(i16, i32), String> {
    answer.i32()?;
    answer.i32()?;
    answer.skip_string()?;
    answer.i32()?;
    answer.i32()?;
    let error = answer.i16()?;
    answer.i64()?;
    answer.i64()?;
    if answer.i32()? > 0 {
        return Err("aborted transactions out of nowhere".to_owned());
    }
    Ok((error, answer.i32()?))
}

/// Creates a topic of one partition by CreateTopics v4.
pub fn create_topic(connection: &mut Connection, topic: &str) -> Result<(), String> {
    let body = Body::default().i32(1).string(topic).i32(1).i16(1).i32(0).i32(0).i32(30_000).i8(0);
    let mut answer = connection.request(CREATE_TOPICS, 4, &body)?;
    answer.i32()?;
    answer.i32()?;
    answer.skip_string()?;
    match answer.i16()? {
        0 => Ok(()),
        error => Err(format!("create topic {topic}: error {error}")),
    }
}

fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(0)
}

/// CRC-32C, a bit at a time: short inputs only.
fn crc32c(bytes: &[u8]) -> u32 {
    let table: Vec<u32> = (0..256u32)
        .map(|byte| (0..8).fold(byte, |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }))
        .collect();
    let step = |crc: u32, byte: &u8| {
        let slot = usize::from(crc.to_le_bytes()[0] ^ byte);
        (crc >> 8) ^ table.get(slot).copied().unwrap_or(0)
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crc32c_gives_the_check_value() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn a_varint_of_a_large_length_takes_five_bytes() {
        assert_eq!(varint(0), [0]);
        assert_eq!(varint(64), [0x80, 0x01]);
        assert_eq!(varint(1 << 30).len(), 5);
    }
}
