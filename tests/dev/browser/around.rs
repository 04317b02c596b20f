//! The example page around its board: views and filters in the URL, the theme, shortcuts, and the end of a session.

mod account;
mod offline;
mod trash;

use kit::{Cut, Proxy};

use super::*;

const UNREACHABLE: &str = "The server cannot be reached. Check your connection and try again.";

/// The page in a browser behind a network of its own, with the user ada.
struct Page {
    browser: Browser,
    network: Proxy,
    url: String,
    /// The session of the page.
    session: Value,
    dev: Dev,
    _folder: TempDir,
}

impl Page {
    /// Starts with ada signed in, and with tasks of these titles.
    async fn start(titles: &[&str]) -> Self {
        let folder = folder();
        let dev = start_dev(folder.path(), &[], &[]).await;
        let session = sign_up(&dev, "ada");
        let network = Proxy::start(&dev.url).await;
        let url = network.url().to_owned();
        let browser = Browser::start().await;
        let page = Self { browser, network, url, session, dev, _folder: folder };
        for title in titles {
            page.api("POST", "/tasks", &json!({ "title": title }));
        }
        page.browser.goto(&page.url).await;
        page.browser.find("#sign-in").await;
        let session = json!(page.session.to_string());
        let store = format!("async () => localStorage.setItem('todo-session', {session})");
        page.browser.evaluate(&store).await;
        page.reload().await;
        page.browser.shows("#who", &["ada@example.com"]).await;
        page.shows_tasks(titles).await;
        page
    }

    /// Sends a request of ada to the server, past the page. Returns the answer's JSON, or null if it has no body.
    fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        call(&self.dev, &self.session, method, path, body).1
    }

    /// Signs ada in on another device, which calls itself `user_agent`. Returns the session.
    fn other_device(&self, user_agent: &str) -> Value {
        let credentials = json!({ "email": "ada@example.com", "password": PASSWORD }).to_string();
        let headers = ["-A", user_agent, "-H", "Content-Type: application/json", "-d", &credentials];
        let answer = self.dev.curl("/auth/login", &headers);
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// Returns the status of a request with the access token of a session.
    fn status_of(&self, session: &Value) -> u16 {
        call(&self.dev, session, "GET", "/auth/me", &Value::Null).0
    }

    /// Opens the page at a path, and a view or filters.
    async fn open(&self, path: &str) {
        self.browser.goto("about:blank").await;
        self.browser.goto(&format!("{}{path}", self.url)).await;
    }

    async fn reload(&self) {
        self.browser.driver.refresh().await.unwrap();
    }

    async fn back(&self) {
        self.browser.driver.back().await.unwrap();
    }

    /// Waits until the board has tasks of these titles, in any order.
    async fn shows_tasks(&self, titles: &[&str]) {
        let mut titles = titles.to_vec();
        titles.sort_unstable();
        let started = Instant::now();
        loop {
            let mut texts = self.browser.texts("#tasks .title").await;
            texts.sort_unstable();
            if texts == titles {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "the tasks are {texts:?}, not {titles:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the URL is this one, below the page's own. A `#` with nothing after it does not count.
    async fn has_url(&self, expected: &str) {
        let started = Instant::now();
        loop {
            let url = self.browser.driver.current_url().await.unwrap().to_string();
            if url.trim_end_matches('#').strip_prefix(&self.url) == Some(expected) {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "the URL is {url}, not {expected}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn value_of(&self, css: &str) -> String {
        self.browser.find(css).await.prop("value").await.unwrap().unwrap()
    }

    /// Checks that axe-core finds nothing wrong in the page, and that it does not scroll sideways, even with text of
    /// twice the size.
    async fn passes(&self, name: &str) {
        assert_eq!(self.browser.axe().await, [""; 0], "{name}");
        self.browser.fits(name).await;
        self.browser.screenshot(name).await;
        let name = format!("{name}-200");
        self.browser.evaluate("async () => { document.documentElement.style.fontSize = '200%'; }").await;
        self.browser.fits(&name).await;
        self.browser.screenshot(&name).await;
        self.browser.evaluate("async () => { document.documentElement.style.fontSize = ''; }").await;
    }

    /// Sets the time of a round trip to the server.
    fn set_latency(&self, milliseconds: u64) {
        self.network.delay(Duration::from_millis(milliseconds / 2));
    }

    /// Ends the network, also for the service worker, until [`Page::go_online`].
    async fn go_offline(&self) {
        self.network.refuse().await;
        self.network.cut(Cut::Rst);
    }

    fn go_online(&self) {
        self.network.restore();
    }

    async fn sign_out(&self) {
        self.browser.click("#sign-out").await;
        self.browser.find("#sign-in").await;
    }
}

/// Sends a request with the access token of a session. Returns the status and the JSON, or null if there is no body.
fn call(dev: &Dev, session: &Value, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let token = format!("Authorization: Bearer {}", session["access_token"].as_str().unwrap());
    let body = body.to_string();
    let answer =
        dev.curl(path, &["-X", method, "-H", &token, "-H", "Content-Type: application/json", "-d", &body]);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_back_button_leaves_a_view_as_it_leaves_a_page() {
    let page = Page::start(&["Buy milk"]).await;
    for latency in [300, 1000] {
        page.set_latency(latency);
        page.open("").await;
        page.shows_tasks(&["Buy milk"]).await;
        page.browser.click("[href='#trash']").await;
        page.browser.shows("h1", &["Trash"]).await;
        page.browser.has_focus("#trash-heading").await;
        page.browser.shows("[aria-current=page]", &["Trash"]).await;
        page.browser.click("[href='#account']").await;
        page.browser.shows("h1", &["Your account"]).await;
        page.has_url("/#account").await;
        page.back().await;
        page.browser.shows("h1", &["Trash"]).await;
        page.back().await;
        page.browser.shows("h1", &["Your tasks"]).await;
        page.shows_tasks(&["Buy milk"]).await;
        page.browser.driver.forward().await.unwrap();
        page.browser.shows("h1", &["Trash"]).await;
        page.reload().await;
        page.browser.shows("h1", &["Trash"]).await;
        assert_eq!(page.browser.driver.title().await.unwrap(), "Trash · Todo");
        page.browser.click("[href='#board']").await;
        page.shows_tasks(&["Buy milk"]).await;
    }

    // Back from the sign-in page shows nothing of the user who has signed out.
    page.browser.click("[href='#account']").await;
    page.browser.shows("#sessions .current", &["This device"]).await;
    page.sign_out().await;
    page.has_url("/").await;
    page.back().await;
    page.browser.shows("h1", &["Sign in"]).await;
    assert_eq!(page.browser.texts("#session, #tasks li, #sessions li").await, [""; 0]);

    page.browser.click("#to-sign-up").await;
    page.browser.shows("h1", &["Create an account"]).await;
    page.back().await;
    page.browser.shows("h1", &["Sign in"]).await;
    page.browser.driver.forward().await.unwrap();
    page.browser.fill("#sign-up [name=email]", "bob@example.com").await;
    page.browser.fill("#sign-up [name=password]", PASSWORD).await;
    page.browser.click("#sign-up [type=submit]").await;
    page.browser.shows("h1", &["Your tasks"]).await;
    page.has_url("/").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_focus_is_on_what_is_missing_to_sign_in() {
    let page = Page::start(&[]).await;
    page.sign_out().await;
    page.browser.fill("#sign-in [name=email]", "ada@example.com").await;
    for (password, focus) in [("", "[name=password]"), (PASSWORD, "[type=submit]")] {
        page.browser.fill("#sign-in [name=password]", password).await;
        page.browser.click("#to-sign-up").await;
        page.browser.has_focus("#sign-up [name=email]").await;
        page.back().await;
        page.browser.has_focus(&format!("#sign-in {focus}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_view_that_was_opened_before_the_sign_in_is_shown_after_it() {
    let page = Page::start(&[]).await;
    page.sign_out().await;
    page.open("/#trash").await;
    page.browser.sign_in("ada").await;
    page.browser.shows("h1", &["Trash"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn filters_are_in_the_url_and_one_tap_clears_each() {
    let page = Page::start(&["Buy milk", "Water the plants"]).await;
    page.api("POST", "/tasks", &json!({ "title": "Call Bob & Eve", "tags": "work", "priority": "high" }));
    page.set_latency(300);
    page.reload().await;
    page.has_url("/").await;
    page.browser.click("#tasks .tag").await;
    page.shows_tasks(&["Call Bob & Eve"]).await;
    page.browser.has_focus("#active-filters [data-filter=tag]").await;
    page.browser.set_value("#filters [name=priority]", "high").await;
    page.browser.fill("#filters [name=search]", "bob & eve").await;
    page.has_url("/?search=bob+%26+eve&tag=work&priority=high").await;
    page.browser.shows("#active-filters button", &["work ×", "High ×"]).await;

    for _ in 0..2 {
        page.shows_tasks(&["Call Bob & Eve"]).await;
        page.browser.shows("#active-filters button", &["work ×", "High ×"]).await;
        assert_eq!(page.value_of("#filters [name=search]").await, "bob & eve");
        // Another view, and back.
        page.browser.click("[href='#trash']").await;
        page.browser.shows("h1", &["Trash"]).await;
        page.has_url("/?search=bob+%26+eve&tag=work&priority=high#trash").await;
        page.back().await;
        page.shows_tasks(&["Call Bob & Eve"]).await;
        page.reload().await;
    }

    page.browser.set_value("#filters [name=search]", "").await;
    page.has_url("/?tag=work&priority=high").await;
    page.browser.click("#active-filters [data-filter=tag]").await;
    page.has_url("/?priority=high").await;
    page.browser.click("#active-filters [data-filter=priority]").await;
    page.shows_tasks(&["Buy milk", "Water the plants", "Call Bob & Eve"]).await;
    page.has_url("/").await;
    page.browser.has_focus("#board-heading").await;

    // Filters that do not exist are none.
    page.open("/?priority=purple&completed=&colour=red&sort_by=title").await;
    page.browser.shows("#tasks .title", &["Buy milk", "Call Bob & Eve", "Water the plants"]).await;
    page.has_url("/?sort_by=title").await;
    page.open("/?sort_by=purple&order=up").await;
    page.browser.shows("#tasks h2", &["No date 3"]).await;
    assert_eq!(page.value_of("#filters [name=sort_by]").await, "due_date");
    assert_eq!(page.value_of("#filters [name=order]").await, "asc");
    page.has_url("/").await;
    page.open("/?sort_by=title").await;

    // The next user does not find what one looked for, and a link with filters outlives the sign-in.
    page.browser.fill("#filters [name=search]", "secret").await;
    page.has_url("/?search=secret&sort_by=title").await;
    page.browser.click("[href='#trash']").await;
    page.browser.shows("h1", &["Trash"]).await;
    page.sign_out().await;
    page.has_url("/").await;
    page.back().await;
    page.has_url("/").await;
    page.browser.find("#sign-in").await;
    page.browser.sign_in("ada").await;
    page.shows_tasks(&["Buy milk", "Water the plants", "Call Bob & Eve"]).await;
    page.sign_out().await;
    page.open("/?search=plants").await;
    page.browser.sign_in("ada").await;
    page.shows_tasks(&["Water the plants"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_chosen_theme_is_there_from_the_first_frame() {
    let (light, dark) = ("rgb(246, 246, 243)", "rgb(18, 22, 21)");
    let page = Page::start(&[]).await;
    let background = "async () => getComputedStyle(document.body).backgroundColor";
    for (system, color) in [("dark", dark), ("light", light)] {
        page.browser.emulate_media("prefers-color-scheme", system).await;
        assert_eq!(page.browser.evaluate(background).await, color, "the theme follows the system");
    }
    page.browser.set_value("#theme", "dark").await;
    assert_eq!(page.browser.evaluate(background).await, dark);

    let watch = "window.frames_seen = new Set();
         const watch = () => {
           if (document.body) frames_seen.add(getComputedStyle(document.body).backgroundColor);
           requestAnimationFrame(watch);
         };
         watch();";
    let cdp = page.browser.driver.cdp();
    cdp.send_raw("Page.addScriptToEvaluateOnNewDocument", json!({ "source": watch })).await.unwrap();
    page.set_latency(300);
    for (theme, color) in [("dark", dark), ("light", light)] {
        page.browser.emulate_media("prefers-color-scheme", "light").await;
        page.browser.set_value("#theme", theme).await;
        page.browser
            .emulate_media("prefers-color-scheme", if theme == "dark" { "light" } else { "dark" })
            .await;
        page.reload().await;
        page.browser.shows("#who", &["ada@example.com"]).await;
        assert_eq!(page.browser.evaluate("async () => [...frames_seen]").await, json!([color]));
        assert_eq!(page.value_of("#theme").await, theme);
    }
    // It is the browser's and not the user's.
    page.sign_out().await;
    page.reload().await;
    assert_eq!(page.value_of("#theme").await, "light");
    page.browser.set_value("#theme", "light dark").await;
    page.reload().await;
    assert_eq!(page.browser.evaluate(background).await, dark);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_key_is_a_shortcut_except_where_text_is_typed() {
    let page = Page::start(&["Buy milk"]).await;
    let (title, search) = ("#new-task [name=title]", "#filters [name=search]");
    page.browser.press("n").await;
    page.browser.has_focus(title).await;
    page.browser.press("n/?").await;
    assert_eq!(page.value_of(title).await, "n/?");
    page.browser.click("#summary").await;
    page.browser.press("/").await;
    page.browser.has_focus(search).await;
    page.browser.press("?n").await;
    assert_eq!(page.value_of(search).await, "?n");
    page.browser.set_value(search, "").await;

    // From another view too.
    page.browser.click("[href='#account']").await;
    page.browser.has_focus("#account-heading").await;
    page.browser.press("/").await;
    page.browser.has_focus(search).await;
    page.has_url("/").await;
    page.browser.click("[href='#trash']").await;
    page.browser.has_focus("#trash-heading").await;
    page.browser.press("?").await;
    page.browser.shows("#shortcuts dt", &["n", "/", "e", "x", "Ctrl Enter", "Ctrl Z", "?"]).await;
    page.browser.press("n").await;
    page.browser.find("#shortcuts").await;
    page.browser.press(Key::Escape).await;
    page.browser.shows("#shortcuts", &[]).await;

    // They can be turned off, for speech input.
    page.browser.click("#show-shortcuts").await;
    page.browser.click("#shortcuts-on").await;
    page.browser.click("#shortcuts button").await;
    page.reload().await;
    page.browser.has_focus("#trash-heading").await;
    page.browser.press("n?").await;
    page.browser.has_focus("#trash-heading").await;
    page.browser.click("#show-shortcuts").await;
    page.browser.click("#shortcuts-on").await;
    page.browser.click("#shortcuts button").await;
    page.browser.find("#trash-heading").await;
    page.browser.press("n").await;
    page.browser.has_focus(title).await;
    page.browser.shows("h1", &["Your tasks"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_email_is_filled_in_after_a_session_ended_and_not_after_a_sign_out() {
    let page = Page::start(&["Buy milk"]).await;
    page.set_latency(300);
    let device = page.other_device("curl");
    assert_eq!(call(&page.dev, &device, "DELETE", "/auth/sessions", &Value::Null).0, 204);
    page.browser.click("[href='#trash']").await;
    page.browser.shows("#alert p", &["Your session has ended. Please sign in again."]).await;
    assert_eq!(page.value_of("#sign-in [name=email]").await, "ada@example.com");
    page.browser.has_focus("#sign-in [name=password]").await;
    let seen = page.browser.evaluate("async () => localStorage.getItem('todo-seen')").await;
    assert_eq!(seen, Value::Null, "a device whose session was ended keeps no tasks");
    page.browser.press(&*format!("{PASSWORD}\n")).await;
    page.browser.shows("h1", &["Trash"]).await;

    page.sign_out().await;
    assert_eq!(page.value_of("#sign-in [name=email]").await, "");
    page.browser.has_focus("#sign-in [name=email]").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and npm"]
async fn axe_finds_nothing_around_the_board_and_each_view_fits_a_narrow_screen_with_large_text() {
    let page =
        Page::start(&["Buy milk", "A task with a long title, which takes more than one line on a phone"])
            .await;
    page.other_device("Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0");
    for task in page.api("GET", "/tasks", &Value::Null).as_array().unwrap() {
        page.api("DELETE", &format!("/tasks/{}", task["id"].as_str().unwrap()), &Value::Null);
    }
    page.api("POST", "/tasks", &json!({ "title": "Call Bob", "tags": "work", "priority": "high" }));
    for (width, height, device) in [(1280, 900, "desktop"), (320, 740, "phone")] {
        page.browser.resize(width, height).await;
        for theme in ["light", "dark"] {
            let check = async |name: &str| page.passes(&format!("{name}-{device}-{theme}")).await;
            page.open("/#account").await;
            page.browser.set_value("#theme", theme).await;
            page.browser.shows("#sessions .current", &["This device"]).await;
            check("account").await;
            page.browser.click("#password [type=submit]").await;
            page.browser.find("#password .field-error").await;
            check("account-errors").await;

            page.browser.click("[href='#trash']").await;
            page.browser.find("#deleted button").await;
            check("trash").await;
            page.browser.click("#empty").await;
            check("trash-to-empty").await;
            page.browser.press(Key::Escape).await;
            page.browser.press("?").await;
            page.browser.find("#shortcuts").await;
            check("shortcuts").await;
            page.browser.press(Key::Escape).await;
            page.browser.click("[href='#board']").await;
            page.browser.click("#tasks .tag").await;
            page.shows_tasks(&["Call Bob"]).await;
            page.browser.find("#active-filters button").await;
            check("filtered").await;

            page.sign_out().await;
            page.browser.shows(".toast", &[]).await;
            check("sign-in").await;
            page.browser.click("#to-sign-up").await;
            page.browser.click("#sign-up [type=submit]").await;
            page.browser.find("#sign-up .field-error").await;
            check("sign-up-errors").await;
            page.browser.click("#to-sign-in").await;
            page.browser.sign_in("ada").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and npm"]
async fn axe_finds_nothing_on_the_board_and_it_fits_a_narrow_screen_with_large_text() {
    let page = Page::start(&[]).await;
    for task in [
        json!({ "title": "Renew the passport", "due_date": "2026-01-30T10:00", "priority": "high",
                "tags": "errands, home" }),
        json!({ "title": "A task with a long title, which takes more than one line on a phone",
                "due_date": "2099-12-01" }),
        json!({ "title": "Donaudampfschifffahrtsgesellschaftskapitän",
                "description": "See https://example.com/a-long-path-without-spaces" }),
        json!({ "title": "Water the plants", "completed": true, "priority": "low" }),
    ] {
        page.api("POST", "/tasks", &task);
    }
    for (width, height, device) in [(1280, 900, "desktop"), (320, 740, "phone")] {
        page.browser.resize(width, height).await;
        for theme in ["light", "dark"] {
            let check = async |name: &str| page.passes(&format!("{name}-{device}-{theme}")).await;
            page.open("/").await;
            page.browser.set_value("#theme", theme).await;
            page.browser.shows("#tasks h2", &["Overdue 1", "Upcoming 1", "No date 1", "Done 1"]).await;
            check("board").await;

            page.browser.fill("#new-task [name=title]", "Call Ada fri 9:00 !high #work").await;
            page.browser.click("#new-task summary").await;
            page.browser.click("[data-group=overdue] .edit").await;
            page.browser.set_value("#tasks form [name=due_date]", "2099-12-24").await;
            check("board-forms").await;
            page.browser.fill("#tasks form [name=title]", " ").await;
            page.browser.click("#tasks form [type=submit]").await;
            page.browser.find("#tasks .field-error").await;
            check("board-errors").await;
            page.browser.click("#tasks form .cancel").await;

            page.browser.click("[data-group=undated] .complete").await;
            page.browser.find(".toast button").await;
            check("board-undo").await;
            page.browser.click(".toast button").await;
            page.browser.click("#select").await;
            page.browser.click("#select-all").await;
            page.browser.shows("#selected", &["4 selected"]).await;
            check("board-selection").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn what_is_chosen_and_where_a_toast_ends_can_be_seen_in_forced_colors() {
    let page = Page::start(&["Buy milk"]).await;
    page.browser.emulate_media("forced-colors", "active").await;
    page.browser.click("#select").await;
    page.browser.click("[data-day='0']").await;
    page.browser.click("#tasks .complete").await;
    page.browser.find(".toast button").await;
    page.browser.is_drawn().await;
    page.browser.screenshot("forced-colors").await;
    let function = "async () => {
         const style = (css) => getComputedStyle(document.querySelector(css));
         const system = document.createElement('p');
         system.style.cssText = 'background: Highlight; border: 1px solid CanvasText';
         document.body.append(system);
         const { backgroundColor, borderTopColor } = getComputedStyle(system);
         return {
           chosen: ['#select', '[data-day=\"0\"]', '[href=\"#board\"]', '[data-day=\"1\"]', '[href=\"#trash\"]']
             .map((css) => style(css).backgroundColor === backgroundColor),
           edge: [style('.toast').borderTopWidth, style('.toast').borderTopColor === borderTopColor],
         };
       }";
    let seen = page.browser.evaluate(function).await;
    assert_eq!(seen, json!({ "chosen": [true, true, true, false, false], "edge": ["1px", true] }));
}
