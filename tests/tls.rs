//! TLS and SCRAM with channel binding, to a PostgreSQL with a certificate of the test's own authority.

#![cfg(test)]

use kit::Tls;
use shared::{Config, Db};

fn db(server: &Tls, host: &str, parameters: &str) -> Db {
    Db::new(&Config::from_iter([("DATABASE_URL", server.url(host, parameters))])).unwrap()
}

const IS_TLS: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";

#[tokio::test]
async fn only_a_verified_server_is_accepted() {
    let server = kit::tls().await;
    for parameters in [
        "sslmode=require&channel_binding=require&sslrootcert={authority}",
        "sslmode=verify-full&channel_binding=require&sslrootcert={authority}",
        "sslmode=prefer&sslrootcert={authority}",
    ] {
        let row =
            db(&server, "localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().expect(parameters);
        assert_eq!(row.get::<_, &str>(0), "TLSv1.3", "{parameters}");
    }
    for (host, parameters, reason) in [
        (
            "localhost",
            "sslmode=require",
            "UnknownIssuer (the certificate is not of the authorities that are trusted",
        ),
        ("localhost", "sslmode=verify-ca", "UnknownIssuer"),
        ("127.0.0.1", "sslmode=require&sslrootcert={authority}", "not valid for name"),
    ] {
        let error = db(&server, host, parameters).query("SELECT", &[]).await.unwrap_err().to_string();
        assert!(error.contains(reason), "{parameters}: {error}");
    }
    // Unencrypted only with sslmode=disable, or to this machine.
    for parameters in ["sslmode=disable", ""] {
        assert!(
            db(&server, "localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().is_none(),
            "{parameters}"
        );
    }
}

#[tokio::test]
async fn only_the_authorities_in_database_ca_are_trusted() {
    let (server, other) = tokio::join!(kit::tls(), kit::tls());
    let pem = |server: &Tls| std::fs::read_to_string(server.authority()).unwrap();
    let is_tls = async |url: String, pem: &str| {
        let db = Db::new(&Config::from_iter([("DATABASE_URL", url.as_str()), ("DATABASE_CA", pem)])).unwrap();
        db.query_opt(IS_TLS, &[]).await.map(|row| row.is_some()).map_err(|error| error.to_string())
    };
    let url = || server.url("localhost", "sslmode=verify-full");
    assert_eq!(is_tls(url(), &pem(&server)).await, Ok(true));
    assert_eq!(is_tls(url(), &format!("{}{}", pem(&other), pem(&server))).await, Ok(true), "a bundle");
    assert_eq!(is_tls(url(), &pem(&server).replace('\n', "\\n")).await, Ok(true), "in one line");
    // DATABASE_CA takes precedence: the file is not read.
    let with_file = server.url("localhost", "sslmode=verify-full&sslrootcert=/nonexistent.pem");
    assert_eq!(is_tls(with_file, &pem(&server)).await, Ok(true));
    let refused = is_tls(url(), &pem(&other)).await.unwrap_err();
    assert!(refused.contains("(the certificate is not of the authorities that are trusted"), "{refused}");
}

#[test]
fn an_invalid_certificate_in_database_ca_is_reported() {
    for pem in ["global-bundle.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
        let url = "postgresql://todo@db.example.com/todo";
        let error = Db::new(&Config::from_iter([("DATABASE_URL", url), ("DATABASE_CA", pem)])).err().unwrap();
        assert!(error.to_string().starts_with("DATABASE_CA cannot be used: "), "{error}");
    }
}

#[test]
fn an_unusable_sslrootcert_file_is_named() {
    for file in ["/nonexistent.pem", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")] {
        let url = format!("postgresql://todo@db.example.com/todo?sslrootcert={file}");
        let error = Db::new(&Config::from_iter([("DATABASE_URL", url)])).err().unwrap().to_string();
        assert!(error.contains(file) && error.contains("sslrootcert"), "{error}");
    }
}
