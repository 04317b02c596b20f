//! The example page and the docs page in headless Chromium, through chromedriver.

mod around;
mod docs;
mod page;
mod sessions;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::{
    ChromiumLikeCapabilities,
    cdp::domains::emulation::{MediaFeature, SetEmulatedMedia},
    error::WebDriverErrorInner,
    extensions::query::ElementPollerWithTimeout,
    prelude::*,
};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use uuid::Uuid;

use crate::{Dev, folder};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/web");

const PASSWORD: &str = "correct horse battery staple";

/// The timeout of a wait for an element or its text.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The timeout of a command of the browser, such as a script. Other tests may keep all processors busy meanwhile.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(300);

/// Returns the page's width if it scrolls sideways, and the elements that are too wide. A phone's `innerWidth` grows with
/// them.
const TOO_WIDE: &str = "async () => {
   const { scrollWidth, clientWidth } = document.documentElement;
   if (scrollWidth <= clientWidth) return [];
   const wide = [...document.querySelectorAll('body *')]
     .filter((element) => element.getBoundingClientRect().right > clientWidth)
     .map(({ outerHTML }) => outerHTML.slice(0, 80));
   return [scrollWidth, ...wide];
 }";

/// The source of axe-core, which npm installs the first time.
static AXE: LazyLock<String> = LazyLock::new(|| {
    let folder = kit::target_folder().join("axe-core-4.14.1");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--ignore-scripts", "axe-core@4.14.1", "--prefix"]).arg(&folder);
        let output = npm.output().unwrap_or_else(|error| panic!("npm cannot be run: {error}"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    fs::read_to_string(file).unwrap()
});

/// A browser. Elements are selected by CSS selectors.
struct Browser {
    driver: WebDriver,
    _chromedriver: Chromedriver,
}

/// The chromedriver process. Ending it ends its browsers.
struct Chromedriver {
    process: Child,
    /// The browser leaves files in the temporary folder.
    _folder: TempDir,
}

impl Chromedriver {
    /// Starts chromedriver and returns its port too. Returns `None` if it exits: it takes a port that is free in IPv6,
    /// which may be in use in IPv4.
    fn start() -> Option<(Self, u16)> {
        let folder = folder();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("TMPDIR", folder.path()).stdout(Stdio::piped());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("chromedriver cannot be run ({error}): apt install chromium-driver")
        });
        let mut chromedriver = Self { process, _folder: folder };
        let stdout = chromedriver.process.stdout.take().unwrap();
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
        })?;
        // Chromedriver blocks when the pipe is full.
        std::thread::spawn(move || lines.for_each(drop));
        Some((chromedriver, port))
    }
}

impl Drop for Chromedriver {
    fn drop(&mut self) {
        kit::signal(self.process.id(), "TERM");
        let _ = self.process.wait();
    }
}

impl Browser {
    async fn start() -> Self {
        Self::with_preferences(json!({})).await
    }

    async fn with_preferences(preferences: Value) -> Self {
        let (chromedriver, port) =
            (0..5).find_map(|_| Chromedriver::start()).expect("chromedriver did not say its port");
        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless",
            "--no-sandbox", // root cannot use the sandbox
            "--disable-gpu",
            "--disable-quic",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            "--lang=en",
            "--window-size=1280,900",
        ] {
            capabilities.add_arg(argument).unwrap();
        }
        capabilities.add_experimental_option("prefs", preferences).unwrap();
        // Requests to chromedriver are not encrypted, but its client needs a crypto provider.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities)
            .request_timeout(COMMAND_TIMEOUT)
            .poller(Arc::new(ElementPollerWithTimeout::new(TIMEOUT, Duration::from_millis(50))))
            .await
            .unwrap();
        let timeouts = TimeoutConfiguration::new(Some(COMMAND_TIMEOUT), Some(COMMAND_TIMEOUT), None);
        driver.update_timeouts(timeouts).await.unwrap();
        driver.cdp().emulation().set_timezone_override("Europe/Berlin").await.unwrap();
        Self { driver, _chromedriver: chromedriver }
    }

    async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    async fn find(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css)).and_displayed();
        query.first().await.unwrap_or_else(|error| panic!("{css} is not visible: {error}"))
    }

    /// Clicks an element. Finds it again if the page draws it anew at that moment.
    async fn click(&self, css: &str) {
        loop {
            let element = self.find(css).await;
            let clicked = async {
                element.scroll_into_view().await?;
                element.click().await
            };
            match clicked.await {
                Err(error) if matches!(*error, WebDriverErrorInner::StaleElementReference(_)) => {}
                clicked => return clicked.unwrap(),
            }
        }
    }

    async fn fill(&self, css: &str, text: &str) {
        let input = self.find(css).await;
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap();
    }

    /// Presses keys where the focus is.
    async fn press(&self, keys: impl Into<TypingData>) {
        self.driver.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    async fn has_focus(&self, css: &str) {
        self.find(&format!("{css}:focus")).await;
    }

    async fn sign_in(&self, name: &str) {
        self.fill("#sign-in [name=email]", &format!("{name}@example.com")).await;
        self.fill("#sign-in [name=password]", PASSWORD).await;
        self.click("#sign-in [type=submit]").await;
        self.shows("#who", &[&format!("{name}@example.com")]).await;
    }

    /// Sets the value of a date input or a list with JavaScript, because typing depends on the locale or searches.
    async fn set_value(&self, css: &str, value: &str) {
        let input = self.find(css).await.to_json().unwrap();
        let script = "const [input, value] = arguments;
             input.value = value;
             for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));";
        self.driver.execute(script, vec![input, json!(value)]).await.unwrap();
    }

    /// Returns the texts of the visible elements.
    async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())
             .map((e) => e.innerText.trim())";
        let texts = self.driver.execute(script, vec![json!(css)]).await.unwrap();
        serde_json::from_value(texts.json().clone()).unwrap()
    }

    /// Waits until the visible elements have exactly these texts.
    async fn shows(&self, css: &str, expected: &[&str]) {
        let started = Instant::now();
        loop {
            let texts = self.texts(css).await;
            if texts == expected {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "{css} is {texts:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Calls an async JavaScript function in the page and returns its result.
    async fn evaluate(&self, function: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             ({function})().then((value) => done({{ value }}), (error) => done({{ error: `${{error}}` }}))"
        );
        let answer = self.driver.execute_async(script, Vec::new()).await.unwrap();
        assert_eq!(answer.json()["error"], Value::Null, "{function}");
        answer.json()["value"].clone()
    }

    /// Sends a request from the page, with the headers that tracing libraries add. Returns the answer's status, the
    /// headers that the page can read, and the JSON.
    async fn fetch(&self, method: &str, url: &str, token: Option<&str>, body: Option<Value>) -> Value {
        let mut headers = json!({
            "Content-Type": "application/json",
            "sentry-trace": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        });
        if let Some(token) = token {
            headers["Authorization"] = json!(format!("Bearer {token}"));
        }
        let body = body.map(|body| body.to_string());
        let function = format!(
            "async () => {{
               const answer = await fetch({}, {});
               const headers = Object.fromEntries(answer.headers);
               return {{ status: answer.status, headers, body: await answer.json() }};
             }}",
            json!(url),
            json!({ "method": method, "headers": headers, "body": body })
        );
        self.evaluate(&function).await
    }

    /// Waits until a change of the color scheme or of the size has been drawn.
    async fn is_drawn(&self) {
        let function = "async () => {
             for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
             const transitions = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
             await Promise.allSettled(transitions.map(({ finished }) => finished));
           }";
        self.evaluate(function).await;
    }

    /// Checks that the page does not scroll sideways.
    async fn fits(&self, what: &str) {
        assert_eq!(self.evaluate(TOO_WIDE).await, json!([]), "{what}");
    }

    /// Returns what axe-core finds wrong in the page: the rule and the element of each violation.
    async fn axe(&self) -> Vec<String> {
        self.is_drawn().await;
        self.driver.execute(&*AXE, Vec::new()).await.unwrap();
        let function = "async () => {
             const { violations } = await axe.run();
             return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target}`));
           }";
        serde_json::from_value(self.evaluate(function).await).unwrap()
    }

    async fn resize(&self, width: u32, height: u32) {
        let is_phone = width < 600;
        let scale = if is_phone { 2.0 } else { 1.0 };
        self.driver
            .cdp()
            .emulation()
            .set_device_metrics_override(width, height, scale, is_phone)
            .await
            .unwrap();
    }

    async fn emulate_media(&self, feature: &str, value: &str) {
        let feature = MediaFeature { name: feature.to_owned(), value: value.to_owned() };
        let media = SetEmulatedMedia { media: None, features: Some(vec![feature]) };
        self.driver.cdp().send(media).await.unwrap();
    }

    /// Writes a screenshot to the folder in the variable SCREENSHOTS, if it is set.
    async fn screenshot(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            fs::create_dir_all(&folder).unwrap();
            self.driver.screenshot(&Path::new(&folder).join(name).with_extension("png")).await.unwrap();
        }
    }
}

/// Signs up a user and returns the session.
fn sign_up(dev: &Dev, name: &str) -> Value {
    let user = json!({ "email": format!("{name}@example.com"), "password": PASSWORD });
    let (status, session) = dev.post("/auth/signup", &user);
    assert_eq!(status, 201, "{session}");
    session
}

/// Starts `cargo dev` with a database on the tests' server, because one of its own takes a second of CPU to create.
async fn start_dev(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Dev {
    let url = kit::database().await;
    let database = [("DATABASE_URL", &*url), ("DATABASE_PREPARED_STATEMENTS", "on")];
    Dev::start(folder, arguments, &[&database, variables].concat())
}

/// Serves the example page at another origin, with the API's URL in its `api-url` line.
async fn serve_page(address: &str, api: &str) -> String {
    let page = fs::read_to_string(Path::new(PAGE).join("index.html")).unwrap();
    let empty = r#"<meta name="api-url" content="">"#;
    assert!(page.contains(empty));
    let page = page.replace(empty, &format!(r#"<meta name="api-url" content="{api}">"#));
    serve(address, Router::new().route("/", get(Html(page))).fallback_service(ServeDir::new(PAGE))).await
}

/// Serves routes at an address, and waits up to 120 s if another test uses it. Returns the URL.
async fn serve(address: &str, routes: Router) -> String {
    let started = Instant::now();
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) if started.elapsed() > Duration::from_secs(120) => panic!("{address}: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async { axum::serve(listener, routes).await });
    format!("http://localhost:{port}")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and port 3000"]
async fn the_example_page_works_from_another_origin() {
    let folder = folder();
    // The login limit is low enough to reach. Port 3000 is the default allowed origin of cargo dev.
    let dev = start_dev(folder.path(), &[], &[("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "4")]).await;
    let page = serve_page("127.0.0.1:3000", &dev.url).await;
    let browser = Browser::start().await;
    browser.goto(&page).await;

    // Field errors of a 422.
    browser.click("#to-sign-up").await;
    browser.fill("#sign-up [name=email]", "nowhere").await;
    browser.fill("#sign-up [name=password]", "short").await;
    browser.click("#sign-up [type=submit]").await;
    let email = "Email should be an address such as name@example.com, in ASCII, of at most 254 characters.";
    browser.shows("#sign-up .field-error", &[email, "Password should have at least 8 characters."]).await;

    browser.fill("#sign-up [name=email]", "ada@example.com").await;
    browser.fill("#sign-up [name=username]", "ada").await;
    browser.fill("#sign-up [name=password]", PASSWORD).await;
    browser.click("#sign-up [type=submit]").await;
    browser.shows("#who", &["ada"]).await;
    browser.shows("#summary", &["No tasks yet. Add your first."]).await;
    browser.click("#sign-out").await;

    // The error of a 401.
    browser.fill("#sign-in [name=email]", "ada@example.com").await;
    browser.fill("#sign-in [name=password]", "correct horse battery stable").await;
    browser.click("#sign-in [type=submit]").await;
    browser.shows("#alert p", &["Incorrect email or password."]).await;

    browser.fill("#sign-in [name=password]", PASSWORD).await;
    browser.click("#sign-in [type=submit]").await;
    browser.shows("#who", &["ada"]).await;

    // Create.
    browser.click("#new-task summary").await;
    browser.fill("#new-task [name=title]", "Buy milk").await;
    browser.fill("#new-task [name=description]", "Two litres").await;
    browser.set_value("#new-task [name=priority]", "high").await;
    browser.fill("#new-task [name=tags]", "home, shop, home").await;
    browser.set_value("#new-task [name=due_date]", "2099-12-01").await;
    browser.click("#new-task [type=submit]").await;
    browser.shows("#tasks .title", &["Buy milk"]).await;
    browser.shows("#tasks .tag", &["home", "shop"]).await;
    browser.fill("#new-task [name=title]", "Water the plants").await;
    browser.click("#new-task [type=submit]").await;
    browser.shows("#tasks h2", &["Upcoming 1", "No date 1"]).await;
    browser.shows("#tasks .title", &["Buy milk", "Water the plants"]).await;

    // Edit, with a 422 first.
    browser.click("[data-group=upcoming] .edit").await;
    browser.fill("#tasks form [name=title]", " ").await;
    browser.click("#tasks form [type=submit]").await;
    browser.shows("#tasks .field-error", &["Title should not be empty."]).await;
    browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    browser.fill("#tasks form [name=description]", "").await;
    browser.click("#tasks form [type=submit]").await;
    browser.shows("#tasks .title", &["Buy oat milk", "Water the plants"]).await;
    browser.shows("#tasks .description:not(:empty)", &[]).await;

    // Complete.
    browser.click("[data-group=upcoming] [type=checkbox]").await;
    browser.shows("[data-group=done] .title", &["Buy oat milk"]).await;
    browser.shows(".toast:last-child:not([aria-busy]) p", &["Task done."]).await;

    // Filter.
    browser.set_value("#filters [name=completed]", "true").await;
    browser.shows("#tasks .title", &["Buy oat milk"]).await;
    browser.set_value("#filters [name=completed]", "false").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;
    browser.click("#clear-filters").await;
    browser.shows("#tasks .title", &["Water the plants", "Buy oat milk"]).await;
    browser.fill("#filters [name=search]", "PLANT").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;
    browser.click("#clear-filters").await;
    browser.click("#tasks .tag").await;
    browser.shows("#tasks .title", &["Buy oat milk"]).await;
    browser.click("#clear-filters").await;
    browser.set_value("#filters [name=sort_by]", "title").await;
    browser.set_value("#filters [name=order]", "desc").await;
    browser.shows("#tasks .title", &["Water the plants", "Buy oat milk"]).await;

    // Delete.
    browser.click("#tasks li:last-child .delete").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;
    browser.shows(".toast:last-child:not([aria-busy]) p", &["Task deleted."]).await;

    // The page can read the exposed headers.
    let script = format!(
        "async () => {{
           const {{ access_token }} = JSON.parse(localStorage.getItem('todo-session'));
           const Authorization = `Bearer ${{access_token}}`;
           const ask = (path, options) => fetch('{}' + path, {{ ...options, headers: {{ Authorization,
             'Content-Type': 'application/json' }} }});
           const create = (n) => ask('/tasks', {{ method: 'POST', body: JSON.stringify({{ title: `Task ${{n}}` }}) }});
           const created = await create(0);
           for (let n = 1; n < 210; n++) await create(n);
           const page = await ask('/tasks?limit=1');
           return {{ location: created.headers.get('Location'), link: page.headers.get('Link'),
             id: page.headers.get('X-Request-Id') }};
         }}",
        dev.url
    );
    let headers = browser.evaluate(&script).await;
    assert!(headers["location"].as_str().unwrap().starts_with("/tasks/"), "{headers}");
    assert!(headers["link"].as_str().unwrap().ends_with("; rel=\"next\""), "{headers}");
    assert!(!headers["id"].as_str().unwrap().is_empty(), "{headers}");

    // The next page, from the Link header.
    browser.goto(&page).await;
    browser.shows("#summary", &["211 tasks"]).await;

    // A 401 for invalid tokens.
    let invalidate = "async () => localStorage.setItem('todo-session',
         localStorage.getItem('todo-session').replace(/eyJ[^\"]*/g, 'x.y.z'))";
    browser.evaluate(invalidate).await;
    browser.goto(&page).await;
    browser.shows("#alert p", &["Your session has ended. Please sign in again."]).await;

    // A 429, with the time from the Retry-After header.
    for _ in 0..3 {
        browser.fill("#sign-in [name=email]", "ada@example.com").await;
        browser.fill("#sign-in [name=password]", "wrong").await;
        browser.click("#sign-in [type=submit]").await;
        browser.find("#sign-in:has([type=submit]:enabled) #alert").await;
    }
    browser.shows("#alert p", &["Too many attempts. Please try again in 15 minutes."]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_example_page_reports_that_its_origin_is_not_allowed() {
    let folder = folder();
    let dev = start_dev(folder.path(), &["--seed"], &[]).await;
    let page = serve_page("127.0.0.1:0", &dev.url).await;
    let browser = Browser::start().await;
    browser.goto(&page).await;
    browser.fill("#sign-in [name=email]", "demo@example.com").await;
    browser.fill("#sign-in [name=password]", PASSWORD).await;
    browser.click("#sign-in [type=submit]").await;
    browser.shows("#alert p", &["The server cannot be reached. Check your connection and try again."]).await;
}

/// Uses the API at API_URL (`cargo lambda watch`, `sam local start-api` or a deployed one), which must allow the origin
/// http://localhost:3000 and not http://127.0.0.1:3000. If API_URL is not set, uses `cargo dev`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and port 3000"]
async fn only_the_allowed_origin_can_use_the_api_at_api_url() {
    let folder = folder();
    let (api, _dev) = match std::env::var("API_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let dev = start_dev(folder.path(), &[], &[]).await;
            (dev.url.clone(), Some(dev))
        }
    };
    let page = serve("127.0.0.1:3000", Router::new().route("/", get(Html("")))).await;
    let browser = Browser::start().await;
    browser.goto(&page).await;

    let email = format!("{}@example.com", Uuid::now_v7());
    let user = json!({ "email": email, "password": PASSWORD });
    let signed_up = browser.fetch("POST", &format!("{api}/auth/signup"), None, Some(user.clone())).await;
    assert_eq!(signed_up["status"], 201, "{signed_up}");
    let logged_in = browser.fetch("POST", &format!("{api}/auth/login"), None, Some(user)).await;
    assert_eq!(logged_in["status"], 200, "{logged_in}");
    let token = logged_in["body"]["access_token"].as_str();
    let me = browser.fetch("GET", &format!("{api}/auth/me"), token, None).await;
    assert_eq!(me["body"]["email"], email, "{me}");

    let tasks = format!("{api}/tasks");
    let created = browser.fetch("POST", &tasks, token, Some(json!({ "title": "Buy milk" }))).await;
    assert_eq!(created["status"], 201, "{created}");
    let location = created["headers"]["location"].as_str().unwrap();
    assert_eq!(location, format!("/tasks/{}", created["body"]["id"].as_str().unwrap()));
    assert!(created["headers"]["x-request-id"].is_string(), "{created}");
    let task = format!("{api}{location}");
    let edited = browser.fetch("PUT", &task, token, Some(json!({ "priority": "high" }))).await;
    assert_eq!(edited["body"]["priority"], "high", "{edited}");
    let toggled = browser.fetch("PATCH", &format!("{task}/complete"), token, None).await;
    assert_eq!(toggled["body"]["completed"], true, "{toggled}");
    let listed = browser.fetch("GET", &tasks, token, None).await;
    assert_eq!(listed["body"], json!([toggled["body"]]), "{listed}");
    let deleted = browser.fetch("DELETE", &task, token, None).await;
    assert_eq!(deleted["status"], 200, "{deleted}");
    let listed = browser.fetch("GET", &tasks, token, None).await;
    assert_eq!(listed["body"], json!([]), "{listed}");

    let refused = browser.fetch("POST", &tasks, token, Some(json!({ "title": " " }))).await;
    assert_eq!(refused["status"], 422, "{refused}");
    assert_eq!(refused["body"]["detail"][0]["loc"], json!(["body", "title"]), "{refused}");
    let refused = browser.fetch("GET", &tasks, Some("x.y.z"), None).await;
    assert_eq!(refused["status"], 401, "{refused}");
    assert_eq!(refused["body"]["code"], "invalid_token", "{refused}");
    assert_eq!(refused["body"]["request_id"], refused["headers"]["x-request-id"], "{refused}");

    // This origin is not allowed: an opaque answer arrives, the page cannot read an answer, and the preflight fails.
    browser.goto("http://127.0.0.1:3000").await;
    let function = format!(
        "async () => {{
           const kind = (options) => fetch({}, options).then((answer) => answer.type, (error) => error.message);
           const headers = {{ 'Content-Type': 'application/json' }};
           return [await kind({{ mode: 'no-cors' }}), await kind({{}}), await kind({{ method: 'POST', headers }})];
         }}",
        json!(tasks)
    );
    assert_eq!(browser.evaluate(&function).await, json!(["opaque", "Failed to fetch", "Failed to fetch"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_example_page_fits_phones_and_desktops() {
    let folder = folder();
    let dev = start_dev(folder.path(), &[], &[]).await;
    let browser = Browser::start().await;
    browser.goto(&dev.url).await;
    browser.click("#to-sign-up").await;
    browser.fill("#sign-up [name=email]", "ada@example.com").await;
    browser.fill("#sign-up [name=username]", "ada").await;
    browser.fill("#sign-up [name=password]", PASSWORD).await;
    browser.click("#sign-up [type=submit]").await;
    browser.shows("#who", &["ada"]).await;
    browser
        .evaluate(
            "async () => {
           const { access_token } = JSON.parse(localStorage.getItem('todo-session'));
           const headers = { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' };
           for (const task of [
             { title: 'Renew the passport', priority: 'high', due_date: '2026-01-30T10:00', tags: 'errands',
               description: 'Two photographs, and the old one.' },
             { title: 'Buy milk', due_date: '2099-12-01T09:00', tags: 'home, shop' },
             { title: 'Water the plants', priority: 'low', completed: true, tags: 'home' },
             { title: 'Read the chapter on write-ahead logs', description: 'And the one on vacuuming.' },
           ]) await fetch('/tasks', { method: 'POST', headers, body: JSON.stringify(task) });
         }",
        )
        .await;
    for (width, height, device) in [(1280, 900, "desktop"), (360, 740, "phone")] {
        browser.resize(width, height).await;
        for color_scheme in ["light", "dark"] {
            browser.emulate_media("prefers-color-scheme", color_scheme).await;
            browser.goto(&dev.url).await;
            browser.shows("#summary", &["4 tasks"]).await;
            browser.shows("#tasks h2", &["Overdue 1", "Upcoming 1", "No date 1", "Done 1"]).await;
            browser.fits(device).await;
            browser.screenshot(&format!("tasks-{device}-{color_scheme}")).await;
        }
    }
}
