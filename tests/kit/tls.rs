//! A PostgreSQL with TLS and a certificate of the test's own authority.

use std::{
    fs,
    path::{Path, PathBuf},
};

use dev_postgres::Server;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_postgres::Client;

/// A server with a migrated database, TLS for `localhost`, and SCRAM. It is deleted when dropped.
pub struct Tls {
    url: String,
    authority: PathBuf,
    _server: Server,
    _folder: TempDir,
}

/// Starts a server with TLS.
///
/// # Panics
/// Panics if PostgreSQL cannot be started or was built without TLS.
pub async fn tls() -> Tls {
    start().await.unwrap_or_else(|error| panic!("cannot start PostgreSQL with TLS: {error}"))
}

async fn start() -> Result<Tls, Box<dyn std::error::Error>> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new([])?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // By default both certificates have the same name, which looks self-signed to OpenSSL.
    authority.distinguished_name.push(DnType::CommonName, "the tests' authority");
    let authority_certificate = authority.self_signed(&authority_key)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?
        .signed_by(&key, &Issuer::new(authority, authority_key))?;

    let server = crate::server().await;
    let url = server.url(crate::MIGRATED);
    let (client, _) = crate::connect(&url).await?;
    // The server writes the files, because it must own the key and no other user may read it.
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
    /// Returns the database's URL with this host name and these parameters, in which `{authority}` stands for the path
    /// of the authority's certificate.
    pub fn url(&self, host: &str, parameters: &str) -> String {
        let parameters = parameters.replace("{authority}", &self.authority.to_string_lossy());
        format!("{}?{parameters}", self.url.replace("127.0.0.1", host))
    }

    /// Returns the URL with full verification and channel binding.
    pub fn secure_url(&self) -> String {
        self.url("localhost", "sslmode=verify-full&channel_binding=require&sslrootcert={authority}")
    }

    /// Opens an unencrypted connection to the database.
    ///
    /// # Errors
    /// Fails if the server has ended.
    pub async fn client(&self) -> Result<Client, tokio_postgres::Error> {
        Ok(crate::connect(&self.url).await?.0)
    }

    /// Returns the path of the authority's certificate.
    pub fn authority(&self) -> &Path {
        &self.authority
    }

    /// Returns the URL for an unencrypted connection, to check the data.
    pub fn plain_url(&self) -> &str {
        &self.url
    }
}
