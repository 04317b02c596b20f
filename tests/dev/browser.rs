//! The pages, in a browser: Debian's chromium, without a window, through chromedriver.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, response::Html, routing::get};
use serde_json::{Value, json};
use thirtyfour::{
    ChromiumLikeCapabilities,
    cdp::domains::emulation::{MediaFeature, SetEmulatedMedia},
    extensions::query::ElementPollerWithTimeout,
    prelude::*,
};
use tokio::net::TcpListener;
use tower_http::services::ServeDir;
use uuid::Uuid;

use crate::{Dev, folder};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/web");

const PASSWORD: &str = "correct horse battery staple";

/// How long a page may take to show what it should.
const PATIENCE: Duration = Duration::from_secs(15);

/// Whether a page can be read without scrolling sideways.
const FITS: &str = "async () => document.documentElement.scrollWidth <= innerWidth";

/// A browser, whose elements are named as style sheets name them.
struct Browser {
    driver: WebDriver,
    _chromedriver: Chromedriver,
}

/// Ends its browsers when it ends.
struct Chromedriver(Child);

impl Drop for Chromedriver {
    fn drop(&mut self) {
        kit::signal(self.0.id(), "TERM");
        let _ = self.0.wait();
    }
}

impl Browser {
    async fn start() -> Self {
        let chromedriver = Command::new("chromedriver").arg("--port=0").stdout(Stdio::piped()).spawn();
        let mut chromedriver = Chromedriver(chromedriver.unwrap_or_else(|error| {
            panic!("chromedriver cannot be run ({error}): apt install chromium-driver")
        }));
        let stdout = chromedriver.0.stdout.take().unwrap();
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let port: u16 = lines
            .find_map(|line| {
                line.split_once("started successfully on port ")?.1.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver did not say its port");
        // It stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));

        let mut capabilities = DesiredCapabilities::chrome();
        for argument in [
            "--headless",
            "--no-sandbox", // which root cannot have
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
        // For requests that it does not encrypt, but the client is made with the choice.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await.unwrap();
        driver.set_poller(Arc::new(ElementPollerWithTimeout::new(PATIENCE, Duration::from_millis(50))));
        driver.cdp().emulation().set_timezone_override("Europe/Berlin").await.unwrap();
        Self { driver, _chromedriver: chromedriver }
    }

    async fn goto(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    async fn find(&self, css: &str) -> WebElement {
        let query = self.driver.query(By::Css(css)).and_displayed();
        query.first().await.unwrap_or_else(|error| panic!("{css} is not to be seen: {error}"))
    }

    async fn click(&self, css: &str) {
        let element = self.find(css).await;
        element.scroll_into_view().await.unwrap();
        element.click().await.unwrap();
    }

    async fn fill(&self, css: &str, text: &str) {
        let input = self.find(css).await;
        input.clear().await.unwrap();
        input.send_keys(text).await.unwrap();
    }

    /// Of an input whose keys depend on the country, or of a list, in which they are a search.
    async fn set(&self, css: &str, value: &str) {
        let input = self.find(css).await.to_json().unwrap();
        let script = "const [input, value] = arguments;
             input.value = value;
             for (const type of ['input', 'change']) input.dispatchEvent(new Event(type, { bubbles: true }));";
        self.driver.execute(script, vec![input, json!(value)]).await.unwrap();
    }

    /// The texts of all that can be seen of these.
    async fn texts(&self, css: &str) -> Vec<String> {
        let script = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility())
             .map((e) => e.innerText.trim())";
        let texts = self.driver.execute(script, vec![json!(css)]).await.unwrap();
        serde_json::from_value(texts.json().clone()).unwrap()
    }

    /// Waits until these are all that can be seen.
    async fn shows(&self, css: &str, expected: &[&str]) {
        let started = Instant::now();
        loop {
            let texts = self.texts(css).await;
            if texts == expected {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{css} is {texts:?}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What a function of JavaScript, which may be async, comes to in the page.
    async fn evaluate(&self, function: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             ({function})().then((value) => done({{ value }}), (error) => done({{ error: `${{error}}` }}))"
        );
        let answer = self.driver.execute_async(script, Vec::new()).await.unwrap();
        assert_eq!(answer.json()["error"], Value::Null, "{function}");
        answer.json()["value"].clone()
    }

    /// Sends a request from the page, with the headers that tracing libraries add. Returns the status of the answer, the
    /// headers that the page may read, and the JSON.
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

    async fn prefer(&self, color_scheme: &str) {
        let feature =
            MediaFeature { name: "prefers-color-scheme".to_owned(), value: color_scheme.to_owned() };
        let media = SetEmulatedMedia { media: None, features: Some(vec![feature]) };
        self.driver.cdp().send(media).await.unwrap();
    }

    /// Writes what can be seen to the folder that the variable SCREENSHOTS names.
    async fn picture(&self, name: &str) {
        if let Some(folder) = std::env::var_os("SCREENSHOTS") {
            fs::create_dir_all(&folder).unwrap();
            self.driver.screenshot(&Path::new(&folder).join(name).with_extension("png")).await.unwrap();
        }
    }
}

/// Serves the example page at another origin, with the one line changed that says where the API is.
async fn serve_page(address: &str, api: &str) -> String {
    let page = fs::read_to_string(Path::new(PAGE).join("index.html")).unwrap();
    let empty = r#"<meta name="api-url" content="">"#;
    assert!(page.contains(empty));
    let page = page.replace(empty, &format!(r#"<meta name="api-url" content="{api}">"#));
    serve(address, Router::new().route("/", get(Html(page))).fallback_service(ServeDir::new(PAGE))).await
}

/// Waits for the address while another test has it.
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
async fn a_page_on_another_origin_signs_up_logs_in_and_works_on_tasks_and_errors_are_sentences() {
    let folder = folder();
    // The limit is low enough to reach. The origin is the one that cargo dev allows when it is told nothing.
    let dev = Dev::start(folder.path(), &[], &[("LOGIN_LIMIT_PER_ACCOUNT_AND_ADDRESS", "4")]);
    let page = serve_page("127.0.0.1:3000", &dev.url).await;
    let browser = Browser::start().await;
    browser.goto(&page).await;

    // A 422, by field.
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

    // A 401.
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
    browser.set("#new-task [name=priority]", "high").await;
    browser.fill("#new-task [name=tags]", "home, shop, home").await;
    browser.set("#new-task [name=due_date]", "2099-12-01T09:00").await;
    browser.click("#new-task [type=submit]").await;
    browser.shows("#tasks .title", &["Buy milk"]).await;
    browser.shows("#tasks .tag", &["home", "shop"]).await;
    browser.fill("#new-task [name=title]", "Water the plants").await;
    browser.click("#new-task [type=submit]").await;
    browser.shows("#tasks .title", &["Water the plants", "Buy milk"]).await;

    // Edit, with a 422 first.
    browser.click("#tasks li:last-child .edit").await;
    browser.fill("#edit [name=title]", " ").await;
    browser.click("#edit .save").await;
    browser.shows("#edit .field-error", &["Title should not be empty."]).await;
    browser.fill("#edit [name=title]", "Buy oat milk").await;
    browser.fill("#edit [name=description]", "").await;
    browser.click("#edit .save").await;
    browser.shows("#tasks .title", &["Water the plants", "Buy oat milk"]).await;
    browser.shows("#tasks .description:not(:empty)", &[]).await;

    // Complete.
    browser.click("#tasks li:last-child [type=checkbox]").await;
    browser.shows("#tasks .done .title", &["Buy oat milk"]).await;

    // Filter.
    browser.set("#filters [name=completed]", "true").await;
    browser.shows("#tasks .title", &["Buy oat milk"]).await;
    browser.set("#filters [name=completed]", "false").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;
    browser.click("#clear-filters").await;
    browser.shows("#tasks .title", &["Buy oat milk", "Water the plants"]).await;
    browser.fill("#filters [name=search]", "PLANT").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;
    browser.click("#clear-filters").await;
    browser.click("#tasks .tag").await;
    browser.shows("#tasks .title", &["Buy oat milk"]).await;
    browser.click("#clear-filters").await;
    browser.set("#filters [name=sort_by]", "title").await;
    browser.set("#filters [name=order]", "desc").await;
    browser.shows("#tasks .title", &["Water the plants", "Buy oat milk"]).await;

    // Delete.
    browser.click("#tasks li:last-child .delete").await;
    browser.click("#confirm .confirm").await;
    browser.shows("#tasks .title", &["Water the plants"]).await;

    // What API Gateway exposes can be read here too.
    let script = format!(
        "async () => {{
           const Authorization = `Bearer ${{localStorage.getItem('todo-token')}}`;
           const ask = (path, options) => fetch('{}' + path, {{ ...options, headers: {{ Authorization,
             'Content-Type': 'application/json' }} }});
           const create = (n) => ask('/tasks', {{ method: 'POST', body: JSON.stringify({{ title: `Task ${{n}}` }}) }});
           const created = await create(0);
           for (let n = 1; n < 60; n++) await create(n);
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

    // Pages, by the Link header.
    browser.goto(&page).await;
    browser.shows("#summary", &["50 tasks, and there are more"]).await;
    browser.click("#load-more").await;
    browser.shows("#summary", &["61 tasks"]).await;

    // A 401 of a token that is no longer good.
    browser.evaluate("async () => localStorage.setItem('todo-token', 'x.y.z')").await;
    browser.goto(&page).await;
    browser.shows("#alert p", &["Your session has ended. Please sign in again."]).await;

    // A 429, by the Retry-After header.
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
async fn a_page_of_an_origin_that_is_not_allowed_cannot_read_an_answer_and_says_so() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--seed"], &[]);
    let page = serve_page("127.0.0.1:0", &dev.url).await;
    let browser = Browser::start().await;
    browser.goto(&page).await;
    browser.fill("#sign-in [name=email]", "demo@example.com").await;
    browser.fill("#sign-in [name=password]", PASSWORD).await;
    browser.click("#sign-in [type=submit]").await;
    browser.shows("#alert p", &["The server cannot be reached. Check your connection and try again."]).await;
}

/// API_URL names an API that allows the first of the two origins and not the second: `cargo lambda watch`,
/// `sam local start-api`, a deployed one. Unset, it is a `cargo dev`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and port 3000"]
async fn a_page_of_localhost_3000_uses_the_api_at_api_url_and_one_of_127_0_0_1_cannot() {
    let folder = folder();
    let (api, _dev) = match std::env::var("API_URL") {
        Ok(url) => (url, None),
        Err(_) => {
            let dev = Dev::start(folder.path(), &[], &[]);
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

    // The first one shows that answers come; this page may not read them. The preflight refuses the last one.
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
async fn the_docs_page_takes_a_token_and_lists_tasks() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &["--seed"], &[]);
    let demo = json!({ "email": "demo@example.com", "password": PASSWORD });
    let token = dev.post("/auth/login", &demo).1["access_token"].as_str().unwrap().to_owned();
    let browser = Browser::start().await;
    for (path, request) in [("/docs", "/tasks"), ("/api/docs", "/api/tasks")] {
        browser.goto(&format!("{}{path}", dev.url)).await;
        browser.shows(".version", &["0.1.0", "OAS 3.1"]).await;
        if request.starts_with("/api") {
            browser.set("#servers", "/api").await;
        }
        browser.click("button.authorize").await;
        browser.fill(".auth-container input", &token).await;
        browser.click(".auth-container button.authorize").await;
        browser.click(".auth-container button.btn-done").await;

        browser.click("#operations-tasks-listTasks button.opblock-summary-control").await;
        browser.click("#operations-tasks-listTasks button.execute").await;
        let answer = "#operations-tasks-listTasks .live-responses-table";
        browser.shows(&format!("{answer} .response-col_status"), &["Code", "200"]).await;
        let body = browser.texts(&format!("{answer} .highlight-code code")).await.join("");
        assert!(body.contains("Buy milk"), "{body}");
        let asked = browser.texts("#operations-tasks-listTasks .request-url pre").await;
        assert!(asked[0].starts_with(&format!("{}{request}?", dev.url)), "{asked:?}");
    }
}

/// A custom domain of API Gateway serves the page below its mapping key.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_below_a_mapping_key_asks_below_it() {
    let below = docs::router().route("/health", get(async || "asked below the key"));
    let routes = Router::new().nest("/todo", below).route("/health", get(async || "asked beside the key"));
    let page = serve("127.0.0.1:0", routes).await;
    let browser = Browser::start().await;
    browser.goto(&format!("{page}/todo/docs")).await;
    browser.click("#operations-service-checkHealth button.opblock-summary-control").await;
    browser.click("#operations-service-checkHealth button.execute").await;
    let answer = "#operations-service-checkHealth .live-responses-table";
    browser.shows(&format!("{answer} .response-col_status"), &["Code", "200"]).await;
    let body = browser.texts(&format!("{answer} .highlight-code code")).await.join("");
    assert_eq!(body, "asked below the key");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_page_of_cargo_dev_fits_phones_and_desktops_light_and_dark() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
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
           const headers = { Authorization: `Bearer ${localStorage.getItem('todo-token')}`,
             'Content-Type': 'application/json' };
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
            browser.prefer(color_scheme).await;
            browser.goto(&dev.url).await;
            browser.shows("#summary", &["4 tasks"]).await;
            browser.shows("#tasks .overdue", &["Overdue"]).await;
            assert_eq!(browser.evaluate(FITS).await, true, "{device}");
            browser.picture(&format!("tasks-{device}-{color_scheme}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_fits_phones_and_desktops_light_and_dark() {
    let folder = folder();
    let dev = Dev::start(folder.path(), &[], &[]);
    let browser = Browser::start().await;
    for (width, height, device, color_scheme, background) in
        [(1280, 900, "desktop", "light", "rgba(0, 0, 0, 0)"), (360, 740, "phone", "dark", "rgb(28, 32, 34)")]
    {
        browser.resize(width, height).await;
        browser.prefer(color_scheme).await;
        browser.goto(&format!("{}/docs", dev.url)).await;
        browser.shows(".version", &["0.1.0", "OAS 3.1"]).await;
        assert_eq!(browser.evaluate(FITS).await, true, "{device}");
        let shown = "async () => getComputedStyle(document.documentElement).backgroundColor";
        assert_eq!(browser.evaluate(shown).await, background, "{color_scheme}");
        browser.picture(&format!("docs-{device}-{color_scheme}")).await;
    }
}
