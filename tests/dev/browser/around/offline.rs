//! The page without a network: what opens, what can be read, and that a new version is never stuck behind an old one.

use axum::{
    http::{HeaderValue, header::CACHE_CONTROL},
    middleware::map_response,
    response::Response,
};

use super::*;

impl Page {
    /// Waits until the service worker has the page's files.
    async fn has_worker(&self) {
        self.browser.evaluate("async () => { await navigator.serviceWorker.ready; }").await;
    }
}

/// Returns the names of the page's files.
fn files() -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(PAGE).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Returns what the service worker has kept, without the page's URL.
async fn kept(browser: &Browser, url: &str) -> Vec<String> {
    let function = "async () => {
         const names = await caches.keys();
         const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
         return requests.flat().map(({ url }) => url).sort();
       }";
    let urls: Vec<String> = serde_json::from_value(browser.evaluate(function).await).unwrap();
    urls.iter().map(|kept| kept.strip_prefix(url).unwrap_or(kept).to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn without_a_network_the_page_opens_and_shows_what_was_last_seen() {
    let page = Page::start(&["Buy bread", "Water the plants"]).await;
    page.has_worker().await;
    // The user has also seen the changes made after the list was asked for.
    page.browser.fill("#new-task [name=title]", "Buy milk\n").await;
    page.browser.find("#tasks .task:nth-child(3)[aria-busy=false]").await;
    page.browser.click("#tasks .task:last-child .delete").await;
    page.browser.shows(".toast:last-child:not([aria-busy]) p", &["Task deleted."]).await;
    // A list of some of the tasks does not take its place.
    page.open("/?search=milk").await;
    page.shows_tasks(&["Buy milk"]).await;
    page.browser.find("#tasks[aria-busy=false]").await;
    page.go_offline().await;
    for path in ["", "/?tag=home", "/#trash", "/index.html"] {
        page.open(path).await;
        page.browser.shows("#who", &["ada@example.com"]).await;
    }
    // Filters are for the server.
    page.open("/?tag=home").await;
    let told = format!("{UNREACHABLE} Clear the filters to read the list that was last seen.");
    page.browser.shows("#alert p", &[&told]).await;
    page.browser.click("#active-filters button").await;
    page.shows_tasks(&["Buy milk", "Water the plants"]).await;
    page.open("").await;
    page.shows_tasks(&["Buy milk", "Water the plants"]).await;
    let told = page.browser.texts("#alert p").await.join("");
    assert!(told.contains(UNREACHABLE) && told.contains("today"), "{told}");
    page.browser.screenshot("offline").await;

    // A task that is added meanwhile is kept until it can be sent.
    page.browser.fill("#new-task [name=title]", "Call Bob\n").await;
    page.browser.find("#outbox [type=submit]").await;
    page.api("POST", "/tasks", &json!({ "title": "From another device" }));
    page.set_latency(300);
    page.go_online();
    page.browser.click("#retry").await;
    page.shows_tasks(&["Buy milk", "Water the plants", "From another device"]).await;
    page.browser.shows("#alert", &[]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.shows_tasks(&["Buy milk", "Water the plants", "From another device", "Call Bob"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn what_was_last_seen_is_the_users_alone_and_is_gone_after_the_sign_out() {
    let page = Page::start(&["Buy milk"]).await;
    page.has_worker().await;
    let seen =
        "async () => JSON.parse(localStorage.getItem('todo-seen'))?.tasks.map(({ title }) => title) ?? null";
    assert_eq!(page.browser.evaluate(seen).await, json!(["Buy milk"]));
    let others = "async () => {
         const { recall } = await import('/seen.js');
         return [recall('another user'), recall(null), recall(undefined)];
       }";
    assert_eq!(page.browser.evaluate(others).await, json!([null, null, null]));
    // A tab that is closed keeps its list over no newer one of another tab.
    let close = "async () => {
         const seen = JSON.parse(localStorage.getItem('todo-seen'));
         localStorage.setItem('todo-seen', JSON.stringify({ ...seen, at: seen.at + 60_000, tasks: [] }));
         dispatchEvent(new Event('pagehide'));
       }";
    page.browser.evaluate(close).await;
    assert_eq!(page.browser.evaluate(seen).await, json!([]));

    // A tab that is closed before it knows that another one has signed out keeps nothing.
    let close = "async () => {
         localStorage.removeItem('todo-seen');
         dispatchEvent(new Event('pagehide'));
       }";
    page.browser.evaluate(close).await;
    assert_eq!(page.browser.evaluate(seen).await, Value::Null);
    page.reload().await;
    page.shows_tasks(&["Buy milk"]).await;
    page.browser.find("#tasks[aria-busy=false]").await;
    assert_eq!(page.browser.evaluate(seen).await, json!(["Buy milk"]));
    page.sign_out().await;
    assert_eq!(page.browser.evaluate(seen).await, Value::Null);
    page.go_offline().await;
    page.open("").await;
    page.browser.find("#sign-in").await;
    assert_eq!(page.browser.texts("#tasks .title").await, [""; 0]);

    // A list that is too long is kept in part.
    let kept = "async () => {
         const { remember, recall } = await import('/seen.js');
         remember('ada', Array.from({ length: 1000 }, (_, id) => ({ id, description: 'x'.repeat(2000) })), 1);
         const { tasks } = recall('ada');
         const isInOrder = tasks.every(({ id }, index) => id === index);
         return [tasks.length, isInOrder, localStorage.getItem('todo-seen').length < 1e6];
       }";
    assert_eq!(page.browser.evaluate(kept).await, json!([250, true, true]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_service_worker_keeps_the_pages_files_and_no_answer_of_the_api() {
    let page = Page::start(&["Buy milk"]).await;
    page.has_worker().await;
    let mut expected: Vec<_> = files()
        .iter()
        .filter(|name| *name != "sw.js")
        .map(|name| format!("/{}", if name == "index.html" { "" } else { name }))
        .collect();
    expected.sort_unstable();
    page.reload().await;
    page.shows_tasks(&["Buy milk"]).await;
    page.browser.find("#tasks[aria-busy=false]").await;
    page.browser.goto(&format!("{}/docs", page.url)).await;
    page.browser.shows(".version", &["0.1.0", "OAS 3.1"]).await;
    assert_eq!(kept(&page.browser, &page.url).await, expected);

    // The worker has the page of this path, and answers nothing else.
    page.open("").await;
    page.shows_tasks(&["Buy milk"]).await;
    page.go_offline().await;
    let fetched = "async () => Promise.all(
         ['/', '/api.js', '/tasks', '/docs', '/openapi.json', '/docs/swagger-ui.css', '/health', '/api/tasks', '/no.js']
           .map((path) => fetch(path, { cache: 'no-store' }).then(({ status }) => status, ({ message }) => message)))";
    let failed = "Failed to fetch";
    assert_eq!(
        page.browser.evaluate(fetched).await,
        json!([200, 200, failed, failed, failed, failed, failed, failed, failed])
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_new_version_of_the_page_is_there_at_the_next_load() {
    let folder = folder();
    for name in files() {
        fs::copy(Path::new(PAGE).join(&name), folder.path().join(&name)).unwrap();
    }
    let replace = |file: &str, from: &str, to: &str| {
        let path = folder.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        // Last-Modified has whole seconds: another version within the same second would be 304.
        let modified = fs::metadata(&path).unwrap().modified().unwrap() + Duration::from_secs(1);
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        fs::File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
    };
    // The host lets the browser keep everything for a day, and the page is below a path.
    let files = Router::new().nest_service("/todo", ServeDir::new(folder.path()));
    let files = files.layer(map_response(async |mut answer: Response| {
        answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("max-age=86400"));
        answer
    }));
    let origin = serve("127.0.0.1:0", files).await;
    let network = Proxy::start(&origin).await;
    let browser = Browser::start().await;
    let url = format!("{}/todo/", network.url());
    browser.goto(&url).await;
    browser.shows("h1", &["Sign in"]).await;
    browser.evaluate("async () => { await navigator.serviceWorker.ready; }").await;

    replace("index.html", "Sign in</h1>", "Welcome back</h1>");
    replace("app.js", "· Todo", "· New");
    browser.goto(&url).await;
    browser.shows("h1", &["Welcome back"]).await;
    assert_eq!(browser.driver.title().await.unwrap(), "Welcome back · New");

    // The last version that was seen is the one without a network, and a newer worker takes over at once.
    network.refuse().await;
    network.cut(Cut::Rst);
    browser.goto("about:blank").await;
    browser.goto(&url).await;
    browser.shows("h1", &["Welcome back"]).await;
    assert_eq!(browser.driver.title().await.unwrap(), "Welcome back · New");
    network.restore();
    replace(
        "sw.js",
        "addEventListener('fetch', (event) => {",
        "addEventListener('fetch', (event) => {\n  return;",
    );
    replace("index.html", "Welcome back</h1>", "Hello</h1>");
    browser.goto(&url).await;
    browser.shows("h1", &["Hello"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_file_that_does_not_arrive_is_the_one_of_the_last_visit() {
    let page = Page::start(&["Buy milk"]).await;
    page.has_worker().await;
    page.network.close_new();
    page.network.cut(Cut::Rst);
    page.open("").await;
    page.shows_tasks(&["Buy milk"]).await;
    page.go_online();
    page.reload().await;
    page.shows_tasks(&["Buy milk"]).await;
    page.browser.shows("#alert", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_page_can_be_installed() {
    let page = Page::start(&[]).await;
    let cdp = page.browser.driver.cdp();
    cdp.send_raw("Page.enable", json!({})).await.unwrap();
    let manifest = cdp.send_raw("Page.getAppManifest", json!({})).await.unwrap();
    assert_eq!(manifest["errors"], json!([]), "{manifest}");
    let installability = cdp.send_raw("Page.getInstallabilityErrors", json!({})).await.unwrap();
    assert_eq!(installability["installabilityErrors"], json!([]), "{installability}");
}
