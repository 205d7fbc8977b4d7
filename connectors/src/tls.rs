//! Encryption, with certificates always checked.

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Why no trust can be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// The file can't be read as PEM.
    #[error("can't read certificates from {}: a file in PEM must lie there that the daemon's user can read", path.display())]
    File { path: PathBuf, source: rustls::pki_types::pem::Error },
    /// A certificate in the file is none.
    #[error("{} has something in it that is no certificate", path.display())]
    NoCertificate { path: PathBuf, source: rustls::Error },
    /// The file has no certificate.
    #[error("{} has no certificate in it", .0.display())]
    NoneInFile(PathBuf),
    /// The machine trusts nobody.
    #[error("this machine has no list of certificate authorities; give ca_file")]
    NoneOnMachine,
    /// The TLS library refuses.
    #[error("TLS can't be set up")]
    Library(#[source] rustls::Error),
}

/// Trust in the authorities of `ca_file` only, or in those of the machine.
pub(crate) fn trust(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TrustError> {
    let roots = match ca_file {
        Some(path) => roots_of_file(path)?,
        None => roots_of_machine()?,
    };
    trust_in(roots)
}

/// Trust in no authority, for ways that are not encrypted.
pub(crate) fn trust_nobody() -> Result<Arc<ClientConfig>, TrustError> {
    trust_in(RootCertStore::empty())
}

fn trust_in(roots: RootCertStore) -> Result<Arc<ClientConfig>, TrustError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Library)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn roots_of_file(path: &Path) -> Result<RootCertStore, TrustError> {
    let unreadable = |source| TrustError::File { path: path.to_owned(), source };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
        let certificate = certificate.map_err(unreadable)?;
        roots
            .add(certificate)
            .map_err(|source| TrustError::NoCertificate { path: path.to_owned(), source })?;
    }
    if roots.is_empty() {
        return Err(TrustError::NoneInFile(path.to_owned()));
    }
    Ok(roots)
}

/// One unreadable certificate among the machine's is no reason to trust none of the others.
fn roots_of_machine() -> Result<RootCertStore, TrustError> {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 { Err(TrustError::NoneOnMachine) } else { Ok(roots) }
}

/// Encrypts an open connection to `host`.
pub(crate) async fn encrypt<S>(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "the host's name is not valid"))?;
    TlsConnector::from(Arc::clone(config)).connect(name, stream).await
}

/// What is wrong with the certificate, and what to do; for other failures what the library says.
pub(crate) fn advice(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(problem)) => certificate_advice(problem),
        Some(other) => format!("TLS failed ({other}); is this the TLS port?"),
        None => format!(
            "TLS failed ({error}); is this the TLS port, and does the server speak TLS 1.2?"
        ),
    }
}

fn certificate_advice(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the server's certificate has expired; renew it".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the server's certificate is not valid yet; check both clocks".into()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the server's certificate is for another host; use the name that stands in it as address"
                .into()
        }
        CertificateError::UnknownIssuer => {
            "the server's certificate is from an unknown authority; put that authority's certificate into ca_file"
                .into()
        }
        CertificateError::Revoked => "the server's certificate is revoked; replace it".into(),
        other => format!("the server's certificate is not acceptable ({other:?})"),
    }
}
