//! A small HTTP/1.1 server with byte-exact responses for tests, with or without TLS.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use serde_json::{Value, json};

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    /// The header fields one by one, as received.
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers and keeps the connection.
    Answer(u16, Vec<(String, String)>, Vec<u8>),
    /// Responds and closes the connection without announcing it.
    AnswerAndClose(u16, Vec<u8>),
    /// Sends these bytes and closes the connection.
    Bytes(Vec<u8>),
    /// Sends these bytes and keeps the connection.
    BytesAndKeep(Vec<u8>),
    /// Sends these bytes one by one, slowly.
    Drip(Vec<u8>),
    /// Sends these bytes over and over.
    Endless(Vec<u8>),
    /// Never responds.
    Hang,
    /// Resets the connection.
    Reset,
}

impl Reply {
    pub fn json(status: u16, body: Value) -> Self {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Self::Answer(status, headers, body.to_string().into_bytes())
    }

    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), Vec::new())
    }
}

/// A server on a loopback port of its own.
pub struct Server {
    pub address: SocketAddr,
    /// The certificate of its authority, if it speaks TLS.
    pub certificate: Option<String>,
    requests: Arc<Mutex<Vec<Request>>>,
    connections: Arc<AtomicUsize>,
}

/// A self-signed certificate for this machine.
pub fn certificate() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap()
}

/// A TLS configuration with this certificate.
pub fn tls(certified: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<ServerConfig> {
    let key = certified.signing_key.serialize_der();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    Arc::new(config)
}

type Answer = dyn Fn(&Request) -> Reply + Send + Sync;

impl Server {
    pub fn start(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::listen(Arc::new(answer), None, None)
    }

    pub fn start_tls(answer: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let certified = certificate();
        let pem = certified.cert.pem();
        Self::listen(Arc::new(answer), Some(tls(&certified)), Some(pem))
    }

    fn listen(
        answer: Arc<Answer>,
        tls: Option<Arc<ServerConfig>>,
        certificate: Option<String>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let (log, count) = (Arc::clone(&requests), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                let (answer, log, tls) = (Arc::clone(&answer), Arc::clone(&log), tls.clone());
                thread::spawn(move || {
                    stream.set_nodelay(true).unwrap();
                    let socket = stream.try_clone().unwrap();
                    match tls {
                        None => serve(stream, &socket, &*answer, &log),
                        Some(config) => {
                            let connection = ServerConnection::new(config).unwrap();
                            serve(
                                StreamOwned::new(connection, stream),
                                &socket,
                                &*answer,
                                &log,
                            )
                        }
                    }
                });
            }
        });
        Self {
            address,
            certificate,
            requests,
            connections,
        }
    }

    pub fn url(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The paths of the requests so far.
    pub fn paths(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .map(|request| request.path)
            .collect()
    }

    pub fn forget(&self) {
        self.requests.lock().unwrap().clear();
    }

    /// How many connections were opened so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// All ways in which a directory can fail to respond; one repeats what was sent.
pub fn faults(echo: &str) -> Vec<(&'static str, Reply)> {
    let huge = format!(
        "{{\"user\":{{\"first_name\":\"{}\"}}}}",
        "x".repeat(400_000)
    );
    let endless_head =
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let redirect = vec![("location".to_owned(), "http://127.0.0.1:9/".to_owned())];
    vec![
        ("hang", Reply::Hang),
        ("reset", Reply::Reset),
        (
            "continue for ever",
            Reply::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100)),
        ),
        ("closed", Reply::Bytes(Vec::new())),
        (
            "garbage",
            Reply::Bytes(b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec()),
        ),
        (
            "half an answer",
            Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()),
        ),
        (
            "no JSON",
            Reply::Answer(200, Vec::new(), b"<html>".to_vec()),
        ),
        (
            "drip",
            Reply::Drip(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()),
        ),
        (
            "another protocol",
            Reply::Bytes(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n".to_vec()),
        ),
        (
            "two lengths",
            Reply::Bytes(
                b"HTTP/1.1 200 X\r\ncontent-length: 11\r\ncontent-length: 2\r\n\r\n{\"user\":{}}"
                    .to_vec(),
            ),
        ),
        ("no user", Reply::json(200, json!({ "user": null }))),
        ("500", Reply::json(500, json!({ "error": echo }))),
        ("503", Reply::status(503)),
        ("403", Reply::status(403)),
        ("429", Reply::status(429)),
        ("302", Reply::Answer(302, redirect.clone(), Vec::new())),
        ("307", Reply::Answer(307, redirect, Vec::new())),
        ("huge", Reply::Answer(200, Vec::new(), huge.into_bytes())),
        (
            "endless head",
            Reply::Endless(b"x-header: value\r\n".to_vec()),
        ),
        (
            "endless body",
            Reply::Endless([&endless_head[..], &b"5\r\nxxxxx\r\n".repeat(1000)].concat()),
        ),
    ]
}

fn serve<S: Read + Write>(
    stream: S,
    socket: &TcpStream,
    answer: &Answer,
    log: &Mutex<Vec<Request>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream) {
        // A request that only opens the connection.
        let opening = request.method == "HEAD";
        let reply = if opening {
            Reply::status(404)
        } else {
            answer(&request)
        };
        if !opening {
            log.lock().unwrap().push(request);
        }
        let stream = stream.get_mut();
        let sent = match &reply {
            Reply::Answer(status, headers, body) => {
                stream.write_all(&head_and_body(*status, headers, body))
            }
            Reply::AnswerAndClose(status, body) => {
                stream.write_all(&head_and_body(*status, &[], body))
            }
            Reply::Bytes(bytes) | Reply::BytesAndKeep(bytes) => stream.write_all(bytes),
            Reply::Drip(bytes) => bytes.chunks(1).try_for_each(|byte| {
                thread::sleep(Duration::from_millis(100));
                stream.write_all(byte).and_then(|()| stream.flush())
            }),
            Reply::Endless(bytes) => loop {
                if stream
                    .write_all(bytes)
                    .and_then(|()| stream.flush())
                    .is_err()
                {
                    return;
                }
            },
            Reply::Hang => stream.read(&mut [0; 1]).map(drop),
            Reply::Reset => {
                return socket2::SockRef::from(socket)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
            }
        };
        let keeps = matches!(reply, Reply::Answer(..) | Reply::BytesAndKeep(_));
        if sent.and_then(|()| stream.flush()).is_err() || !keeps {
            return;
        }
    }
}

fn head_and_body(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend(format!("{name}: {value}\r\n").into_bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

fn read(stream: &mut impl BufRead) -> Option<Request> {
    let mut line = || {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut fields = Vec::new();
    loop {
        let line = line()?;
        let Some((name, value)) = line.split_once(':') else {
            break;
        };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let headers: BTreeMap<_, _> = fields.iter().cloned().collect();
    let body = if headers
        .get("transfer-encoding")
        .is_some_and(|coding| coding == "chunked")
    {
        chunks(stream)?
    } else {
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        body
    };
    Some(Request {
        method,
        path,
        headers,
        fields,
        body,
    })
}

fn chunks(stream: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).ok()?;
        let size = usize::from_str_radix(size.trim(), 16).ok()?;
        let mut chunk = vec![0; size + 2];
        stream.read_exact(&mut chunk).ok()?;
        body.extend(&chunk[..size]);
        if size == 0 {
            return Some(body);
        }
    }
}
