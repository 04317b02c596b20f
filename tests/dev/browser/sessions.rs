//! The example page's session: two tabs, tokens that expire, a network that fails during a refresh, and signing out.

use std::{
    collections::{HashMap, VecDeque},
    io,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use hyper_util::rt::TokioIo;
use shared::extract::json_response;
use tokio::{net::TcpStream, sync::Semaphore};

use super::*;

const REFRESH: &str = "POST /auth/refresh";
const LOGOUT: &str = "POST /auth/logout";
const PASSWORD_CHANGE: &str = "POST /auth/password";

const ENDED: &str = "Your session has ended. Please sign in again.";
const OTHER_TAB: &str = "You were signed out in another tab.";

/// A fault of a request, or of its answer.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// The connection is cut before the server has the request.
    RequestLost,
    /// The server carries the request out, and the connection is cut in its answer.
    AnswerLost,
    /// Nothing comes back, and the connection stays open.
    Silence,
    /// The server's answer waits for [`Network::release`].
    Held,
    /// API Gateway answers.
    Refused(StatusCode),
}

/// A proxy in front of `cargo dev`.
struct Network {
    /// Host and port of `cargo dev`.
    server: String,
    /// The faults of the next requests, by method and path. Those after them pass.
    faults: Mutex<HashMap<&'static str, VecDeque<Fault>>>,
    /// The requests, with what happened to them or the status of the server's answer.
    log: Mutex<Vec<(String, String)>>,
    released: Semaphore,
}

impl Network {
    /// Returns the network and the URL of its proxy.
    async fn start(dev: &Dev) -> (Arc<Self>, String) {
        let network = Arc::new(Self {
            server: dev.url.strip_prefix("http://").unwrap().to_owned(),
            faults: Mutex::default(),
            log: Mutex::default(),
            released: Semaphore::new(0),
        });
        let routes = Router::new().fallback(pass).with_state(network.clone());
        let url = serve("127.0.0.1:0", routes).await;
        (network, url)
    }

    fn forget(&self) {
        lock(&self.log).clear();
    }

    /// Forgets the requests until now, and lets these faults happen to the next of this method and path.
    fn fail(&self, request: &'static str, faults: &[Fault]) {
        self.forget();
        lock(&self.faults).insert(request, faults.iter().copied().collect());
    }

    /// Returns what happened to the requests of this method and path.
    fn outcomes(&self, request: &str) -> Vec<String> {
        let log = lock(&self.log);
        log.iter().filter(|(each, _)| each == request).map(|(_, outcome)| outcome.clone()).collect()
    }

    /// Waits until exactly this has happened to the requests of this method and path.
    async fn has(&self, request: &str, expected: &[&str]) {
        let started = Instant::now();
        loop {
            let outcomes = self.outcomes(request);
            if outcomes == expected {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "{request}: {outcomes:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets the answer of one request that is held, or will be, arrive.
    fn release(&self) {
        self.released.add_permits(1);
    }

    async fn forward(&self, request: Request) -> Response {
        let stream = TcpStream::connect(&self.server).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request).await.unwrap().map(Body::new)
    }
}

async fn pass(State(network): State<Arc<Network>>, request: Request) -> Response {
    let name = format!("{} {}", request.method(), request.uri().path());
    let fault = lock(&network.faults).get_mut(name.as_str()).and_then(VecDeque::pop_front);
    let log = |outcome: String| lock(&network.log).push((name.clone(), outcome));
    match fault {
        Some(Fault::RequestLost) => {
            log("request lost".to_owned());
            return cut();
        }
        Some(Fault::Silence) => {
            log("silence".to_owned());
            return std::future::pending().await;
        }
        Some(Fault::Refused(status)) => {
            log(format!("refused with {}", status.as_u16()));
            let reason = json!({ "message": status.canonical_reason() });
            return (status, json_response(reason.to_string())).into_response();
        }
        _ => {}
    }
    let answer = network.forward(request).await;
    log(answer.status().as_u16().to_string());
    match fault {
        Some(Fault::AnswerLost) => return cut(),
        Some(Fault::Held) => network.released.acquire().await.unwrap().forget(),
        _ => {}
    }
    answer
}

/// Returns an answer in whose body the connection breaks. Chromium itself sends a request again if no byte comes back.
fn cut() -> Response {
    let parts = stream::unfold(false, async |is_second| {
        if is_second {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Some((Err(io::Error::other("the network is cut")), true));
        }
        Some((Ok("{"), true))
    });
    Response::new(Body::from_stream(parts))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The page in a browser with two tabs, and ada signed in in both.
struct Tabs {
    browser: Browser,
    first: WindowHandle,
    second: WindowHandle,
    network: Arc<Network>,
    url: String,
    dev: Dev,
    _folder: TempDir,
}

impl Tabs {
    /// Starts with one task in the list, and the first tab in front.
    async fn start(variables: &[(&str, &str)]) -> Self {
        let folder = folder();
        let dev = start_dev(folder.path(), &[], variables).await;
        sign_up(&dev, "ada");
        let (network, url) = Network::start(&dev).await;
        let browser = Browser::start().await;
        browser.goto(&url).await;
        browser.sign_in("ada").await;
        browser.fill("#new-task [name=title]", "Buy milk\n").await;
        browser.shows("#tasks .title", &["Buy milk"]).await;
        let first = browser.driver.window().await.unwrap();
        let second = browser.driver.new_tab().await.unwrap();
        let tabs = Self { browser, first, second, network, url, dev, _folder: folder };
        tabs.switch(&tabs.second).await;
        tabs.browser.goto(&tabs.url).await;
        tabs.browser.shows("#tasks .title", &["Buy milk"]).await;
        tabs.switch(&tabs.first).await;
        tabs
    }

    async fn switch(&self, tab: &WindowHandle) {
        self.browser.driver.switch_to_window(tab.clone()).await.unwrap();
    }

    /// Returns the session that the tabs share, or null.
    async fn session(&self) -> Value {
        self.browser.evaluate("async () => JSON.parse(localStorage.getItem('todo-session'))").await
    }

    /// Makes the access token one that the server refuses, as if it had expired.
    async fn expire(&self) {
        let function = "async () => {
             const session = JSON.parse(localStorage.getItem('todo-session'));
             session.access_token += 'x';
             localStorage.setItem('todo-session', JSON.stringify(session));
             // Other tabs get the event from the browser.
             dispatchEvent(new Event('storage'));
           }";
        self.browser.evaluate(function).await;
    }

    /// Begins a call of the page's client.
    async fn begin(&self, call: &str) {
        self.browser.evaluate(&begin(call)).await;
    }

    /// Waits for the call that was begun in this tab. Returns the message of its error, or null.
    async fn outcome(&self) -> Value {
        let function = "async () => {
             while (!window.outcome) await new Promise((again) => setTimeout(again, 20));
             const { outcome } = window;
             delete window.outcome;
             return outcome;
           }";
        self.browser.evaluate(function).await
    }

    async fn call(&self, call: &str) -> Value {
        self.begin(call).await;
        self.outcome().await
    }

    /// Ends the tabs' session as another device.
    fn end_session(&self) {
        let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
        let device = self.dev.post("/auth/login", &credentials).1;
        let token = format!("Authorization: Bearer {}", device["access_token"].as_str().unwrap());
        let answer = self.dev.curl("/auth/sessions", &["-X", "DELETE", "-H", &token]);
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }

    /// Sends a request to the server without a browser, with these tokens. Returns the status.
    fn status_of(&self, path: &str, session: &Value) -> u16 {
        if path == "/auth/refresh" {
            return self.dev.post(path, &json!({ "refresh_token": session["refresh_token"] })).0;
        }
        let token = format!("Authorization: Bearer {}", session["access_token"].as_str().unwrap());
        self.dev.curl(path, &["-H", &token]).split(' ').nth(1).unwrap().parse().unwrap()
    }
}

fn begin(call: &str) -> String {
    format!(
        "async () => {{
           const {{ api }} = await import('/client.js');
           window.outcome = ({call}).then(() => null, (error) => error.message);
         }}"
    )
}

/// A verifier allows 5 s of leeway, and a token's times are whole seconds.
async fn until_expired(ttl: u64) {
    tokio::time::sleep(Duration::from_secs(ttl + 6)).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn two_tabs_stay_signed_in_with_one_refresh_for_each_expiry() {
    let tabs = Tabs::start(&[("ACCESS_TOKEN_TTL", "5")]).await;
    let listen = format!(
        "async () => {{
           const begin = {};
           const channel = new BroadcastChannel('round');
           channel.onmessage = begin;
           window.both = () => {{ channel.postMessage(''); return begin(); }};
         }}",
        begin("Promise.all([api.me(), api.listTasks(), api.createTask({ title: 'Water the plants' })])")
    );
    for tab in [&tabs.second, &tabs.first] {
        tabs.switch(tab).await;
        tabs.browser.evaluate(&listen).await;
    }
    for round in 1..=3 {
        until_expired(5).await;
        tabs.network.forget();
        tabs.browser.evaluate("() => both()").await;
        for tab in [&tabs.second, &tabs.first] {
            tabs.switch(tab).await;
            assert_eq!(tabs.outcome().await, Value::Null, "round {round}");
        }
        assert_eq!(tabs.network.outcomes(REFRESH), ["200"], "round {round}");
    }
    for tab in [&tabs.first, &tabs.second] {
        tabs.switch(tab).await;
        tabs.browser.click("#clear-filters").await;
        tabs.browser.shows("#summary", &["7 tasks"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refresh_outlives_what_the_network_loses_and_a_server_that_is_busy() {
    let tabs = Tabs::start(&[]).await;
    let busy = Fault::Refused(StatusCode::SERVICE_UNAVAILABLE);
    for (faults, expected) in [
        ([Fault::AnswerLost, Fault::RequestLost], ["200", "request lost", "200"]),
        ([Fault::RequestLost, Fault::AnswerLost], ["request lost", "200", "200"]),
        ([busy, Fault::Silence], ["refused with 503", "silence", "200"]),
    ] {
        tabs.expire().await;
        tabs.network.fail(REFRESH, &faults);
        assert_eq!(tabs.call("api.me()").await, Value::Null, "{faults:?}");
        assert_eq!(tabs.network.outcomes(REFRESH), expected);
    }
    tabs.network.forget();
    for (tab, done, toast) in
        [(&tabs.first, &[][..], "Task done."), (&tabs.second, &["Buy milk"], "Task open again.")]
    {
        tabs.switch(tab).await;
        tabs.browser.shows("#tasks .done .title", done).await;
        tabs.browser.click("#tasks [type=checkbox]").await;
        tabs.browser.shows(".toast:last-child:not([aria-busy]) p", &[toast]).await;
    }
    assert_eq!(tabs.network.outcomes(REFRESH), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_server_that_cannot_refresh_signs_nobody_out() {
    let tabs = Tabs::start(&[]).await;
    tabs.expire().await;
    let session = tabs.session().await;
    let lost = "The server cannot be reached. Check your connection and try again.";
    let refused = Fault::Refused;
    for (faults, outcomes, message) in [
        (
            &[Fault::RequestLost, Fault::AnswerLost, Fault::Silence][..],
            &["request lost", "200", "silence"][..],
            lost,
        ),
        (
            &[refused(StatusCode::INTERNAL_SERVER_ERROR); 3],
            &["refused with 500"; 3],
            "Internal Server Error.",
        ),
        (&[refused(StatusCode::SERVICE_UNAVAILABLE); 3], &["refused with 503"; 3], "Service Unavailable."),
        (
            &[refused(StatusCode::TOO_MANY_REQUESTS)],
            &["refused with 429"],
            "Too many attempts. Please try again in a moment.",
        ),
        (&[refused(StatusCode::UNAUTHORIZED)], &["refused with 401"], "Unauthorized."),
    ] {
        tabs.network.fail(REFRESH, faults);
        tabs.browser.click("#clear-filters").await;
        tabs.network.has(REFRESH, outcomes).await;
        tabs.browser.shows("#alert p", &[message]).await;
        assert_eq!(tabs.network.outcomes(REFRESH), outcomes);
        assert_eq!(tabs.session().await, session, "{faults:?}");
    }
    tabs.browser.screenshot("session-not-refreshed").await;
    tabs.network.forget();
    tabs.browser.click("#retry").await;
    tabs.network.has(REFRESH, &["200"]).await;
    tabs.browser.shows("#alert", &[]).await;
    tabs.browser.shows("#tasks .title", &["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn offline_during_a_refresh_the_task_is_kept_until_it_can_be_sent() {
    let tabs = Tabs::start(&[]).await;
    tabs.expire().await;
    tabs.network.fail(REFRESH, &[Fault::RequestLost; 3]);
    tabs.browser.fill("#new-task [name=title]", "Water the plants\n").await;
    let lost = "The server cannot be reached. Check your connection and try again.";
    tabs.browser.shows("#outbox .refusal", &[lost]).await;
    tabs.browser.click("#outbox [type=submit]").await;
    tabs.browser.shows("#tasks .title", &["Water the plants", "Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_tab_that_is_closed_during_a_refresh_leaves_it_to_the_next() {
    let tabs = Tabs::start(&[]).await;
    tabs.expire().await;
    tabs.network.fail(REFRESH, &[Fault::Held]);
    tabs.switch(&tabs.second).await;
    tabs.begin("api.me()").await;
    tabs.network.has(REFRESH, &["200"]).await;
    tabs.switch(&tabs.first).await;
    tabs.begin("api.me()").await;
    tabs.switch(&tabs.second).await;
    tabs.browser.driver.close_window().await.unwrap();
    tabs.switch(&tabs.first).await;
    assert_eq!(tabs.outcome().await, Value::Null);
    assert_eq!(tabs.network.outcomes(REFRESH), ["200", "200"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refusal_of_the_token_before_is_no_end_of_the_session() {
    let tabs = Tabs::start(&[]).await;
    tabs.expire().await;
    tabs.network.fail("GET /auth/me", &[Fault::Held]);
    tabs.begin("api.me()").await;
    tabs.network.has("GET /auth/me", &["401"]).await;
    tabs.switch(&tabs.second).await;
    assert_eq!(tabs.call("api.listTasks()").await, Value::Null);
    tabs.switch(&tabs.first).await;
    tabs.network.release();
    assert_eq!(tabs.outcome().await, Value::Null);
    assert_eq!(tabs.network.outcomes(REFRESH), ["200"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_request_of_one_user_is_not_sent_with_the_token_of_the_next() {
    let tabs = Tabs::start(&[]).await;
    sign_up(&tabs.dev, "bob");
    tabs.expire().await;
    tabs.network.fail("POST /tasks", &[Fault::Held]);
    tabs.begin("api.createTask({ title: 'Of ada' })").await;
    tabs.network.has("POST /tasks", &["401"]).await;
    tabs.switch(&tabs.second).await;
    tabs.browser.click("#sign-out").await;
    tabs.browser.sign_in("bob").await;
    tabs.switch(&tabs.first).await;
    tabs.network.release();
    assert_eq!(tabs.outcome().await, ENDED);
    tabs.browser.shows("#who", &["bob@example.com"]).await;
    tabs.browser.shows("#summary", &["No tasks yet. Add your first."]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_session_that_ended_elsewhere_signs_out_and_says_so() {
    let tabs = Tabs::start(&[]).await;
    tabs.end_session();
    tabs.browser.click("#tasks [type=checkbox]").await;
    tabs.browser.shows("#alert p", &[ENDED]).await;
    tabs.browser.find("#sign-in").await;
    tabs.browser.screenshot("session-ended").await;
    assert_eq!(tabs.network.outcomes(REFRESH), ["401"]);
    assert_eq!(tabs.session().await, Value::Null);
    tabs.switch(&tabs.second).await;
    tabs.browser.shows("#alert p", &[OTHER_TAB]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn signing_out_in_one_tab_signs_out_the_other_and_ends_the_session_on_the_server() {
    let tabs = Tabs::start(&[]).await;
    let session = tabs.session().await;
    assert_eq!(tabs.status_of("/auth/me", &session), 200);
    // The server is told again if it was not reached.
    tabs.network.fail(LOGOUT, &[Fault::RequestLost]);
    tabs.browser.click("#sign-out").await;
    tabs.browser.shows(".toast:last-child p", &["You are signed out."]).await;
    assert_eq!(tabs.session().await, Value::Null);
    tabs.network.has(LOGOUT, &["request lost", "204"]).await;
    assert_eq!(tabs.status_of("/auth/me", &session), 401);
    assert_eq!(tabs.status_of("/auth/refresh", &session), 401);
    tabs.switch(&tabs.second).await;
    tabs.browser.shows("#alert p", &[OTHER_TAB]).await;
    tabs.browser.find("#sign-in").await;
    tabs.browser.screenshot("signed-out-in-another-tab").await;
    tabs.browser.driver.refresh().await.unwrap();
    tabs.browser.find("#sign-in").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_username_that_one_tab_changes_is_shown_in_the_other() {
    let tabs = Tabs::start(&[]).await;
    tabs.browser.click("[href='#account']").await;
    tabs.browser.fill("#username [name=username]", "Ada\n").await;
    tabs.browser.shows("#who", &["Ada"]).await;
    tabs.switch(&tabs.second).await;
    tabs.browser.shows("#who", &["Ada"]).await;
    tabs.browser.shows("#tasks .title", &["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn signing_out_with_an_expired_access_token_ends_the_session_on_the_server() {
    let tabs = Tabs::start(&[("ACCESS_TOKEN_TTL", "1")]).await;
    let session = tabs.session().await;
    until_expired(1).await;
    assert_eq!(tabs.status_of("/auth/me", &session), 401);
    tabs.browser.click("#sign-out").await;
    tabs.network.has(LOGOUT, &["204"]).await;
    assert_eq!(tabs.status_of("/auth/refresh", &session), 401);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn signing_out_during_a_refresh_does_not_sign_in_again() {
    let tabs = Tabs::start(&[]).await;
    // By the same tab, and by another one.
    for by in [&tabs.first, &tabs.second] {
        tabs.switch(&tabs.first).await;
        tabs.expire().await;
        tabs.network.fail(REFRESH, &[Fault::Held]);
        tabs.begin("api.me()").await;
        tabs.network.has(REFRESH, &["200"]).await;
        tabs.switch(by).await;
        tabs.browser.click("#sign-out").await;
        tabs.browser.find("#sign-in").await;
        tabs.switch(&tabs.first).await;
        tabs.network.release();
        assert_eq!(tabs.outcome().await, ENDED);
        assert_eq!(tabs.session().await, Value::Null);
        for tab in [&tabs.first, &tabs.second] {
            tabs.switch(tab).await;
            tabs.browser.find("#sign-in").await;
            let alert: &[&str] = if tab == by { &[] } else { &[OTHER_TAB] };
            tabs.browser.shows("#alert p", alert).await;
        }
        tabs.browser.sign_in("ada").await;
        tabs.switch(&tabs.first).await;
        tabs.browser.shows("#who", &["ada@example.com"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refresh_of_a_session_that_was_left_does_not_end_the_next_one() {
    let tabs = Tabs::start(&[]).await;
    tabs.end_session();
    tabs.network.fail(REFRESH, &[Fault::Held]);
    tabs.begin("api.me()").await;
    tabs.network.has(REFRESH, &["401"]).await;
    tabs.browser.click("#sign-out").await;
    tabs.browser.sign_in("ada").await;
    tabs.network.release();
    assert_eq!(tabs.outcome().await, ENDED);
    tabs.browser.shows("#who", &["ada@example.com"]).await;
    tabs.browser.shows("#tasks .title", &["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn without_locks_each_tab_refreshes_and_both_stay_signed_in() {
    let tabs = Tabs::start(&[]).await;
    let without = "async () => { Object.defineProperty(navigator, 'locks', { value: undefined }); }";
    for tab in [&tabs.second, &tabs.first] {
        tabs.switch(tab).await;
        tabs.browser.evaluate(without).await;
    }
    tabs.network.fail(REFRESH, &[Fault::Held; 2]);
    for (tab, outcomes) in [(&tabs.second, &["200"][..]), (&tabs.first, &["200", "200"])] {
        tabs.switch(tab).await;
        tabs.expire().await;
        tabs.begin("Promise.all([api.me(), api.listTasks()])").await;
        tabs.network.has(REFRESH, outcomes).await;
    }
    tabs.network.release();
    tabs.network.release();
    for tab in [&tabs.second, &tabs.first] {
        tabs.switch(tab).await;
        assert_eq!(tabs.outcome().await, Value::Null);
    }
    assert_eq!(tabs.network.outcomes(REFRESH), ["200", "200"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn where_local_storage_is_forbidden_a_session_lasts_as_long_as_the_page() {
    let folder = folder();
    let dev = start_dev(folder.path(), &[], &[("ACCESS_TOKEN_TTL", "1")]).await;
    sign_up(&dev, "ada");
    let (network, url) = Network::start(&dev).await;
    let forbidden = json!({ "profile.default_content_setting_values.cookies": 2 });
    let browser = Browser::with_preferences(forbidden).await;
    browser.goto(&url).await;
    let read = "async () => { try { return localStorage.length; } catch (error) { return error.name; } }";
    assert_eq!(browser.evaluate(read).await, "SecurityError");
    browser.sign_in("ada").await;
    until_expired(1).await;
    browser.fill("#new-task [name=title]", "Buy milk\n").await;
    browser.shows("#tasks .title", &["Buy milk"]).await;
    network.has(REFRESH, &["200"]).await;
    browser.click("#sign-out").await;
    network.has(LOGOUT, &["204"]).await;
    browser.driver.refresh().await.unwrap();
    browser.find("#sign-in").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refresh_during_a_password_change_waits_for_its_tokens() {
    let tabs = Tabs::start(&[]).await;
    let change = format!("api.changePassword('{PASSWORD}', 'another horse battery')");
    tabs.network.fail(PASSWORD_CHANGE, &[Fault::Held]);
    tabs.begin(&change).await;
    tabs.network.has(PASSWORD_CHANGE, &["200"]).await;
    // The server has ended the session of the tokens that both tabs have.
    tabs.switch(&tabs.second).await;
    tabs.begin("Promise.all([api.me(), api.sessions()])").await;
    tabs.network.has("GET /auth/me", &["401"]).await;
    tabs.network.has("GET /auth/sessions", &["401"]).await;
    tabs.network.release();
    for tab in [&tabs.second, &tabs.first] {
        tabs.switch(tab).await;
        assert_eq!(tabs.outcome().await, Value::Null);
        tabs.browser.shows("#who", &["ada@example.com"]).await;
    }
    assert_eq!(tabs.network.outcomes(REFRESH), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_password_change_refreshes_an_expired_access_token_first() {
    let tabs = Tabs::start(&[]).await;
    tabs.expire().await;
    tabs.network.forget();
    let change = format!("api.changePassword('{PASSWORD}', 'another horse battery')");
    assert_eq!(tabs.call(&change).await, Value::Null);
    assert_eq!(tabs.network.outcomes(PASSWORD_CHANGE), ["401", "200"]);
    assert_eq!(tabs.network.outcomes(REFRESH), ["200"]);
    assert_eq!(tabs.status_of("/auth/me", &tabs.session().await), 200);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn signing_out_during_a_password_change_does_not_sign_in_again() {
    let tabs = Tabs::start(&[]).await;
    tabs.network.fail(PASSWORD_CHANGE, &[Fault::Held]);
    tabs.begin(&format!("api.changePassword('{PASSWORD}', 'another horse battery')")).await;
    tabs.network.has(PASSWORD_CHANGE, &["200"]).await;
    tabs.browser.click("#sign-out").await;
    tabs.browser.find("#sign-in").await;
    tabs.network.release();
    assert_eq!(tabs.outcome().await, Value::Null);
    assert_eq!(tabs.session().await, Value::Null);
    tabs.browser.find("#sign-in").await;
}
