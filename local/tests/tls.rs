//! TLS and SCRAM with channel binding, to a PostgreSQL whose certificate is of an authority of the test's own.

#![cfg(test)]

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use shared::{Config, Db};
use tempfile::TempDir;

/// A server with TLS for `localhost`, and the authority's certificate in a file.
struct Server {
    /// Without scheme and parameters: user, password, `{host}`, port and database.
    place: String,
    authority: PathBuf,
    _folder: TempDir,
}

impl Server {
    async fn with_tls() -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::new([]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_certificate = authority.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &Issuer::new(authority, authority_key))
            .unwrap();

        let url = testing::database().await;
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(connection);
        // The server writes its own files: a key must be its own and closed to others.
        for (name, pem) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
            let copy = format!(
                "COPY (SELECT unnest(string_to_array('{pem}', E'\\n'))) TO PROGRAM 'umask 077; cat > {name}'"
            );
            client.batch_execute(&copy).await.unwrap();
        }
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let is_on = "SELECT setting = 'on' FROM pg_settings WHERE name = 'ssl'";
        while !client.query_one(is_on, &[]).await.unwrap().get::<_, bool>(0) {
            tokio::task::yield_now().await;
        }

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("authority.pem");
        std::fs::write(&file, authority_certificate.pem()).unwrap();
        let place = url.strip_prefix("postgresql://").unwrap().replace("127.0.0.1", "{host}");
        Self { place, authority: file, _folder: folder }
    }

    fn db(&self, host: &str, parameters: &str) -> Db {
        let url = format!("postgresql://{}?{parameters}", self.place.replace("{host}", host));
        let url = url.replace("{authority}", self.authority.to_str().unwrap());
        Db::new(&Config::from_iter([("DATABASE_URL", url)])).unwrap()
    }
}

const IS_TLS: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";

#[tokio::test]
async fn only_a_verified_server_is_talked_to() {
    let server = Server::with_tls().await;
    for parameters in [
        "sslmode=require&channel_binding=require&sslrootcert={authority}",
        "sslmode=verify-full&channel_binding=require&sslrootcert={authority}",
        "sslmode=prefer&sslrootcert={authority}",
    ] {
        let row = server.db("localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().expect(parameters);
        assert_eq!(row.get::<_, &str>(0), "TLSv1.3", "{parameters}");
    }
    for (host, parameters, why) in [
        ("localhost", "sslmode=require", "UnknownIssuer"),
        ("localhost", "sslmode=verify-ca", "UnknownIssuer"),
        ("127.0.0.1", "sslmode=require&sslrootcert={authority}", "not valid for name"),
        ("127.0.0.1", "sslmode=disable&channel_binding=require", "channel binding"),
    ] {
        let error = server.db(host, parameters).query("SELECT", &[]).await.unwrap_err().to_string();
        assert!(error.contains(why), "{parameters}: {error}");
    }
    // In the clear only when asked for, or to this machine.
    for parameters in ["sslmode=disable", ""] {
        assert!(
            server.db("localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().is_none(),
            "{parameters}"
        );
    }
}

#[test]
fn a_file_of_authorities_that_cannot_be_used_is_named() {
    for file in ["/nonexistent.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let url = format!("postgresql://todo@db.example.com/todo?sslrootcert={file}");
        let error = Db::new(&Config::from_iter([("DATABASE_URL", url)])).err().unwrap().to_string();
        assert!(error.contains(file) && error.contains("sslrootcert"), "{error}");
    }
}
