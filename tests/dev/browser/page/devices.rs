//! Several devices of one user: a task that two of them change, a deletion or a completion that is undone, a new task
//! that is sent twice, and a list that is looked at again.

use super::*;

const ANOTHER: &str = "Another tab or device has";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_field_edited_in_two_windows_is_the_users_choice() {
    let page = Page::start(&["Buy milk"]).await;
    let [first, second] = page.windows().await;
    for (keys, title, description) in
        [(Key::Enter, "Buy oat milk", json!("Two litres")), (Key::Escape, "Buy soy milk", Value::Null)]
    {
        page.api("PUT", &page.path(), json!({ "title": "Buy milk", "description": null }));
        page.reload().await;
        page.browser.click("#tasks .edit").await;
        page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
        page.browser.fill("#tasks form [name=description]", "Two litres").await;

        page.switch(&second).await;
        page.browser.driver.refresh().await.unwrap();
        page.edit_title("Buy soy milk").await;
        page.browser.shows(".toast p", &["Task saved."]).await;
        page.api("PUT", &page.path(), json!({ "tags": "shop" }));

        // Mine and theirs stand side by side, and what they have changed elsewhere is there too.
        page.switch(&first).await;
        page.browser.click("#tasks form [type=submit]").await;
        page.browser.shows("#tasks form .theirs .value", &["Buy soy milk", "None"]).await;
        let told = format!("{ANOTHER} changed this task. Keep your version, or take theirs.");
        page.browser.shows("#tasks form .refusal", &[&told]).await;
        page.has_values("#tasks form [name=title]", &["Buy oat milk"]).await;
        page.has_values("#tasks form [name=description]", &["Two litres"]).await;
        page.has_values("#tasks form [name=tags]", &["shop"]).await;
        page.browser.shows("#tasks form .buttons button", &["Take theirs", "Keep mine"]).await;
        page.browser.has_focus("#tasks form [name=title][aria-describedby$=-title-theirs]").await;

        page.browser.press(keys).await;
        page.browser.shows("#tasks form", &[]).await;
        page.browser.shows("#tasks .title", &[title]).await;
        page.is_settled().await;
        let task = &page.tasks()[0];
        assert_eq!(task["title"], title);
        assert_eq!(task["description"], description);
        assert_eq!(task["tags"], "shop");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_choice_is_asked_again_if_the_task_has_changed_again() {
    let page = Page::start(&["Buy milk"]).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    for theirs in ["Buy soy milk", "Buy rice milk"] {
        page.api("PUT", &page.path(), json!({ "title": theirs }));
        page.browser.click("#tasks form [type=submit]").await;
        page.browser.shows("#tasks form .theirs .value", &[theirs]).await;
    }
    assert_eq!(page.titles(), ["Buy rice milk"]);
    page.browser.click("#tasks form .cancel").await;
    page.browser.shows("#tasks .title", &["Buy rice milk"]).await;

    // The next edit is an ordinary one.
    page.browser.click("#tasks .edit").await;
    page.browser.shows("#tasks form .buttons button", &["Cancel", "Save"]).await;
    page.browser.shows("#tasks form .theirs", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_whose_answer_was_lost_is_saved_without_a_choice() {
    let page = Page::start(&["Buy milk"]).await;
    page.lose(&format!("PUT {}", page.path())).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=tags]", "home , shop").await;
    page.browser.set_value("#tasks form [name=due_date]", "2099-12-01").await;
    page.browser.set_value("#tasks form [name=due_time]", "10:00").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk ").await;
    page.browser.click("#tasks form [type=submit]").await;
    let unreachable = "The server cannot be reached. Check your connection and try again.";
    page.browser.shows("#tasks form .refusal", &[unreachable]).await;
    assert_eq!(page.titles(), ["Buy oat milk"]);
    page.lose("").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks form", &[]).await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_choice_that_waits_in_the_outbox_outlives_a_reload() {
    let page = Page::start(&["Buy milk"]).await;
    for (button, title) in [("[type=submit]", "Buy oat milk"), (".cancel", "Buy soy milk")] {
        page.api("PUT", &page.path(), json!({ "title": "Buy milk" }));
        page.reload().await;
        page.browser.click("#tasks .edit").await;
        page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
        page.api("PUT", &page.path(), json!({ "title": "Buy soy milk" }));
        page.reload().await;
        page.browser.click("#outbox [type=submit]").await;
        page.browser.shows("#tasks .theirs .value", &["Buy soy milk"]).await;
        page.reload().await;
        page.browser.shows("#outbox .theirs .value", &["Buy soy milk"]).await;
        page.has_values("#outbox [name=title]", &["Buy oat milk"]).await;
        page.browser.shows("#outbox .buttons button", &["Take theirs", "Keep mine"]).await;
        page.browser.click(&format!("#outbox {button}")).await;
        page.browser.shows("#outbox li", &[]).await;
        page.browser.shows("#tasks .title", &[title]).await;
        page.is_settled().await;
        assert_eq!(page.titles(), [title]);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_edited_in_one_window_and_deleted_in_the_other_is_restored_or_stays_deleted() {
    let page = Page::start(&["Buy milk"]).await;
    let [first, second] = page.windows().await;
    let path = page.path();
    page.api("PATCH", &format!("{path}/complete"), json!({ "completed": true }));
    for (button, title, titles) in
        [("[type=submit]", "Buy oat milk", &["Buy oat milk"][..]), (".cancel", "Buy soy milk", &[])]
    {
        page.reload().await;
        page.browser.click("#tasks .edit").await;
        page.browser.fill("#tasks form [name=title]", title).await;
        page.switch(&second).await;
        page.browser.driver.refresh().await.unwrap();
        page.delete_first().await;

        page.switch(&first).await;
        page.browser.click("#tasks form [type=submit]").await;
        let deleted = format!("{ANOTHER} deleted this task. Restore it with your changes, or discard them.");
        page.browser.shows("#outbox .refusal", &[&deleted]).await;
        page.browser.shows("#outbox .buttons button", &["Discard", "Restore"]).await;
        page.browser.shows("#tasks .title", &[]).await;
        page.browser.has_focus("#outbox [name=title]").await;
        page.reload().await;
        page.browser.click(&format!("#outbox {button}")).await;
        page.browser.shows("#outbox li", &[]).await;
        page.browser.shows("#tasks .done .title", titles).await;
        page.is_settled().await;
        assert_eq!(page.titles(), titles);
        if let Some(task) = page.tasks().first() {
            assert!(path.ends_with(task["id"].as_str().unwrap()), "{task}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_deleted_task_that_another_device_has_restored_is_not_doubled() {
    let page = Page::start(&["Buy milk"]).await;
    let path = page.path();
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
    page.api("DELETE", &path, Value::Null);
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.find("#outbox .refusal").await;
    page.api("POST", &format!("{path}/restore"), Value::Null);
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy oat milk"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy oat milk"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_of_a_task_that_cannot_be_restored_becomes_a_new_task() {
    let page = Page::start(&["Buy milk"]).await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=description]", "Two litres").await;
    page.api("DELETE", &page.path(), Value::Null);
    page.api("DELETE", "/tasks/deleted", Value::Null);
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.click("#outbox [type=submit]").await;
    let gone = "This task was deleted and can no longer be restored. Try again to add it as a new one.";
    page.browser.shows("#outbox .refusal", &[gone]).await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .description", &["Two litres"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy milk"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_task_that_another_device_has_changed_is_not_deleted_unseen() {
    let page = Page::start(&["Buy milk"]).await;
    // The user would see no difference.
    page.api("PATCH", &format!("{}/complete", page.path()), Value::Null);
    page.delete_first().await;
    page.browser.click(".toast:last-child button").await;
    page.browser.shows("#tasks .done .title", &["Buy milk"]).await;

    page.api("PUT", &page.path(), json!({ "title": "Buy milk and sugar" }));
    page.browser.click("#tasks .delete").await;
    let told = format!("{ANOTHER} changed this task. It was not deleted, and is shown as it is now.");
    page.browser.shows("#alert p", &[&told]).await;
    page.browser.shows("#tasks .title", &["Buy milk and sugar"]).await;
    page.delete_first().await;
    assert_eq!(page.titles(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_deletion_is_undone_by_its_button_or_ctrl_z() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    let before = page.tasks();
    page.delete_first().await;
    page.browser.shows("#tasks .title", &["Two", "Three"]).await;
    page.browser.click(".toast:last-child button").await;
    page.browser.shows("#tasks .title", &["One", "Two", "Three"]).await;
    page.browser.shows(".toast p", &["Undone."]).await;
    page.browser.has_focus("#tasks li:first-child input").await;
    page.is_settled().await;
    for (task, before) in page.tasks().iter().zip(&before) {
        assert_eq!(
            [&task["id"], &task["title"], &task["created_at"]],
            [&before["id"], &before["title"], &before["created_at"]]
        );
    }

    // Two deletions, and the last one first.
    for left in [&["Two", "Three"][..], &["Three"]] {
        page.delete_first().await;
        page.browser.shows("#tasks .title", left).await;
        page.is_settled().await;
    }
    for titles in [&["Two", "Three"][..], &["One", "Two", "Three"]] {
        page.browser.press(Key::Control + "z").await;
        page.browser.shows("#tasks .title", titles).await;
    }

    // The undo of a text field is its own.
    page.delete_first().await;
    page.browser.fill("#new-task [name=title]", "Typed").await;
    page.browser.press(Key::Control + "z").await;
    page.browser.shows("#tasks .title", &["Two", "Three"]).await;
    page.has_values("#new-task [name=title]", &[""]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_last_deletion_is_undone_before_any_is_answered() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.set_latency(1000).await;
    for left in [&["Two", "Three"][..], &["Three"]] {
        page.browser.click("#tasks .delete").await;
        page.browser.shows("#tasks .title", left).await;
    }
    page.browser.press(Key::Control + "z").await;
    page.browser.shows("#tasks .title", &["Two", "Three"]).await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task deleted.", "Undone."]).await;
    page.is_settled().await;
    page.browser.shows("#tasks .title", &["Two", "Three"]).await;
    assert_eq!(page.titles(), ["Three", "Two"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_completion_is_undone_in_the_list_of_open_tasks() {
    let page = Page::start(&["One", "Two", "Three"]).await;
    page.browser.set_value("#filters [name=completed]", "false").await;
    page.browser.shows("#tasks .title", &["One", "Two", "Three"]).await;
    page.browser.click("#tasks li:nth-child(2) [type=checkbox]").await;
    page.browser.shows(".toast:not([aria-busy]) p", &["Task done."]).await;
    page.browser.shows("#tasks .title", &["One", "Three"]).await;
    page.browser.find(".toast button").await.focus().await.unwrap();
    page.browser.press(Key::Enter).await;
    page.browser.shows("#tasks .title", &["One", "Two", "Three"]).await;
    page.browser.shows("#tasks .done", &[]).await;
    page.browser.has_focus("#tasks li:nth-child(2) input").await;
    page.is_settled().await;
    assert!(page.tasks().iter().all(|task| task["completed"] == false));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_undo_that_fails_can_be_tried_again() {
    let page = Page::start(&["Buy milk"]).await;
    page.delete_first().await;
    page.set_offline(true).await;
    page.browser.click(".toast button").await;
    let unreachable = "The server cannot be reached. Check your connection and try again.";
    page.browser.shows("#alert p", &[unreachable]).await;
    page.browser.has_focus(".toast button").await;
    page.set_offline(false).await;
    page.browser.press(Key::Enter).await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.browser.shows("#alert", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_offer_to_undo_stays_8_seconds_and_as_long_as_it_has_the_focus() {
    let page = Page::start(&["Buy milk"]).await;
    // The page's own clock: commands of a busy browser come late.
    let watch = "async () => {
         const shown = new Map();
         window.stays = [];
         new MutationObserver((changes) => {
           const nodes = (list) => changes.flatMap((change) => [...change[list]]);
           for (const toast of nodes('addedNodes')) shown.set(toast, performance.now());
           for (const toast of nodes('removedNodes')) {
             stays.push([toast.querySelector('p').textContent, performance.now() - shown.get(toast)]);
           }
         }).observe(document.querySelector('#toasts'), { childList: true });
       }";
    page.browser.evaluate(watch).await;
    page.delete_first().await;
    let live = "async () => document.querySelector('.toast').closest('[role=status]').ariaAtomic";
    assert_eq!(page.browser.evaluate(live).await, "false", "a screen reader announces the new toast alone");
    page.browser.fill("#new-task [name=title]", "Next\n").await;
    // Other messages do not take its place.
    let stay = "async () => {
         while (stays.length < 2) await new Promise((again) => setTimeout(again, 20));
         return Object.fromEntries(stays)['Task deleted.'];
       }";
    let stay = page.browser.evaluate(stay).await;
    assert!(stay.as_f64().unwrap() >= 8000.0, "{stay} ms");

    let delete = "async () => {
         document.querySelector('#tasks .delete').click();
         document.querySelector('.toast button').focus();
       }";
    page.browser.find("#tasks .task[aria-busy=false]").await;
    page.browser.evaluate(delete).await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    page.browser.has_focus(".toast button").await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.shows(".toast", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_new_task_whose_answer_was_lost_is_sent_again_and_stays_one() {
    let page = Page::start(&[]).await;
    page.add_in_vain("Buy milk").await;
    assert_eq!(page.titles(), ["Buy milk"]);
    page.reload().await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy milk"]);

    // The second attempt sends what was corrected before it.
    page.add_in_vain("Water the plant").await;
    page.browser.fill("#outbox [name=title]", "Water the plants").await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Water the plants", "Buy milk"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy milk", "Water the plants"]);

    // Nor does it undo what another device has changed meanwhile.
    page.add_in_vain("Renew the pass").await;
    page.api(
        "PUT",
        &format!("/tasks/{}", page.tasks()[1]["id"].as_str().unwrap()),
        json!({ "title": "Renew the ID" }),
    );
    page.browser.fill("#outbox [name=title]", "Renew the passport").await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .theirs .value", &["Renew the ID"]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks .title", &["Renew the passport", "Water the plants", "Buy milk"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy milk", "Renew the passport", "Water the plants"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_new_task_that_was_deleted_before_it_is_sent_again_is_added_only_if_the_user_wants() {
    let page = Page::start(&[]).await;
    page.add_in_vain("Buy milk").await;
    page.api("DELETE", &page.path(), Value::Null);
    page.browser.click("#outbox [type=submit]").await;
    let deleted = "This task was added, and then deleted by another tab or device. \
                   Try again to add it as a new one.";
    page.browser.shows("#outbox .refusal", &[deleted]).await;
    assert_eq!(page.titles(), [""; 0]);
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Buy milk"]).await;
    page.is_settled().await;
    assert_eq!(page.titles(), ["Buy milk"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_look_at_an_unchanged_list_is_a_304_and_draws_nothing() {
    let page = Page::start(&["Buy milk", "Water the plants"]).await;
    // The page asked before the network was watched.
    page.browser.click("#clear-filters").await;
    page.browser.find("#tasks[aria-busy=false]").await;
    let watch = "async () => {
         window.changes = 0;
         window.moved = 0;
         const options = { subtree: true, childList: true, attributes: true, characterData: true };
         new MutationObserver((records) => {
           changes += records.length;
           moved += records.filter((record) => record.target.matches('ul') && record.removedNodes.length > 0).length;
         }).observe(document, options);
       }";
    page.browser.evaluate(watch).await;
    assert_eq!(page.look().await, json!(["GET /tasks 304"]));
    assert_eq!(page.browser.evaluate("async () => changes").await, 0);

    // The page shows what another device has changed. No other task moves, as a click on it would be lost.
    page.browser.find("#tasks li:last-child .edit").await.focus().await.unwrap();
    page.api("PUT", &page.path(), json!({ "title": "Buy oat milk" }));
    page.api("POST", "/tasks", json!({ "title": "Call", "due_date": "2099-12-01" }));
    assert_eq!(page.look().await, json!(["GET /tasks 200"]));
    page.browser.shows("#tasks .title", &["Call", "Buy oat milk", "Water the plants"]).await;
    page.browser.has_focus("#tasks li:last-child .edit").await;
    assert_eq!(page.browser.evaluate("async () => moved").await, 0);
    assert_eq!(page.look().await, json!(["GET /tasks 304"]));

    // A list of other filters is another list.
    page.browser.set_value("#filters [name=sort_by]", "title").await;
    page.browser.shows("#tasks .title", &["Buy oat milk", "Call", "Water the plants"]).await;
    assert_eq!(page.look().await, json!(["GET /tasks 304"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_look_keeps_the_pages_that_were_loaded() {
    let page = Page::start(&[]).await;
    for n in 0..210 {
        page.api("POST", "/tasks", json!({ "title": format!("Task {n}") }));
    }
    page.browser.click("#clear-filters").await;
    page.browser.shows("#summary", &["210 tasks"]).await;
    assert_eq!(page.look().await, json!(["GET /tasks 304"]));
    page.api("DELETE", &page.path(), Value::Null);
    assert_eq!(page.look().await, json!(["GET /tasks 200", "GET /tasks 200"]));
    page.browser.shows("#summary", &["209 tasks"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn choices_and_undo_fit_phones_and_desktops() {
    let page = Page::start(&["Renew the passport", "Buy milk", "Water the plants"]).await;
    for (width, height, device) in [(1280, 900, "desktop"), (375, 740, "phone")] {
        page.browser.resize(width, height).await;
        for color_scheme in ["light", "dark"] {
            page.browser.emulate_media("prefers-color-scheme", color_scheme).await;
            page.api(
                "PUT",
                &page.path(),
                json!({ "title": "Buy milk", "priority": "medium", "due_date": null }),
            );
            page.reload().await;
            page.browser.click("#tasks li:has([aria-label='Edit Buy milk']) .edit").await;
            page.browser.fill("#tasks form [name=title]", "Buy oat milk").await;
            page.browser
                .fill("#tasks form [name=description]", "Two litres, from the shop at the corner")
                .await;
            page.browser.set_value("#tasks form [name=priority]", "high").await;
            page.browser.set_value("#tasks form [name=due_date]", "2099-12-24").await;
            page.browser.set_value("#tasks form [name=due_time]", "10:00").await;
            let theirs =
                json!({ "title": "Buy soy milk and sugar", "priority": "low", "due_date": "2099-12-30" });
            page.api("PUT", &page.path(), theirs);
            page.browser.click("#tasks form [type=submit]").await;
            let theirs = ["Buy soy milk and sugar", "None", "Dec 30, 2099", "Low"];
            page.browser.shows("#tasks form .theirs .value", &theirs).await;
            page.browser.fits(device).await;
            page.browser.screenshot(&format!("choice-{device}-{color_scheme}")).await;
            page.browser.find("#tasks form [type=submit]").await.scroll_into_view().await.unwrap();
            page.browser.screenshot(&format!("choice-end-{device}-{color_scheme}")).await;
            page.browser.click("#tasks form .cancel").await;

            page.browser.click("#tasks li:last-child [type=checkbox]").await;
            page.browser.find(".toast button").await;
            page.delete_first().await;
            page.browser.fits(device).await;
            page.browser.screenshot(&format!("undo-{device}-{color_scheme}")).await;
            page.browser.click(".toast:last-child button").await;
            page.browser.shows("#summary", &["3 tasks"]).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_list_is_brought_up_to_date_when_the_network_is_back() {
    let page = Page::start(&["One"]).await;
    page.set_offline(true).await;
    page.api("POST", "/tasks", json!({ "title": "Two" }));
    tokio::time::sleep(Duration::from_millis(1100)).await;
    page.set_offline(false).await;
    page.browser.shows("#tasks .title", &["Two", "One"]).await;
}
