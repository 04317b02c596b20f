//! `POST /auth/refresh`: rotation, retries and theft.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::hmac;
use serde_json::{Value, json};

use kit::{Answer, Api, PASSWORD, SECRET, User};

async fn refresh(api: &Api, token: &str) -> Answer {
    api.post("/auth/refresh").json(&json!({ "refresh_token": token })).await
}

fn successor(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["refresh_token"].as_str().unwrap().to_owned()
}

async fn counter(api: &Api, session: &str) -> Option<i32> {
    let sql = format!("SELECT counter FROM sessions WHERE id = '{session}'");
    api.sql().await.query_opt(&sql, &[]).await.unwrap().map(|row| row.get(0))
}

/// Signs a refresh token of the user's session.
fn signed(user: &User, n: i64) -> String {
    let claims = json!({ "sub": user.id, "sid": user.session, "n": n, "exp": 4_102_444_800_i64 });
    token(&json!({ "alg": "HS256", "typ": "refresh+jwt" }), &claims, SECRET)
}

fn token(header: &Value, claims: &Value, secret: &str) -> String {
    let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_refresh_token_gets_new_tokens_of_the_same_session() {
    let api = Api::new(dev::api).await;
    let mut user = api.user("ada").await;
    for n in 1..=5 {
        for path in ["/auth/refresh", "/api/auth/refresh"] {
            let answer = api.post(path).json(&json!({ "refresh_token": user.refresh_token })).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let next = User::new(&answer);
            assert_eq!((&next.session, &next.email), (&user.session, &user.email));
            assert_eq!(answer.body["token_type"], "bearer");
            assert_eq!(answer.body["expires_in"], 604_800);
            assert_eq!(api.get("/tasks").by(&next).send().await.status, 200);
            assert_eq!(api.get("/tasks").by(&user).send().await.status, 200, "the access token before");
            if path.starts_with("/api") {
                user = next;
            }
        }
        assert_eq!(counter(&api, &user.session).await, Some(n));
    }
}

#[tokio::test]
async fn fifty_refreshes_at_once_with_one_token_get_the_same_successor() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    let calls = (0..50).map(|_| {
        let (api, token) = (api.clone(), user.refresh_token.clone());
        tokio::spawn(async move { refresh(&api, &token).await })
    });
    let mut successors = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        successors.push(successor(&call.await.unwrap()));
    }
    assert_eq!(successors.len(), 50);
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(counter(&api, &user.session).await, Some(1));
}

#[tokio::test]
async fn the_token_before_is_good_for_an_hour_and_ends_the_session_afterwards() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    let next = successor(&refresh(&api, &user.refresh_token).await);
    let ago = async |interval: &str| {
        let sql = format!("UPDATE sessions SET refreshed_at = now() - interval '{interval}'");
        api.sql().await.batch_execute(&sql).await.unwrap();
    };
    ago("59 minutes").await;
    assert_eq!(successor(&refresh(&api, &user.refresh_token).await), next);
    ago("61 minutes").await;
    let answer = refresh(&api, &user.refresh_token).await;
    assert_eq!((answer.status, answer.code()), (401, "invalid_refresh_token"));
    assert_eq!(counter(&api, &user.session).await, None);
}

#[tokio::test]
async fn a_token_of_two_rotations_ago_ends_its_session_and_no_other() {
    let api = Api::new(dev::api).await;
    let stolen = api.user("ada").await;
    let credentials = json!({ "email": stolen.email, "password": PASSWORD });
    let other = User::new(&api.post("/auth/login").json(&credentials).await);
    let second = successor(&refresh(&api, &stolen.refresh_token).await);
    let third = refresh(&api, &second).await;
    let owner = User::new(&third);

    let reused = refresh(&api, &stolen.refresh_token).await;
    assert_eq!((reused.status, reused.code()), (401, "invalid_refresh_token"));
    assert_eq!(counter(&api, &stolen.session).await, None);
    assert_eq!(api.get("/tasks").by(&owner).send().await.code(), "invalid_token");
    let ended = refresh(&api, &owner.refresh_token).await;
    assert_eq!(ended.text_without_id(), reused.text_without_id());
    assert_eq!(api.get("/tasks").by(&other).send().await.status, 200);
    assert_eq!(refresh(&api, &other.refresh_token).await.status, 200);
}

#[tokio::test]
async fn a_number_that_was_never_given_is_refused_and_ends_nothing() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    successor(&refresh(&api, &user.refresh_token).await);
    for n in [-1, -2, 2, 3, i64::from(i32::MAX), i64::from(i32::MIN), i64::from(i32::MAX) + 1, i64::MAX] {
        let answer = refresh(&api, &signed(&user, n)).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_refresh_token"), "{n}");
        assert_eq!(counter(&api, &user.session).await, Some(1), "{n}");
    }
}

#[tokio::test]
async fn a_forged_stale_or_foreign_token_is_refused_alike_and_ends_nothing() {
    let api = Api::new(dev::api).await;
    let (user, grace) = (api.user("ada").await, api.user("grace").await);
    let header = json!({ "alg": "HS256", "typ": "refresh+jwt" });
    let claims = |more: Value| {
        let mut claims = json!({ "sub": user.id, "sid": user.session, "n": 0, "exp": 4_102_444_800_i64 });
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let good = token(&header, &claims(json!({})), SECRET);
    let (message, _) = good.rsplit_once('.').unwrap();
    let of = |typ: Value| token(&json!({ "alg": "HS256", "typ": typ }), &claims(json!({})), SECRET);
    let mut corpus = vec![
        ("an access token", user.token.clone()),
        ("another's access token", grace.token.clone()),
        ("nothing", String::new()),
        ("no token", "x.y.z".to_owned()),
        ("no signature", format!("{message}.")),
        ("the other secret", token(&header, &claims(json!({})), "another secret of 32 bytes and more")),
        ("alg none", token(&json!({ "alg": "none", "typ": "refresh+jwt" }), &claims(json!({})), SECRET)),
        (
            "crit",
            token(
                &json!({ "alg": "HS256", "typ": "refresh+jwt", "crit": ["x"] }),
                &claims(json!({})),
                SECRET,
            ),
        ),
        ("typ JWT", of(json!("JWT"))),
        ("typ at+jwt", of(json!("at+jwt"))),
        ("no typ", of(json!(null))),
        ("a megabyte", "a".repeat(60_000)),
    ];
    for more in [
        json!({ "sub": grace.id }),
        json!({ "sid": grace.session }),
        json!({ "sid": null }),
        json!({ "sub": null }),
        json!({ "n": null }),
        json!({ "n": "0" }),
        json!({ "n": 0.5 }),
        json!({ "exp": 1_700_000_000 }),
        json!({ "exp": null }),
        json!({ "nbf": 4_102_444_000_i64 }),
    ] {
        corpus.push(("claims", token(&header, &claims(more), SECRET)));
    }
    for (name, forged) in corpus {
        let answer = refresh(&api, &forged).await;
        assert_eq!((answer.status, answer.code()), (401, "invalid_refresh_token"), "{name}");
        assert_eq!(counter(&api, &user.session).await, Some(0), "{name}");
        assert_eq!(counter(&api, &grace.session).await, Some(0), "{name}");
    }
    for bad in [json!({}), json!({ "refresh_token": null }), json!({ "refresh_token": 1 })] {
        let answer = api.post("/auth/refresh").json(&bad).await;
        assert_eq!(answer.bad_fields(), ["body.refresh_token"]);
    }
    assert_eq!(refresh(&api, &good).await.status, 200, "the corpus is wrong only in what it says");
}

#[tokio::test]
async fn a_refresh_prolongs_the_session_but_not_beyond_its_end() {
    let lifetimes = [("REFRESH_TOKEN_TTL", "1000"), ("SESSION_TTL", "1500")];
    let api = Api::with(dev::api, &lifetimes).await;
    let user = api.user("ada").await;
    let expires_in = |answer: &Answer| answer.body["refresh_expires_in"].as_i64().unwrap();
    let first = refresh(&api, &user.refresh_token).await;
    assert!((999..=1000).contains(&expires_in(&first)), "{first:?}");
    assert_eq!(first.body["expires_in"], first.body["refresh_expires_in"], "no token outlives its session");
    api.sql()
        .await
        .batch_execute("UPDATE sessions SET created_at = now() - interval '1000 s'")
        .await
        .unwrap();
    let second = refresh(&api, &successor(&first)).await;
    assert!((498..=500).contains(&expires_in(&second)), "{second:?}");
}

#[tokio::test]
async fn refresh_tokens_of_the_secret_before_are_good_while_it_is_configured() {
    const NEW: &str = "a secret of the tests that came later, long";
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    let both = Api::on(dev::api, api.url.clone(), &[("JWT_SECRET", NEW), ("JWT_SECRET_PREVIOUS", SECRET)]);
    let new_only = Api::on(dev::api, api.url.clone(), &[("JWT_SECRET", NEW)]);
    assert_eq!(refresh(&new_only, &user.refresh_token).await.status, 401);
    let next = successor(&refresh(&both, &user.refresh_token).await);
    assert_eq!(refresh(&new_only, &next).await.status, 200);
}
