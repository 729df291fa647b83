//! A connection against servers that do not behave.
#![expect(clippy::disallowed_types, reason = "such a server is made of bare sockets")]

use std::future::Future;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wire::frame;
use wire::header::RequestHeaderView;
use wire::messages::api_versions_response::{ApiVersion, ApiVersionsResponse};
use wire::messages::heartbeat_request::HeartbeatRequest;
use wire::messages::heartbeat_response::HeartbeatResponse;
use wire::{Message, Segment};

use super::Connection;
use crate::{ClientConfig, Error, World};

const HEARTBEAT: i16 = 12;

/// Runs a client against a server that accepts one connection.
async fn against<S, F, T>(server: S, client: impl Future<Output = T>, listener: TcpListener) -> T
where
    S: FnOnce(TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let serving = host::task::spawn(async move {
        let (stream, _) = listener.accept().await.expect("the client connects");
        server(stream).await;
    });
    let result = tokio::time::timeout(Duration::from_secs(20), client).await.expect("it ends in time");
    serving.abort();
    result
}

async fn listener() -> (TcpListener, ClientConfig, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    (listener, ClientConfig::new(&format!("127.0.0.1:{port}")), port)
}

/// Reads one request and returns its key, version and correlation id.
async fn request(stream: &mut TcpStream) -> (i16, i16, i32) {
    let len = stream.read_u32().await.expect("a request comes");
    let mut frame = vec![0; len as usize];
    stream.read_exact(&mut frame).await.expect("it is whole");
    let (header, _) = RequestHeaderView::decode(&frame).expect("the client is correct");
    (header.request_api_key, header.request_api_version, header.correlation_id)
}

async fn answer<M: Message>(
    stream: &mut TcpStream,
    key: i16,
    version: i16,
    correlation_id: i32,
    message: &M,
) {
    let segments = frame::encode_response(key, version, correlation_id, |out| message.encode(out, version))
        .expect("it is an answer");
    for segment in segments {
        if let Segment::Bytes(bytes) = segment {
            stream.write_all(&bytes).await.expect("the client reads");
        }
    }
}

fn versions(error_code: i16) -> ApiVersionsResponse {
    let range = |api_key, min_version, max_version| ApiVersion { api_key, min_version, max_version };
    ApiVersionsResponse {
        error_code,
        api_keys: vec![range(HEARTBEAT, 0, 4), range(18, 0, 3)],
        ..Default::default()
    }
}

/// Answers the question for versions.
async fn greet(stream: &mut TcpStream) {
    let (key, version, id) = request(stream).await;
    assert_eq!((key, version), (18, 5));
    // A server of before: it does not know version 5.
    answer(stream, 18, 0, id, &versions(35)).await;
    let (key, version, id) = request(stream).await;
    assert_eq!((key, version), (18, 3));
    answer(stream, 18, 3, id, &versions(0)).await;
}

async fn beat(port: u16, config: &ClientConfig) -> Result<HeartbeatResponse, Error> {
    let connection = Connection::open(&World::real(), "127.0.0.1", port, config).await?;
    connection.ask(&HeartbeatRequest { group_id: "g".to_owned(), ..Default::default() }).await
}

#[tokio::test]
async fn an_older_server_is_asked_in_the_version_that_it_knows() {
    let (listener, config, port) = listener().await;
    let server = |mut stream: TcpStream| async move {
        greet(&mut stream).await;
        let (key, version, id) = request(&mut stream).await;
        assert_eq!((key, version), (HEARTBEAT, 4));
        answer(&mut stream, key, version, id, &HeartbeatResponse { error_code: 27, ..Default::default() })
            .await;
    };
    let answer = against(server, beat(port, &config), listener).await.expect("it is answered");
    assert_eq!(answer.error_code, 27);
}

#[tokio::test]
async fn pipelined_requests_are_answered_each() {
    let (listener, config, port) = listener().await;
    let server = |mut stream: TcpStream| async move {
        greet(&mut stream).await;
        let first = request(&mut stream).await;
        let second = request(&mut stream).await;
        for (code, (key, version, id)) in [(1, first), (2, second)] {
            let message = HeartbeatResponse { error_code: code, ..Default::default() };
            answer(&mut stream, key, version, id, &message).await;
        }
        stream.read_u8().await.expect_err("the client closes");
    };
    let client = async {
        let connection =
            Connection::open(&World::real(), "127.0.0.1", port, &config).await.expect("it connects");
        let request = HeartbeatRequest { group_id: "g".to_owned(), ..Default::default() };
        let forgotten = connection.start(&request, 4).expect("it is sent");
        let second = connection.start(&request, 4).expect("it is sent");
        drop(forgotten);
        let answer = second.wait(Duration::from_secs(10)).await.expect("it is answered");
        answer.decode::<HeartbeatResponse>().expect("it is valid").error_code
    };
    assert_eq!(against(server, client, listener).await, 2);
}

/// What becomes of a request that is answered with these bytes.
async fn answered_with(bytes: &'static [u8]) -> Error {
    let (listener, config, port) = listener().await;
    let server = move |mut stream: TcpStream| async move {
        greet(&mut stream).await;
        request(&mut stream).await;
        stream.write_all(bytes).await.expect("the client reads");
        // Held open, so that it is the bytes that end the connection.
        let _ = stream.read_u8().await;
    };
    against(server, beat(port, &config), listener).await.expect_err("it is no answer")
}

#[tokio::test]
async fn bytes_that_are_no_answer_end_the_connection_with_an_error() {
    let negative = answered_with(&[0xff, 0xff, 0xff, 0xff]).await;
    assert!(matches!(negative, Error::Protocol { .. }), "{negative}");
    let huge = answered_with(&[0x7f, 0xff, 0xff, 0xff, 0]).await;
    assert!(matches!(huge, Error::Protocol { .. }), "{huge}");
    let strange = answered_with(&[0, 0, 0, 4, 0, 0, 9, 9]).await;
    assert!(matches!(strange, Error::Protocol { .. }), "{strange}");
    let short = answered_with(&[0, 0, 0, 1, 0]).await;
    assert!(matches!(short, Error::Protocol { .. }), "{short}");
    // The right correlation id, and then less than the message has.
    let cut = answered_with(&[0, 0, 0, 6, 0, 0, 0, 2, 0, 0]).await;
    assert!(matches!(cut, Error::Protocol { .. }), "{cut}");
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let (listener, mut config, port) = listener().await;
    config.request_timeout = Duration::from_millis(200);
    let server = |mut stream: TcpStream| async move {
        greet(&mut stream).await;
        let _ = stream.read_to_end(&mut Vec::new()).await;
    };
    let error = against(server, beat(port, &config), listener).await.expect_err("nobody answers");
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    assert!(error.retriable());
}
