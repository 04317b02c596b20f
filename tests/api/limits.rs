//! Floods: how many attempts to log in and to sign up are let through, and who is kept out meanwhile.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use kit::{Answer, Api, PASSWORD};

const TOO_MANY: &str =
    r#"{"detail":"Too many attempts, please try again later","code":"too_many_attempts","request_id":"…"}"#;

const HERE: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.9";

/// What is guessed, and the right one.
const WRONG: &str = "wrong password";

const DEFAULTS: [(&str, &str); 3] = [
    ("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", ""),
    ("LOGIN_LIMIT_PER_ADDRESS", ""),
    ("SIGNUP_LIMIT_PER_ADDRESS", ""),
];

fn per_account(attempts: &str) -> [(&str, &str); 1] {
    [("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", attempts)]
}

async fn login(api: &Api, from: &str, email: &str, password: &str) -> Answer {
    let credentials = json!({ "email": email, "password": password });
    api.post("/auth/login").from(from).json(&credentials).await
}

async fn sign_up(api: &Api, from: &str, name: &str) -> Answer {
    let user = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    api.post("/auth/signup").from(from).json(&user).await
}

/// Finds the answer to be 429, and tells after how many seconds it says to come back.
fn retry_after(answer: &Answer) -> u32 {
    assert_eq!((answer.status, answer.text_without_id().as_str()), (429, TOO_MANY));
    answer.header("retry-after").parse().unwrap()
}

/// Finds the answer to be 429, and the seconds to be these or, as some may have passed, a little less.
fn assert_waits(answer: &Answer, seconds: u32) {
    let retry_after = retry_after(answer);
    assert!((seconds - 10..=seconds).contains(&retry_after), "{retry_after}");
}

#[tokio::test]
async fn of_a_hundred_guesses_thirty_are_heard_and_the_owner_gets_in_from_elsewhere_meanwhile() {
    let api = Api::with(dev::api, &DEFAULTS).await;
    let ada = api.user("ada").await;
    for guess in 1..=100 {
        let answer = login(&api, HERE, &ada.email, WRONG).await;
        if guess <= 30 {
            assert_eq!(answer.status, 401, "{guess}");
        } else {
            assert_waits(&answer, 120);
        }
        if guess % 25 == 0 {
            assert_eq!(login(&api, ELSEWHERE, &ada.email, PASSWORD).await.status, 200, "{guess}");
        }
    }
    // Not even the right one tells anything from there.
    assert_waits(&login(&api, HERE, &ada.email, PASSWORD).await, 120);
    // Nor does it matter which of the routes, or for whom that does not exist.
    let credentials = json!({ "email": ada.email, "password": PASSWORD });
    assert_eq!(api.post("/api/auth/signin").from(HERE).json(&credentials).await.status, 429);
    // Who has a token goes on working with it, from there too.
    assert_eq!(api.get("/tasks").from(HERE).by(&ada).send().await.status, 200);
}

#[tokio::test]
async fn an_email_that_nobody_has_is_limited_as_one_that_somebody_has() {
    let api = Api::with(dev::api, &per_account("3")).await;
    api.user("ada").await;
    for email in ["ada@example.com", "nobody@example.com", "not an e-mail"] {
        let mut statuses = Vec::new();
        for _ in 0..5 {
            statuses.push(login(&api, HERE, email, WRONG).await.status);
        }
        assert_eq!(statuses, [401, 401, 401, 429, 429], "{email}");
    }
}

#[tokio::test]
async fn two_hundred_guesses_at_once_are_heard_no_more_often_than_one_after_the_other() {
    let api = Api::with(dev::api, &per_account("20")).await;
    let ada = api.user("ada").await;
    let guesses: Vec<_> = (0..200)
        .map(|_| {
            let (api, email) = (api.clone(), ada.email.clone());
            tokio::spawn(async move { login(&api, HERE, &email, WRONG).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for guess in guesses {
        statuses.push(guess.await.unwrap());
    }
    statuses.sort();
    assert_eq!(statuses, [vec![401; 20], vec![429; 180]].concat());
}

#[tokio::test]
async fn neither_another_writing_of_the_email_nor_a_forged_header_resets_anything() {
    let api = Api::with(dev::api, &per_account("3")).await;
    api.user("ada").await;
    let attempt = async |email: &str, headers: &[(&str, &str)]| {
        let mut event: Value =
            serde_json::from_str(include_str!("../../events/login-wrong-password.json")).unwrap();
        assert_eq!(event["requestContext"]["http"]["sourceIp"], HERE);
        for (name, value) in headers {
            event["headers"][name] = json!(value);
        }
        event["body"] = json!({ "email": email, "password": WRONG }).to_string().into();
        api.event(&event).await.status
    };
    for _ in 0..3 {
        assert_eq!(attempt("ada@example.com", &[]).await, 401);
    }
    for email in ["ada@example.com", "ADA@example.com", " aDa@Example.COM\t"] {
        for headers in [
            &[][..],
            &[("x-forwarded-for", "192.0.2.1")],
            &[("x-forwarded-for", "192.0.2.2, 203.0.113.7")],
            &[("x-forwarded-for", "203.0.113.7, 192.0.2.3")],
            &[("x-real-ip", "192.0.2.4"), ("forwarded", "for=192.0.2.5"), ("true-client-ip", "192.0.2.6")],
            &[("cf-connecting-ip", "192.0.2.7"), ("x-client-ip", "192.0.2.8"), ("via", "1.1 192.0.2.9")],
            &[("user-agent", "another")],
        ] {
            assert_eq!(attempt(email, headers).await, 429, "{email} {headers:?}");
        }
    }
    // Where there is no API Gateway, it is the socket's peer, and no header either.
    let credentials = json!({ "email": "ada@example.com", "password": WRONG });
    let call = api.post("/auth/login").from(HERE).header("x-forwarded-for", "192.0.2.1");
    assert_eq!(call.json(&credentials).await.status, 429);
}

#[tokio::test]
async fn an_ipv6_64_is_one_address_and_the_next_one_another() {
    let api = Api::with(dev::api, &per_account("4")).await;
    let ada = api.user("ada").await;
    for host in
        ["2001:db8:1:2::1", "2001:db8:1:2::2", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2:3:4:5:6"]
    {
        assert_eq!(login(&api, host, &ada.email, WRONG).await.status, 401);
    }
    retry_after(&login(&api, "2001:db8:1:2:dead:beef::", &ada.email, PASSWORD).await);
    assert_eq!(login(&api, "2001:db8:1:3::1", &ada.email, PASSWORD).await.status, 200);
    // An IPv4 address is itself, in either writing.
    for _ in 0..2 {
        assert_eq!(login(&api, HERE, &ada.email, WRONG).await.status, 401);
        assert_eq!(login(&api, "::ffff:203.0.113.7", &ada.email, WRONG).await.status, 401);
    }
    retry_after(&login(&api, HERE, &ada.email, PASSWORD).await);
    assert_eq!(login(&api, "203.0.113.8", &ada.email, PASSWORD).await.status, 200);
}

/// As if so many seconds had passed.
async fn pass(api: &Api, seconds: u32) {
    let earlier = format!("UPDATE attempts SET until = until - interval '{seconds} s'");
    api.sql().await.execute(&earlier, &[]).await.unwrap();
}

#[tokio::test]
async fn an_attempt_is_back_after_the_seconds_that_retry_after_says() {
    let api = Api::with(dev::api, &per_account("7")).await;
    let ada = api.user("ada").await;
    for _ in 0..7 {
        assert_eq!(login(&api, HERE, &ada.email, WRONG).await.status, 401);
    }
    let seconds = retry_after(&login(&api, HERE, &ada.email, PASSWORD).await);
    assert!((505..=515).contains(&seconds), "{seconds}: an hour by seven, rounded up");
    pass(&api, seconds - 10).await;
    assert_eq!(login(&api, HERE, &ada.email, PASSWORD).await.status, 429);
    pass(&api, 10).await;
    assert_eq!(login(&api, HERE, &ada.email, PASSWORD).await.status, 200, "the owner is in again");
    assert_eq!(login(&api, HERE, &ada.email, PASSWORD).await.status, 429, "it was one");
    pass(&api, 3_600).await;
    for _ in 0..7 {
        assert_eq!(login(&api, HERE, &ada.email, WRONG).await.status, 401, "all are back after an hour");
    }
    assert_eq!(login(&api, HERE, &ada.email, WRONG).await.status, 429, "and no more than all");
}

#[tokio::test]
async fn an_attempt_that_is_refused_costs_no_hash() {
    let api = Api::with(dev::api, &[("BCRYPT_COST", "11"), per_account("1")[0]]).await;
    api.sql()
        .await
        .batch_execute(
            "INSERT INTO users (id, email, hashed_password) VALUES (gen_random_uuid(), 'ada@example.com',
             '$2b$11$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ0123u')",
        )
        .await
        .unwrap();
    let mut times = Vec::new();
    for status in [401, 429, 429, 429, 429, 429] {
        let started = Instant::now();
        assert_eq!(login(&api, HERE, "ada@example.com", WRONG).await.status, status);
        times.push(started.elapsed());
    }
    let hash = times.remove(0);
    let fastest = times.iter().min().unwrap();
    assert!(hash > Duration::from_millis(50) && *fastest < hash / 4, "{hash:?} {times:?}");
}

#[tokio::test]
async fn the_logins_from_an_address_are_limited_over_all_accounts() {
    let api = Api::with(dev::api, &[("LOGIN_LIMIT_PER_ADDRESS", "5"), per_account("100")[0]]).await;
    let ada = api.user("ada").await;
    for number in 0..4 {
        assert_eq!(login(&api, HERE, &format!("{number}@example.com"), PASSWORD).await.status, 401);
    }
    assert_eq!(login(&api, HERE, &ada.email, PASSWORD).await.status, 200, "one that is right counts too");
    assert_waits(&login(&api, HERE, "5@example.com", PASSWORD).await, 720);
    assert_waits(&login(&api, HERE, &ada.email, PASSWORD).await, 720);
    assert_eq!(login(&api, ELSEWHERE, &ada.email, PASSWORD).await.status, 200);
    // Sign-ups are counted apart.
    assert_eq!(sign_up(&api, HERE, "grace").await.status, 201);
}

#[tokio::test]
async fn what_the_limit_of_an_account_refuses_does_not_use_up_the_address() {
    let api = Api::with(dev::api, &[("LOGIN_LIMIT_PER_ADDRESS", "5"), per_account("2")[0]]).await;
    let ada = api.user("ada").await;
    let grace = api.user("grace").await;
    for status in [401, 401, 429, 429, 429, 429, 429] {
        assert_eq!(login(&api, HERE, &ada.email, WRONG).await.status, status);
    }
    assert_eq!(login(&api, HERE, &grace.email, PASSWORD).await.status, 200);
}

#[tokio::test]
async fn what_is_no_email_is_limited_and_not_kept() {
    let api = Api::with(dev::api, &per_account("2")).await;
    for (number, email) in [PASSWORD, "", "a\0@example.com", "hunter2"].into_iter().enumerate() {
        let status = if number < 2 { 401 } else { 429 };
        assert_eq!(login(&api, HERE, email, WRONG).await.status, status, "{email:?}");
    }
    let rows = api.sql().await.query("SELECT email FROM attempts", &[]).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<&str>>(), ["nobody"]);
}

#[tokio::test]
async fn the_sign_ups_from_an_address_are_limited() {
    let api = Api::with(dev::api, &[("SIGNUP_LIMIT_PER_ADDRESS", "3")]).await;
    // What is refused at a glance is no attempt.
    for _ in 0..5 {
        assert_eq!(api.post("/auth/signup").from(HERE).json(&json!({})).await.status, 422);
    }
    assert_eq!(sign_up(&api, HERE, "ada").await.status, 201);
    assert_eq!(sign_up(&api, HERE, "ada").await.status, 409, "one that finds the e-mail taken is");
    assert_eq!(sign_up(&api, HERE, "grace").await.status, 201);
    for name in ["barbara", "ada"] {
        assert_waits(&sign_up(&api, HERE, name).await, 1_200);
    }
    assert_eq!(api.count("users").await, 2);
    assert_eq!(sign_up(&api, ELSEWHERE, "barbara").await.status, 201);
    assert_eq!(login(&api, HERE, "ada@example.com", PASSWORD).await.status, 200, "logins are counted apart");
    pass(&api, 1_200).await;
    assert_eq!(sign_up(&api, HERE, "frances").await.status, 201);
    assert_eq!(sign_up(&api, HERE, "edsger").await.status, 429);
}

#[tokio::test]
async fn two_hundred_sign_ups_at_once_are_no_more_than_one_after_the_other() {
    let api = Api::with(dev::api, &[("SIGNUP_LIMIT_PER_ADDRESS", "10")]).await;
    let sign_ups: Vec<_> = (0..200)
        .map(|number| {
            let api = api.clone();
            tokio::spawn(async move { sign_up(&api, HERE, &format!("user{number}")).await.status })
        })
        .collect();
    let mut statuses = Vec::new();
    for sign_up in sign_ups {
        statuses.push(sign_up.await.unwrap());
    }
    statuses.sort();
    assert_eq!(statuses, [vec![201; 10], vec![429; 190]].concat());
    assert_eq!(api.count("users").await, 10);
}

#[tokio::test]
async fn a_limit_of_0_is_off_and_the_others_stay() {
    for off in ["LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "LOGIN_LIMIT_PER_ADDRESS", "SIGNUP_LIMIT_PER_ADDRESS"]
    {
        let limits = DEFAULTS.map(|(name, _)| (name, if name == off { "0" } else { "4" }));
        let api = Api::with(dev::api, &limits).await;
        let mut same_account = Vec::new();
        let mut other_accounts = Vec::new();
        let mut sign_ups = Vec::new();
        for number in 0..6 {
            same_account.push(login(&api, HERE, "ada@example.com", WRONG).await.status);
            let email = format!("{number}@example.com");
            other_accounts.push(login(&api, ELSEWHERE, &email, WRONG).await.status);
            sign_ups.push(sign_up(&api, HERE, &format!("user{number}")).await.status);
        }
        let limited = |first: u16| vec![first, first, first, first, 429, 429];
        // The same account from the same address is under both limits of logins.
        assert_eq!(same_account, limited(401), "{off}");
        let off_for = |name: &str, first: u16| if off == name { vec![first; 6] } else { limited(first) };
        assert_eq!(other_accounts, off_for("LOGIN_LIMIT_PER_ADDRESS", 401), "{off}");
        assert_eq!(sign_ups, off_for("SIGNUP_LIMIT_PER_ADDRESS", 201), "{off}");
    }
    // With all of them off nothing is counted.
    let api = Api::new(dev::api).await;
    api.user("ada").await;
    for _ in 0..40 {
        assert_eq!(login(&api, HERE, "ada@example.com", WRONG).await.status, 401);
    }
    assert_eq!(api.count("attempts").await, 0);
}

#[tokio::test]
async fn rows_that_say_nothing_any_more_go_away_and_others_stay() {
    let api = Api::with(dev::api, &DEFAULTS).await;
    api.sql()
        .await
        .batch_execute(
            "INSERT INTO attempts (action, address, email, until)
             SELECT 'login', '192.0.2.1', n::text, now() - interval '1 s' * n FROM generate_series(1, 25) n;
             INSERT INTO attempts (action, address, email, until) VALUES
             ('login', '192.0.2.2', '', now() + interval '1 minute')",
        )
        .await
        .unwrap();
    for (left, old) in [(18, 15), (8, 5), (3, 0), (3, 0)] {
        login(&api, HERE, "ada@example.com", WRONG).await;
        // Those two of this address, and the one that still counts.
        assert_eq!(api.count("attempts").await, left);
        assert_eq!(api.count("attempts WHERE until < now()").await, old);
    }
    // Its own are not deleted when they have passed, but start again.
    pass(&api, 7_200).await;
    login(&api, HERE, "ada@example.com", WRONG).await;
    assert_eq!(api.count("attempts").await, 2);
    assert_eq!(api.count("attempts WHERE until > now()").await, 2);
}

#[tokio::test]
async fn attempts_from_elsewhere_wait_for_no_others() {
    let api = Api::with(dev::api, &DEFAULTS).await;
    login(&api, HERE, "ada@example.com", WRONG).await;
    pass(&api, 7_200).await;
    // A transaction that does not end holds the rows of one address, which others would delete.
    let sql = api.sql().await;
    sql.batch_execute("BEGIN; SELECT FROM attempts FOR UPDATE").await.unwrap();
    let started = Instant::now();
    assert_eq!(login(&api, ELSEWHERE, "ada@example.com", WRONG).await.status, 401);
    assert_eq!(sign_up(&api, HERE, "ada").await.status, 201);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    sql.batch_execute("ROLLBACK").await.unwrap();
}
