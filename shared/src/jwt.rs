//! Access and refresh tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, and nothing else (RFC 8725 §3.1).
//!
//! Each kind has its own `typ`, and its verifier takes no other (RFC 8725 §3.11).

use std::sync::Arc;

use jiff::Timestamp;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result as JwtResult},
};
use ring::hmac;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{Config, config, db::Database, error::Error, telemetry, user::User};

/// The secret that signs the tokens in `events/`. It is public, so it is accepted only with a database on this machine.
pub const DEMO_SECRET: &str = "demo-secret-for-local-events-only-0123456789abcdef";

/// The smallest secret, in bytes: a key for HS256 is at least as long as the hash's output (RFC 7518 §3.2).
const SECRET_MIN_BYTES: usize = 32;

const SECRET_FORM: &str = "at least 32 random bytes, for example what `openssl rand -hex 32` prints";

/// The `typ` of an access token. A token without one is taken for an access token too.
const ACCESS: &str = "JWT";

/// The `typ` of a refresh token.
const REFRESH: &str = "refresh+jwt";

/// The difference allowed between the clocks of two machines, in seconds.
const LEEWAY: i64 = 5;

/// Signs tokens.
#[derive(Clone)]
pub struct Issuer {
    key: Arc<EncodingKey>,
    /// The lifetime of an access token, in seconds.
    ttl: i64,
}

/// Verifies tokens that were signed with the present or the previous secret.
#[derive(Clone)]
pub struct Verifier {
    keys: Arc<[DecodingKey]>,
    validation: Arc<Validation>,
}

/// The answer that signs a user in: an access token and a refresh token (RFC 6749 §5.1), and the user.
#[derive(Serialize)]
pub struct Session {
    access_token: String,
    token_type: &'static str,
    /// Seconds.
    expires_in: i64,
    refresh_token: String,
    /// Seconds.
    refresh_expires_in: i64,
    user: User,
}

/// The claims of an access token that a client has.
#[derive(Deserialize)]
pub struct AccessClaims {
    /// The user.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    exp: i64,
    nbf: Option<i64>,
}

/// The claims of a refresh token that a client has.
#[derive(Deserialize)]
pub struct RefreshClaims {
    /// The user.
    pub sub: Uuid,
    /// The session.
    pub sid: Uuid,
    /// The session's counter.
    pub n: i32,
    exp: i64,
    nbf: Option<i64>,
}

impl Issuer {
    /// Reads `JWT_SECRET` and `ACCESS_TOKEN_TTL`, the lifetime of an access token in seconds (1 to 315,360,000, default
    /// 604,800, a week).
    ///
    /// # Errors
    /// A variable is missing or unusable.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        install_provider();
        Ok(Self {
            key: Arc::new(EncodingKey::from_secret(secret(config)?.as_bytes())),
            ttl: config.number("ACCESS_TOKEN_TTL", 604_800, 1..=315_360_000)?,
        })
    }

    /// Signs the tokens of the session `sid` of `user`. The refresh token depends on the session alone, so that it is the
    /// same however often it is made.
    ///
    /// # Errors
    /// [`Error::Internal`] if they cannot be signed.
    pub fn session(
        &self,
        user: User,
        sid: Uuid,
        counter: i32,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<Session, Error> {
        #[derive(Serialize)]
        struct Access<'a> {
            sub: Uuid,
            sid: Uuid,
            email: &'a str,
            iat: i64,
            exp: i64,
        }
        #[derive(Serialize)]
        struct Refresh {
            sub: Uuid,
            sid: Uuid,
            n: i32,
            exp: i64,
        }
        telemetry::record(|fields| fields.user_id = Some(user.id));
        let (iat, end) = (now.as_second(), expires_at.as_second());
        let exp = iat.saturating_add(self.ttl).min(end);
        let access = Access { sub: user.id, sid, email: &user.email, iat, exp };
        let refresh = Refresh { sub: user.id, sid, n: counter, exp: end };
        Ok(Session {
            access_token: self.sign(ACCESS, &access)?,
            token_type: "bearer",
            expires_in: exp - iat,
            refresh_token: self.sign(REFRESH, &refresh)?,
            refresh_expires_in: end - iat,
            user,
        })
    }

    fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, Error> {
        let header = Header { typ: Some(typ.to_owned()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &json_for_atob(claims)?, &self.key).map_err(|error| {
            tracing::error!(%error, "token cannot be signed");
            Error::Internal
        })
    }
}

/// Writes claims as JSON whose base64url has neither `-` nor `_`, because front ends decode it with `atob`, which takes the
/// other alphabet of base64. Of ASCII, only three printable characters get one of them; they are written as escapes.
fn json_for_atob(claims: &impl Serialize) -> Result<Box<RawValue>, serde_json::Error> {
    let json = serde_json::to_string(claims)?;
    RawValue::from_string(json.replace('>', "\\u003e").replace('?', "\\u003f").replace('~', "\\u007e"))
}

impl Verifier {
    /// Reads `JWT_SECRET` and, if it is set, `JWT_SECRET_PREVIOUS`, which verifies tokens while a secret is being replaced.
    ///
    /// # Errors
    /// A variable is missing or unusable.
    pub fn new(config: &Config) -> Result<Self, config::Error> {
        install_provider();
        let keys = [Some(secret(config)?), optional_secret(config, "JWT_SECRET_PREVIOUS")?];
        let keys = keys.into_iter().flatten().map(|secret| DecodingKey::from_secret(secret.as_bytes()));
        // `is_now` checks the times: the library reads the system's clock, allows 60 s of leeway and ignores `nbf`.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Ok(Self { keys: keys.collect(), validation: Arc::new(validation) })
    }

    /// Returns the claims of an access token that is valid at `now`, and no reason for one that is not.
    pub fn access(&self, token: &str, now: Timestamp) -> Option<AccessClaims> {
        self.expired_access(token, now).filter(|claims| is_before(now, claims.exp))
    }

    /// Returns the claims of an access token that is valid at `now` or was so before.
    pub fn expired_access(&self, token: &str, now: Timestamp) -> Option<AccessClaims> {
        self.decode(token, &[None, Some(ACCESS)]).filter(|claims: &AccessClaims| is_after(now, claims.nbf))
    }

    /// Returns the claims of a refresh token that is valid at `now`. Its session may have gone on without it.
    pub fn refresh(&self, token: &str, now: Timestamp) -> Option<RefreshClaims> {
        self.decode(token, &[Some(REFRESH)])
            .filter(|claims: &RefreshClaims| is_before(now, claims.exp) && is_after(now, claims.nbf))
    }

    /// Returns the claims of a token of one of these types (RFC 8725 §3.11) that we have signed.
    fn decode<C: DeserializeOwned>(&self, token: &str, types: &[Option<&str>]) -> Option<C> {
        let decode = |key| jsonwebtoken::decode(token, key, &self.validation).ok();
        let TokenData { header, claims, .. } = self.keys.iter().find_map(decode)?;
        let typ = header.typ.map(|typ| typ.to_ascii_lowercase());
        // RFC 7515 §4.1.11: an extension in `crit` that is not understood makes the token invalid; we understand none.
        let is_ours = header.crit.is_none() && types.iter().any(|of| of.map(str::to_ascii_lowercase) == typ);
        is_ours.then_some(claims)
    }
}

fn is_before(now: Timestamp, exp: i64) -> bool {
    now.as_second() < exp.saturating_add(LEEWAY)
}

fn is_after(now: Timestamp, nbf: Option<i64>) -> bool {
    nbf.is_none_or(|nbf| nbf <= now.as_second().saturating_add(LEEWAY))
}

/// Reads `JWT_SECRET`.
fn secret(config: &Config) -> Result<&str, config::Error> {
    optional_secret(config, "JWT_SECRET")?.ok_or_else(|| config.missing("JWT_SECRET", SECRET_FORM))
}

fn optional_secret<'a>(config: &'a Config, name: &str) -> Result<Option<&'a str>, config::Error> {
    let Some(secret) = config.unquoted(name)? else { return Ok(None) };
    if secret.len() < SECRET_MIN_BYTES {
        let length = secret.len();
        return Err(config::Error::new(format!(
            "{name} is too short ({length} bytes): it should be {SECRET_FORM}"
        )));
    }
    if secret == DEMO_SECRET && !Database::new(config)?.is_local() {
        return Err(config::Error::new(format!(
            "{name} is the public demo secret, which is refused unless the database is on this machine: it should be \
             {SECRET_FORM}"
        )));
    }
    Ok(Some(secret))
}

/// Installs ring, which is here for TLS already, as jsonwebtoken's back end. Its own are aws-lc-rs, which is large and slow
/// to start, and RustCrypto, whose `rsa` has RUSTSEC-2023-0071. HMAC is all that is needed.
fn install_provider() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?) as Box<dyn JwtSigner>)
        },
        verifier_factory: |algorithm, key| {
            Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?) as Box<dyn JwtVerifier>)
        },
        key_utils: KeyUtils::new_unimplemented(),
    };
    // An error means that an earlier call has installed it.
    let _ = PROVIDER.install_default();
}

struct Hs256(hmac::Key);

impl Hs256 {
    fn new(algorithm: Algorithm, secret: &[u8]) -> JwtResult<Self> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, secret))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl signature::Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl signature::Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        hmac::verify(&self.0, message, signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use base64::{
        Engine,
        engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
    };
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const PREVIOUS: &str = "fedcba9876543210fedcba9876543210";
    const USER: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0001);
    const SID: Uuid = Uuid::from_u128(0x019b_c000_0000_7000_8000_0000_0000_0004);
    const NOW: i64 = 1_800_000_000;

    /// The error of reading `JWT_SECRET` and `JWT_SECRET_PREVIOUS`.
    fn error<const N: usize>(variables: [(&str, &str); N]) -> String {
        Verifier::new(&Config::from_iter(variables)).err().expect("an error").to_string()
    }

    /// All characters that sign-up accepts in the local part of an e-mail.
    const MAILBOX: &str = "[a-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@[a-z0-9.-]{1,60}\\.[a-z]{2,6}";

    proptest! {
        #[test]
        fn atob_decodes_the_claims_of_any_email_that_can_sign_up(email in MAILBOX, iat in 0..4_000_000_000_i64) {
            let user = User { id: USER, email: email.clone(), username: None };
            let issuer = Issuer::new(&Config::from_iter([("JWT_SECRET", SECRET)])).unwrap();
            let expires_at = at(iat + 2_592_000);
            let session = issuer.session(user, SID, 0, expires_at, at(iat)).unwrap();
            let claims = session.access_token.split('.').nth(1).unwrap();
            prop_assert!(!claims.contains(['-', '_']), "{}", claims);
            let claims: Value = serde_json::from_slice(&STANDARD_NO_PAD.decode(claims).unwrap()).unwrap();
            prop_assert_eq!(claims, json!({ "sub": USER, "sid": SID, "email": email, "iat": iat, "exp": iat + 604_800 }));
        }
    }

    #[test]
    fn a_missing_or_empty_secret_is_named() {
        assert!(error([]).starts_with("JWT_SECRET is not set"));
        assert!(error([("JWT_SECRET", " \n")]).starts_with("JWT_SECRET is not set"));
    }

    #[test]
    fn a_secret_has_at_least_32_bytes() {
        let (short, long) = ("x".repeat(31), "x".repeat(32));
        assert_eq!(secret(&Config::from_iter([("JWT_SECRET", &long)])).unwrap(), long);
        assert!(error([("JWT_SECRET", &short)]).starts_with("JWT_SECRET is too short (31 bytes)"));
        let error = error([("JWT_SECRET", &long), ("JWT_SECRET_PREVIOUS", &short)]);
        assert!(error.starts_with("JWT_SECRET_PREVIOUS is too short (31 bytes)"), "{error}");
    }

    #[test]
    fn the_newline_of_a_secrets_file_is_not_part_of_the_secret_and_quotes_are_refused() {
        let config = Config::from_iter([("JWT_SECRET", format!("{SECRET}\n"))]);
        assert_eq!(secret(&config).unwrap(), SECRET);
        assert!(error([("JWT_SECRET", &format!("'{SECRET}'"))]).starts_with("JWT_SECRET is in quotes"));
    }

    #[test]
    fn the_demo_secret_is_refused_for_a_remote_database() {
        let with = |url| Config::from_iter([("JWT_SECRET", DEMO_SECRET), ("DATABASE_URL", url)]);
        assert!(secret(&with("postgres://u:p@127.0.0.1/d")).is_ok());
        let remote = with("postgresql://todo:secret@ep-cool-name-123456.eu-central-1.aws.neon.tech/neondb");
        assert!(secret(&remote).unwrap_err().to_string().contains("public demo secret"));
    }

    #[test]
    fn the_example_file_holds_the_demo_secret() {
        let example = include_str!("../../.env.example");
        assert!(example.contains(&format!("\nJWT_SECRET={DEMO_SECRET}\n")));
    }

    #[test]
    fn the_lifetime_of_a_token_is_at_least_a_second() {
        let issuer =
            |ttl| Issuer::new(&Config::from_iter([("JWT_SECRET", SECRET), ("ACCESS_TOKEN_TTL", ttl)]));
        assert_eq!(issuer("60").unwrap().ttl, 60);
        assert!(issuer("0").is_err());
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn verify(token: &str) -> Option<Uuid> {
        let verifier = Verifier::new(&Config::from_iter([("JWT_SECRET", SECRET)])).unwrap();
        verifier.access(token, at(NOW)).map(|claims| claims.sub)
    }

    /// Makes the answer for a session of Ada's that ends a day after `NOW`.
    fn session(config: &Config, counter: i32, now: i64) -> Session {
        let user = User { id: USER, email: "ada@example.com".to_owned(), username: None };
        Issuer::new(config).unwrap().session(user, SID, counter, at(NOW + 86_400), at(now)).unwrap()
    }

    fn signed(header: &Value, claims: &str, secret: &str) -> String {
        let part = |text: String| URL_SAFE_NO_PAD.encode(text);
        let message = format!("{}.{}", part(header.to_string()), part(claims.to_owned()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn with_claims(claims: &str) -> String {
        signed(&json!({ "alg": "HS256", "typ": "JWT" }), claims, SECRET)
    }

    fn with_header(header: &Value) -> String {
        signed(header, &claims(), SECRET)
    }

    fn claims() -> String {
        json!({ "sub": USER, "sid": SID, "exp": NOW + 60 }).to_string()
    }

    fn valid() -> String {
        with_claims(&claims())
    }

    #[test]
    fn an_issued_token_verifies_until_it_expires() {
        let config = Config::from_iter([("JWT_SECRET", SECRET), ("ACCESS_TOKEN_TTL", "60")]);
        let session = session(&config, 0, NOW);
        let verifier = Verifier::new(&config).unwrap();
        let verify = |second| {
            verifier.access(&session.access_token, at(second)).map(|claims| (claims.sub, claims.sid))
        };

        assert_eq!(session.expires_in, 60);
        assert_eq!(verify(NOW), Some((USER, SID)));
        assert_eq!(verify(NOW + 59 + LEEWAY), Some((USER, SID)));
        assert_eq!(verify(NOW + 60 + LEEWAY), None);
        let expired = verifier.expired_access(&session.access_token, at(NOW + 1_000_000));
        assert_eq!(expired.map(|claims| claims.sid), Some(SID));

        assert_eq!(part(&session.access_token, 0), json!({ "typ": "JWT", "alg": "HS256" }));
        let claims =
            json!({ "sub": USER, "sid": SID, "email": "ada@example.com", "iat": NOW, "exp": NOW + 60 });
        assert_eq!(part(&session.access_token, 1), claims);
    }

    fn part(token: &str, index: usize) -> Value {
        let part = token.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn no_token_outlives_its_session() {
        let session = session(&Config::from_iter([("JWT_SECRET", SECRET)]), 0, NOW);
        assert_eq!((session.expires_in, session.refresh_expires_in), (86_400, 86_400));
    }

    #[test]
    fn a_refresh_token_is_the_same_whenever_it_is_made_and_verifies_until_its_session_ends() {
        let config = Config::from_iter([("JWT_SECRET", SECRET)]);
        let token = session(&config, 7, NOW).refresh_token;
        assert_eq!(session(&config, 7, NOW + 3600).refresh_token, token);
        assert_ne!(session(&config, 8, NOW).refresh_token, token);
        assert_eq!(part(&token, 0), json!({ "typ": "refresh+jwt", "alg": "HS256" }));
        assert_eq!(part(&token, 1), json!({ "sub": USER, "sid": SID, "n": 7, "exp": NOW + 86_400 }));

        let verifier = Verifier::new(&config).unwrap();
        let verify =
            |second| verifier.refresh(&token, at(second)).map(|claims| (claims.sub, claims.sid, claims.n));
        assert_eq!(verify(NOW), Some((USER, SID, 7)));
        assert_eq!(verify(NOW + 86_399 + LEEWAY), Some((USER, SID, 7)));
        assert_eq!(verify(NOW + 86_400 + LEEWAY), None);
    }

    #[test]
    fn a_token_of_one_kind_is_none_of_the_other() {
        let config = Config::from_iter([("JWT_SECRET", SECRET)]);
        let (verifier, session) = (Verifier::new(&config).unwrap(), session(&config, 0, NOW));
        assert!(verifier.access(&session.refresh_token, at(NOW)).is_none());
        assert!(verifier.expired_access(&session.refresh_token, at(NOW)).is_none());
        assert!(verifier.refresh(&session.access_token, at(NOW)).is_none());
        let claims = json!({ "sub": USER, "sid": SID, "n": 0, "exp": NOW + 60 }).to_string();
        for (typ, access, refresh) in [
            (json!("JWT"), true, false),
            (json!("jwt"), true, false),
            (json!(null), true, false),
            (json!("refresh+jwt"), false, true),
            (json!("REFRESH+JWT"), false, true),
            (json!("at+jwt"), false, false),
        ] {
            let token = signed(&json!({ "alg": "HS256", "typ": typ }), &claims, SECRET);
            assert_eq!(verifier.access(&token, at(NOW)).is_some(), access, "{typ}");
            assert_eq!(verifier.refresh(&token, at(NOW)).is_some(), refresh, "{typ}");
        }
    }

    #[test]
    fn a_token_of_the_previous_secret_is_valid_while_that_secret_is_set() {
        let token = signed(&json!({ "alg": "HS256", "typ": "JWT" }), &claims(), PREVIOUS);
        assert_eq!(verify(&token), None);
        let both = Config::from_iter([("JWT_SECRET", SECRET), ("JWT_SECRET_PREVIOUS", PREVIOUS)]);
        let verifier = Verifier::new(&both).unwrap();
        assert!(verifier.access(&token, at(NOW)).is_some());
        assert!(verifier.access(&valid(), at(NOW)).is_some());
    }

    /// The order of docs/operations.md: every verifier gets the new secret, then issuers use it, then the old one goes.
    #[test]
    fn old_and_new_copies_accept_each_others_tokens_at_each_step_of_a_rotation() {
        const NEW: &str = "new-secret-0123456789abcdef-01234567";
        let steps = [(SECRET, ""), (SECRET, NEW), (NEW, SECRET), (NEW, "")].map(|(present, previous)| {
            Config::from_iter([("JWT_SECRET", present), ("JWT_SECRET_PREVIOUS", previous)])
        });
        let tokens = |config: &Config| session(config, 0, NOW);
        let accepts = |config: &Config, tokens: &Session| {
            let verifier = Verifier::new(config).unwrap();
            let access = verifier.access(&tokens.access_token, at(NOW)).is_some();
            assert_eq!(verifier.refresh(&tokens.refresh_token, at(NOW)).is_some(), access);
            access
        };
        // Copies of the step before still run during a step.
        for pair in steps[..3].windows(2) {
            for (issuer, verifier) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                assert!(accepts(&pair[verifier], &tokens(&pair[issuer])));
            }
        }
        // Without the first step they do not, and after the last step old tokens are invalid.
        assert!(!accepts(&steps[0], &tokens(&steps[2])));
        assert!(!accepts(&steps[3], &tokens(&steps[0])));
    }

    #[test]
    fn only_hs256_is_accepted() {
        assert_eq!(verify(&valid()), Some(USER));
        for alg in ["none", "None", "nOnE", "HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256", ""] {
            let token = with_header(&json!({ "alg": alg, "typ": "JWT" }));
            assert_eq!(verify(&token), None, "{alg}");
            let (unsigned, _) = token.rsplit_once('.').unwrap();
            assert_eq!(verify(&format!("{unsigned}.")), None, "{alg} without a signature");
        }
    }

    #[test]
    fn a_header_with_crit_or_another_typ_is_refused() {
        for extra in [
            json!({ "typ": "at+jwt" }),
            json!({ "typ": "" }),
            json!({ "crit": ["exp"] }),
            json!({ "crit": [] }),
            json!({ "crit": "exp" }),
        ] {
            let mut header = json!({ "alg": "HS256", "typ": "JWT" });
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            assert_eq!(verify(&with_header(&header)), None, "{header}");
        }
        // Hints to where a key is are ignored.
        let hints = json!({ "alg": "HS256", "kid": "../../dev/null", "jku": "https://example.com/jwks" });
        assert_eq!(verify(&with_header(&hints)), Some(USER));
    }

    #[test]
    fn missing_claims_and_claims_of_a_wrong_type_are_refused() {
        let exp = NOW + 60;
        for claims in [
            format!(r#"{{"sub": "{USER}", "sid": "{SID}"}}"#),
            format!(r#"{{"sub": "{USER}", "exp": {exp}}}"#),
            format!(r#"{{"sid": "{SID}", "exp": {exp}}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": "{exp}"}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": {exp}.5}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": null}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": -1}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": 1e300}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": 99999999999999999999}}"#),
            format!(r#"{{"sub": "ada@example.com", "sid": "{SID}", "exp": {exp}}}"#),
            format!(r#"{{"sub": ["{USER}"], "sid": "{SID}", "exp": {exp}}}"#),
            format!(r#"{{"sub": "{USER}", "sub": "{USER}", "sid": "{SID}", "exp": {exp}}}"#),
            format!(r#"{{"sub": "{USER}", "sid": "{SID}", "exp": {exp}, "nbf": "{NOW}"}}"#),
            "[]".to_owned(),
            "null".to_owned(),
            String::new(),
        ] {
            assert_eq!(verify(&with_claims(&claims)), None, "{claims}");
        }
    }

    #[test]
    fn a_token_is_not_valid_before_its_nbf() {
        let token =
            |nbf| with_claims(&json!({ "sub": USER, "sid": SID, "exp": NOW + 60, "nbf": nbf }).to_string());
        assert_eq!(verify(&token(NOW + LEEWAY)), Some(USER));
        assert_eq!(verify(&token(NOW + LEEWAY + 1)), None);
    }

    #[test]
    fn a_changed_token_is_refused() {
        let token = valid();
        for (index, byte) in token.bytes().enumerate() {
            // Other symbols, which also try the spare bits of the last ones.
            for other in *b"ABZaz09-_=. " {
                if other != byte {
                    let mut changed = token.clone().into_bytes();
                    changed[index] = other;
                    assert_eq!(verify(&String::from_utf8(changed).unwrap()), None, "{index}");
                }
            }
        }
    }

    #[test]
    fn text_that_is_not_a_token_is_refused() {
        let valid = valid();
        let (message, signature) = valid.rsplit_once('.').unwrap();
        for token in [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            message,
            signature,
            &format!("{valid}.{signature}"),
            &format!("{valid}="),
            &format!(" {valid}"),
            &format!("{valid}\n"),
            &"a".repeat(1_000_000),
            &format!("{}.{valid}", "a".repeat(9_000)),
        ] {
            assert_eq!(verify(token), None);
        }
    }
}
