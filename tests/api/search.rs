//! Search, tags and the order of titles, as people mean them and in any locale of the database.

use serde_json::json;

use kit::{Api, User};

async fn titles(api: &Api, user: &User, query: &[(&str, &str)]) -> Vec<String> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let answer = api.get(&format!("/tasks?{query}")).by(user).send().await;
    assert_eq!(answer.status, 200, "{query}: {answer:?}");
    answer.body.as_array().unwrap().iter().map(|task| task["title"].as_str().unwrap().to_owned()).collect()
}

async fn add(api: &Api, user: &User, titles: &[&str]) {
    for title in titles {
        api.task(user, &json!({ "title": title })).await;
    }
}

/// Pairs of a title and of a search that finds it.
const FOUND: [(&str, &str); 31] = [
    ("Café", "cafe"),
    ("Café", "CAFÉ"),
    ("Café", "Cafe\u{301}"),
    ("Cafe\u{301}", "café"),
    ("cafe", "Café"),
    ("ΟΔΟΣ", "οδος"),
    ("οδος", "ΟΔΟΣ"),
    ("ΟΔΟΣΗΜΑ", "οδος"),
    ("Buy milk", "milk buy"),
    ("Buy milk", "milk "),
    ("Buy milk", " ilk  bu"),
    ("Straße", "strasse"),
    ("STRASSE", "straße"),
    ("STRAẞE", "strasse"),
    ("TITLE", "tıtle"),
    ("İstanbul", "istanbul"),
    ("ısı", "ISI"),
    ("Łódź", "lodz"),
    ("smørrebrød", "Smorrebrod"),
    ("ПРИВЕТ", "привет"),
    ("Ёлка", "елка"),
    ("naïve façade", "NAIVE facade"),
    ("ﬁnd", "find"),
    ("ＡＢＣ", "abc"),
    ("don’t", "don't"),
    ("שָׁלוֹם", "שלום"),
    ("مُحَمَّد", "محمد"),
    ("Việt Nam", "viet nam"),
    ("한국어", "한국"),
    ("買い物", "買い"),
    ("zero\u{200b}width", "zerowidth"),
];

async fn search_finds_each(api: &Api) {
    for (number, (title, search)) in FOUND.iter().enumerate() {
        let user = api.user(&format!("u{number}")).await;
        add(api, &user, &["something else", title]).await;
        api.task(&user, &json!({ "title": "in its description", "description": title })).await;
        let mut found = titles(api, &user, &[("search", search), ("sort_by", "created_at")]).await;
        assert_eq!(found, [*title, "in its description"], "{search:?} does not find {title:?}");
        if !title.contains(' ') {
            api.task(&user, &json!({ "title": "tagged", "tags": format!("a,{title},z") })).await;
            found = titles(api, &user, &[("tag", search)]).await;
            // A tag is whole.
            let is_whole = !matches!((*title, *search), ("ΟΔΟΣΗΜΑ", _) | ("한국어", _) | ("買い物", _));
            assert_eq!(!found.is_empty(), is_whole, "{search:?} and the tag {title:?}");
        }
    }
}

#[tokio::test]
async fn search_and_tag_ignore_case_accents_and_composition() {
    search_finds_each(&Api::new(dev::api).await).await;
}

#[tokio::test]
async fn every_word_of_a_search_is_found_in_title_or_description() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    api.task(&ada, &json!({ "title": "Buy milk", "description": "two litres, at the corner" })).await;
    for (search, finds) in [
        ("milk corner", true),
        ("corner buy two", true),
        ("milk soup", false),
        ("milktwo", false),
        ("milk\ntwo", true),
        ("50%", false),
        ("b_y", false),
        ("\\", false),
        ("", true),
        (" \u{3000}\t", true),
    ] {
        assert_eq!(!titles(&api, &ada, &[("search", search)]).await.is_empty(), finds, "{search:?}");
    }
    add(&api, &ada, &["100 % _ \\ done"]).await;
    for literal in ["%", "_", "\\", "% \\ _"] {
        assert_eq!(titles(&api, &ada, &[("search", literal)]).await, ["100 % _ \\ done"], "{literal}");
    }
}

/// API Gateway takes URLs of 10 KB, which hold as many.
#[tokio::test]
async fn a_search_of_5000_words_is_answered() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    add(&api, &ada, &["Buy milk", "Buy bread"]).await;
    for (last, found) in [("milk", ["Buy milk"].as_slice()), ("soup", &[])] {
        assert_eq!(titles(&api, &ada, &[("search", &("b ".repeat(5000) + last))]).await, found);
    }
}

#[tokio::test]
async fn each_of_many_words_counts_and_is_literal() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    add(&api, &ada, &["a b c d e f g h i Café 100% j_k"]).await;
    let all: Vec<_> = "A c b d f e h g i cafe 100% j_k".split(' ').collect();
    for count in 1..=all.len() {
        assert_eq!(titles(&api, &ada, &[("search", &all[..count].join(" "))]).await.len(), 1, "{count}");
    }
    for wrong in ["x", "1%0", "j%k", "jxk"] {
        for place in 0..all.len() {
            let mut words = all.clone();
            words[place] = wrong;
            let search = words.join(" ");
            assert!(titles(&api, &ada, &[("search", &search)]).await.is_empty(), "{search}");
        }
    }
}

#[tokio::test]
async fn a_tag_with_a_comma_of_another_script_is_one_tag() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    api.task(&ada, &json!({ "title": "x", "tags": ["a，b"] })).await;
    assert_eq!(titles(&api, &ada, &[("tag", "a，b")]).await, ["x"]);
    assert!(titles(&api, &ada, &[("tag", "a")]).await.is_empty());
}

/// Titles as people sort them.
const IN_ORDER: [&str; 14] = [
    "10 % off",
    "äpfel",
    "Apfel 2",
    "Äpfel 10",
    "apfelmus",
    "Öl",
    "Oslo",
    "Task 2",
    "Task 10",
    "Task 10a",
    "Zeit",
    "ΟΔΟΣ",
    "ПРИВЕТ",
    "日本",
];

#[tokio::test]
async fn titles_are_sorted_as_people_read() {
    let api = Api::new(dev::api).await;
    let ada = api.user("ada").await;
    let mut added = IN_ORDER;
    added.reverse();
    add(&api, &ada, &added).await;
    for limit in [("", ""), ("limit", "200")] {
        assert_eq!(titles(&api, &ada, &[("sort_by", "title"), limit]).await, IN_ORDER);
        assert_eq!(titles(&api, &ada, &[("sort_by", "title"), ("order", "desc"), limit]).await, added);
    }
}

#[tokio::test]
async fn search_and_order_are_the_same_in_every_locale_of_the_database() {
    let mut tried = Vec::new();
    for locale in [
        "LOCALE 'C'",
        "LOCALE 'C.UTF-8'",
        "LOCALE 'tr_TR.UTF-8'",
        "LOCALE 'de_DE.UTF-8'",
        "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'tr'",
        "LOCALE 'C' LOCALE_PROVIDER icu ICU_LOCALE 'de@collation=phonebook'",
    ] {
        // Not every system has each of them.
        let Some(url) = kit::database_with(locale).await else { continue };
        let api = Api::on(dev::api, url, &[]);
        search_finds_each(&api).await;
        let ada = api.user("ada").await;
        add(&api, &ada, &IN_ORDER).await;
        assert_eq!(titles(&api, &ada, &[("sort_by", "title")]).await, IN_ORDER, "{locale}");
        tried.push(locale);
    }
    assert!(tried.len() >= 2, "{tried:?}");
}
