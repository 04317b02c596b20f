//! Changes that show before the server has answered, and are put right if it refuses.

use super::*;

const UNREACHABLE: &str = "The server cannot be reached. Check your connection and try again.";

impl Page {
    /// Answers requests such as `POST /tasks` with an error of the server, instead of sending them.
    async fn refuse(&self, request: &str, status: u16, detail: &str) {
        let refusal = json!({ "request": request, "status": status, "body": { "detail": detail } });
        self.browser.evaluate(&format!("async () => {{ network.refuse = {refusal}; }}")).await;
    }

    /// Runs a script, and returns the titles of the tasks at once after it.
    async fn titles_after(&self, script: &str) -> Value {
        let function = format!(
            "async () => {{
               {script};
               const titles = [...document.querySelectorAll('#tasks .title')];
               return titles.filter((e) => e.checkVisibility()).map((e) => e.innerText);
             }}"
        );
        self.browser.evaluate(&function).await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn every_change_shows_before_the_server_has_answered() {
    let page = Page::start(&[]).await;
    for latency in [300, 1000] {
        for title in ["Delete", "Edit", "Complete"] {
            page.api("POST", "/tasks", json!({ "title": title }));
        }
        page.reload().await;
        page.browser.shows("#tasks .title", &["Complete", "Edit", "Delete"]).await;
        page.set_latency(latency).await;
        let add = "document.querySelector('#new-task [name=title]').value = 'Add';
                   document.querySelector('#new-task').requestSubmit()";
        assert_eq!(page.titles_after(add).await, json!(["Add", "Complete", "Edit", "Delete"]));
        let complete = "document.querySelector('li:nth-child(2) .complete').click()";
        assert_eq!(page.titles_after(complete).await, json!(["Add", "Edit", "Delete", "Complete"]));
        let edit = "document.querySelector('li:nth-child(2) .edit').click();
                    document.querySelector('#tasks form [name=title]').value = 'Edited';
                    document.querySelector('#tasks form').requestSubmit()";
        assert_eq!(page.titles_after(edit).await, json!(["Add", "Edited", "Delete", "Complete"]));
        let delete = "document.querySelector('li:nth-child(3) .delete').click()";
        assert_eq!(page.titles_after(delete).await, json!(["Add", "Edited", "Complete"]));
        page.is_settled().await;
        page.browser.shows("#tasks .title", &["Add", "Edited", "Complete"]).await;
        assert_eq!(page.titles(), ["Add", "Complete", "Edited"]);
        page.set_latency(0).await;
        for task in page.tasks() {
            page.api("DELETE", &format!("/tasks/{}", task["id"].as_str().unwrap()), Value::Null);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_change_that_the_server_cannot_make_is_taken_back_with_a_sentence() {
    let page = Page::start(&["One", "Two"]).await;
    let path = page.path();
    let busy = "The database cannot be reached";
    page.set_latency(300).await;
    page.refuse(&format!("PATCH {path}/complete"), 503, busy).await;
    page.browser.click("#tasks li:first-child .complete").await;
    page.browser.shows("#alert p", &["The database cannot be reached."]).await;
    page.browser.shows("#tasks li:not(.done) .title", &["One", "Two"]).await;
    let check = "async () => document.querySelector('#tasks .complete').checked";
    assert_eq!(page.browser.evaluate(check).await, false);

    page.refuse(&format!("DELETE {path}"), 503, busy).await;
    page.browser.click("#tasks li:first-child .delete").await;
    page.browser.shows("#tasks .title", &["Two"]).await;
    page.browser.shows("#alert p", &["The database cannot be reached."]).await;
    page.browser.shows("#tasks .title", &["One", "Two"]).await;

    page.refuse(&format!("PUT {path}"), 503, busy).await;
    page.browser.click("#tasks li:first-child .edit").await;
    page.browser.fill("#tasks form [name=title]", "Three\n").await;
    page.browser.shows("#tasks .title", &["Three", "Two"]).await;
    page.browser.shows("#tasks .refusal", &["The database cannot be reached."]).await;
    page.has_values("#tasks form [name=title]", &["Three"]).await;
    page.browser.click("#tasks form .cancel").await;
    page.browser.shows("#tasks .title", &["One", "Two"]).await;

    page.refuse("POST /tasks", 503, busy).await;
    page.browser.fill("#new-task [name=title]", "Four\n").await;
    page.browser.shows("#tasks .title", &["Four", "One", "Two"]).await;
    page.browser.shows("#outbox .refusal", &["The database cannot be reached."]).await;
    page.browser.shows("#tasks .title", &["One", "Two"]).await;
    assert_eq!(page.titles(), ["One", "Two"]);
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Four", "One", "Two"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Four", "One", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_change_made_offline_is_taken_back_and_can_be_made_when_the_network_is_back() {
    let page = Page::start(&["One", "Two"]).await;
    page.set_offline(true).await;
    page.browser.click("#tasks li:first-child .complete").await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.browser.shows("#tasks li:not(.done) .title", &["One", "Two"]).await;
    page.browser.click("#tasks li:first-child .delete").await;
    page.browser.shows("#tasks .title", &["One", "Two"]).await;
    page.browser.shows(".toast", &[]).await;
    page.set_offline(false).await;
    page.browser.click("#tasks li:first-child .complete").await;
    page.browser.shows("[data-group=done] .title", &["One"]).await;
    page.browser.shows("#alert", &[]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task done."]).await;
    assert_eq!(page.tasks()[0]["completed"], true);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_that_is_gone_leaves_the_list_with_a_sentence() {
    let page = Page::start(&["One", "Two"]).await;
    for (action, left) in [(".complete", &["Two"][..]), (".delete", &[])] {
        let path = page.path();
        page.api("DELETE", &path, Value::Null);
        page.browser.click(&format!("#tasks li:first-child {action}")).await;
        page.browser.shows("#alert p", &["Task not found."]).await;
        page.browser.shows("#tasks .title", left).await;
        page.browser.shows(".toast", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refused_field_is_told_in_the_place_of_the_task() {
    let page = Page::start(&["Buy milk"]).await;
    page.set_latency(300).await;
    let too_long = "x".repeat(TOO_LONG);
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", &too_long).await;
    page.browser.press("\n").await;
    page.browser.shows("#tasks .title", &[&too_long]).await;
    page.browser.shows("#tasks form .field-error", &["Title should have at most 255 characters."]).await;
    page.browser.find("#tasks form [name=title][aria-invalid=true]:focus").await;
    page.has_values("#tasks form [name=title]", &[&too_long]).await;
    page.browser.click("#tasks form .cancel").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    assert_eq!(page.titles(), ["Buy milk"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_older_answer_does_not_undo_what_another_device_changed_after_it() {
    let page = Page::start(&["Buy milk"]).await;
    // The page asked before the network was watched.
    page.browser.click("#clear-filters").await;
    page.is_settled().await;
    let path = page.path();
    page.hold(&format!("PATCH {path}/complete")).await;
    page.browser.click("#tasks .complete").await;
    page.holds(1).await;
    page.api("PUT", &path, json!({ "title": "Buy oat milk" }));
    assert_eq!(page.look().await, json!(["GET /tasks 200"]));
    page.browser.shows("[data-group=done] .title", &["Buy oat milk"]).await;
    page.release().await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task done."]).await;
    page.browser.shows("[data-group=done] .title", &["Buy oat milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_second_tab_shows_a_change_when_it_is_looked_at() {
    let page = Page::start(&["Buy milk"]).await;
    let [first, second] = page.windows().await;
    page.set_latency(300).await;
    page.browser.click("#tasks .complete").await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task done."]).await;
    page.switch(&second).await;
    page.browser.evaluate("async () => { setInterval(() => dispatchEvent(new Event('focus')), 500); }").await;
    page.browser.shows("[data-group=done] .title", &["Buy milk"]).await;
    page.browser.click("#tasks .complete").await;
    page.browser.shows("[data-group=undated] .title", &["Buy milk"]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task open again."]).await;
    page.switch(&first).await;
    assert_eq!(page.look().await, json!(["GET /tasks 200"]));
    page.browser.shows("[data-group=undated] .title", &["Buy milk"]).await;
}
