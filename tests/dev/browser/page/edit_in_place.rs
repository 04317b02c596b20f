//! Editing a task in its place.

use super::*;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_is_edited_in_its_place_with_the_keyboard_alone() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.browser.find("#tasks li:nth-child(2) .complete").await.focus().await.unwrap();
    page.browser.press("e").await;
    page.browser.has_focus("#tasks li:nth-child(2) form [name=title]").await;
    page.browser.shows("#tasks .title", &["One", "Three"]).await;
    page.has_values("#tasks form [name=title]", &["Two"]).await;
    page.browser.press(" and a half").await;
    page.browser.press(Key::Escape).await;
    page.browser.has_focus("#tasks li:nth-child(2) .edit").await;
    page.browser.shows("#tasks .title", &["One", "Two", "Three"]).await;

    page.browser.press("e").await;
    page.browser.find("#tasks form [name=description]").await.focus().await.unwrap();
    page.browser.press("Two lines\nexactly").await;
    page.browser.press(Key::Control + Key::Enter).await;
    page.browser.shows("#tasks .description", &["Two lines\nexactly"]).await;
    page.browser.has_focus("#tasks li:nth-child(2) .edit").await;
    page.is_settled().await;
    assert_eq!(page.tasks()[2]["description"], "Two lines\nexactly");

    // Letters are typed in a field.
    page.browser.press("e").await;
    page.browser.press("xe").await;
    page.has_values("#tasks form [name=title]", &["Twoxe"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_stays_open_whatever_happens_to_the_list() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.browser.click("#tasks li:nth-child(2) .edit").await;
    page.browser.fill("#tasks form [name=title]", "Two and a half").await;
    // The second form has the focus.
    page.browser.click("#tasks li:nth-child(3) .edit").await;
    page.browser.press("!").await;
    page.api("POST", "/tasks", json!({ "title": "Four", "due_date": "2099-12-01" }));
    let three = page.tasks()[2]["id"].as_str().unwrap().to_owned();
    page.api("DELETE", &format!("/tasks/{three}"), Value::Null);
    page.browser.evaluate("async () => { setTimeout(() => dispatchEvent(new Event('focus')), 1200); }").await;
    page.browser.shows("#tasks .title", &["Four", "One"]).await;
    page.browser.has_focus("#tasks li:nth-child(3) form [name=title]").await;
    page.has_values("#tasks form [name=title]", &["Two and a half", "Three!"]).await;

    page.browser.fill("#filters [name=search]", "four").await;
    page.browser.shows("#tasks .title", &["Four"]).await;
    page.has_values("#tasks form [name=title]", &["Two and a half", "Three!"]).await;
    page.browser.set_value("#filters [name=search]", "").await;
    page.browser.set_value("#filters [name=completed]", "true").await;
    page.browser.shows("#tasks .title", &[]).await;
    page.has_values("#tasks form [name=title]", &["Two and a half", "Three!"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refused_edit_goes_to_the_outbox_while_its_task_is_edited_again() {
    let page = Page::start(&["Buy milk"]).await;
    page.set_latency(1000).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", &"x".repeat(TOO_LONG)).await;
    page.browser.press("\n").await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    page.browser.shows("#outbox .field-error", &["Title should have at most 255 characters."]).await;
    page.has_values("#tasks form [name=title]", &["Buy oat milk"]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
    page.is_settled().await;
    page.browser.click("#outbox .cancel").await;
    page.browser.shows("#outbox li", &[]).await;
    assert_eq!(page.titles(), ["Buy oat milk"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn what_users_write_has_the_direction_of_its_language() {
    let page = Page::start(&[]).await;
    page.api("POST", "/tasks", json!({ "title": "שלום", "description": "مرحبا", "tags": "בית" }));
    page.reload().await;
    page.browser.shows("#tasks .title", &["שלום"]).await;
    page.browser.fill("#new-task [name=title]", "שלום").await;
    let function = "async () => ['.title', '.description', '.tag', '#new-task [name=title]']
         .map((css) => getComputedStyle(document.querySelector(css)).direction)";
    assert_eq!(page.browser.evaluate(function).await, json!(["rtl", "rtl", "rtl", "rtl"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn cards_are_low_and_name_a_priority_only_if_it_is_not_medium() {
    let page = Page::start(&["Medium"]).await;
    page.api(
        "POST",
        "/tasks",
        json!({ "title": "Low", "priority": "low", "tags": "home", "due_date": "2099-12-01" }),
    );
    page.reload().await;
    page.browser.shows("#tasks .title", &["Low", "Medium"]).await;
    page.browser.shows("#tasks .priority", &["Low priority"]).await;
    let height =
        "async () => Math.max(...[...document.querySelectorAll('.task')].map((e) => e.offsetHeight))";
    // It was 110 pixels before.
    assert!(page.browser.evaluate(height).await.as_f64().unwrap() <= 55.0);
    page.browser.resize(320, 740).await;
    page.browser.fits("a phone").await;
    page.browser.resize(375, 740).await;
    assert!(page.browser.evaluate(height).await.as_f64().unwrap() <= 90.0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_key_that_closes_a_list_or_a_calendar_does_not_end_the_edit() {
    let page = Page::start(&["Buy milk"]).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    for field in ["priority", "due_date"] {
        page.browser.find(&format!("#tasks form [name={field}]")).await.focus().await.unwrap();
        page.browser.press(Key::Escape).await;
        page.has_values("#tasks form [name=title]", &["Buy oat milk"]).await;
    }
    page.browser.find("#tasks form [name=title]").await.focus().await.unwrap();
    page.browser.press(Key::Escape).await;
    page.browser.shows("#tasks form", &[]).await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
}
