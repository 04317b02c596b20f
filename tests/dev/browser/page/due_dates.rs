//! Due dates of the three kinds: a day, a time on the user's clock, and an instant, which the page shows in the
//! reader's zone.

use super::*;

const WEST: &str = "America/Los_Angeles";
const EAST: &str = "Asia/Kolkata";

impl Page {
    /// Moves the reader to a time zone.
    async fn travel(&self, zone: &str) {
        self.browser.driver.cdp().emulation().set_timezone_override(zone).await.unwrap();
        self.reload().await;
    }

    /// Creates a task as another device. Returns the path of the task.
    fn create(&self, title: &str, due_date: &str) -> String {
        let task = self.api("POST", "/tasks", json!({ "title": title, "due_date": due_date }));
        assert_eq!(task["due_date"], due_date, "{task}");
        format!("/tasks/{}", task["id"].as_str().unwrap())
    }

    /// Returns the due date of the task on the server.
    fn due_date(&self, path: &str) -> Value {
        self.api("GET", path, Value::Null)["due_date"].clone()
    }

    /// Returns what the attributes `datetime` of the list say.
    async fn machine_readable(&self) -> Value {
        let times = "async () => [...document.querySelectorAll('#tasks time')].map((e) => e.dateTime)";
        self.browser.evaluate(times).await
    }

    async fn set_due(&self, form: &str, day: &str, time: &str) {
        self.browser.set_value(&format!("{form} [name=due_date]"), day).await;
        self.browser.set_value(&format!("{form} [name=due_time]"), time).await;
    }

    async fn has_due(&self, form: &str, day: &str, time: &str) {
        self.has_values(&format!("{form} [name=due_date]"), &[day]).await;
        self.has_values(&format!("{form} [name=due_time]"), &[time]).await;
    }

    /// Edits the title, and saves.
    async fn rename(&self, title: &str) {
        self.browser.click("#tasks .edit").await;
        self.browser.fill("#tasks form [name=title]", title).await;
        self.save().await;
        self.browser.shows("#tasks .title", &[title]).await;
    }

    async fn save(&self) {
        self.browser.click("#tasks form [type=submit]").await;
        self.browser.shows("#tasks form", &[]).await;
        self.is_settled().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_day_without_a_time_is_saved_as_a_day() {
    let page = Page::start(&[]).await;
    for zone in [WEST, EAST] {
        page.travel(zone).await;
        page.browser.click("#new-task summary").await;
        page.set_due("#new-task", "2099-01-30", "").await;
        page.browser.fill("#new-task [name=title]", zone).await;
        page.browser.click("#new-task [type=submit]").await;
        page.browser.shows("#tasks .title", &[zone]).await;
        page.browser.shows("#tasks time", &["Jan 30, 2099"]).await;
        page.has_due("#new-task", "", "").await;
        page.is_settled().await;
        assert_eq!(page.machine_readable().await, json!(["2099-01-30"]));
        let path = format!("/tasks/{}", page.tasks()[0]["id"].as_str().unwrap());
        assert_eq!(page.due_date(&path), "2099-01-30");

        page.browser.click("#tasks .edit").await;
        page.has_due("#tasks form", "2099-01-30", "").await;
        page.save().await;
        page.rename("Renamed").await;
        assert_eq!(page.due_date(&path), "2099-01-30");
        page.api("DELETE", &path, Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_day_and_a_time_are_saved_as_a_time_on_the_clock() {
    let page = Page::start(&[]).await;
    for zone in [WEST, EAST] {
        page.travel(zone).await;
        page.browser.click("#new-task summary").await;
        page.set_due("#new-task", "2099-01-30", "10:00").await;
        page.browser.fill("#new-task [name=title]", zone).await;
        page.browser.click("#new-task [type=submit]").await;
        page.browser.shows("#tasks .title", &[zone]).await;
        page.browser.shows("#tasks time", &["Jan 30, 2099, 10:00 AM"]).await;
        page.has_due("#new-task", "", "").await;
        page.is_settled().await;
        assert_eq!(page.machine_readable().await, json!(["2099-01-30T10:00:00"]));
        let path = format!("/tasks/{}", page.tasks()[0]["id"].as_str().unwrap());
        assert_eq!(page.due_date(&path), "2099-01-30T10:00:00");

        // Another day keeps the time.
        page.browser.click("#tasks .edit").await;
        page.has_due("#tasks form", "2099-01-30", "10:00").await;
        page.set_due("#tasks form", "2099-01-31", "10:00").await;
        page.save().await;
        assert_eq!(page.due_date(&path), "2099-01-31T10:00:00");

        // Without its time it is a day, and without its day no due date.
        for (day, saved) in [("2099-01-31", json!("2099-01-31")), ("", Value::Null)] {
            page.browser.click("#tasks .edit").await;
            page.set_due("#tasks form", day, "").await;
            page.save().await;
            assert_eq!(page.due_date(&path), saved);
        }
        page.browser.shows("#tasks time", &[]).await;
        page.api("DELETE", &path, Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_day_is_overdue_when_it_is_over() {
    let page = Page::start(&[]).await;
    // The last second of the day is the one before this.
    for (zone, day, end) in [
        (WEST, "2026-01-30", "2026-01-31T08:00:00Z"),
        (EAST, "2026-01-30", "2026-01-30T18:30:00Z"),
        // 23 hours, and 25.
        ("Europe/Berlin", "2026-03-29", "2026-03-29T22:00:00Z"),
        ("Europe/Berlin", "2026-10-25", "2026-10-25T23:00:00Z"),
        // The second of these days begins at one o'clock.
        ("America/Santiago", "2026-09-05", "2026-09-06T04:00:00Z"),
        ("America/Santiago", "2026-09-06", "2026-09-07T03:00:00Z"),
    ] {
        page.travel(zone).await;
        let function = format!(
            "async () => {{
               const {{ isOverdue }} = await import('./due.js');
               const end = new Date('{end}').getTime();
               return [end - 1000, end].map((now) => isOverdue('{day}', new Date(now)));
             }}"
        );
        assert_eq!(page.browser.evaluate(&function).await, json!([false, true]), "{day} in {zone}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn open_tasks_of_the_past_are_overdue() {
    let page = Page::start(&[]).await;
    // In this zone it is about noon, so that the day does not end before the test.
    let hour = page.browser.evaluate("async () => new Date().getUTCHours()").await.as_i64().unwrap();
    let zone = format!("Etc/GMT{:+}", hour - 12);
    page.travel(&zone).await;
    let noon = page.browser.evaluate("async () => new Date().getHours()").await.as_i64().unwrap();
    assert!((12..=13).contains(&noon), "it is {noon} o'clock in {zone}");

    let dates = "async () => {
       const at = (minutes) => new Date(Date.now() + minutes * 60_000);
       const day = (days) => at(days * 24 * 60).toLocaleDateString('sv');
       const instant = (minutes) => at(minutes).toJSON().replace(/[.]\\d+/, '');
       return [day(-1), day(0), instant(-30), instant(30)];
     }";
    let dates: [String; 4] = serde_json::from_value(page.browser.evaluate(dates).await).unwrap();
    let [yesterday, today, past, future] = dates;
    page.create("A day that is over", &yesterday);
    page.create("A time that has passed", &format!("{today}T09:00:00"));
    page.create("An instant that has passed", &past);
    page.create("Today", &today);
    page.create("A time to come", &format!("{today}T15:00:00"));
    page.create("An instant to come", &future);
    let done = page.create("Done yesterday", &yesterday);
    page.api("PATCH", &format!("{done}/complete"), json!({ "completed": true }));
    page.reload().await;
    page.browser.shows("#summary", &["7 tasks"]).await;
    let mut overdue = page.browser.texts("#tasks li:has(.overdue:not([hidden])) .title").await;
    overdue.sort();
    assert_eq!(overdue, ["A day that is over", "A time that has passed", "An instant that has passed"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_instant_is_shown_in_the_readers_zone() {
    let page = Page::start(&[]).await;
    // The offsets of the year 99 are those of local solar time, with seconds.
    let instants = ["0099-01-30T02:00:00Z", "2099-01-30T02:00:00Z"];
    for due in instants {
        page.create("Call", due);
    }
    for (zone, texts, fields) in [
        (
            WEST,
            ["Jan 29, 99, 6:07 PM", "Jan 29, 2099, 6:00 PM"],
            [("0099-01-29", "18:07:02"), ("2099-01-29", "18:00")],
        ),
        (
            EAST,
            ["Jan 30, 99, 7:53 AM", "Jan 30, 2099, 7:30 AM"],
            [("0099-01-30", "07:53:28"), ("2099-01-30", "07:30")],
        ),
    ] {
        page.travel(zone).await;
        page.browser.shows("#tasks time", &texts).await;
        assert_eq!(page.machine_readable().await, json!(instants));
        for (group, (day, time)) in ["overdue", "upcoming"].into_iter().zip(fields) {
            page.browser.click(&format!("[data-group={group}] .edit")).await;
            page.has_due("#tasks form", day, time).await;
            page.browser.click("#tasks form .cancel").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_instant_that_is_not_edited_does_not_move() {
    let page = Page::start(&[]).await;
    page.travel(WEST).await;
    // In the second of the two hours that clocks show alike, and with seconds.
    let due = "2026-11-01T09:30:15Z";
    let path = page.create("Call", due);
    page.reload().await;
    page.rename("Renamed").await;
    assert_eq!(page.due_date(&path), due);

    // The due date of another device counts.
    page.browser.click("#tasks .edit").await;
    page.api("PUT", &path, json!({ "due_date": "2099-01-30T02:00:00Z" }));
    page.browser.fill("#tasks form [name=title]", "Renamed again").await;
    page.save().await;
    assert_eq!(page.due_date(&path), "2099-01-30T02:00:00Z");

    // Nor does it when the task has been deleted, and is restored.
    page.api("PUT", &path, json!({ "due_date": due }));
    page.reload().await;
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Another").await;
    page.api("DELETE", &path, Value::Null);
    page.browser.click("#tasks form [type=submit]").await;
    page.has_due("#outbox", "2026-11-01", "01:30:15").await;
    page.reload().await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks .title", &["Another"]).await;
    page.is_settled().await;
    assert_eq!(page.tasks()[0]["due_date"], due);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edited_instant_stays_an_instant_as_long_as_it_has_a_time() {
    let page = Page::start(&[]).await;
    for (zone, instant) in [(WEST, "2099-01-31T18:15:00Z"), (EAST, "2099-01-31T04:45:00Z")] {
        let path = page.create("Call", "2099-01-30T02:00:00Z");
        page.travel(zone).await;
        page.browser.click("#tasks .edit").await;
        page.set_due("#tasks form", "2099-01-31", "10:15").await;
        page.save().await;
        page.browser.shows("#tasks time", &["Jan 31, 2099, 10:15 AM"]).await;
        assert_eq!(page.due_date(&path), instant, "{zone}");

        page.browser.click("#tasks .edit").await;
        page.set_due("#tasks form", "2099-01-31", "").await;
        page.save().await;
        page.browser.shows("#tasks time", &["Jan 31, 2099"]).await;
        assert_eq!(page.due_date(&path), "2099-01-31", "{zone}");
        page.api("DELETE", &path, Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_edit_of_an_instant_that_waits_in_the_outbox_is_saved_as_an_instant() {
    let page = Page::start(&[]).await;
    let path = page.create("Call", "2099-01-30T02:00:00Z");
    page.travel(WEST).await;
    page.browser.click("#tasks .edit").await;
    page.set_due("#tasks form", "2099-01-29", "18:15").await;
    page.reload().await;
    page.has_due("#outbox", "2099-01-29", "18:15").await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks time", &["Jan 29, 2099, 6:15 PM"]).await;
    page.is_settled().await;
    assert_eq!(page.due_date(&path), "2099-01-30T02:15:00Z");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_time_without_a_day_is_told_at_its_field() {
    let page = Page::start(&["Buy milk"]).await;
    let told = "A time needs a day. Enter the day, or clear the time.";
    page.browser.click("#new-task summary").await;
    page.set_due("#new-task", "", "10:00").await;
    page.browser.click("#new-task summary").await;
    page.browser.fill("#new-task [name=title]", "Call\n").await;
    page.browser.shows("#new-task .field:has([name=due_date]) .field-error", &[told]).await;
    page.browser.find("#new-task [name=due_date][aria-invalid=true]:focus").await;
    page.has_values("#new-task [name=title]", &["Call"]).await;
    page.set_due("#new-task", "2099-01-30", "10:00").await;
    page.browser.click("#new-task [type=submit]").await;
    page.browser.shows("#tasks .title", &["Call", "Buy milk"]).await;
    page.browser.shows(".field-error", &[]).await;

    page.browser.click("[data-group=undated] .edit").await;
    page.set_due("#tasks form", "", "10:00").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks form .field:has([name=due_date]) .field-error", &[told]).await;
    page.browser.find("#tasks form [name=due_date][aria-invalid=true]:focus").await;
    page.set_due("#tasks form", "", "").await;
    page.save().await;
    assert_eq!(page.tasks()[0]["due_date"], Value::Null);
    let sent = "async () => network.sent.filter((request) => !request.startsWith('GET'))";
    assert_eq!(page.browser.evaluate(sent).await, json!(["POST /tasks"]));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_refused_due_date_keeps_its_time_beside_its_day() {
    let page = Page::start(&[]).await;
    page.browser.click("#new-task summary").await;
    page.set_due("#new-task", "12026-01-30", "10:00").await;
    page.browser.fill("#new-task [name=title]", "Call\n").await;
    let refused = "#outbox .field:has([name=due_date]) .field-error";
    let texts = async || page.browser.texts(refused).await.concat();
    page.browser.find(refused).await;
    assert!(texts().await.starts_with("Due date should be "), "{}", texts().await);
    page.has_due("#outbox", "12026-01-30", "10:00").await;
    page.has_due("#new-task", "", "").await;

    page.reload().await;
    page.has_due("#outbox", "12026-01-30", "10:00").await;
    page.set_due("#outbox", "2099-01-30", "10:00").await;
    page.browser.click("#outbox [type=submit]").await;
    page.browser.shows("#tasks time", &["Jan 30, 2099, 10:00 AM"]).await;
    page.is_settled().await;
    assert_eq!(page.tasks()[0]["due_date"], "2099-01-30T10:00:00");

    // An edit opens again. A time with seconds keeps them.
    page.browser.click("#tasks .edit").await;
    page.set_due("#tasks form", "12026-01-30", "10:00:30").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.find("#tasks form .field:has([name=due_date]) .field-error").await;
    page.set_due("#tasks form", "2099-01-30", "10:00:30").await;
    page.save().await;
    page.rename("Renamed").await;
    assert_eq!(page.tasks()[0]["due_date"], "2099-01-30T10:00:30");

    // Nor can an instant have this day.
    page.api(
        "PUT",
        &format!("/tasks/{}", page.tasks()[0]["id"].as_str().unwrap()),
        json!({ "due_date": "2099-01-30T02:00:00Z" }),
    );
    page.reload().await;
    page.browser.click("#tasks .edit").await;
    page.set_due("#tasks form", "12026-01-30", "10:00").await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.find("#tasks form .field:has([name=due_date]) .field-error").await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn forms_with_due_dates_fit_phones_and_desktops() {
    let page = Page::start(&[]).await;
    for (title, due_date) in [
        ("A day that is over", "2026-01-30"),
        ("A time that has passed", "2026-01-30T10:00:00"),
        ("An instant that has passed", "2026-01-30T09:00:00Z"),
        ("A day", "2099-12-30"),
        ("A time on the clock", "2099-12-30T10:00:00"),
        ("An instant", "2099-12-30T22:59:30Z"),
    ] {
        page.create(title, due_date);
    }
    for (width, height, device) in [(1280, 900, "desktop"), (360, 740, "phone")] {
        page.browser.resize(width, height).await;
        for color_scheme in ["light", "dark"] {
            page.browser.emulate_media("prefers-color-scheme", color_scheme).await;
            page.travel(WEST).await;
            page.browser.shows("#summary", &["6 tasks"]).await;
            page.browser.screenshot(&format!("due-list-{device}-{color_scheme}")).await;
            page.browser.click("#new-task summary").await;
            page.set_due("#new-task", "2099-12-30", "").await;
            page.browser.fits(device).await;
            page.browser.screenshot(&format!("due-new-{device}-{color_scheme}")).await;
            page.set_due("#new-task", "", "10:00").await;
            page.browser.click("#new-task [type=submit]").await;
            page.browser.screenshot(&format!("due-error-{device}-{color_scheme}")).await;
            page.browser.click("[data-group=upcoming] li:last-child .edit").await;
            page.has_due("#tasks form", "2099-12-30", "14:59:30").await;
            page.browser.fits(device).await;
            page.browser.screenshot(&format!("due-edit-{device}-{color_scheme}")).await;
            page.browser.click("#tasks form .cancel").await;
            page.set_due("#new-task", "", "").await;
        }
    }
}
