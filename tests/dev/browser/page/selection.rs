//! Several tasks at once.

use super::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn several_tasks_are_completed_or_deleted_together_and_undone_by_one_toast() {
    let page = Page::start(&["One", "Two", "Three", "Four", "Five", "Six"]).await;
    page.set_latency(300).await;
    for (button, done, left) in [
        ("#complete-selected", "5 tasks done.", &["No date 1", "Done 5"][..]),
        ("#delete-selected", "5 tasks deleted.", &["No date 1"]),
    ] {
        page.browser.click("#select").await;
        page.browser.shows("#selected", &["0 selected"]).await;
        page.browser.find(&format!("{button}:disabled")).await;
        page.browser.click("#select-all").await;
        page.browser.click("#tasks li:nth-child(2) .pick").await;
        page.browser.shows("#selected", &["5 selected"]).await;
        page.browser.click(button).await;
        page.browser.shows("#tasks h2", left).await;
        page.browser.shows("#selection", &[]).await;
        page.browser.shows(".toast:last-child:not([aria-busy]) p", &[done]).await;
        page.browser.shows("#tasks h2", left).await;
        page.browser.click(".toast:last-child button").await;
        page.browser.shows("#tasks .title", &["One", "Two", "Three", "Four", "Five", "Six"]).await;
        page.browser.shows(".toast:last-child p", &["Undone."]).await;
        let tasks = page.tasks();
        assert_eq!(tasks.len(), 6);
        assert!(tasks.iter().all(|task| task["completed"] == false));
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_key_x_selects_a_task() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    for item in [1, 3] {
        page.browser.find(&format!("#tasks li:nth-child({item}) .complete")).await.focus().await.unwrap();
        page.browser.press("x").await;
    }
    page.browser.shows("#selected", &["2 selected"]).await;
    page.browser.press("x").await;
    page.browser.shows("#selected", &["1 selected"]).await;
    page.browser.click("#delete-selected").await;
    page.browser.shows("#tasks .title", &["Two", "Three"]).await;
    page.browser.has_focus("#select").await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task deleted."]).await;
    assert_eq!(page.titles(), ["Three", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn one_refusal_of_several_is_told_and_put_right() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.api("PUT", &page.path(), json!({ "title": "One and a half" }));
    page.browser.click("#select").await;
    page.browser.click("#select-all").await;
    page.browser.click("#delete-selected").await;
    let told = "Another tab or device has changed this task. It was not deleted, and is shown as it is now.";
    page.browser.shows("#alert p", &[told]).await;
    page.browser.shows("#tasks .title", &["One and a half"]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["2 tasks deleted."]).await;
    page.browser.click(".toast button").await;
    page.browser.shows("#tasks .title", &["One and a half", "Two", "Three"]).await;
    page.browser.shows("#alert", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn completed_tasks_are_cleared_at_once_and_come_back_if_that_was_a_mistake() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    for title in ["One", "Three"] {
        let tasks = page.tasks();
        let task = tasks.iter().find(|task| task["title"] == title).unwrap();
        let path = format!("/tasks/{}/complete", task["id"].as_str().unwrap());
        page.api("PATCH", &path, json!({ "completed": true }));
    }
    page.reload().await;
    page.browser.shows("#tasks h2", &["No date 1", "Done 2"]).await;
    page.browser.click(".clear-done").await;
    page.browser.shows("#tasks h2", &["No date 1"]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["2 tasks deleted."]).await;
    assert_eq!(page.titles(), ["Two"]);
    page.browser.press(Key::Control + "z").await;
    page.browser.shows("#tasks h2", &["No date 1", "Done 2"]).await;
    page.browser.shows(".toast p", &["Undone."]).await;
    assert_eq!(page.titles(), ["One", "Three", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_list_that_is_asked_for_while_tasks_are_completed_gets_the_rest_of_them() {
    let page = Page::start(&["One", "Two", "Three", "Four", "Five", "Six"]).await;
    page.set_latency(1000).await;
    page.browser.click("#select").await;
    page.browser.click("#select-all").await;
    page.browser.click("#complete-selected").await;
    page.browser.evaluate("async () => { network.sent.length = 0; }").await;
    page.browser.set_value("#filters [name=completed]", "true").await;
    page.browser.shows(".toast:not([aria-busy]) p", &["6 tasks done."]).await;
    page.browser.shows("#tasks h2", &["Done 6"]).await;
    page.is_settled().await;
    let lists = "async () => network.sent.filter((request) => request === 'GET /tasks').length";
    assert_eq!(page.browser.evaluate(lists).await, 2, "the filter's list, and the one after the last answer");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn selected_tasks_that_leave_the_list_are_no_longer_counted() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.browser.click("#select").await;
    page.browser.click("#select-all").await;
    page.browser.shows("#selected", &["3 selected"]).await;
    page.browser.click("#tasks li:nth-child(3) .complete").await;
    page.browser.shows("#tasks h2", &["No date 2", "Done 1"]).await;
    page.browser.set_value("#filters [name=completed]", "false").await;
    page.browser.shows("#selected", &["2 selected"]).await;
    page.browser.set_value("#filters [name=search]", "nothing").await;
    page.browser.shows("#selected", &["0 selected"]).await;
    page.browser.find("#delete-selected:disabled").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_that_is_still_being_completed_is_cleared_too() {
    let page = Page::start(&["One", "Two"]).await;
    page.set_latency(1000).await;
    page.browser.click("#tasks li:first-child .complete").await;
    page.browser.click(".clear-done").await;
    page.browser.shows("#tasks h2", &["No date 1"]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task deleted."]).await;
    assert_eq!(page.titles(), ["Two"]);
    page.browser.press(Key::Control + "z").await;
    page.browser.shows("#tasks h2", &["No date 1", "Done 1"]).await;
    page.browser.shows(".toast:last-child:not([aria-busy]) p", &["Undone."]).await;
    assert_eq!(page.titles(), ["One", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_that_is_edited_is_neither_selected_nor_cleared() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    for done in [true, false] {
        page.browser.click("#tasks li:first-child .edit").await;
        page.browser.fill("#tasks form [name=title]", "Not saved yet").await;
        page.browser.click("#select").await;
        page.browser.click("#select-all").await;
        page.browser.shows("#selected", &["2 selected"]).await;
        page.browser.click("#end-selection").await;
        page.browser.click("#tasks form .cancel").await;
        if done {
            page.browser.click("#select").await;
            page.browser.click("#select-all").await;
            page.browser.click("#complete-selected").await;
            page.browser.shows("#tasks h2", &["Done 3"]).await;
        }
    }
    // Nor is it selected when its form is closed after the selection.
    page.browser.find("#tasks li:first-child .complete").await.focus().await.unwrap();
    page.browser.press("x").await;
    page.browser.shows("#selected", &["1 selected"]).await;
    page.browser.press("e").await;
    page.browser.shows("#selected", &["0 selected"]).await;
    page.browser.click("#end-selection").await;
    page.browser.click("#tasks form .cancel").await;
    page.browser.click("#select").await;
    page.browser.shows("#selected", &["0 selected"]).await;
    page.browser.click("#end-selection").await;

    // All that is selected is done.
    page.browser.click("#select").await;
    page.browser.click("#select-all").await;
    page.browser.find("#complete-selected:disabled").await;
    page.browser.find("#delete-selected:enabled").await;
    page.browser.click("#end-selection").await;

    page.browser.click("#tasks li:first-child .edit").await;
    page.browser.click(".clear-done").await;
    page.browser.shows("#tasks h2", &["Done 1"]).await;
    page.browser.find("#tasks form").await;
}
