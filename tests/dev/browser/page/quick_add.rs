//! Words in the title of a new task that set its other fields, and the buttons for its day.

use super::*;

impl Page {
    /// Returns title, day, time, priority and tags of a new task with this title, and what the page says of them.
    async fn read(&self, now: &str, title: &str) -> Value {
        let function = format!(
            "async () => {{
               const {{ describe, read }} = await import('./quick-add.js');
               const due = {{ due_date: '', due_time: '', due_original: '' }};
               const form = {{ description: '', priority: 'medium', tags: '', ...due }};
               const now = new Date('{now}');
               const values = read({{ ...form, title: {} }}, now);
               const {{ title, due_date, due_time, priority, tags }} = values;
               return [title, `${{due_date}} ${{due_time}}`.trim(), priority, tags, describe(values, now)];
             }}",
            json!(title)
        );
        self.browser.evaluate(&function).await
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn words_of_a_title_set_its_day_time_priority_and_tags() {
    let page = Page::start(&[]).await;
    // A Saturday.
    let now = "2026-11-28T14:00:00";
    for (title, expected) in [
        (
            "Call Ada fri 9:00 !high #work",
            ["Call Ada", "2026-12-04 09:00", "high", "work", "Due Dec 4, 2026, 9:00 AM, high, #work"],
        ),
        ("Call Ada tomorrow", ["Call Ada", "2026-11-29", "medium", "", "Due tomorrow"]),
        ("Call Ada Today !LOW", ["Call Ada", "2026-11-28", "low", "", "Due today, low"]),
        (
            "Call Ada on Sunday at 9:30pm",
            ["Call Ada", "2026-11-29 21:30", "medium", "", "Due tomorrow, 9:30 PM"],
        ),
        (
            "Call Ada tomorrow, 9:05 AM !high, #work, #home",
            [
                "Call Ada",
                "2026-11-29 09:05",
                "high",
                "work, home",
                "Due tomorrow, 9:05 AM, high, #work, #home",
            ],
        ),
        ("Call Ada at 5 pm", ["Call Ada", "2026-11-28 17:00", "medium", "", "Due today, 5:00 PM"]),
        (r"Read \5 pm", ["Read 5 pm", "", "medium", "", ""]),
        ("Call Ada 12am tue", ["Call Ada", "2026-12-01 00:00", "medium", "", "Due Dec 1, 2026, 12:00 AM"]),
        ("Call Ada next week", ["Call Ada", "2026-11-30", "medium", "", "Due Nov 30, 2026"]),
        // Its own weekday is a week away.
        ("Call Ada sat", ["Call Ada", "2026-12-05", "medium", "", "Due Dec 5, 2026"]),
        // A time alone is the next one.
        ("Call Ada 14:01", ["Call Ada", "2026-11-28 14:01", "medium", "", "Due today, 2:01 PM"]),
        ("Call Ada 14:00", ["Call Ada", "2026-11-29 14:00", "medium", "", "Due tomorrow, 2:00 PM"]),
        ("#home !high Buy #Obst milk", ["Buy milk", "", "high", "home, Obst", "high, #home, #Obst"]),
        ("Äpfel #küche #日本", ["Äpfel", "", "medium", "küche, 日本", "#küche, #日本"]),
        // Read literally.
        ("Buy sun cream", ["Buy sun cream", "", "medium", "", ""]),
        ("Fix #42, C# and  wow!", ["Fix #42, C# and  wow!", "", "medium", "", ""]),
        ("Take 7 at 25:00 or 13pm", ["Take 7 at 25:00 or 13pm", "", "medium", "", ""]),
        ("tomorrow", ["tomorrow", "", "medium", "", ""]),
        ("#home", ["#home", "", "medium", "", ""]),
        (r"Watch \tomorrow \#home \!high", ["Watch tomorrow #home !high", "", "medium", "", ""]),
        (r"Watch \next week", ["Watch next week", "", "medium", "", ""]),
        (r"Clean C:\temp fri", [r"Clean C:\temp", "2026-12-04", "medium", "", "Due Dec 4, 2026"]),
        ("Watch \"Die fri 9:00\"", ["Watch \"Die fri 9:00\"", "", "medium", "", ""]),
        ("Buy a 5\" pipe mon", ["Buy a 5\" pipe", "2026-11-30", "medium", "", "Due Nov 30, 2026"]),
        ("Anruf morgen", ["Anruf morgen", "", "medium", "", ""]),
    ] {
        assert_eq!(page.read(now, title).await, json!(expected), "{title}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn days_are_counted_on_the_calendar() {
    let page = Page::start(&[]).await;
    // In Berlin, clocks go forward on 29 March 2026 and back on 25 October.
    for (now, word, expected) in [
        ("2026-01-31T12:00:00", "tomorrow", "2026-02-01"),
        ("2026-02-28T12:00:00", "tomorrow", "2026-03-01"),
        ("2028-02-28T12:00:00", "tomorrow", "2028-02-29"),
        ("2026-12-31T23:59:59", "tomorrow", "2027-01-01"),
        ("2026-03-28T23:30:00", "tomorrow", "2026-03-29"),
        ("2026-03-29T00:30:00", "tomorrow", "2026-03-30"),
        ("2026-10-25T00:30:00", "tomorrow", "2026-10-26"),
        ("2026-10-24T23:30:00", "sun", "2026-10-25"),
        // On a Sunday.
        ("2026-11-29T00:00:00", "sunday", "2026-12-06"),
        ("2026-11-29T23:59:00", "mon", "2026-11-30"),
        ("2026-11-29T12:00:00", "next week", "2026-11-30"),
        ("2026-11-30T12:00:00", "next week", "2026-12-07"),
        ("2026-11-27T12:00:00", "fri", "2026-12-04"),
        ("2026-11-26T12:00:00", "fri", "2026-11-27"),
    ] {
        assert_eq!(page.read(now, &format!("Call {word}")).await[1], expected, "{word} at {now}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn what_is_read_is_told_before_it_is_sent() {
    let page = Page::start(&[]).await;
    page.browser.click("#new-task [name=title]").await;
    page.browser.press("Call Ada tomorrow 9:00 !high #work").await;
    page.browser.shows("#new-task .read", &["Due tomorrow, 9:00 AM, high, #work"]).await;
    page.browser.press("\n").await;
    page.browser.shows("[data-group=upcoming] .title", &["Call Ada"]).await;
    page.browser.shows("#tasks time", &["Tomorrow, 9:00 AM"]).await;
    page.browser.shows("#tasks .priority", &["High priority"]).await;
    page.browser.shows("#tasks .tag", &["work"]).await;
    page.browser.shows("#new-task .read", &[]).await;
    page.is_settled().await;
    let tomorrow = "async () => new Date(Date.now() + 86_400_000).toLocaleDateString('sv')";
    let tomorrow = page.browser.evaluate(tomorrow).await.as_str().unwrap().to_owned();
    let task = &page.tasks()[0];
    assert_eq!(task["due_date"], format!("{tomorrow}T09:00:00"));
    assert_eq!([&task["title"], &task["priority"], &task["tags"]], ["Call Ada", "high", "work"]);

    // The title of a task that exists is what it is.
    page.browser.click("#tasks .edit").await;
    page.browser.fill("#tasks form [name=title]", "Call Ada #home\n").await;
    page.browser.shows("#tasks .title", &["Call Ada #home"]).await;
    page.browser.shows("#tasks .tag", &["work"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn the_buttons_of_a_day_set_and_clear_it() {
    let page = Page::start(&["Buy milk"]).await;
    let today = "async () => new Date().toLocaleDateString('sv')";
    let today = page.browser.evaluate(today).await.as_str().unwrap().to_owned();
    page.browser.click("#new-task [data-day='0']").await;
    page.browser.shows("#new-task .read", &["Due today"]).await;
    page.browser.find("#new-task [data-day='0'][aria-pressed=true]").await;
    page.browser.click("#new-task [data-day='0']").await;
    page.browser.shows("#new-task .read", &[]).await;
    page.browser.click("#new-task [data-day='1']").await;
    page.browser.shows("#new-task [aria-pressed=true]", &["Tomorrow"]).await;
    page.browser.click("#new-task [data-day='0']").await;
    page.browser.shows("#new-task [aria-pressed=true]", &["Today"]).await;
    page.browser.fill("#new-task [name=title]", "Call\n").await;
    page.browser.shows("[data-group=today] .title", &["Call"]).await;
    page.browser.shows("#new-task [aria-pressed=true]", &[]).await;

    page.browser.click("[data-group=undated] .edit").await;
    page.browser.click("#tasks form [data-day='0']").await;
    page.has_values("#tasks form [name=due_date]", &[&today]).await;
    page.browser.click("#tasks form [type=submit]").await;
    page.browser.shows("#tasks h2", &["Today 2"]).await;
    page.is_settled().await;
    assert!(page.tasks().iter().all(|task| task["due_date"] == today));
    page.browser.click("[data-group=today] li:first-child .edit").await;
    page.browser.shows("#tasks form [aria-pressed=true]", &["Today"]).await;
}
