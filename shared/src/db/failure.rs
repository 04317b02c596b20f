//! Classes of database errors, which decide on retries, and their descriptions for the log.

use std::io::ErrorKind;

use deadpool::managed::PoolError;
use tokio_postgres::error::SqlState;

/// A failure to connect. No statement was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ConnectError {
    /// Retried until the deadline.
    Transient,
    /// Retried once, because other clients may disconnect.
    TooMany,
    /// Not retried, because somebody has to change something.
    Permanent,
}

use ConnectError::{Permanent, TooMany, Transient};

/// The messages with which poolers and proxies refuse a connection, matched in this order by what they contain. Their
/// SQLSTATEs do not help: PgBouncer sends 08P01 for nearly everything, Neon's proxy and Supavisor XX000.
const MESSAGES: &[(&str, ConnectError)] = &[
    // Neon's proxy and control plane:
    // https://github.com/neondatabase/neon/tree/main/proxy/src (auth/mod.rs, auth/credentials.rs, compute/mod.rs,
    // control_plane/errors.rs, control_plane/messages.rs) and https://neon.com/docs/connect/connection-errors.
    ("endpoint is disabled", Permanent),
    ("endpoint has been disabled", Permanent),
    ("endpoint cannot be found", Permanent),
    ("could not be found", Permanent),
    ("quota", Permanent),
    ("exceeded the compute time", Permanent),
    ("concurrently active endpoints", Permanent),
    ("ndpoint ID is not specified", Permanent),
    ("not allowed to connect to this endpoint", Permanent),
    ("from a blocked network", Permanent),
    ("connection is insecure", Permanent),
    ("Inconsistent project name", Permanent),
    ("attempting to use is protected", Permanent),
    ("Too many connections attempts", TooMany),
    ("Failed to acquire permit to connect to the database", TooMany),
    ("Too many connections to this endpoint", TooMany),
    ("exceeded the rate limit", TooMany),
    ("Couldn't connect to compute node", Transient),
    ("Control plane request failed", Transient),
    ("already has running operations", Transient),
    // Supavisor, whose messages start with a code in parentheses since 2025:
    // https://github.com/supabase/supavisor/tree/main/lib/supavisor (errors/, client_handler/error.ex, circuit_breaker.ex).
    // Its circuit breaker stays open for ten minutes.
    ("(ECIRCUITBREAKER)", Permanent),
    ("ircuit breaker open", Permanent),
    ("new connections are temporarily blocked", Permanent),
    ("ENANTNOTFOUND)", Permanent),
    ("(ENOTFOUND)", Permanent),
    ("Tenant or user not found", Permanent),
    ("user not found in the database", Permanent),
    ("no auth_query configured", Permanent),
    ("SSL connection is required", Permanent),
    ("(ESSLREQUIRED)", Permanent),
    ("(EADDRNOTALLOWED)", Permanent),
    ("not in tenant allow_list", Permanent),
    ("(EBANNED)", Permanent),
    ("(ENOIDENTIFIER)", Permanent),
    ("(EINVALIDUSERINFO)", Permanent),
    ("(EAUTHPROTOCOL)", Permanent),
    ("(ESTARTUPMESSAGE)", Permanent),
    ("(EMAXC", TooMany),
    ("(EMAXPROXYCONN)", TooMany),
    ("ax client connections reached", TooMany),
    ("max clients reached", TooMany),
    ("Max pools count reached", TooMany),
    ("(ECHECKOUTTIMEOUT)", TooMany),
    ("Unable to check out process from the pool", TooMany),
    ("connection to database not available", Transient),
    ("auth_query connection failed", Transient),
    ("(EDBHANDLEREXITED)", Transient),
    ("(EAUTHTIMEOUT)", Transient),
    ("connection failure during authentication", Transient),
    // Amazon RDS Proxy: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy.troubleshooting.html.
    ("has no credentials for the role", Permanent),
    ("The password that was provided for the role", Permanent),
    ("requires TLS connections", Permanent),
    ("maximum number of client connections", TooMany),
    ("Rate of connection to proxy exceeded", TooMany),
    ("too many competing requests", TooMany),
    // PgBouncer: https://github.com/pgbouncer/pgbouncer/tree/master/src (client.c, objects.c, janitor.c). It repeats
    // the server's error as "server login has been failing, cached error: …".
    ("unsupported startup parameter", Permanent),
    ("unsupported options startup parameter", Permanent),
    ("SSL required", Permanent),
    ("bouncer config error", Permanent),
    ("no such database", Permanent),
    ("no such user", Permanent),
    ("authentication failed", Permanent),
    ("login rejected", Permanent),
    ("wrong password type", Permanent),
    ("no pg_hba.conf entry", Permanent),
    ("database removed", Permanent),
    ("\" is disabled", Permanent),
    ("does not exist", Permanent),
    ("no more connections allowed", TooMany),
    ("client connections exceeded", TooMany),
    ("query_wait_timeout", TooMany),
    // PostgreSQL, when a proxy passes the message on without the code (src/backend/tcop/backend_startup.c,
    // src/backend/utils/init/postinit.c of https://github.com/postgres/postgres).
    ("the database system is not accepting connections", Permanent),
    ("too many clients already", TooMany),
    ("remaining connection slots are reserved", TooMany),
    ("too many connections for", TooMany),
    ("the database system is", Transient),
    ("during database shutdown", Transient),
];

impl ConnectError {
    pub(super) fn of(error: &PoolError<tokio_postgres::Error>) -> Self {
        match error {
            PoolError::Timeout(_) => Transient,
            PoolError::Backend(error) => match error.as_db_error() {
                Some(error) => Self::classify(error.code(), error.message()),
                None => match io_error(error) {
                    // The former primary after a failover.
                    Some(error) if error.to_string().contains("does not allow writes") => Transient,
                    Some(error) => match error.kind() {
                        // A certificate that cannot be verified is `InvalidData`.
                        ErrorKind::InvalidData
                        | ErrorKind::InvalidInput
                        | ErrorKind::NotFound
                        | ErrorKind::PermissionDenied => Permanent,
                        _ => Transient,
                    },
                    None if error.is_closed() => Transient,
                    None => Permanent,
                },
            },
            _ => Permanent,
        }
    }

    /// Classifies an error of the server by its message, then by its code.
    fn classify(state: &SqlState, message: &str) -> Self {
        if let Some((_, class)) = MESSAGES.iter().find(|(text, _)| message.contains(text)) {
            return *class;
        }
        match state.code() {
            "53300" => TooMany,
            "57P01" | "57P02" | "57P03" => Transient,
            code if code.starts_with("08") => Transient,
            _ => Permanent,
        }
    }
}

/// A failure of a statement that was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum StatementError {
    /// The connection was lost. The statement may have run.
    Lost,
    /// It conflicted with other sessions and was rolled back. A retry may succeed.
    RolledBack,
    /// It was stopped because it took too long, or memory or disk ran out.
    Stopped,
    /// The statement itself is wrong. A retry would fail again.
    Refused,
}

impl StatementError {
    pub(super) fn of(error: &tokio_postgres::Error) -> Self {
        match error.code() {
            Some(state) => Self::classify(state),
            None if error.is_closed() => Self::Lost,
            None => match io_error(error).map(std::io::Error::kind) {
                // A server that does not speak PostgreSQL's protocol will not do so after a retry either.
                None | Some(ErrorKind::InvalidInput | ErrorKind::InvalidData) => Self::Refused,
                Some(_) => Self::Lost,
            },
        }
    }

    fn classify(state: &SqlState) -> Self {
        match state.code() {
            // Serialization failure, deadlock.
            "40001" | "40P01" => Self::RolledBack,
            // Shutdown by an administrator or after a crash, startup, idle timeout.
            "57P01" | "57P02" | "57P03" | "57P05" => Self::Lost,
            // Cancelled, for example by statement_timeout.
            "57014" => Self::Stopped,
            code if code.starts_with("08") => Self::Lost,
            code if code.starts_with("53") => Self::Stopped,
            _ => Self::Refused,
        }
    }
}

fn io_error(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    std::error::Error::source(error)?.downcast_ref()
}

pub(super) fn is_timeout(error: &tokio_postgres::Error) -> bool {
    io_error(error).is_some_and(|error| error.kind() == ErrorKind::TimedOut)
}

/// Returns the message, its cause ("error connecting to server: Connection refused") and, for some errors, a hint.
/// Errors that a server or pooler sends need none, because they name the problem (no such database, endpoint disabled).
pub(super) fn describe(error: &tokio_postgres::Error) -> String {
    let Some(source) = std::error::Error::source(error) else { return error.to_string() };
    let message = format!("{error}: {source}");
    let hint = match io_error(error).map(std::io::Error::kind) {
        Some(ErrorKind::TimedOut) => {
            "nothing answers at this address; check security groups, firewalls and routes, which may drop packets"
        }
        // rustls reports BadSignature if a trusted certificate has the issuer's name but another key.
        Some(ErrorKind::InvalidData)
            if ["UnknownIssuer", "BadSignature"].iter().any(|reason| message.contains(reason)) =>
        {
            "the server's certificate is not signed by a trusted authority; put the authority's certificate into \
             DATABASE_CA, or into a file that sslrootcert in DATABASE_URL names"
        }
        Some(ErrorKind::InvalidData) if message.contains("ProtocolVersion") => {
            "the server does not support TLS 1.3"
        }
        Some(ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) if is_handshake_error(error) => {
            "the server closed the connection during the TLS handshake"
        }
        _ => return message,
    };
    format!("{message} ({hint})")
}

/// True if the server closed the connection, or sent something else, instead of starting TLS.
pub(super) fn is_tls_refused(error: &PoolError<tokio_postgres::Error>) -> bool {
    let PoolError::Backend(error) = error else { return false };
    is_handshake_error(error)
        && io_error(error).is_some_and(|error| {
            matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset)
                || error.to_string().contains("InvalidContentType")
        })
}

/// True if the TLS handshake failed. The message is the only sign that tokio-postgres gives.
fn is_handshake_error(error: &tokio_postgres::Error) -> bool {
    error.to_string().starts_with("error performing TLS handshake")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_errors_are_classified() {
        for (code, message, class) in [
            ("57P03", "the database system is starting up", Transient),
            ("57P03", "the database system is not yet accepting connections", Transient),
            ("57P03", "the database system is not accepting connections", Permanent),
            ("57P03", "the database system is in recovery mode", Transient),
            ("42501", "must be superuser to connect during database shutdown", Transient),
            ("57P01", "terminating connection due to administrator command", Transient),
            ("08006", "", Transient),
            ("53300", "sorry, too many clients already", TooMany),
            (
                "53300",
                "remaining connection slots are reserved for roles with the SUPERUSER attribute",
                TooMany,
            ),
            ("53300", "too many connections for role \"todo\"", TooMany),
            ("28P01", "password authentication failed for user \"todo\"", Permanent),
            (
                "28000",
                "no pg_hba.conf entry for host \"203.0.113.7\", user \"todo\", no encryption",
                Permanent,
            ),
            ("3D000", "database \"todo\" does not exist", Permanent),
            ("55000", "database \"todo\" is not currently accepting connections", Permanent),
            // PgBouncer.
            ("08P01", "server login has been failing, try again later (server_login_retry)", Transient),
            (
                "08P01",
                "server login has been failing, cached error: connect failed (server_login_retry)",
                Transient,
            ),
            (
                "08P01",
                "server login has been failing, cached error: password authentication failed for us",
                Permanent,
            ),
            (
                "08P01",
                "server login has been failing, cached error: database \"todo\" does not exist",
                Permanent,
            ),
            ("08P01", "client_login_timeout (server down)", Transient),
            ("08P01", "server shutting down", Transient),
            ("08P01", "pgbouncer cannot connect to server", Transient),
            ("08P01", "no more connections allowed (max_client_conn)", TooMany),
            ("08P01", "client connections exceeded (max_db_client_connections)", TooMany),
            ("08P01", "query_wait_timeout", TooMany),
            ("08P01", "no such database: todo", Permanent),
            ("08P01", "no such user", Permanent),
            ("08P01", "database \"todo\" is disabled", Permanent),
            ("08P01", "FATAL: password authentication failed for user \"todo\"", Permanent),
            ("08P01", "SASL authentication failed", Permanent),
            ("08P01", "unsupported startup parameter: statement_timeout", Permanent),
            ("08P01", "unsupported startup parameter in options: search_path", Permanent),
            ("08P01", "SSL required", Permanent),
            ("08P01", "bouncer config error", Permanent),
            ("08P01", "login rejected", Permanent),
            // Neon.
            ("XX000", "Couldn't connect to compute node", Transient),
            ("XX000", "Control plane request failed", Transient),
            ("XX000", "Your project already has running operations. Please wait", Transient),
            ("XX000", "Too many connections attempts", TooMany),
            (
                "XX000",
                "Failed to acquire permit to connect to the database. Too many database connection attempts are \
                 currently ongoing.",
                TooMany,
            ),
            ("XX000", "Too many connections to this endpoint. Please try again later.", TooMany),
            ("XX000", "no more connections allowed (max_client_conn)", TooMany),
            (
                "XX000",
                "remaining connection slots are reserved for non-replication superuser connections",
                TooMany,
            ),
            ("XX000", "the database system is starting up", Transient),
            ("XX000", "The endpoint has been disabled. Enable it using Neon API and retry.", Permanent),
            ("XX000", "Control plane request failed: endpoint is disabled", Permanent),
            ("XX000", "Control plane request failed: endpoint cannot be found", Permanent),
            (
                "XX000",
                "Control plane request failed: endpoint is temporarily unavailable. Check your quotas and/or contact \
                 our support.",
                Permanent,
            ),
            ("XX000", "The requested endpoint could not be found, or you don't have access to it", Permanent),
            ("XX000", "Your account or project has exceeded the compute time quota.", Permanent),
            (
                "XX000",
                "You have exceeded the limit of concurrently active endpoints. Please try again.",
                Permanent,
            ),
            (
                "XX000",
                "Endpoint ID is not specified. Either please upgrade the postgres client library",
                Permanent,
            ),
            ("XX000", "This IP address 203.0.113.7 is not allowed to connect to this endpoint.", Permanent),
            (
                "XX000",
                "unsupported startup parameter in options: search_path. Please use unpooled connection",
                Permanent,
            ),
            ("XX000", "password authentication failed for user 'todo'", Permanent),
            ("XX000", "an unknown message", Permanent),
            // Supavisor, before and since 2025.
            ("XX000", "Max client connections reached", TooMany),
            ("XX000", "(EMAXCONN) max client connections reached, limit: 200", TooMany),
            (
                "XX000",
                "MaxClientsInSessionMode: max clients reached - in Session mode max clients are limited",
                TooMany,
            ),
            ("XX000", "(EMAXCONNSESSION) max clients reached in session mode", TooMany),
            ("XX000", "(EMAXCLIENTCONN) …", TooMany),
            ("XX000", "Unable to check out process from the pool due to timeout", TooMany),
            ("XX000", "(ECHECKOUTTIMEOUT) Pool checkout timeout. Request was dropped after 60000ms", TooMany),
            ("XX000", "Tenant or user not found", Permanent),
            ("XX000", "(ENOTFOUND) tenant/user postgres.abc not found", Permanent),
            (
                "XX000",
                "(ECIRCUITBREAKER) too many authentication failures, new connections are blocked",
                Permanent,
            ),
            ("XX000", "SSL connection is required", Permanent),
            ("XX000", "Address not in tenant allow_list: {203, 0, 113, 7}", Permanent),
            (
                "XX000",
                "(EAUTHQUERY) authentication query failed: connection to database not available",
                Transient,
            ),
            ("XX000", "(EDBHANDLEREXITED) connection to database closed", Transient),
            ("08006", "connection failure during authentication", Transient),
            ("08006", "Failed to connect to database: {:error, :econnrefused}", Transient),
            ("08P01", "(EAUTHPROTOCOL) protocol violation during authentication", Permanent),
            // Amazon RDS Proxy.
            ("08000", "Timed-out waiting to acquire database connection", Transient),
            ("28000", "This RDS Proxy requires TLS connections", Permanent),
            ("XX000", "The maximum number of client connections to the proxy exceeded", TooMany),
            ("28000", "IAM authentication failed because of too many competing requests", TooMany),
        ] {
            assert_eq!(
                ConnectError::classify(&SqlState::from_code(code), message),
                class,
                "{code} {message}"
            );
        }
    }

    #[test]
    fn statement_errors_are_classified() {
        for (code, class) in [
            ("40001", StatementError::RolledBack),
            ("40P01", StatementError::RolledBack),
            ("57P01", StatementError::Lost),
            ("57P05", StatementError::Lost),
            ("08006", StatementError::Lost),
            ("08P01", StatementError::Lost),
            ("57014", StatementError::Stopped),
            ("53200", StatementError::Stopped),
            ("23505", StatementError::Refused),
            ("42601", StatementError::Refused),
            ("XX000", StatementError::Refused),
        ] {
            assert_eq!(StatementError::classify(&SqlState::from_code(code)), class, "{code}");
        }
    }
}
