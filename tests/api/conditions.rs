//! `ETag`, `If-Match` and `If-None-Match` (RFC 9110 §8.8.3 and §13.1): two devices of one user.

use futures_util::future::join_all;
use kit::{Api, User};
use serde_json::json;

/// Tags of no task, and texts that are no tags.
const OTHERS: [&str; 14] = [
    "\"0\"", "\"2\"", "W/\"1\"", "1", "\"01\"", "\"+1\"", "\"1", "1\"", "'1'", "\" 1\"", "\"\"", "", ",",
    "\"*\"",
];

async fn ada_with_a_task() -> (Api, User, String) {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let task = api.task(&ada, &json!({ "title": "a" })).await;
    (api, ada, format!("/tasks/{}", task["id"].as_str().unwrap()))
}

#[tokio::test]
async fn every_answer_with_a_task_has_its_revision_as_etag() {
    let (api, ada, path) = ada_with_a_task().await;
    let answers = [
        api.post("/tasks").by(&ada).json(&json!({ "title": "b" })).await,
        api.get(&path).by(&ada).send().await,
        api.put(&path).by(&ada).json(&json!({ "title": "c" })).await,
        api.patch(&path).by(&ada).json(&json!({ "title": "d" })).await,
        api.put(&path).by(&ada).json(&json!({})).await,
        api.patch(&format!("{path}/complete")).by(&ada).send().await,
    ];
    for answer in &answers {
        assert_eq!(answer.header("etag"), format!("\"{}\"", answer.body["revision"]), "{answer:?}");
    }
    let revisions: Vec<_> = answers.iter().map(|answer| answer.body["revision"].as_i64().unwrap()).collect();
    assert_eq!(revisions, [2, 1, 3, 4, 4, 5]);
    assert_eq!(api.delete(&path).by(&ada).send().await.header("etag"), "");
}

#[tokio::test]
async fn a_change_that_expects_another_tag_is_412_and_changes_nothing() {
    let (api, ada, path) = ada_with_a_task().await;
    let before = api.get("/tasks").by(&ada).send().await;
    for tag in OTHERS {
        for answer in [
            api.put(&path).by(&ada).header("if-match", tag).json(&json!({ "title": "b" })).await,
            api.patch(&path).by(&ada).header("if-match", tag).json(&json!({ "title": "b" })).await,
            api.put(&path).by(&ada).header("if-match", tag).json(&json!({})).await,
            api.patch(&format!("{path}/complete")).by(&ada).header("if-match", tag).send().await,
            api.patch(&format!("{path}/complete"))
                .by(&ada)
                .header("if-match", tag)
                .json(&json!({ "completed": true }))
                .await,
            api.delete(&path).by(&ada).header("if-match", tag).send().await,
        ] {
            assert_eq!((answer.status, answer.code()), (412, "changed_meanwhile"), "{tag}: {answer:?}");
        }
    }
    let after = api.get("/tasks").by(&ada).send().await;
    assert_eq!((after.header("etag"), &after.body), (before.header("etag"), &before.body));
}

#[tokio::test]
async fn a_change_that_expects_the_tasks_tag_is_made() {
    let (api, ada, path) = ada_with_a_task().await;
    let mut tag = "\"1\"".to_owned();
    for header in ["T", "\"0\", T", "\"a,b\",T ,\"c\"", "*", " * "] {
        let header = header.replace('T', &tag);
        let answer = api.put(&path).by(&ada).header("if-match", &header).json(&json!({ "title": "b" })).await;
        assert_eq!(answer.status, 200, "{header}: {answer:?}");
        tag = answer.header("etag").to_owned();
    }
    // A list in two lines is one list (RFC 9110 §5.3).
    let call = api.patch(&format!("{path}/complete")).by(&ada).header("if-match", "\"0\"");
    let answer = call.header("if-match", &tag).send().await;
    assert_eq!((answer.status, &answer.body["completed"]), (200, &json!(true)), "{answer:?}");
    let call = api.patch(&path).by(&ada).header("if-match", answer.header("etag"));
    let answer = call.json(&json!({ "title": "c" })).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = api.delete(&path).by(&ada).header("if-match", answer.header("etag")).send().await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[tokio::test]
async fn a_condition_on_a_task_that_is_not_there_is_404() {
    let (api, ada, path) = ada_with_a_task().await;
    let grace = api.user("grace").await;
    for tag in ["\"1\"", "*"] {
        let call = api.put(&path).by(&grace).header("if-match", tag);
        assert_eq!(call.json(&json!({ "title": "b" })).await.code(), "task_not_found");
        assert_eq!(
            api.delete(&path).by(&grace).header("if-match", tag).send().await.code(),
            "task_not_found"
        );
    }
    api.delete(&path).by(&ada).send().await;
    let call = api.put(&path).by(&ada).header("if-match", "\"1\"");
    assert_eq!(call.json(&json!({ "title": "b" })).await.code(), "task_not_found");
}

#[tokio::test]
async fn forty_clients_that_edit_one_task_and_try_again_on_412_lose_no_edit() {
    let (api, ada, path) = ada_with_a_task().await;
    let edit = async |number: usize| {
        loop {
            let read = api.get(&path).by(&ada).send().await;
            let description = read.body["description"].as_str().unwrap_or_default();
            let fields = json!({ "description": format!("{description}{number}.") });
            let call = api.put(&path).by(&ada).header("if-match", read.header("etag"));
            let answer = call.json(&fields).await;
            match answer.status {
                200 => return answer.body["revision"].as_i64().unwrap(),
                status => assert_eq!(status, 412, "{answer:?}"),
            }
        }
    };
    let mut revisions = join_all((0..40).map(edit)).await;
    revisions.sort_unstable();
    assert_eq!(revisions, (2..42).collect::<Vec<_>>(), "without a gap");
    let description = api.get(&path).by(&ada).send().await.body["description"].as_str().unwrap().to_owned();
    let mut edits: Vec<usize> = description.split_terminator('.').map(|edit| edit.parse().unwrap()).collect();
    edits.sort_unstable();
    assert_eq!(edits, (0..40).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_task_that_the_client_has_is_304_without_a_body() {
    let (api, ada, path) = ada_with_a_task().await;
    for tag in ["\"1\"", "W/\"1\"", "\"0\", W/\"1\" ,\"2\"", "*"] {
        for method in ["GET", "HEAD"] {
            let call = api.call(method.parse().unwrap(), &path).by(&ada).header("if-none-match", tag);
            let answer = call.send().await;
            assert_eq!((answer.status, answer.header("etag")), (304, "\"1\""), "{tag}: {answer:?}");
        }
    }
    for tag in OTHERS.into_iter().filter(|tag| *tag != "W/\"1\"") {
        let answer = api.get(&path).by(&ada).header("if-none-match", tag).send().await;
        assert_eq!((answer.status, &answer.body["title"]), (200, &json!("a")), "{tag}");
    }
    let grace = api.user("grace").await;
    assert_eq!(api.get(&path).by(&grace).header("if-none-match", "*").send().await.status, 404);
}

#[tokio::test]
async fn a_list_that_the_client_has_is_304_until_something_changes() {
    let (api, ada, path) = ada_with_a_task().await;
    let mut tag = String::new();
    let restore = format!("{path}/restore");
    let complete = format!("{path}/complete");
    let changes = [
        api.put(&path).with_json(&json!({ "title": "b" })),
        api.patch(&complete),
        api.delete(&path),
        api.post(&restore),
        api.post("/tasks").with_json(&json!({ "title": "c" })),
    ];
    for change in changes {
        let list = api.get("/tasks").by(&ada).header("if-none-match", &tag).send().await;
        assert_eq!(list.status, 200, "{list:?}");
        tag = list.header("etag").to_owned();
        assert_eq!(tag, format!("\"{}-{}\"", ada.id, tag.trim_matches('"').rsplit_once('-').unwrap().1));
        for query in ["", "?completed=false", "?limit=1", "?limit=1&search=c&sort_by=title"] {
            for sent in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
                let call = api.get(&format!("/tasks{query}")).by(&ada).header("if-none-match", &sent);
                let answer = call.send().await;
                assert_eq!((answer.status, answer.header("etag")), (304, tag.as_str()), "{query} {sent}");
                assert_eq!(answer.header("link"), "");
            }
        }
        let answer = change.by(&ada).send().await;
        assert!((200..300).contains(&answer.status), "{answer:?}");
    }
    assert_eq!(api.get("/tasks").by(&ada).header("if-none-match", &tag).send().await.status, 200);
}

#[tokio::test]
async fn a_list_of_another_user_is_never_304() {
    let (api, ada, _) = ada_with_a_task().await;
    let grace = api.user("grace").await;
    api.task(&grace, &json!({ "title": "b" })).await;
    let list = api.get("/tasks").by(&ada).send().await;
    let answer = api.get("/tasks").by(&grace).header("if-none-match", list.header("etag")).send().await;
    assert_eq!((answer.status, &answer.body[0]["title"]), (200, &json!("b")));
    assert_ne!(answer.header("etag"), list.header("etag"));
    // An ended session is 401 all the same.
    let call = api.get("/tasks").by(&grace).header("if-none-match", "*");
    api.post("/auth/logout").by(&grace).send().await;
    assert_eq!(call.send().await.status, 401);
}

#[tokio::test]
async fn what_changes_nothing_keeps_the_lists_tag() {
    let (api, ada, path) = ada_with_a_task().await;
    let tag = async || api.get("/tasks").by(&ada).send().await.header("etag").to_owned();
    let keyed =
        api.post("/tasks").by(&ada).header("idempotency-key", "k").json(&json!({ "title": "k" })).await;
    assert_eq!(keyed.status, 201);
    // The replay's task is not the last one that changed.
    api.task(&ada, &json!({ "title": "later" })).await;
    let before = tag().await;
    let none = "/tasks/019bc000-0000-7000-8000-00000000000f";
    for (status, call) in [
        (200, api.put(&path).with_json(&json!({}))),
        (404, api.put(none).with_json(&json!({ "title": "b" }))),
        (404, api.delete(none)),
        (404, api.post(&format!("{none}/restore"))),
        (404, api.post(&format!("{path}/restore"))),
        (412, api.put(&path).header("if-match", "\"0\"").with_json(&json!({ "title": "b" }))),
        (422, api.put(&path).with_json(&json!({ "title": "" }))),
        (201, api.post("/tasks").header("idempotency-key", "k").with_json(&json!({ "title": "b" }))),
        (204, api.delete("/tasks/deleted")),
    ] {
        let answer = call.by(&ada).send().await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(tag().await, before, "{answer:?}");
    }
}
