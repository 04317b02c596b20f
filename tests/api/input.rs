//! Input that is hostile or odd: taken as it is, or refused as what it is, and never more than that.

use axum::http::Method;
use serde_json::{Value, json};

use kit::{Api, PASSWORD};

fn path(task: &Value) -> String {
    format!("/tasks/{}", task["id"].as_str().unwrap())
}

#[tokio::test]
async fn each_field_of_a_new_user_is_taken_at_its_limit_and_refused_past_it() {
    let api = Api::new(dev::api).await;
    // Labels of 49 letters and dots.
    let domain = |length: usize| {
        let labels = format!("{}.", "d".repeat(49)).repeat(6);
        format!("{}.com", labels.get(..length - 4).unwrap())
    };
    let email = |local: usize, length: usize| format!("{}@{}", "l".repeat(local), domain(length - local - 1));
    for (number, (field, value, fits)) in [
        ("email", email(64, 254), true),
        ("email", email(64, 255), false),
        ("email", email(65, 200), false),
        ("username", "x".to_owned(), true),
        ("username", String::new(), true),
        ("username", format!(" {} ", "x".repeat(49)), true),
        ("username", "x".repeat(50), true),
        ("username", "x".repeat(51), false),
        ("password", "1234-67".to_owned(), false),
        ("password", "1234-678".to_owned(), true),
        ("password", "ééééééé".to_owned(), false),
        ("password", "éééééééé".to_owned(), true),
        ("password", "x".repeat(72), true),
        ("password", "x".repeat(73), false),
        ("password", "é".repeat(36), true),
        ("password", format!("{}x", "é".repeat(36)), false),
    ]
    .into_iter()
    .enumerate()
    {
        let mut user = json!({ "email": format!("{number}@example.com"), "password": PASSWORD });
        user[field] = json!(value);
        let answer = api.post("/auth/signup").json(&user).await;
        if fits {
            assert_eq!(answer.status, 201, "{value}");
            assert_eq!(api.post("/auth/login").json(&user).await.status, 200, "{value}");
        } else {
            assert_eq!(answer.bad_fields(), [format!("body.{field}")], "{value}");
        }
    }
}

#[tokio::test]
async fn what_is_no_plain_mailbox_is_refused_at_sign_up() {
    let api = Api::new(dev::api).await;
    for email in [
        "",
        " ",
        "a",
        "@",
        "a@",
        "@b.com",
        "a@b",
        "a@b@c.com",
        "a b@c.com",
        "a@b c.com",
        "a@b.com\r\nBcc: x@y.com",
        "a\r\n@b.com",
        "a\t@b.com",
        "<a@b.com>",
        "A <a@b.com>",
        "a@b.com,c@d.com",
        "\"a b\"@c.com",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@b..com",
        ".a@b.com",
        "a@b.com\0",
        "\0a@b.com",
        "a@b.com/../x@y.com",
    ] {
        let answer = api.post("/auth/signup").json(&json!({ "email": email, "password": PASSWORD })).await;
        assert_eq!(answer.bad_fields(), ["body.email"], "{email:?}");
    }
    assert_eq!(api.count("users").await, 0);
}

/// Letters that look like others, become others with their case, or cannot be seen.
#[tokio::test]
async fn no_other_writing_of_an_email_is_taken_for_it() {
    let api = Api::new(dev::api).await;
    api.user("kim").await;
    for email in [
        "\u{212a}im@example.com",  // the Kelvin sign, whose lower case is k
        "k\u{131}m@example.com",   // the dotless i, whose upper case is I
        "K\u{130}M@example.com",   // the dotted I
        "k\u{456}m@example.com",   // Cyrillic
        "ki\u{200b}m@example.com", // zero-width
        "kim\u{ad}@example.com",   // a hyphen that may not show
        "\u{202e}kim@example.com", // right to left
        "ｋｉｍ@example.com",      // full-width, which NFKC folds
        "kim@ex\u{430}mple.com",   // Cyrillic
        "kim@example\u{3002}com",  // a dot to IDNA
        "kim@example.com\u{200d}", // zero-width
        "kim\u{301}@example.com",  // composed
        "kim@e\u{300}xample.com",  //
    ] {
        let user = json!({ "email": email, "password": PASSWORD });
        assert_eq!(api.post("/auth/signup").json(&user).await.bad_fields(), ["body.email"], "{email:?}");
        assert_eq!(api.post("/auth/login").json(&user).await.status, 401, "{email:?}");
    }
    // Another domain that only looks alike is another user.
    let punycode = json!({ "email": "kim@xn--exmple-4nf.com", "password": PASSWORD });
    assert_eq!(api.post("/auth/signup").json(&punycode).await.status, 201);
    assert_eq!(api.count("users").await, 2);
}

/// A Mac and a phone compose the same letters differently.
#[tokio::test]
async fn a_password_composed_differently_is_the_same_password() {
    let api = Api::new(dev::api).await;
    let (nfc, nfd) = ("M\u{fc}ller trinkt Caf\u{e9}", "Mu\u{308}ller trinkt Cafe\u{301}");
    for (email, own) in [("nfc@example.com", nfc), ("nfd@example.com", nfd)] {
        let user = json!({ "email": email, "password": own });
        assert_eq!(api.post("/auth/signup").json(&user).await.status, 201);
        for sent in [nfc, nfd, "Mu\u{308}ller trinkt Caf\u{e9}"] {
            let user = json!({ "email": email, "password": sent });
            assert_eq!(api.post("/auth/login").json(&user).await.status, 200, "{own:?} {sent:?}");
        }
        let others = ["Muller trinkt Cafe", "M\u{fc}ller trinkt Cafe", "m\u{fc}ller trinkt caf\u{e9}"];
        for other in others {
            let user = json!({ "email": email, "password": other });
            assert_eq!(api.post("/auth/login").json(&user).await.status, 401, "{other:?}");
        }
    }
}

#[tokio::test]
async fn the_rules_of_a_password_apply_to_its_nfc() {
    let api = Api::new(dev::api).await;
    for (number, (password, fits)) in [
        // `u` and a diaeresis take 3 bytes, `ü` takes 2.
        ("u\u{308}".repeat(7), false),
        ("u\u{308}".repeat(8), true),
        ("u\u{308}".repeat(36), true),
        ("u\u{308}".repeat(37), false),
        // The Kelvin sign is a K in NFC: the e-mail itself.
        ("\u{212a}im@example.com".to_owned(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let email = if fits { format!("{number}@example.com") } else { "kim@example.com".to_owned() };
        let user = json!({ "email": email, "password": password });
        let answer = api.post("/auth/signup").json(&user).await;
        match fits {
            true => assert_eq!(api.post("/auth/login").json(&user).await.status, 200, "{password}"),
            false => assert_eq!(answer.bad_fields(), ["body.password"], "{password}"),
        }
    }
}

#[tokio::test]
async fn a_nul_in_any_field_is_refused_and_the_field_named() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "as it was" })).await;
    for (field, value) in [
        ("title", json!("a\0b")),
        ("description", json!("\0")),
        ("priority", json!("low\0")),
        ("tags", json!("a,b\0")),
        ("tags", json!(["a", "b\0"])),
        ("due_date", json!("2026-01-30T10:00\0")),
    ] {
        let mut new = json!({ "title": "x" });
        new[field] = value.clone();
        let named = [format!("body.{field}")];
        assert_eq!(api.post("/tasks").by(&ada).json(&new).await.bad_fields(), named, "{value}");
        let update = json!({ field: value });
        assert_eq!(api.put(&path(&task)).by(&ada).json(&update).await.bad_fields(), named, "{value}");
    }
    for (field, value) in
        [("email", "a\0@example.com"), ("password", "correct\0horse battery"), ("username", "a\0")]
    {
        let mut user = json!({ "email": "grace@example.com", "password": PASSWORD });
        user[field] = json!(value);
        assert_eq!(api.post("/auth/signup").json(&user).await.bad_fields(), [format!("body.{field}")]);
        // At login it is as wrong as any other.
        user["email"] = if field == "email" { json!("ada@example.com\0") } else { json!(ada.email) };
        let status = if field == "username" { 200 } else { 401 };
        assert_eq!(api.post("/auth/login").json(&user).await.status, status, "{field}");
    }
    for name in ["completed", "priority", "tag", "search", "sort_by", "order", "limit", "cursor"] {
        let answer = api.get(&format!("/tasks?{name}=a%00")).by(&ada).send().await;
        assert_eq!(answer.bad_fields(), [format!("query.{name}")]);
    }
    // Fields that are ignored may hold what they like, and so may a name.
    let ignored = json!({ "title": "x", "no_such_field": "\0", "no\0field": 1 });
    assert_eq!(api.post("/tasks").by(&ada).json(&ignored).await.status, 201);
    assert_eq!(api.get("/tasks?no%00=%00").by(&ada).send().await.status, 200);
    assert_eq!(api.get(&path(&task)).by(&ada).send().await.body, task);
}

#[tokio::test]
async fn numbers_that_no_integer_type_holds_are_of_the_wrong_type_and_nothing_worse() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    for number in [
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "1e308",
        "-0",
    ] {
        for field in ["title", "description", "completed", "priority", "tags", "due_date"] {
            let mut body = format!("{{\"{field}\": {number}");
            body += if field == "title" { "}" } else { ", \"title\": \"x\"}" };
            let answer = api.post("/tasks").by(&ada).body(body).await;
            assert_eq!(answer.bad_fields(), [format!("body.{field}")], "{number}");
        }
        for path in ["/auth/signup", "/auth/login"] {
            let body = format!("{{\"email\": {number}, \"password\": {number}}}");
            assert_eq!(api.post(path).body(body).await.bad_fields(), ["body.email", "body.password"]);
        }
        let answer = api.get(&format!("/tasks?limit={number}")).by(&ada).send().await;
        assert_eq!(answer.bad_fields(), ["query.limit"], "{number}");
    }
}

/// API Gateway decodes the path; what is not UTF-8 there stands for itself in the query.
#[tokio::test]
async fn a_query_that_is_not_utf_8_is_no_error_of_ours() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    api.task(&ada, &json!({ "title": "x" })).await;
    for query in ["search=%FF", "search=%ED%A0%80", "tag=%C3", "%FF=%FF", "search=%", "search=%zz", "&&=&=x&"]
    {
        let answer = api.get(&format!("/tasks?{query}")).by(&ada).send().await;
        assert_eq!(answer.status, 200, "{query}");
    }
    for query in ["priority=%FF", "completed=%FF", "cursor=%FF", "limit=%FF"] {
        assert_eq!(
            api.get(&format!("/tasks?{query}")).by(&ada).send().await.bad_fields().len(),
            1,
            "{query}"
        );
    }
}

const HOSTILE: [&str; 12] = [
    "'; DROP TABLE tasks; --",
    "' OR '1'='1",
    "$1 $2 $$ :name ? @x",
    "%_\\%%",
    "\\x00 \\u0000 \\' \\\"",
    "<script>alert(\"1\")</script>",
    "<!--#exec cmd=\"ls\"--> &lt; &amp;",
    "{{7*7}} ${jndi:ldap://x} %s %n",
    "../../etc/passwd",
    "\u{202e}\u{200b}\u{feff}x",
    "a\u{301}\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
    "=1+1",
];

#[tokio::test]
async fn sql_html_and_template_characters_come_back_byte_for_byte_and_are_found_as_they_are() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    for text in HOSTILE {
        let sent = json!({ "title": text, "description": text, "tags": [text] });
        let task = api.task(&ada, &sent).await;
        for field in ["title", "description", "tags"] {
            assert_eq!(task[field], text);
        }
        assert_eq!(api.get(&path(&task)).by(&ada).send().await.body, task);
        let put = api.put(&path(&task)).by(&ada).json(&json!({ "title": text })).await;
        assert_eq!(put.body["title"], text);
        // Of all that were made until now, this one alone.
        for parameter in ["search", "tag"] {
            let query = form(parameter, text);
            let found = api.get(&format!("/tasks?{query}")).by(&ada).send().await.body;
            assert_eq!(found.as_array().unwrap().len(), 1, "{query}");
            assert_eq!(found[0]["id"], task["id"]);
        }
    }
    let mut next = Some("/tasks?sort_by=title&limit=1".to_owned());
    let mut seen = 0;
    while let Some(path) = next {
        let page = api.get(&path).by(&ada).send().await;
        seen += page.body.as_array().unwrap().len();
        next = page.next();
    }
    assert_eq!(seen, HOSTILE.len());
}

/// `name=value`, every byte of the value encoded.
fn form(name: &str, value: &str) -> String {
    let value: String = value.bytes().map(|byte| format!("%{byte:02X}")).collect();
    format!("{name}={value}")
}

/// As API Gateway sends it: the path decoded, which lambda_http reads as a URL again. Without a look at what was asked
/// for, `/tasks/{id}%00` would be the task of that id.
#[tokio::test]
async fn a_path_that_becomes_a_tasks_path_when_it_is_cleaned_is_not_found_by_any_method() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "as it was" })).await;
    let path = path(&task);
    let status = async |method: &Method, path: &str| {
        let event = json!({
            "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
            "headers": { "authorization": format!("Bearer {}", ada.token), "host": "api.example.com" },
            "requestContext": { "http": { "method": method.as_str(), "path": path }, "stage": "$default" },
            "isBase64Encoded": false,
        });
        api.event(&event).await.status
    };
    for (method, end) in
        [(Method::GET, ""), (Method::PUT, ""), (Method::DELETE, ""), (Method::PATCH, "/complete")]
    {
        for odd in [
            format!("{path}\0{end}"),
            format!("{path}\r\n{end}"),
            format!("{path}\n{end}"),
            format!("{path}\t{end}"),
            format!("{path} {end}"),
            format!("{path}/{end}"),
            format!("{path}//{end}"),
            format!("{path}/x/..{end}"),
            format!("{path}/.{end}"),
            format!("{path}?x{end}"),
            format!("{path}#x{end}"),
            format!("{path}%00{end}"),
            format!("{path}\\{end}"),
            format!("{path}\u{e9}{end}"),
            format!("{path}\u{200b}{end}"),
            format!("/\0{path}{end}"),
            format!("/\n{path}{end}"),
            format!("//{path}{end}"),
            format!("/x/..{path}{end}"),
            format!("/./{path}{end}"),
            path.replace("/tasks/", "/tasks/\0") + end,
            path.replace("/tasks/", "/tasks/\r\n") + end,
            path.replace("/tasks/", "/tasks/ ") + end,
            path.replace("/tasks/", "/tasks/../tasks/") + end,
            path.replace("/tasks/", "/ta\tsks/") + end,
            path.to_uppercase() + end,
        ] {
            assert_eq!(status(&method, &odd).await, 404, "{method} {odd:?}");
        }
    }
    assert_eq!(api.get(&path).by(&ada).send().await.body, task, "it is as it was");
    assert_eq!(status(&Method::GET, &path).await, 200, "what was asked for is there");
    assert_eq!(status(&Method::DELETE, &format!("/api{path}")).await, 200);
}
