//! TLS and SCRAM with channel binding, to a PostgreSQL whose certificate is of an authority of the test's own.

#![cfg(test)]

use shared::{Config, Db};
use testing::Tls;

fn db(server: &Tls, host: &str, parameters: &str) -> Db {
    Db::new(&Config::from_iter([("DATABASE_URL", server.url(host, parameters))])).unwrap()
}

const IS_TLS: &str = "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";

#[tokio::test]
async fn only_a_verified_server_is_talked_to() {
    let server = testing::tls().await;
    for parameters in [
        "sslmode=require&channel_binding=require&sslrootcert={authority}",
        "sslmode=verify-full&channel_binding=require&sslrootcert={authority}",
        "sslmode=prefer&sslrootcert={authority}",
    ] {
        let row =
            db(&server, "localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().expect(parameters);
        assert_eq!(row.get::<_, &str>(0), "TLSv1.3", "{parameters}");
    }
    for (host, parameters, why) in [
        ("localhost", "sslmode=require", "UnknownIssuer"),
        ("localhost", "sslmode=verify-ca", "UnknownIssuer"),
        ("127.0.0.1", "sslmode=require&sslrootcert={authority}", "not valid for name"),
        ("127.0.0.1", "sslmode=disable&channel_binding=require", "channel binding"),
    ] {
        let error = db(&server, host, parameters).query("SELECT", &[]).await.unwrap_err().to_string();
        assert!(error.contains(why), "{parameters}: {error}");
    }
    // In the clear only when asked for, or to this machine.
    for parameters in ["sslmode=disable", ""] {
        assert!(
            db(&server, "localhost", parameters).query_opt(IS_TLS, &[]).await.unwrap().is_none(),
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
