//! The account: sessions, username, password and deletion.

use super::*;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:149.0) Gecko/20100101 Firefox/149.0";

impl Page {
    async fn open_account(&self) {
        self.browser.click("[href='#account']").await;
        self.browser.find("#sessions li:first-child .current").await;
    }

    /// Signs in past the page, and returns the status.
    fn login(&self, password: &str) -> u16 {
        self.dev.post("/auth/login", &json!({ "email": "ada@example.com", "password": password })).0
    }

    async fn change_password(&self, current: &str, new: &str) {
        self.browser.fill("#password [name=current_password]", current).await;
        self.browser.fill("#password [name=new_password]", new).await;
        self.browser.click("#password [type=submit]").await;
    }

    async fn delete_account(&self, password: &str, email: &str) {
        self.browser.fill("#deletion [name=password]", password).await;
        self.browser.fill("#deletion [name=email]", email).await;
        self.browser.click("#deletion [type=submit]").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn each_session_has_a_short_name_and_this_device_is_first() {
    let page = Page::start(&[]).await;
    page.other_device(FIREFOX);
    page.other_device("curl/8.5.0");
    page.set_latency(300);
    // Sign-up in the test was the session before.
    page.sign_out().await;
    page.browser.sign_in("ada").await;
    page.open_account().await;
    page.browser.shows("#account-about", &["ada@example.com"]).await;
    page.browser.shows("#sessions b", &["Chrome on Linux", "curl", "Firefox on Linux"]).await;
    page.browser.shows("#sessions .current", &["This device"]).await;
    page.browser.shows("#sessions button", &["Sign out", "Sign out"]).await;
    let about = page.browser.texts("#sessions small").await;
    let is_whole = |text: &String| text.starts_with("Last refreshed ") && text.ends_with(" · 127.0.0.1");
    assert!(about.iter().all(is_whole), "{about:?}");

    let names = "async () => {
         const { deviceName } = await import('/account.js');
         const [chrome, safari] = ['537.36', '605.1.15'].map((version) => `AppleWebKit/${version} (KHTML, like Gecko)`);
         return [
           `Mozilla/5.0 (Windows NT 10.0; Win64; x64) ${chrome} Chrome/149.0.0.0 Safari/537.36 Edg/149.0.0.0`,
           `Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) ${safari} Version/26.0 Safari/605.1.15`,
           `Mozilla/5.0 (iPhone; CPU iPhone OS 26_0 like Mac OS X) ${safari} CriOS/149.0 Mobile/15E148 Safari/604.1`,
           `Mozilla/5.0 (iPad; CPU OS 26_0 like Mac OS X) ${safari} FxiOS/149.0 Mobile/15E148 Safari/605.1.15`,
           `Mozilla/5.0 (Linux; Android 16; K) ${chrome} Chrome/149.0.0.0 Mobile Safari/537.36`,
           `Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) ${chrome} Chrome/149.0.0.0 Safari/537.36`,
           `Mozilla/5.0 (X11; Linux x86_64) ${chrome} Chrome/149.0.0.0 Safari/537.36 OPR/120.0.0.0`,
           'python-requests/2.32.0', '', null,
         ].map(deviceName);
       }";
    let expected = json!([
        "Edge on Windows",
        "Safari on Mac",
        "Chrome on iPhone",
        "Firefox on iPad",
        "Chrome on Android",
        "Chrome on ChromeOS",
        "Opera on Linux",
        "python-requests",
        "Unknown device",
        "Unknown device",
    ]);
    assert_eq!(page.browser.evaluate(names).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn one_session_or_all_others_are_signed_out() {
    let page = Page::start(&["Buy milk"]).await;
    page.set_latency(1000);
    let [firefox, curl] = [FIREFOX, "curl/8.5.0"].map(|agent| page.other_device(agent));
    page.open_account().await;
    page.browser.click("#sessions [aria-label='Sign out Firefox on Linux']").await;
    page.browser.shows(".toast p", &["Signed out Firefox on Linux."]).await;
    page.browser.shows("#sessions button", &["Sign out"]).await;
    page.browser.has_focus("#sessions [aria-label='Sign out curl']").await;
    assert_eq!([&firefox, &curl, &page.session].map(|session| page.status_of(session)), [401, 200, 200]);

    // It has ended elsewhere meanwhile.
    assert_eq!(call(&page.dev, &curl, "POST", "/auth/logout", &Value::Null).0, 204);
    page.browser.click("#sessions button").await;
    page.browser.shows("#sessions button", &[]).await;
    page.browser.shows("#end-others", &[]).await;
    page.browser.has_focus("#account-heading").await;

    let others = [FIREFOX, "curl/8.5.0"].map(|agent| page.other_device(agent));
    page.set_latency(300);
    page.reload().await;
    page.browser.shows("#sessions button", &["Sign out", "Sign out"]).await;
    page.browser.click("#end-others").await;
    page.browser.shows(".toast p", &["Signed out everywhere else."]).await;
    page.browser.shows("#sessions button, #end-others", &[]).await;
    assert_eq!(others.map(|session| page.status_of(&session)), [401, 401]);
    page.back().await;
    page.shows_tasks(&["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_username_is_changed_or_refused_at_its_field() {
    let page = Page::start(&[]).await;
    let user = json!({ "email": "bob@example.com", "password": PASSWORD, "username": "bob" });
    assert_eq!(page.dev.post("/auth/signup", &user).0, 201);
    page.set_latency(300);
    page.open_account().await;
    let change = async |name: &str| {
        page.browser.fill("#username input", name).await;
        page.browser.click("#username button").await;
    };
    for name in ["BOB", "not a name"] {
        change(name).await;
        page.browser.find("#username .field-error").await;
        page.browser.has_focus("#username input[aria-invalid]").await;
        page.browser.shows("#alert", &[]).await;
    }
    page.browser.screenshot("username-refused").await;
    change("ada").await;
    page.browser.shows(".toast:last-child p", &["Username changed."]).await;
    page.browser.shows("#username .field-error", &[]).await;
    page.browser.shows("#who", &["ada"]).await;
    page.reload().await;
    page.browser.shows("#who", &["ada"]).await;
    assert_eq!(page.value_of("#username input").await, "ada");

    // Text that is typed while the answer is on its way stays.
    page.set_latency(1000);
    page.reload().await;
    page.browser.fill("#username input", "lovelace").await;
    page.browser.find("#sessions .current").await;
    assert_eq!(page.value_of("#username input").await, "lovelace");
    change("").await;
    page.browser.shows(".toast p", &["Username removed."]).await;
    page.browser.shows("#who", &["ada@example.com"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn a_new_password_ends_the_other_sessions_and_keeps_this_one() {
    let page = Page::start(&["Buy milk"]).await;
    let device = page.other_device(FIREFOX);
    page.set_latency(300);
    page.open_account().await;
    page.change_password("wrong horse battery staple", "another horse battery").await;
    page.browser.find("#password .field:has([name=current_password]) .field-error").await;
    page.browser.has_focus("#password [name=current_password]").await;
    page.change_password(PASSWORD, "short").await;
    let short = "Password should have at least 8 characters.";
    page.browser.shows("#password .field-error", &[short]).await;
    assert_eq!(page.status_of(&device), 200);
    page.browser.click("#password .reveal").await;
    assert_eq!(
        page.browser.find("#password [name=new_password]").await.prop("type").await.unwrap().unwrap(),
        "text"
    );

    page.set_latency(1000);
    page.change_password(PASSWORD, "another horse battery").await;
    let changed = "Password changed. Every other session has ended.";
    page.browser.shows(".toast:last-child p", &[changed]).await;
    page.browser.shows("#password .field-error", &[]).await;
    assert_eq!(page.value_of("#password [name=new_password]").await, "");
    page.browser.shows("#sessions button", &[]).await;
    assert_eq!(page.status_of(&device), 401);
    assert_eq!([page.login(PASSWORD), page.login("another horse battery")], [401, 200]);

    // The page goes on with its new session, also after a reload.
    page.back().await;
    page.browser.click("#tasks [type=checkbox]").await;
    page.browser.shows(".toast:last-child:not([aria-busy]) p", &["Task done."]).await;
    page.reload().await;
    page.shows_tasks(&["Buy milk"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_account_is_deleted_with_its_password_and_typed_email() {
    let page = Page::start(&["Buy milk"]).await;
    let second = page.browser.driver.new_tab().await.unwrap();
    let first = page.browser.driver.window().await.unwrap();
    let switch = async |to: &WindowHandle| page.browser.driver.switch_to_window(to.clone()).await.unwrap();
    switch(&second).await;
    page.open("").await;
    page.shows_tasks(&["Buy milk"]).await;
    switch(&first).await;

    page.set_latency(300);
    page.browser.fill("#new-task [name=title]", "Draft").await;
    page.open_account().await;
    page.delete_account(PASSWORD, "eve@example.com").await;
    let typed = "Type ada@example.com to delete this account.";
    page.browser.shows("#deletion .field-error", &[typed]).await;
    page.browser.has_focus("#deletion [name=email]").await;
    page.delete_account("wrong horse battery staple", "ada@example.com").await;
    page.browser.find("#deletion .field:has([name=password]) .field-error").await;
    page.browser.has_focus("#deletion [name=password]").await;
    assert_eq!(page.status_of(&page.session), 200);

    page.set_latency(1000);
    page.delete_account(PASSWORD, " Ada@example.com ").await;
    page.browser.shows(".toast p", &["Your account is deleted."]).await;
    page.browser.find("#sign-in").await;
    page.has_url("/").await;
    assert_eq!(page.value_of("#sign-in [name=email]").await, "");
    assert_eq!(page.login(PASSWORD), 401);
    let kept = page.browser.evaluate("async () => localStorage.length + sessionStorage.length").await;
    assert_eq!(kept, 0, "nothing of the user is left in the browser");
    switch(&second).await;
    page.browser.shows("#alert p", &["You were signed out in another tab."]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver"]
async fn an_account_that_cannot_be_read_is_asked_for_again() {
    let page = Page::start(&[]).await;
    page.go_offline().await;
    page.browser.click("[href='#account']").await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.browser.shows("#account-about", &["ada@example.com"]).await;
    page.browser.fill("#password [name=current_password]", PASSWORD).await;
    page.browser.click("#password [type=submit]").await;
    page.browser.find("#password [type=submit]:enabled").await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.go_online();
    page.reload().await;
    page.browser.shows("#sessions .current", &["This device"]).await;
    page.go_offline().await;
    page.back().await;
    page.browser.click("[href='#account']").await;
    page.browser.shows("#alert p", &[UNREACHABLE]).await;
    page.go_online();
    page.browser.click("#retry").await;
    page.browser.shows("#sessions .current", &["This device"]).await;
    page.browser.shows("#alert", &[]).await;
    page.browser.has_focus("#account-heading").await;
}
