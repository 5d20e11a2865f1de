//! Connections, with TLS (rustls) where a certificate is set, and without.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use actix_web::rt::net::TcpStream;
use lastseen_shared::settings::TlsSettings;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// How often the files are looked at: whoever renews a certificate need not restart anything.
const LOOK: Duration = Duration::from_secs(5);

/// A client's connection.
pub enum Io {
    /// As it is.
    Plain(TcpStream),
    /// With TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Io {
    /// The connection below.
    #[must_use]
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

/// Makes connections of what a listener accepts. Cheap to clone.
#[derive(Clone, Default)]
pub struct Accept(Option<TlsAcceptor>);

impl Accept {
    /// With TLS where a certificate is set. A task then follows its files.
    ///
    /// # Errors
    /// A sentence about the file that is wrong.
    pub fn new(settings: Option<&TlsSettings>) -> Result<Self, String> {
        let Some(settings) = settings else { return Ok(Self(None)) };
        let provider = Arc::new(ring::default_provider());
        let files = Files { certificate: settings.certificate.clone(), key: settings.key.clone() };
        let (seen, certified) = (files.changed(), files.load(&provider)?);
        let current = Arc::new(Current(Mutex::new(Arc::new(certified))));
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS: {error}"))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::clone(&current) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        tokio::spawn(follow(files, seen, provider, current));
        Ok(Self(Some(TlsAcceptor::from(Arc::new(config)))))
    }

    /// Whether there is TLS.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.0.is_some()
    }

    /// The connection, once the handshake is over.
    ///
    /// # Errors
    /// Where the client does not bring it to an end.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Io> {
        let Some(acceptor) = &self.0 else { return Ok(Io::Plain(tcp)) };
        match tokio::time::timeout(HANDSHAKE, acceptor.accept(tcp)).await {
            Ok(tls) => Ok(Io::Tls(Box::new(tls?))),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

/// The certificate that handshakes are answered with.
#[derive(Debug)]
struct Current(Mutex<Arc<CertifiedKey>>);

impl Current {
    fn set(&self, certified: CertifiedKey) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(certified);
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A certificate's files, in PEM.
struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn load(&self, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
        let about = |variable: &str, path: &Path, error: &dyn std::fmt::Display| {
            format!("{variable} {}: {error}", path.display())
        };
        let in_certificate =
            |error: &dyn std::fmt::Display| about("LASTSEEN_TLS_CERTIFICATE", &self.certificate, error);
        let in_key = |error: &dyn std::fmt::Display| about("LASTSEEN_TLS_KEY", &self.key, error);
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .map_err(|error| in_certificate(&error))?
            .collect::<Result<_, _>>()
            .map_err(|error| in_certificate(&error))?;
        if chain.is_empty() {
            return Err(in_certificate(&"there is no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| in_key(&error))?;
        // Fails too where the two do not belong together.
        CertifiedKey::from_der(chain, key, provider).map_err(|error| in_key(&error))
    }

    /// When the two were changed, as far as that can be known.
    fn changed(&self) -> [Option<SystemTime>; 2] {
        [&self.certificate, &self.key].map(|path| std::fs::metadata(path).and_then(|data| data.modified()).ok())
    }
}

/// Takes what the files hold, each time that they have changed and fit each other.
async fn follow(
    files: Files,
    mut seen: [Option<SystemTime>; 2],
    provider: Arc<CryptoProvider>,
    current: Arc<Current>,
) {
    let files = Arc::new(files);
    loop {
        tokio::time::sleep(LOOK).await;
        // Disks may be slow, and this is an event loop.
        let (ours, provider) = (Arc::clone(&files), Arc::clone(&provider));
        let look = move || {
            let now = ours.changed();
            (now != seen).then(|| (now, ours.load(&provider)))
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(Some((now, Ok(certified)))) => {
                current.set(certified);
                seen = now;
                log::info!("the TLS certificate is read anew");
            }
            // Between the two files' being written, as a rule: the old one holds until they fit.
            Ok(Some((_, Err(error)))) => log::warn!("the TLS certificate was changed and can't be read: {error}"),
            Ok(None) | Err(_) => {}
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(context, into),
            Self::Tls(tls) => Pin::new(tls).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(tls).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(context, pieces),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_that_are_wrong_are_named() {
        let folder = std::env::temp_dir().join(format!("lastseen-tls-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).unwrap();
            folder.join(name)
        };
        let [one, two] = [(); 2].map(|()| rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap());
        let certificate = write("cert.pem", &one.cert.pem());
        let key = write("key.pem", &one.signing_key.serialize_pem());
        let (other_key, empty) =
            (write("other.pem", &two.signing_key.serialize_pem()), write("empty.pem", "nothing"));
        let with = |certificate: &Path, key: &Path| {
            let settings = TlsSettings { certificate: certificate.to_owned(), key: key.to_owned() };
            Accept::new(Some(&settings)).map(|accept| accept.is_secure())
        };
        assert_eq!(with(&certificate, &key), Ok(true));
        for (certificate, key, named) in [
            (&folder.join("missing"), &key, "LASTSEEN_TLS_CERTIFICATE"),
            (&empty, &key, "LASTSEEN_TLS_CERTIFICATE"),
            (&certificate, &folder.join("missing"), "LASTSEEN_TLS_KEY"),
            (&certificate, &empty, "LASTSEEN_TLS_KEY"),
            (&certificate, &other_key, "LASTSEEN_TLS_KEY"),
        ] {
            let error = with(certificate, key).unwrap_err();
            assert!(error.starts_with(named), "{error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
