//! `POST /auth/signup`: a new user, and an access token for them.

use axum::{Router, extract::State, http::StatusCode, routing::post};
use deserr::{Deserr, ValuePointerRef};
use email_address::{EmailAddress, Options};
use jiff::Timestamp;
use shared::{
    Config, Db, Error, config,
    extract::{ClientIp, Json, UserAgent},
    jwt::{Issuer, Session},
    password::{Hasher, Password},
    session::Lifetimes,
    user::{EMAIL_MAX_BYTES, User, Username, canonical_email},
    validation::{ValidationErrors, Violation},
};
use tokio_postgres::types::Type;
use uuid::Uuid;

/// The variables that may come from SSM Parameter Store. template.yaml allows the function to read them there.
pub const SECRETS: &[&str] = &["DATABASE_URL", "DATABASE_CA", "JWT_SECRET"];

#[derive(Clone)]
struct AppState {
    db: Db,
    issuer: Issuer,
    hasher: Hasher,
    lifetimes: Lifetimes,
    /// Attempts per hour and client IP. 0 means no limit.
    ip_limit: i32,
}

impl AppState {
    fn new(config: &Config, db: Db) -> Result<Self, config::Error> {
        Ok(Self {
            db,
            issuer: Issuer::new(config)?,
            hasher: Hasher::new(config)?,
            lifetimes: Lifetimes::new(config)?,
            ip_limit: config.number("SIGNUP_LIMIT_PER_ADDRESS", 60, 0..=1_000_000)?,
        })
    }
}

/// The routes of this function.
pub fn router(config: &Config, db: Db) -> Result<Router, config::Error> {
    Ok(Router::new().route("/auth/signup", post(signup)).with_state(AppState::new(config, db)?))
}

#[derive(Deserr)]
#[deserr(error = ValidationErrors, validate = reject_guessable_password -> ValidationErrors)]
struct NewUser {
    #[deserr(try_from(String) = parse_email -> Violation)]
    email: String,
    password: Password,
    #[deserr(default)]
    username: Username,
}

async fn signup(
    State(app): State<AppState>,
    ClientIp(ip): ClientIp,
    UserAgent(user_agent): UserAgent,
    Json(NewUser { email, password, username: Username(username) }): Json<NewUser>,
) -> Result<(StatusCode, Json<Session>), Error> {
    let row = app
        .db
        .query_opt(
            "SELECT take_attempt('signup', $1, '', $2) AS retry_after",
            &[(&ip, Type::INET), (&app.ip_limit, Type::INT4)],
        )
        .await?
        .ok_or(Error::Internal)?;
    if let Some(retry_after) = row.try_get("retry_after")? {
        return Err(Error::TooManyAttempts { retry_after });
    }
    let hash = app.hasher.hash(password).await?;
    let user = User { id: Uuid::now_v7(), email, username };
    let session = Uuid::now_v7();
    let row = app
        .db
        .query_opt(
            // If the id exists already, this statement was sent before and its answer was lost.
            "WITH me AS ( \
                 INSERT INTO users (id, email, username, hashed_password) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (id) DO NOTHING RETURNING id \
             ) \
             SELECT start_session($5, coalesce((SELECT id FROM me), $1), make_interval(secs => $6), $7, $8) AS expires_at",
            &[
                (&user.id, Type::UUID),
                (&user.email, Type::TEXT),
                (&user.username, Type::TEXT),
                (&hash, Type::TEXT),
                (&session, Type::UUID),
                (&app.lifetimes.of_new(), Type::INT4),
                (&user_agent, Type::TEXT),
                (&ip, Type::INET),
            ],
        )
        .await
        .map_err(|error| match error.constraint() {
            Some("users_email_key") => Error::EmailTaken,
            Some("users_username_key") => Error::UsernameTaken,
            _ => error.into(),
        })?
        .ok_or(Error::Internal)?;
    let session = app.issuer.session(user, session, 0, row.try_get("expires_at")?, Timestamp::now())?;
    Ok((StatusCode::CREATED, Json(session)))
}

fn reject_guessable_password(user: NewUser, at: ValuePointerRef) -> Result<NewUser, ValidationErrors> {
    match user.password.reject_guessable(&user.email, user.username.0.as_deref()) {
        Ok(()) => Ok(user),
        Err(violation) => Err(violation.at(at.push_key("password"))),
    }
}

/// Accepts ASCII only: Unicode has letters that look alike or are invisible, and two users must never be mistaken for each
/// other. A domain in another script is written in Punycode.
fn parse_email(sent: String) -> Result<String, Violation> {
    let email = canonical_email(&sent);
    let options = Options::default().with_required_tld().without_domain_literal().without_display_text();
    let fits = email.len() <= EMAIL_MAX_BYTES
        && email.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"')
        && EmailAddress::parse_with_options(&email, options).is_ok_and(|email| is_host_name(email.domain()));
    if fits {
        Ok(email)
    } else {
        Err(Violation::new(
            "value_error",
            "Email should be an address such as name@example.com, in ASCII, of at most 254 characters",
        ))
    }
}

/// True for labels of letters, digits and hyphens of which the last is not a number, as in an IP address (RFC 1123 §2.1).
fn is_host_name(domain: &str) -> bool {
    let ends_in_a_number =
        domain.rsplit('.').next().is_none_or(|last| last.bytes().all(|b| b.is_ascii_digit()));
    !ends_in_a_number && domain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[test]
    fn an_email_is_trimmed_and_put_in_lower_case() {
        assert_eq!(parse_email(" A.B+c@Example.COM\t".to_owned()).unwrap(), "a.b+c@example.com");
    }

    #[test]
    fn an_email_has_at_most_254_characters_and_its_local_part_64() {
        let of = |local: usize, domain: usize| {
            let mut labels = format!("{}.", "d".repeat(49)).repeat(domain / 50 + 1);
            labels.truncate(domain - 4);
            parse_email(format!("{}@{labels}.com", "l".repeat(local)))
        };
        assert_eq!(of(64, 189).unwrap().len(), 254);
        assert!(of(64, 190).is_err());
        assert!(of(65, 20).is_err());
    }

    #[test]
    fn an_email_is_one_plain_ascii_mailbox() {
        for bad in [
            "",
            "a",
            "@",
            "a@",
            "@b.com",
            "a@b",
            "a@b@c.com",
            "a b@c.com",
            "a@b c.com",
            "a@b.com\r\nx",
            "a\0@b.com",
            "<a@b.com>",
            "A <a@b.com>",
            "\"a b\"@c.com",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a@b.1",
            "a@b_c.com",
            "a@-b.com",
            "a@b..com",
            ".a@b.com",
            "a.@b.com",
            "a..b@c.com",
            "\u{212a}@b.com",
            "ı@b.com",
            "a\u{200b}@b.com",
            "ä@b.com",
            "a@münchen.de",
        ] {
            assert!(parse_email(bad.to_owned()).is_err(), "{bad:?}");
        }
    }

    /// Any characters, and texts that are almost an e-mail.
    fn sent() -> impl Strategy<Value = String> {
        let any = vec(any::<char>(), 0..40).prop_map(String::from_iter);
        prop_oneof![
            any,
            r#"\s?[a-zA-Z0-9.+_"<> @é-]{0,8}@[a-zA-Z0-9.@_ é-]{0,8}(\.[a-zA-Z0-9-]{1,4})?\s?"#,
            "[aA.\"é\u{212a}\u{0}\u{200b}\\PC]{1,3}@[bB.-]{0,2}c\\.com",
            mailbox()
        ]
    }

    fn mailbox() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9+_-]{1,20}(\\.[a-zA-Z0-9+_-]{1,20}){0,2}@([a-zA-Z0-9]{1,20}\\.){1,3}[a-zA-Z]{2,6}"
    }

    proptest! {
        #[test]
        fn an_accepted_email_is_in_canonical_form(sent in sent()) {
            if let Ok(email) = parse_email(sent.clone()) {
                prop_assert!(email.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
                prop_assert_eq!(email.matches('@').count(), 1);
                prop_assert!(email.len() <= 254);
                prop_assert!(email.eq_ignore_ascii_case(sent.trim()));
                prop_assert_eq!(parse_email(email.clone()).ok(), Some(email));
            }
        }

        #[test]
        fn case_and_surrounding_space_do_not_make_another_user(
            mailbox in mailbox(),
            upper in vec(any::<bool>(), 120),
            space in ("\\s{0,3}", "\\s{0,3}"),
        ) {
            let cased: String = mailbox
                .chars()
                .zip(upper.into_iter().chain(std::iter::repeat(false)))
                .map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
                .collect();
            let other = format!("{}{cased}{}", space.0, space.1);
            prop_assert_eq!(parse_email(mailbox).unwrap(), parse_email(other).unwrap());
        }
    }
}
