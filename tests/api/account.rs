//! `GET` and `PATCH /auth/me`.

use jiff::Timestamp;
use serde_json::{Value, json};

use kit::Api;

#[tokio::test]
async fn the_caller_is_shown() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    for path in ["/auth/me", "/api/auth/me"] {
        let answer = api.get(path).by(&user).send().await;
        assert_eq!(answer.status, 200);
        let created_at = answer.body["created_at"].as_str().unwrap();
        assert!(created_at.ends_with('Z') && created_at.parse::<Timestamp>().is_ok(), "{created_at}");
        let shown = json!({ "id": user.id, "email": user.email, "username": null, "created_at": created_at });
        assert_eq!(answer.body, shown);
    }
}

#[tokio::test]
async fn the_username_is_changed_and_cleared() {
    let api = Api::new(dev::api).await;
    let user = api.user("ada").await;
    let before = api.get("/auth/me").by(&user).send().await.body;
    for (sent, expected) in [
        (json!({ "username": "Ada" }), json!("Ada")),
        (json!({}), json!("Ada")),
        (json!({ "email": "other@example.com", "id": user.session }), json!("Ada")),
        (json!({ "username": " ada " }), json!("ada")),
        (json!({ "username": null }), Value::Null),
        (json!({ "username": "Ada" }), json!("Ada")),
        (json!({ "username": " " }), Value::Null),
    ] {
        let answer = api.patch("/auth/me").by(&user).json(&sent).await;
        assert_eq!(answer.status, 200, "{sent}");
        assert_eq!(answer.body["username"], expected, "{sent}");
        assert_eq!(answer.body, api.get("/auth/me").by(&user).send().await.body);
        for field in ["id", "email", "created_at"] {
            assert_eq!(answer.body[field], before[field], "{sent}");
        }
    }
}

#[tokio::test]
async fn a_username_that_is_taken_or_not_fit_changes_nothing() {
    let api = Api::new(dev::api).await;
    let (ada, grace) = (api.user("ada").await, api.user("grace").await);
    let update =
        async |username: Value| api.patch("/auth/me").by(&grace).json(&json!({ "username": username })).await;
    assert_eq!(api.patch("/auth/me").by(&ada).json(&json!({ "username": "Ada" })).await.status, 200);
    let taken = update(json!("aDA")).await;
    assert_eq!((taken.status, taken.code()), (409, "username_taken"));
    for bad in [json!("two words"), json!("x".repeat(51)), json!("a\0"), json!(1), json!([])] {
        assert_eq!(update(bad).await.bad_fields(), ["body.username"]);
    }
    assert_eq!(api.get("/auth/me").by(&grace).send().await.body["username"], Value::Null);
    assert_eq!(update(json!("grace")).await.status, 200);
}
