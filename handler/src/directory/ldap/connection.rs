//! A connection to an LDAP server: TCP, TLS and a limit on what the server may send. `ldap3` has its own TLS, which uses
//! another parser of certificates and the system's authorities; so it gets a socket, and this module copies between that
//! socket and our TLS connection.

use std::{io, sync::Arc, time::Duration};

use jane_migrate_config::LdapServer;
use ldap3::{Ldap as Handle, LdapConnAsync, LdapConnSettings, StdStream};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, copy, split},
    net::{TcpStream, UnixStream},
    time::timeout,
};
use tokio_rustls::TlsConnector;

use crate::{budget::Unavailable, upstream};

/// How long a connection may take to open.
const SILENCE: Duration = Duration::from_millis(1500);

/// The most bytes that a server may send on the connection of a sign-in. After that it is closed, and the next sign-in opens
/// another.
pub(super) const MOST: u64 = 16 << 20;

/// Opens a connection on which the server may send this many bytes. It is not bound yet.
pub(super) async fn open(
    server: &LdapServer,
    tls: Option<&Arc<ClientConfig>>,
    most: u64,
) -> Result<Handle, Unavailable> {
    let failed = |_: io::Error| Unavailable("connect");
    let address = (server.host.as_str(), server.port);
    let connected = timeout(SILENCE, TcpStream::connect(address)).await;
    let stream = connected
        .map_err(|_| Unavailable("connect"))?
        .map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    let (ours, theirs) = UnixStream::pair().map_err(failed)?;
    match tls {
        Some(tls) => {
            let name =
                ServerName::try_from(server.host.clone()).map_err(|_| Unavailable("request"))?;
            let secured = TlsConnector::from(Arc::clone(tls)).connect(name, stream);
            let secured = timeout(SILENCE, secured)
                .await
                .map_err(|_| Unavailable("connect"))?;
            pass(
                secured.map_err(|error| upstream::refused(&error))?,
                ours,
                most,
            );
        }
        None => pass(stream, ours, most),
    }
    let theirs = theirs.into_std().map_err(failed)?;
    let settings = LdapConnSettings::new().set_std_stream(StdStream::Unix(theirs));
    let opened = LdapConnAsync::with_settings(settings, "ldapi:///").await;
    let (connection, handle) = opened.map_err(|_| Unavailable("connect"))?;
    // It ends with the last handle.
    tokio::spawn(connection.drive());
    Ok(handle)
}

/// Copies in both directions until one side ends, or the server has sent too much.
fn pass(server: impl AsyncRead + AsyncWrite + Send + 'static, client: UnixStream, most: u64) {
    tokio::spawn(async move {
        let (received, mut sent) = split(server);
        let (mut asked, mut answered) = split(client);
        let mut received = received.take(most);
        tokio::select! {
            _ = copy(&mut received, &mut answered) => {}
            _ = copy(&mut asked, &mut sent) => {}
        }
    });
}
