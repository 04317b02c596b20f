//! The rule for stored e-mails, which is a CHECK in the database beside that of sign-up.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::json;
use shared::user::canonical_email;

use kit::{Api, PASSWORD};

const ATOM: &str = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-/=?^_`{|}~";

#[tokio::test]
async fn an_email_that_login_would_not_find_cannot_be_stored() {
    let api = Api::new(dev::api).await;
    let sql = api.sql().await;
    let insert = "INSERT INTO users (id, email, hashed_password) VALUES (gen_random_uuid(), $1, '')";
    let too_long = format!("{}@{}.{}.{}.com", "l".repeat(64), "a".repeat(63), "b".repeat(63), "c".repeat(58));
    for bad in [
        "Ada@example.com",
        "ada@Example.com",
        " ada@example.com",
        "ada@example.com\n",
        "\u{212a}@example.com",
        "ada",
        &too_long,
    ] {
        let error = sql.execute(insert, &[&bad]).await.unwrap_err();
        let constraint = error.as_db_error().unwrap().constraint();
        assert_eq!(constraint, Some("users_email_canonical"), "{bad:?}");
    }
    sql.execute(insert, &[&"ada@example.com"]).await.unwrap();
}

#[tokio::test]
async fn the_longest_and_oddest_emails_can_be_signed_up() {
    let api = Api::new(dev::api).await;
    let longest = format!("{}@{}.{}.{}.co", "l".repeat(64), "a".repeat(63), "b".repeat(63), "c".repeat(58));
    assert_eq!(longest.len(), 254);
    for email in [&longest, &format!("{ATOM}@x.y"), "a.b-.-c@1.2--3.4-5", "0@0.a", "a@xn--mnchen-3ya.de"] {
        let answer = api.post("/auth/signup").json(&json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.status, 201, "{email}: {answer:?}");
    }
}

#[tokio::test]
async fn sign_up_and_the_database_accept_the_same_emails() {
    let api = Api::new(dev::api).await;
    let seed = std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("to see it again: SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let (mut accepted, mut all) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..3_000 {
        let sent = almost_an_email(&mut rng);
        // The empty password is refused too, so that nothing is hashed or stored.
        let answer = api.post("/auth/signup").json(&json!({ "email": sent, "password": "" })).await;
        let email = canonical_email(&sent);
        if !answer.bad_fields().contains(&"body.email".to_owned()) {
            accepted.insert(email.clone());
        }
        all.insert(email);
    }
    assert!(accepted.len() > 500 && all.len() - accepted.len() > 500, "{} of {}", accepted.len(), all.len());

    let sql = api.sql().await;
    let check =
        "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'users_email_canonical'";
    let check: String = sql.query_one(check, &[]).await.unwrap().get(0);
    let storable = format!("SELECT email FROM unnest($1::text[]) AS users (email) WHERE {check}");
    let rows = sql.query(&storable, &[&all.into_iter().collect::<Vec<_>>()]).await.unwrap();
    let storable: BTreeSet<String> = rows.iter().map(|row| row.get(0)).collect();
    assert_eq!(storable.symmetric_difference(&accepted).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// Returns an e-mail in which up to two characters were inserted or removed.
fn almost_an_email(rng: &mut Rng) -> String {
    let local: Vec<_> = (0..rng.usize(1..3)).map(|_| part(rng, ATOM, 64)).collect();
    let host: Vec<_> = (0..rng.usize(1..5)).map(|_| part(rng, "abcxyz0129", 63)).collect();
    let mut email: Vec<_> = format!("{}@{}", local.join("."), host.join(".")).chars().collect();
    for _ in 0..rng.usize(..3) {
        let place = rng.usize(..email.len());
        if rng.bool() {
            email.remove(place);
        } else {
            email.insert(place, pick(rng, "..@@---AZ09 \t\"(),:;<>[]\\\u{7f}\u{a0}äı\u{212a}\u{200b}"));
        }
    }
    email.into_iter().collect()
}

/// Returns one to three characters, or sometimes about as many as fit.
fn part(rng: &mut Rng, characters: &str, most: usize) -> String {
    let length = if rng.u8(..8) == 0 { rng.usize(most - 1..most + 2) } else { rng.usize(1..4) };
    (0..length).map(|_| pick(rng, characters)).collect()
}

fn pick(rng: &mut Rng, characters: &str) -> char {
    rng.choice(characters.chars().collect::<Vec<_>>()).unwrap()
}
