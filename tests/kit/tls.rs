//! A PostgreSQL with TLS, whose certificate is of an authority of the test's own.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dev_postgres::Server;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::Client;

/// A server with TLS for `localhost` and SCRAM, and a database with the migrations' tables. It goes when this is
/// dropped, its files too.
pub struct Tls {
    url: String,
    authority: PathBuf,
    _server: Server,
    _folder: TempDir,
}

/// Starts such a server.
///
/// # Panics
/// PostgreSQL cannot be started, or was built without TLS.
pub async fn tls() -> Tls {
    start().await.unwrap_or_else(|error| panic!("no PostgreSQL with TLS: {error}"))
}

async fn start() -> Result<Tls, Box<dyn std::error::Error>> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // By default both have one name, which OpenSSL takes for a certificate that signed itself.
    authority.distinguished_name.push(DnType::CommonName, "the tests' authority");
    let authority_certificate = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?
        .signed_by(&key, &Issuer::new(authority, authority_key))?;

    let server = crate::server().await;
    let url = server.url(crate::MIGRATED);
    let (client, _) = crate::connect(&url).await?;
    // The server writes its own files: a key must be its own and closed to others.
    for (name, pem) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        let copy = format!(
            "COPY (SELECT unnest(string_to_array('{pem}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
        );
        client.batch_execute(&copy).await?;
    }
    client.batch_execute("ALTER SYSTEM SET ssl = on").await?;
    client.batch_execute("SELECT pg_reload_conf()").await?;
    let is_on = "SELECT setting = 'on' FROM pg_settings WHERE name = 'ssl'";
    while !client.query_one(is_on, &[]).await?.get::<_, bool>(0) {
        tokio::task::yield_now().await;
    }

    let folder = tempfile::tempdir()?;
    let authority = folder.path().join("authority.pem");
    fs::write(&authority, authority_certificate.pem())?;
    Ok(Tls { url, authority, _server: server, _folder: folder })
}

impl Tls {
    /// The database, at this name of the host and with these parameters, in which `{authority}` stands for the
    /// authority's certificate.
    pub fn url(&self, host: &str, parameters: &str) -> String {
        let parameters = parameters.replace("{authority}", &self.authority.to_string_lossy());
        format!("{}?{parameters}", self.url.replace("127.0.0.1", host))
    }

    /// The database, with all that a connection can be secured by.
    pub fn secure_url(&self) -> String {
        self.url("localhost", "sslmode=verify-full&channel_binding=require&sslrootcert={authority}")
    }

    /// A connection to the database in the clear.
    ///
    /// # Errors
    /// The server is not there any more.
    pub async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        Ok(crate::connect(&self.url).await?.0)
    }

    /// A file with the certificate of the authority.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// The database in the clear, to look behind.
    pub fn plain_url(&self) -> &str {
        &self.url
    }
}
