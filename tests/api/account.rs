//! `GET /auth/me`.

use jiff::Timestamp;
use serde_json::json;

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
