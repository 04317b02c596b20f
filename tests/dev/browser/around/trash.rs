//! The trash: what is in it, and how it is restored or emptied.

use super::*;

impl Page {
    /// Deletes all tasks past the page, in the order of the list.
    fn delete_all(&self) {
        for task in self.api("GET", "/tasks", &Value::Null).as_array().unwrap() {
            let path = format!("/tasks/{}", task["id"].as_str().unwrap());
            assert_eq!(call(&self.dev, &self.session, "DELETE", &path, &Value::Null).0, 200);
        }
    }

    async fn open_trash(&self) {
        self.browser.click("[href='#trash']").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_deleted_task_is_restored_to_the_board() {
    let page = Page::start(&["Buy milk", "Call <b>Bob</b>", "Water the plants"]).await;
    page.delete_all();
    for (latency, left, restored) in [
        (300, &["Water the plants", "Buy milk"][..], &["Call <b>Bob</b>"][..]),
        (1000, &["Water the plants"], &["Buy milk", "Call <b>Bob</b>"]),
    ] {
        page.set_latency(latency);
        page.open_trash().await;
        page.browser.shows("#trash-about", &["Tasks stay here for 30 days."]).await;
        page.browser.click("#deleted li:nth-child(2) button").await;
        page.browser.shows("#deleted b", left).await;
        page.browser.shows(".toast:last-child p", &["Task restored."]).await;
        page.browser.has_focus("#deleted li:last-child button").await;
        page.back().await;
        page.shows_tasks(restored).await;
    }
    page.open_trash().await;
    page.browser.click("#deleted button").await;
    page.browser.shows("#trash-about", &["The trash is empty."]).await;
    page.browser.shows("#empty", &[]).await;
    page.browser.has_focus("#trash-heading").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_that_another_device_has_restored_leaves_the_trash() {
    let page = Page::start(&["Buy milk"]).await;
    let id = page.api("GET", "/tasks", &Value::Null)[0]["id"].as_str().unwrap().to_owned();
    page.delete_all();
    page.open_trash().await;
    page.browser.shows("#deleted b", &["Buy milk"]).await;
    page.api("POST", &format!("/tasks/{id}/restore"), &Value::Null);
    page.browser.click("#deleted button").await;
    page.browser.shows(".toast p", &["This task was no longer in the trash."]).await;
    page.browser.shows("#trash-about", &["The trash is empty."]).await;
    page.back().await;
    page.shows_tasks(&["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_trash_is_emptied_only_after_a_confirmation() {
    let page = Page::start(&["Buy milk", "Water the plants"]).await;
    page.delete_all();
    page.set_latency(1000);
    page.open_trash().await;
    let deleted = ["Water the plants", "Buy milk"];
    page.browser.shows("#deleted b", &deleted).await;
    page.browser.click("#empty").await;
    page.browser.click("#empty-trash .cancel").await;
    page.browser.click("#empty").await;
    page.browser.press(Key::Escape).await;
    page.browser.shows("#empty-trash", &[]).await;
    page.reload().await;
    page.browser.shows("#deleted b", &deleted).await;
    page.browser.click("#empty").await;
    page.browser.click("#empty-trash .confirm").await;
    page.browser.shows("#trash-about", &["The trash is empty."]).await;
    page.browser.has_focus("#trash-heading").await;
    assert_eq!(page.api("GET", "/tasks/deleted", &Value::Null), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_full_trash_is_shown_page_by_page() {
    let page = Page::start(&[]).await;
    for n in 1..=51 {
        page.api("POST", "/tasks", &json!({ "title": format!("Task {n}") }));
    }
    page.delete_all();
    page.set_latency(300);
    page.open_trash().await;
    page.browser.click("#more-deleted").await;
    page.browser.shows("#more-deleted", &[]).await;
    let titles = page.browser.texts("#deleted b").await;
    assert_eq!((titles.len(), titles[0].as_str(), titles[50].as_str()), (51, "Task 51", "Task 1"));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_trash_that_cannot_be_read_is_asked_for_again() {
    let page = Page::start(&["Buy milk"]).await;
    page.delete_all();
    page.go_offline().await;
    page.open_trash().await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.browser.shows("#trash-about", &[""]).await;
    // The board has no part in that.
    page.back().await;
    page.browser.find("#board").await;
    page.browser.shows("#alert", &[]).await;
    page.open_trash().await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.go_online();
    page.browser.click("#retry").await;
    page.browser.shows("#deleted b", &["Buy milk"]).await;
    page.browser.shows("#alert", &[]).await;

    // A restore that fails leaves the task in the trash.
    page.go_offline().await;
    page.browser.click("#deleted button").await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.browser.shows("#deleted b", &["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_trash_shows_what_is_still_being_deleted_and_not_what_is_undone() {
    let page = Page::start(&["Buy milk", "Call Bob"]).await;
    page.set_latency(1000);
    page.browser.click("#tasks li:first-child .delete").await;
    page.open_trash().await;
    page.browser.shows("#deleted b", &["Call Bob"]).await;
    page.browser.has_focus("#trash-heading").await;
    page.browser.click(".toast button").await;
    page.browser.shows("#trash-about", &["The trash is empty."]).await;
    page.browser.shows("#deleted b", &[]).await;
    page.back().await;
    page.shows_tasks(&["Buy milk", "Call Bob"]).await;
}
