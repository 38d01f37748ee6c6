//! TLS for callers: rustls over ring, versions 1.2 and 1.3.

use std::fmt;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why TLS cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificates cannot be read.
    #[error("the certificate file: {0}")]
    Certificates(pem::Error),
    /// There is no certificate.
    #[error("the certificate file has no certificate in PEM format")]
    NoCertificate,
    /// The key cannot be read. What it says of the key is no secret.
    #[error("the key file: {0}")]
    Key(pem::Error),
    /// They do not work, or not together.
    #[error("the certificate and the key do not work together: {0}")]
    Config(#[from] rustls::Error),
}

/// A certificate with its key, ready to serve.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// From PEM texts: a certificate, followed by those that lead to its
    /// root, and its private key.
    ///
    /// # Errors
    /// When they cannot be read or do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_slice_iter(certificates).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(TlsError::Certificates)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(TlsError::Key)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self(Arc::new(config)))
    }

    /// The server's part.
    pub(crate) fn config(&self) -> ServerConfig {
        self.0.as_ref().clone()
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}
