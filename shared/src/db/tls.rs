//! TLS that always verifies the chain and the host name.

use std::sync::Arc;

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::config::Error;

/// The root certificates that are trusted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RootCertificates {
    /// Mozilla's list.
    Mozilla,
    /// Only those in a PEM file (`sslrootcert` in `DATABASE_URL`).
    File(String),
    /// Only those in this PEM text (`DATABASE_CA`).
    Pem(String),
}

pub(super) fn tls(root_certificates: &RootCertificates) -> Result<MakeRustlsConnect, Error> {
    let roots = match root_certificates {
        RootCertificates::Mozilla => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        RootCertificates::File(file) => root_store(CertificateDer::pem_file_iter(file)).map_err(|error| {
            Error::new(format!(
                "the file `{file}` (sslrootcert in DATABASE_URL) cannot be used: {error}; in a function, put the \
                 certificates into DATABASE_CA instead"
            ))
        })?,
        RootCertificates::Pem(pem) => root_store(Ok(CertificateDer::pem_slice_iter(pem.as_bytes()))).map_err(|error| {
            Error::new(format!(
                "DATABASE_CA cannot be used: {error}; it should contain PEM certificates, each from \
                 -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
            ))
        })?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| Error::new(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // Required by `sslnegotiation=direct` (PostgreSQL 17's documentation, "SSL Session Encryption").
    config.alpn_protocols = vec![b"postgresql".to_vec()];
    Ok(MakeRustlsConnect::new(config))
}

type PemError = rustls::pki_types::pem::Error;

fn root_store(
    certificates: Result<impl Iterator<Item = Result<CertificateDer<'static>, PemError>>, PemError>,
) -> Result<RootCertStore, Box<dyn std::error::Error>> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates? {
        roots.add(certificate?)?;
    }
    if roots.is_empty() {
        return Err("it contains no PEM certificate".into());
    }
    Ok(roots)
}
