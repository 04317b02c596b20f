//! The groups of the list, and their counts.

use super::*;

/// Returns the titles of a group of the list.
async fn group(page: &Page, name: &str, expected: &[&str]) {
    page.browser.shows(&format!("[data-group={name}] .title"), expected).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn tasks_are_grouped_by_when_they_are_due_and_counted() {
    let page = Page::start(&["First", "Second"]).await;
    let day = "async () => [-1, 0, 1].map((days) => new Date(Date.now() + days * 86_400_000).toLocaleDateString('sv'))";
    let days: [String; 3] = serde_json::from_value(page.browser.evaluate(day).await).unwrap();
    for (title, due_date) in ["Yesterday", "Now", "Tomorrow"].into_iter().zip(&days) {
        page.api("POST", "/tasks", json!({ "title": title, "due_date": due_date }));
    }
    page.api("POST", "/tasks", json!({ "title": "Far", "due_date": "2099-12-01T09:00" }));
    let done = page.api("POST", "/tasks", json!({ "title": "Done", "due_date": days[0] }));
    page.api(
        "PATCH",
        &format!("/tasks/{}/complete", done["id"].as_str().unwrap()),
        json!({ "completed": true }),
    );
    page.reload().await;
    let headings = ["Overdue 1", "Today 1", "Upcoming 2", "No date 2", "Done 1"];
    page.browser.shows("#tasks h2", &headings).await;
    group(&page, "overdue", &["Yesterday"]).await;
    group(&page, "today", &["Now"]).await;
    group(&page, "upcoming", &["Tomorrow", "Far"]).await;
    group(&page, "undated", &["First", "Second"]).await;
    group(&page, "done", &["Done"]).await;
    page.browser
        .shows("#tasks time", &["Yesterday", "Today", "Tomorrow", "Dec 1, 2099, 9:00 AM", "Yesterday"])
        .await;
    page.browser.shows("#summary", &["7 tasks"]).await;

    // Other orders have no groups.
    page.browser.set_value("#filters [name=sort_by]", "title").await;
    let titles = ["Done", "Far", "First", "Now", "Second", "Tomorrow", "Yesterday"];
    page.browser.shows("#tasks .title", &titles).await;
    page.browser.shows("#tasks h2", &[]).await;
    page.browser.click("#clear-filters").await;
    page.browser.shows("#tasks h2", &headings).await;

    // A task that is edited or completed moves to its group.
    page.browser.click("[data-group=overdue] .edit").await;
    page.browser.set_value("#tasks form [name=due_date]", "2099-01-30").await;
    page.browser.click("#tasks form [type=submit]").await;
    group(&page, "upcoming", &["Tomorrow", "Yesterday", "Far"]).await;
    page.browser.click("[data-group=undated] li:first-child .complete").await;
    group(&page, "done", &["First", "Done"]).await;
    page.browser.shows("#tasks h2", &["Today 1", "Upcoming 3", "No date 1", "Done 2"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_time_that_passes_moves_its_task_to_the_overdue_ones() {
    let page = Page::start(&[]).await;
    let soon = "async () => new Date(Date.now() + 4000).toJSON().replace(/[.]\\d+/, '')";
    let soon = page.browser.evaluate(soon).await;
    page.api("POST", "/tasks", json!({ "title": "Call", "due_date": soon }));
    page.reload().await;
    group(&page, "overdue", &[]).await;
    page.browser.shows("#tasks .title", &["Call"]).await;
    group(&page, "overdue", &["Call"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_count_says_that_more_is_coming_until_all_pages_are_there() {
    let page = Page::start(&[]).await;
    for n in 0..450 {
        page.api("POST", "/tasks", json!({ "title": format!("Task {n}") }));
    }
    page.hold("GET /tasks").await;
    page.browser.click("#clear-filters").await;
    for count in ["200+", "400+", "450"] {
        page.holds(1).await;
        page.browser
            .evaluate("async () => { for (const release of network.held.splice(0)) release(); }")
            .await;
        page.browser.shows("#tasks h2", &[&format!("No date {count}")]).await;
        page.browser.shows("#summary", &[&format!("{count} tasks")]).await;
    }
    // The newest is on top, and nothing asks again.
    page.browser.shows("#tasks li:first-child .title", &["Task 449"]).await;
    assert_eq!(page.browser.evaluate("async () => network.sent.length").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn more_than_a_thousand_tasks_are_loaded_by_a_button() {
    let page = Page::start(&[]).await;
    let create = "async () => {
         const { access_token } = JSON.parse(localStorage.getItem('todo-session'));
         const headers = { Authorization: `Bearer ${access_token}`, 'Content-Type': 'application/json' };
         const send = (task) => fetch('/tasks', { method: 'POST', headers, body: JSON.stringify(task) });
         const create = (n) => send({ title: `Task ${n}` });
         for (let n = 0; n < 1010; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => create(n + i)));
       }";
    page.browser.driver.set_script_timeout(Duration::from_secs(120)).await.unwrap();
    page.browser.evaluate(create).await;
    page.reload().await;
    page.browser.shows("#summary", &["1000+ tasks"]).await;
    page.browser.click("#load-more").await;
    page.browser.shows("#summary", &["1010 tasks"]).await;
    page.browser.shows("#load-more", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_groups_follow_the_readers_calendar() {
    let page = Page::start(&[]).await;
    // In Berlin, clocks go forward on 29 March 2026 and back on 25 October.
    for (now, due, expected) in [
        ("2026-03-28T23:30:00", "2026-03-28", "today"),
        ("2026-03-28T23:30:00", "2026-03-29", "upcoming"),
        ("2026-03-29T00:00:00", "2026-03-28", "overdue"),
        ("2026-03-29T23:59:59", "2026-03-29T21:59:00Z", "overdue"),
        ("2026-03-29T23:59:00", "2026-03-29T21:59:30Z", "today"),
        ("2026-10-25T00:00:00", "2026-10-25T22:59:59Z", "today"),
        ("2026-10-25T00:00:00", "2026-10-25T23:00:00Z", "upcoming"),
        ("2026-12-31T12:00:00", "2026-12-31T11:59:59", "overdue"),
        ("2026-12-31T12:00:00", "2026-12-31T12:00:01", "today"),
        ("2026-12-31T23:59:59", "2027-01-01", "upcoming"),
    ] {
        let function = format!(
            "async () => {{
               const {{ groupOf }} = await import('./groups.js');
               return groupOf({{ due_date: '{due}' }}, new Date('{now}'));
             }}"
        );
        assert_eq!(page.browser.evaluate(&function).await, expected, "{due} at {now}");
    }
}
