//! The docs page: what it sends, and that everybody can read and use it.

use axum::routing::post;
use shared::extract::json_response;

use super::*;

/// Returns the texts whose contrast is below 4.5:1 (WCAG 2.2, 1.4.3), with their ratio. Those of form fields and of
/// `::before` and `::after` are included, those of disabled controls are not.
const LOW_CONTRAST: &str = "async () => {
   const parse = (color) => color.match(/[\\d.]+/g).map(Number);
   const over = ([r, g, b, alpha = 1], below) => [r, g, b].map((c, i) => c * alpha + below[i] * (1 - alpha));
   const linear = (c) => c <= 10.31 ? c / 3294.6 : ((c / 255 + 0.055) / 1.055) ** 2.4;
   const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
   const known = new Map();
   const drawn = (style, { background, opacity }) => (
     { background: over(parse(style.backgroundColor), background), opacity: opacity * style.opacity }
   );
   const behind = (element) => {
     if (!element) return { background: [255, 255, 255], opacity: 1 };
     if (!known.has(element)) known.set(element, drawn(getComputedStyle(element), behind(element.parentElement)));
     return known.get(element);
   };
   const low = new Set();
   const check = (element, pseudo, text) => {
     const style = getComputedStyle(element, pseudo);
     const { background, opacity } = pseudo ? drawn(style, behind(element)) : behind(element);
     const [r, g, b, alpha = 1] = parse(style.color);
     const both = [over([r, g, b, alpha * opacity], background), background].map(luminance);
     const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
     if (ratio >= 4.5) return;
     low.add(`${ratio.toFixed(2)} ${element.tagName}.${element.className}${pseudo ?? ''}: ${text.slice(0, 40)}`);
   };
   for (const element of document.querySelectorAll('body :not(:disabled, option)')) {
     if (!element.checkVisibility({ visibilityProperty: true })) continue;
     const nodes = [...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE);
     const text = nodes.map((node) => node.data.trim()).join('') || element.value;
     if (text) check(element, null, text);
     else if (element.placeholder) check(element, '::placeholder', element.placeholder);
     for (const pseudo of ['::before', '::after']) {
       const written = getComputedStyle(element, pseudo).content.match(/^\"(.*\\S.*)\"$/);
       if (written) check(element, pseudo, written[1]);
     }
   }
   return [...low];
 }";

/// Opens a few of the closed operations, schemas and lists. Returns false when all are open.
const OPEN_SOME: &str = "async () => {
   const closed = [...document.querySelectorAll('#docs [aria-expanded=false]')].filter((e) => e.checkVisibility());
   for (const control of closed.slice(0, 10)) control.click();
   await new Promise(requestAnimationFrame);
   return closed.length > 0;
 }";

/// Shows the schemas in place of the examples.
const SHOW_SCHEMAS: &str = "async () => {
   for (const tab of document.querySelectorAll('.model-example .tabitem:not(.active) button')) tab.click();
 }";

impl Browser {
    async fn open_docs(&self, url: &str) {
        self.goto(url).await;
        self.shows(".version", &["0.1.0", "OAS 3.1"]).await;
    }

    /// Opens everything, in many scripts: all of it takes ten seconds, and minutes while other tests run.
    async fn open_all(&self) {
        while self.evaluate(OPEN_SOME).await == true {}
    }

    /// Signs in in the dialog of `Authorize`.
    async fn authorize_with_password(&self) {
        self.fill("#oauth_username", "demo@example.com").await;
        self.fill("#oauth_password", PASSWORD).await;
        self.click(".auth-container:has(#oauth_password) button.authorize").await;
        self.find(".auth-container button[aria-label='Remove authorization']").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_can_be_read_in_light_and_dark_at_every_width() {
    let folder = folder();
    let dev = start_dev(folder.path(), &["--seed"], &[]).await;
    let browser = Browser::start().await;
    let is_readable = async |what: &str| {
        for (width, height) in [(320, 640), (360, 740), (1280, 900)] {
            browser.resize(width, height).await;
            for (color_scheme, background) in [("light", "rgba(0, 0, 0, 0)"), ("dark", "rgb(28, 32, 34)")] {
                browser.emulate_media("prefers-color-scheme", color_scheme).await;
                browser.is_drawn().await;
                let shown = "async () => getComputedStyle(document.documentElement).backgroundColor";
                assert_eq!(browser.evaluate(shown).await, background, "{color_scheme}");
                browser.screenshot(&format!("docs-{what}-{width}-{color_scheme}")).await;
                let what = format!("{what}, {color_scheme}, {width} pixels");
                assert_eq!(browser.evaluate(LOW_CONTRAST).await, json!([]), "{what}");
                browser.fits(&what).await;
            }
        }
    };
    browser.open_docs(&format!("{}/docs", dev.url)).await;
    is_readable("list").await;

    browser.click("button.authorize").await;
    browser.find("#oauth_password").await;
    is_readable("dialog").await;
    browser.authorize_with_password().await;
    is_readable("dialog-with-token").await;
    browser.click(".auth-container button.btn-done").await;

    browser.open_all().await;
    is_readable("operations").await;
    browser.click("#operations-tasks-listTasks button.execute").await;
    let answer = "#operations-tasks-listTasks .live-responses-table";
    browser.shows(&format!("{answer} tbody .response-col_status"), &["200"]).await;
    browser.evaluate(SHOW_SCHEMAS).await;
    browser.open_all().await;
    is_readable("schemas").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_works_with_the_keyboard_and_shows_where_it_is() {
    let folder = folder();
    let dev = start_dev(folder.path(), &["--seed"], &[]).await;
    let browser = Browser::start().await;
    for color_scheme in ["light", "dark"] {
        browser.emulate_media("prefers-color-scheme", color_scheme).await;
        browser.open_docs(&format!("{}/docs", dev.url)).await;
        // Tab is pressed until the control has the focus, and each one on the way shows it.
        let tab_to = async |css: &str| {
            for _ in 0..200 {
                browser.press(Key::Tab).await;
                let focus = "async () => {
                   const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
                   const isShown = outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
                   return isShown ? '' : document.activeElement.outerHTML.slice(0, 200);
                 }";
                assert_eq!(browser.evaluate(focus).await, "", "on the way to {css}, {color_scheme}");
                let has_focus = format!("async () => document.activeElement.matches({})", json!(css));
                if browser.evaluate(&has_focus).await == true {
                    return;
                }
            }
            panic!("{css} is not reached, {color_scheme}");
        };
        tab_to("button.authorize").await;
        browser.press(Key::Enter).await;
        browser.find("#oauth_username:focus").await;
        browser.press("demo@example.com").await;
        tab_to("#oauth_password").await;
        browser.press(PASSWORD).await;
        tab_to(".auth-container:has(#oauth_password) button.authorize").await;
        browser.press(Key::Enter).await;
        browser.find(".auth-container button[aria-label='Remove authorization']").await;
        browser.click(".auth-container button.btn-done").await;

        tab_to("#operations-tasks-listTasks button.opblock-summary-control").await;
        browser.press(Key::Enter).await;
        browser.find("#operations-tasks-listTasks button.execute").await;
        tab_to("#operations-tasks-listTasks button.execute").await;
        browser.press(Key::Enter).await;
        let answer = "#operations-tasks-listTasks .live-responses-table";
        browser.shows(&format!("{answer} tbody .response-col_status"), &["200"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_takes_a_token_or_a_password_and_lists_tasks() {
    let folder = folder();
    let dev = start_dev(folder.path(), &["--seed"], &[]).await;
    let demo = json!({ "email": "demo@example.com", "password": PASSWORD });
    let token = dev.post("/auth/login", &demo).1["access_token"].as_str().unwrap().to_owned();
    let browser = Browser::start().await;
    for (path, request) in [("/docs", "/tasks"), ("/api/docs", "/api/tasks")] {
        for with_token in [true, false] {
            browser.open_docs(&format!("{}{path}", dev.url)).await;
            if request.starts_with("/api") {
                browser.set_value("#servers", "/api").await;
            }
            browser.click("button.authorize").await;
            if with_token {
                browser.fill("#auth-bearer-value", &token).await;
                browser.click(".auth-container:has(#auth-bearer-value) button.authorize").await;
            } else {
                browser.authorize_with_password().await;
            }
            browser.find(".auth-container button[aria-label='Remove authorization']").await;
            browser.click(".auth-container button.btn-done").await;

            browser.click("#operations-tasks-listTasks button.opblock-summary-control").await;
            browser.click("#operations-tasks-listTasks button.execute").await;
            let answer = "#operations-tasks-listTasks .live-responses-table";
            browser.shows(&format!("{answer} .response-col_status"), &["Code", "200"]).await;
            let body = browser.texts(&format!("{answer} .highlight-code code")).await.join("");
            assert!(body.contains("Buy milk"), "{body}");
            // Nothing is filtered before somebody asks for it.
            let urls = browser.texts("#operations-tasks-listTasks .request-url pre").await;
            assert_eq!(urls, [format!("{}{request}?sort_by=due_date&order=asc", dev.url)]);
        }
    }
}

/// API Gateway serves the page below the mapping key of a custom domain.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_docs_page_sends_requests_below_its_mapping_key() {
    let session = async || json_response(r#"{ "access_token": "x", "token_type": "bearer" }"#);
    let below =
        ::docs::router().route("/health", get(async || "below the key")).route("/auth/login", post(session));
    let routes = Router::new().nest("/todo", below).route("/health", get(async || "not below the key"));
    let page = serve("127.0.0.1:0", routes).await;
    let browser = Browser::start().await;
    browser.open_docs(&format!("{page}/todo/docs")).await;
    browser.click("button.authorize").await;
    browser.fill("#oauth_username", "demo@example.com").await;
    browser.click(".auth-container:has(#oauth_password) button.authorize").await;
    browser.find(".auth-container button[aria-label='Remove authorization']").await;
    browser.click(".auth-container button.btn-done").await;

    browser.click("#operations-service-checkHealth button.opblock-summary-control").await;
    browser.click("#operations-service-checkHealth button.execute").await;
    let answer = "#operations-service-checkHealth .live-responses-table";
    browser.shows(&format!("{answer} .response-col_status"), &["Code", "200"]).await;
    let body = browser.texts(&format!("{answer} .highlight-code code")).await.join("");
    assert_eq!(body, "below the key");
}
