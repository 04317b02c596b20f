//! The example page on slow and broken networks, in two tabs, and at the end of a session: it loses nothing that was
//! typed, and no older answer undoes a newer change.

mod devices;
mod due_dates;
mod edit_in_place;
mod groups;
mod optimistic;
mod quick_add;
mod selection;

use thirtyfour::cdp::domains::network::NetworkConditions;

use super::*;

/// The longest title has 255 characters.
const TOO_LONG: usize = 256;

/// Lets a test delay, lose or replace the answers to some of the page's requests, by method and path.
const NETWORK: &str = "async () => {
   const { fetch } = window;
   window.network = { held: [], sent: [], statuses: [], open: 0 };
   window.fetch = async (url, options) => {
     const request = `${options.method} ${new URL(url, location).pathname}`;
     network.sent.push(request);
     network.open += 1;
     const { hold, lose, refuse } = network;
     try {
       if (request === refuse?.request) {
         network.refuse = null;
         await new Promise((later) => setTimeout(later, 300));
         return Response.json(refuse.body, { status: refuse.status });
       }
       const answer = await fetch(url, options);
       network.statuses.push(`${request} ${answer.status}`);
       if (request === hold) await new Promise((release) => network.held.push(release));
       if (request === lose) throw new TypeError('Failed to fetch');
       return answer;
     } finally {
       network.open -= 1;
     }
   };
 }";

/// The page in a browser, with the user ada signed in, and the API beside it.
struct Page {
    browser: Browser,
    dev: Dev,
    /// The session of another device of ada.
    device: Value,
    _folder: TempDir,
}

impl Page {
    /// Starts with tasks of these titles in the list.
    async fn start(titles: &[&str]) -> Self {
        let folder = folder();
        let dev = start_dev(folder.path(), &[], &[]).await;
        let session = sign_up(&dev, "ada");
        let credentials = json!({ "email": "ada@example.com", "password": PASSWORD });
        let device = dev.post("/auth/login", &credentials).1;
        let browser = Browser::start().await;
        // Without this, network conditions have no effect.
        browser.driver.cdp().network().enable().await.unwrap();
        let page = Self { browser, dev, device, _folder: folder };
        // The last one is on top.
        for title in titles.iter().rev() {
            page.api("POST", "/tasks", json!({ "title": title }));
        }
        page.browser.goto(&page.dev.url).await;
        page.store(&session).await;
        page.reload().await;
        page.browser.shows("#who", &["ada@example.com"]).await;
        page.browser.shows("#tasks .title", titles).await;
        page
    }

    /// Puts a session where the page keeps its own.
    async fn store(&self, session: &Value) {
        let session = json!(session.to_string());
        self.browser.evaluate(&format!("async () => localStorage.setItem('todo-session', {session})")).await;
    }

    /// Sends a request as another device of ada. Returns the answer's JSON, or null if it has no body.
    fn api(&self, method: &str, path: &str, body: Value) -> Value {
        let token = format!("Authorization: Bearer {}", self.device["access_token"].as_str().unwrap());
        let body = body.to_string();
        let headers = ["-X", method, "-H", &token, "-H", "Content-Type: application/json"];
        let answer = self.dev.curl(path, &[&headers, &["-d", &body][..]].concat());
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap_or_default()
    }

    /// Returns the tasks on the server, by title.
    fn tasks(&self) -> Vec<Value> {
        let tasks = self.api("GET", "/tasks?sort_by=title", Value::Null);
        tasks.as_array().unwrap().clone()
    }

    fn titles(&self) -> Vec<String> {
        self.tasks().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
    }

    async fn reload(&self) {
        self.browser.driver.refresh().await.unwrap();
        self.browser.evaluate(NETWORK).await;
    }

    async fn set_latency(&self, latency: u32) {
        self.set_conditions(NetworkConditions { latency, ..Default::default() }).await;
    }

    async fn set_offline(&self, offline: bool) {
        self.set_conditions(NetworkConditions { offline, ..Default::default() }).await;
    }

    async fn set_conditions(&self, conditions: NetworkConditions) {
        let cdp = self.browser.driver.cdp();
        cdp.network().emulate_network_conditions(conditions).await.unwrap();
    }

    /// Holds back the answers to requests such as `GET /tasks`.
    async fn hold(&self, request: &str) {
        self.browser.evaluate(&format!("async () => {{ network.hold = '{request}'; }}")).await;
    }

    /// Waits until so many answers are held back.
    async fn holds(&self, count: usize) {
        let started = Instant::now();
        while self.browser.evaluate("async () => network.held.length").await != count {
            assert!(started.elapsed() < TIMEOUT, "{count} answers are not held back");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn release(&self) {
        let function =
            "async () => { network.hold = null; for (const release of network.held.splice(0)) release(); }";
        self.browser.evaluate(function).await;
    }

    /// Waits until every request has its answer. Some are followed by another one.
    async fn is_settled(&self) {
        let function = "async () => {
             for (let quiet = 0; quiet < 5; quiet += 1) {
               await new Promise((later) => setTimeout(later, 20));
               if (network.open > 0) quiet = 0;
             }
           }";
        self.browser.evaluate(function).await;
    }

    /// Ends the page's session as another device.
    fn end_session(&self) {
        assert_eq!(self.api("DELETE", "/auth/sessions", Value::Null), Value::Null);
    }

    /// Waits until the visible fields have these values.
    async fn has_values(&self, css: &str, expected: &[&str]) {
        let function = format!(
            "async () => [...document.querySelectorAll({})].filter((e) => e.checkVisibility()).map((e) => e.value)",
            json!(css)
        );
        let started = Instant::now();
        loop {
            let values = self.browser.evaluate(&function).await;
            if values == json!(expected) {
                return;
            }
            assert!(started.elapsed() < TIMEOUT, "{css} is {values}, not {expected:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Opens a second window of the same user, and goes back to the first. Returns the first and the second.
    async fn windows(&self) -> [WindowHandle; 2] {
        let first = self.browser.driver.window().await.unwrap();
        let second = self.browser.driver.new_window().await.unwrap();
        self.switch(&second).await;
        self.browser.goto(&self.dev.url).await;
        self.switch(&first).await;
        [first, second]
    }

    async fn switch(&self, to: &WindowHandle) {
        self.browser.driver.switch_to_window(to.clone()).await.unwrap();
    }

    /// Edits the title of the first task, and saves it.
    async fn edit_title(&self, title: &str) {
        self.browser.click("#tasks .edit").await;
        self.browser.fill("#tasks form [name=title]", title).await;
        self.browser.click("#tasks form [type=submit]").await;
    }

    fn path(&self) -> String {
        format!("/tasks/{}", self.tasks()[0]["id"].as_str().unwrap())
    }

    /// Deletes the first task in the list.
    async fn delete_first(&self) {
        self.browser.click("#tasks .delete").await;
        self.browser.shows(".toast:last-child:not([aria-busy]) p", &["Task deleted."]).await;
    }

    /// Loses the answers to requests such as `POST /tasks`, or none.
    async fn lose(&self, request: &str) {
        self.browser.evaluate(&format!("async () => {{ network.lose = '{request}'; }}")).await;
    }

    /// Adds a task whose answer is lost.
    async fn add_in_vain(&self, title: &str) {
        self.lose("POST /tasks").await;
        self.browser.fill("#new-task [name=title]", &format!("{title}\n")).await;
        self.browser.find("#outbox .refusal").await;
        self.lose("").await;
    }

    /// Looks at the window again, and waits for the answer. Returns its status.
    async fn look(&self) -> Value {
        let function = "async () => {
             // A look soon after the last request asks nothing.
             await new Promise((later) => setTimeout(later, 1100));
             const before = network.statuses.length;
             dispatchEvent(new Event('focus'));
             document.dispatchEvent(new Event('visibilitychange'));
             while (network.statuses.length === before) await new Promise((again) => setTimeout(again, 20));
             await new Promise((later) => setTimeout(later, 200));
             return network.statuses.slice(before);
           }";
        self.browser.evaluate(function).await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn quickly_typed_tasks_arrive_whole_and_in_order() {
    let page = Page::start(&[]).await;
    let mut expected: Vec<&str> = Vec::new();
    for (latency, titles) in [
        (300, ["Alpha", "Bravo", "Charlie", "Delta", "Echo"]),
        (1000, ["Foxtrot", "Golf", "Hotel", "India", "Juliett"]),
    ] {
        page.set_latency(latency).await;
        page.browser.click("#new-task [name=title]").await;
        page.browser.press(titles.join("\n") + "\nNot sent").await;
        expected.splice(..0, titles.into_iter().rev());
        page.browser.shows("#tasks .title", &expected).await;
        page.has_values("#new-task [name=title]", &["Not sent"]).await;
        page.browser.fill("#new-task [name=title]", "").await;
    }
    page.is_settled().await;
    expected.sort_unstable();
    assert_eq!(page.titles(), expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refused_task_can_be_corrected_beside_the_next_one() {
    let page = Page::start(&[]).await;
    page.set_latency(300).await;
    let too_long = "x".repeat(TOO_LONG);
    page.browser.click("#new-task summary").await;
    page.browser.fill("#new-task [name=tags]", "home").await;
    page.browser.fill("#new-task [name=title]", &too_long).await;
    page.browser.press("\nNext").await;
    page.browser.shows("#outbox .field-error", &["Title should have at most 255 characters."]).await;
    page.has_values("#outbox [name=title]", &[&too_long]).await;
    page.has_values("#outbox [name=tags]", &["home"]).await;
    page.has_values("#new-task [name=title]", &["Next"]).await;
    page.browser.resize(360, 740).await;
    page.browser.fits("a phone").await;
    page.browser.screenshot("refused-phone").await;

    page.browser.fill("#outbox [name=title]", "Shorter").await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Shorter"]).await;
    page.browser.shows("#outbox li", &[]).await;
    page.browser.shows("#tasks .tag", &["home"]).await;
    page.has_values("#new-task [name=title]", &["Next"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn tasks_typed_offline_are_kept_until_they_are_sent() {
    let page = Page::start(&[]).await;
    page.set_offline(true).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("One\nTwo\nThree").await;
    let unreachable = "The server cannot be reached. Check your connection and try again.";
    page.browser.shows("#outbox .refusal", &[unreachable; 2]).await;
    page.has_values("#outbox [name=title]", &["Two", "One"]).await;
    page.has_values("#new-task [name=title]", &["Three"]).await;
    page.set_offline(false).await;
    page.browser.click("#outbox li:last-child [type=submit]").await;
    page.browser.shows("#tasks .title", &["One"]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Two", "One"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["One", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_older_list_undoes_no_newer_change() {
    let page = Page::start(&["Delete", "Edit", "Complete"]).await;
    page.hold("GET /tasks").await;
    page.browser.set_value("#filters [name=sort_by]", "created_at").await;
    page.holds(1).await;

    page.browser.click("#tasks li:nth-child(1) .delete").await;
    page.browser.shows("#tasks .title", &["Edit", "Complete"]).await;
    page.browser.click("#tasks li:nth-child(2) [type=checkbox]").await;
    page.browser.shows("#tasks .done .title", &["Complete"]).await;
    page.browser.click("#tasks li:nth-child(1) .edit").await;
    page.browser.fill("#tasks form [name=title]", "Edited").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .title", &["Edited", "Complete"]).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("Created\n").await;
    page.browser.shows("#tasks .title", &["Created", "Edited", "Complete"]).await;

    page.release().await;
    page.browser.find("#tasks[aria-busy=false]").await;
    page.browser.shows("#tasks .title", &["Created", "Complete", "Edited"]).await;
    page.browser.shows("#tasks .done .title", &["Complete"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_added_while_the_list_loads_stays_on_top() {
    let page = Page::start(&[]).await;
    for n in 0..201 {
        page.api("POST", "/tasks", json!({ "title": format!("Task {n}") }));
    }
    page.hold("GET /tasks").await;
    page.browser.set_value("#filters [name=order]", "desc").await;
    page.holds(1).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("Created\n").await;
    page.browser.shows("#tasks li:first-child .title", &["Created"]).await;
    page.browser.shows(".toast p", &["Task added."]).await;
    page.browser.evaluate("async () => { for (const release of network.held.splice(0)) release(); }").await;
    page.browser.shows("#summary", &["201+ tasks"]).await;
    page.browser.shows("#tasks li:first-child .title", &["Created"]).await;

    // A task that is deleted while its page is on the way does not come back.
    page.holds(1).await;
    page.browser.click("#tasks li:first-child .delete").await;
    page.browser.shows(".toast:last-child:not([aria-busy]) p", &["Task deleted."]).await;
    page.release().await;
    page.browser.shows("#summary", &["201 tasks"]).await;
    assert!(!page.browser.texts("#tasks .title").await.contains(&"Created".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_last_of_two_quick_toggles_counts() {
    let page = Page::start(&["Buy milk"]).await;
    let id = page.tasks()[0]["id"].as_str().unwrap().to_owned();
    let request = format!("PATCH /tasks/{id}/complete");
    page.hold(&request).await;
    page.browser.click("#tasks [type=checkbox]").await;
    page.holds(1).await;
    page.browser.click("#tasks [type=checkbox]").await;
    let sent = page.browser.evaluate("async () => network.sent.at(-2)").await;
    assert_ne!(sent, request, "the second toggle waits for the answer to the first");
    page.release().await;
    page.browser.shows(".toast:last-child:not([aria-busy]) p", &["Task open again."]).await;
    assert_eq!(page.tasks()[0]["completed"], false);
    page.browser.shows("#tasks li:not(.done) .title", &["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_sends_only_what_was_changed() {
    let page = Page::start(&[]).await;
    let task = json!({ "title": "Buy milk", "due_date": "2099-12-01T09:00:30", "priority": "low" });
    let task = page.api("POST", "/tasks", task);
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    page.reload().await;

    // Nothing was changed.
    page.browser.click("#tasks .edit").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks form", &[]).await;
    assert_eq!(page.api("GET", &path, Value::Null), task);

    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    page.api("PUT", &path, json!({ "description": "Two litres", "priority": "high" }));
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
    page.is_settled().await;
    let task = page.api("GET", &path, Value::Null);
    assert_eq!(task["title"], "Buy oat milk");
    assert_eq!(task["priority"], "high");
    assert_eq!(task["due_date"], "2099-12-01T09:00:30");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_can_be_edited_again_while_an_edit_is_saved() {
    let page = Page::start(&["Buy milk"]).await;
    let id = page.tasks()[0]["id"].as_str().unwrap().to_owned();
    page.hold(&format!("PUT /tasks/{id}")).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.holds(1).await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=description]", "Two litres").await;
    page.release().await;
    page.browser.shows(".toast:last-child p", &["Task saved."]).await;
    page.has_values("#tasks form [name=description]", &["Two litres"]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
    page.browser.shows(".toast p", &["Task saved."; 2]).await;
    let task = &page.tasks()[0];
    assert_eq!([&task["title"], &task["description"]], ["Buy oat milk", "Two litres"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_that_fails_opens_again_in_its_place_and_takes_no_focus() {
    let page = Page::start(&["Buy milk"]).await;
    let request = format!("PUT /tasks/{}", page.tasks()[0]["id"].as_str().unwrap());
    page.hold(&request).await;
    page.browser.evaluate(&format!("async () => {{ network.lose = '{request}'; }}")).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=description]", "Two litres").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.holds(1).await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.evaluate("async () => { network.lose = null; }").await;
    page.release().await;
    page.has_values("#tasks form [name=description]", &["Two litres"]).await;
    page.browser.press("Next").await;
    page.has_values("#new-task [name=title]", &["Next"]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_answer_takes_the_focus_from_nobody_who_types() {
    let page = Page::start(&["Buy milk", "Water the plants"]).await;
    let id = page.tasks()[0]["id"].as_str().unwrap().to_owned();
    page.hold(&format!("DELETE /tasks/{id}")).await;
    page.browser.click("#tasks li:first-child .delete").await;
    page.holds(1).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("One ").await;
    page.release().await;
    page.browser.shows("#tasks .title", &["Water the plants"]).await;
    page.browser.press("two").await;
    page.has_values("#new-task [name=title]", &["One two"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_late_answer_is_not_shown_to_the_next_user() {
    let page = Page::start(&[]).await;
    sign_up(&page.dev, "bob");
    page.hold("POST /tasks").await;
    page.browser.fill("#new-task [name=title]", "Secret").await;
    page.browser.press("\n").await;
    page.holds(1).await;
    page.browser.click("#sign-out").await;
    page.browser.sign_in("bob").await;
    page.browser.shows("#summary", &["No tasks yet. Add your first."]).await;
    page.release().await;
    page.browser.fill("#new-task [name=title]", "Mine").await;
    page.browser.press("\n").await;
    page.browser.shows("#tasks .title", &["Mine"]).await;
    assert_eq!(page.titles(), ["Secret"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_of_a_deleted_task_keeps_what_was_typed() {
    let page = Page::start(&["Buy milk"]).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=description]", "Two litres").await;
    page.api("DELETE", &format!("/tasks/{}", page.tasks()[0]["id"].as_str().unwrap()), Value::Null);
    page.browser.click("#tasks form [type=submit]").await;
    let deleted =
        "Another tab or device has deleted this task. Restore it with your changes, or discard them.";
    page.browser.shows("#outbox .refusal", &[deleted]).await;
    page.browser.shows("#tasks .title", &[]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn drafts_outlive_the_session_for_the_same_user_alone() {
    let page = Page::start(&["Buy milk"]).await;
    sign_up(&page.dev, "bob");
    page.browser.fill("#new-task [name=title]", "Draft").await;
    page.browser.click("#new-task summary").await;
    page.browser.fill("#new-task [name=description]", "More").await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=tags]", "home").await;
    page.end_session();
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#alert p", &["Your session has ended. Please sign in again."]).await;
    page.browser.sign_in("ada").await;
    page.has_values("#new-task [name=title]", &["Draft"]).await;
    page.has_values("#new-task [name=description]", &["More"]).await;
    page.has_values("#outbox [name=tags]", &["home"]).await;
    page.browser.shows("#outbox .refusal", &["The session ended before this was saved."]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .tag", &["home"]).await;

    // A task whose own request finds the session ended is kept too, and so is the draft.
    page.end_session();
    page.browser.fill("#new-task [name=title]", "Draft").await;
    page.browser.press("\nSecond draft").await;
    page.browser.sign_in("ada").await;
    page.has_values("#outbox [name=description]", &["More"]).await;
    page.has_values("#new-task [name=title]", &["Second draft"]).await;

    // Another user does not see them, nor does anybody after that.
    page.end_session();
    page.browser.click("#tasks [type=checkbox]").await;
    page.browser.sign_in("bob").await;
    page.browser.shows("#summary", &["No tasks yet. Add your first."]).await;
    page.has_values("#board [name=title]", &[""]).await;
    page.browser.click("#sign-out").await;
    page.browser.sign_in("ada").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.has_values("#board [name=title]", &[""]).await;

    // Signing out deletes them.
    page.browser.fill("#new-task [name=title]", "Draft").await;
    page.browser.click("#sign-out").await;
    page.browser.sign_in("ada").await;
    page.has_values("#board [name=title]", &[""]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_reload_keeps_what_was_typed() {
    let page = Page::start(&["Buy milk"]).await;
    page.set_offline(true).await;
    page.browser.fill("#new-task [name=title]", "Refused").await;
    page.browser.press("\nDraft").await;
    page.browser.find("#outbox .refusal").await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    page.set_offline(false).await;
    page.reload().await;
    page.has_values("#new-task [name=title]", &["Draft"]).await;
    page.has_values("#outbox [name=title]", &["Buy oat milk", "Refused"]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
    let kept = page.browser.evaluate("async () => sessionStorage.length").await;
    assert_eq!(kept, 0, "sessionStorage is empty while the page is there");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_tab_keeps_its_draft_when_another_signs_out_and_in() {
    let page = Page::start(&["Buy milk"]).await;
    let first = page.browser.driver.window().await.unwrap();
    page.browser.fill("#new-task [name=title]", "Draft").await;
    let second = page.browser.driver.new_tab().await.unwrap();
    let switch = async |to: &WindowHandle| page.browser.driver.switch_to_window(to.clone()).await.unwrap();

    switch(&second).await;
    page.browser.goto(&page.dev.url).await;
    page.browser.click("#sign-out").await;
    switch(&first).await;
    page.browser.shows("#alert p", &["You were signed out in another tab."]).await;

    switch(&second).await;
    page.browser.sign_in("ada").await;
    switch(&first).await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.has_values("#new-task [name=title]", &["Draft"]).await;

    // Another session of the same user changes nothing.
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    let listen =
        "async () => { window.followed = new Promise((done) => addEventListener('storage', () => done())); }";
    page.browser.evaluate(listen).await;
    switch(&second).await;
    page.store(&page.device).await;
    switch(&first).await;
    page.browser.evaluate("async () => { await followed; }").await;
    page.has_values("#tasks form [name=title]", &["Buy oat milk"]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;

    // The tab shows the tasks of the user who signed in, and no draft of the one before.
    sign_up(&page.dev, "bob");
    switch(&second).await;
    page.browser.click("#sign-out").await;
    page.browser.sign_in("bob").await;
    switch(&first).await;
    page.browser.shows("#who", &["bob@example.com"]).await;
    page.browser.shows("#summary", &["No tasks yet. Add your first."]).await;
    page.has_values("#board [name=title]", &[""]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_filter_changed_offline_leaves_the_list_until_the_network_is_back() {
    let page = Page::start(&["Buy milk", "Water the plants"]).await;
    page.set_offline(true).await;
    page.browser.fill("#filters [name=search]", "plants").await;
    let unreachable = "The server cannot be reached. Check your connection and try again.";
    page.browser.shows("#alert p", &[unreachable]).await;
    page.browser.shows("#tasks .title", &["Buy milk", "Water the plants"]).await;

    // "Try again" stays when another action fails.
    page.browser.click("#tasks [type=checkbox]").await;
    page.browser.shows("#tasks .done .title", &[]).await;
    page.browser.shows("#retry", &["Try again"]).await;

    page.set_offline(false).await;
    page.browser.shows("#tasks .title", &["Water the plants"]).await;
    page.browser.shows("#alert", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_phone_shows_and_clears_the_tag_that_was_tapped() {
    let page = Page::start(&[]).await;
    page.api("POST", "/tasks", json!({ "title": "Buy milk", "tags": "home" }));
    page.api("POST", "/tasks", json!({ "title": "Water the plants" }));
    page.browser.resize(360, 740).await;
    page.reload().await;
    page.browser.click("#tasks .tag").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.browser.shows("#active-filters button", &["home ×"]).await;
    // It stays when the list is asked for again.
    page.browser.fill("#filters [name=search]", "plants").await;
    page.browser.shows("#tasks .title", &[]).await;
    page.browser.shows("#active-filters button", &["home ×"]).await;
    page.browser.set_value("#filters [name=search]", "").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.browser.fits("a phone").await;
    page.browser.screenshot("filtered-phone").await;
    page.browser.click("#active-filters button").await;
    page.browser.shows("#tasks .title", &["Water the plants", "Buy milk"]).await;
    page.browser.shows("#active-filters button", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_status_is_not_told_again_before_it_changes() {
    let page = Page::start(&["Buy milk"]).await;
    let watch = "async () => {
         window.told = [];
         const observer = new MutationObserver((changes) => told.push(changes.at(-1).target.textContent));
         for (const status of ['#new-task .read', '#summary', '#selected']) {
           observer.observe(document.querySelector(status), { childList: true });
         }
       }";
    page.browser.evaluate(watch).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("Call tomorrow").await;
    page.browser.press(Key::Home).await;
    page.browser.press("Please ").await;
    page.browser.click("#select").await;
    page.browser.click("#tasks .complete").await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task done."]).await;
    assert_eq!(page.browser.evaluate("async () => told").await, json!(["Due tomorrow", "0 selected"]));
}
