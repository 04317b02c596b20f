//! The table of docs/faults.md, line by line: what comes of requests that meet a fault.

#![cfg(test)]

mod scenarios;

use std::time::Duration;

use kit::{Outcome, PgBouncer, Proxy};
use scenarios::{addresses, crowd, cuts, lost, pressure, silence, stopped, waking};

/// Everything was answered 2xx, each after one statement more.
#[track_caller]
fn sent_again(outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!(outcome.resent, outcome.requests as u64, "{outcome:?}");
}

#[track_caller]
fn late_but_well(outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!(outcome.resent, 0, "no statement is sent before there is a connection: {outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(10), "{outcome:?}");
}

#[tokio::test]
async fn connections_refused_for_3_s_cost_time_and_no_request() {
    late_but_well(waking::refused().await);
}

#[tokio::test]
async fn connections_closed_for_3_s_cost_time_and_no_request() {
    late_but_well(waking::closed().await);
}

#[tokio::test]
async fn a_server_that_is_starting_for_3_s_costs_time_and_no_request() {
    late_but_well(waking::starting_or_stopping().await);
}

#[tokio::test]
async fn a_compute_that_wakes_for_3_s_costs_time_and_no_request() {
    late_but_well(waking::suspended().await);
}

#[tokio::test]
async fn a_control_plane_that_fails_for_3_s_costs_time_and_no_request() {
    late_but_well(waking::without_control_plane().await);
}

#[tokio::test]
async fn a_supavisor_without_its_database_for_3_s_costs_time_and_no_request() {
    late_but_well(waking::supavisor_without_database().await);
}

#[tokio::test]
async fn a_database_that_is_resumed_after_15_s_costs_time_and_no_request() {
    let (refused, silent) = tokio::join!(waking::resumed(), waking::resumed_in_silence());
    for outcome in [refused, silent] {
        assert!(outcome.slowest < shared::middleware::REQUEST_DEADLINE, "{outcome:?}");
        assert_eq!(outcome.assert_all_succeeded().resent, 0);
    }
}

#[track_caller]
fn the_next_address_is_tried_within(seconds: f64, outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert!(outcome.slowest.as_secs_f64() < seconds, "{outcome:?}");
}

#[tokio::test]
async fn of_two_addresses_a_dead_one_costs_two_seconds_of_a_connection_or_what_the_url_says() {
    the_next_address_is_tried_within(4.0, addresses::first_is_dead().await);
    the_next_address_is_tried_within(1.9, addresses::first_is_dead_and_less_time().await);
    the_next_address_is_tried_within(4.0, addresses::first_is_silent().await);
    the_next_address_is_tried_within(1.0, addresses::first_refuses().await);
}

#[tokio::test]
async fn what_timed_out_is_told_with_its_address() {
    let dead = addresses::Dead::new().await;
    let silent = kit::Proxy::start(&kit::database().await).await;
    silent.black_hole();
    let at_dead = format!("postgresql://todo:secret@127.0.0.1:{}/todo?connect_timeout=2", dead.port);
    let reason = async |url: &str| {
        let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
        db.query("SELECT", &[]).await.unwrap_err().to_string()
    };
    let (of_dead, of_silent) = tokio::join!(reason(&at_dead), reason(silent.url()));
    assert!(of_dead.contains(&format!("127.0.0.1:{}: ", dead.port)), "{of_dead}");
    assert!(of_dead.contains("connection timed out (nothing answers at this address"), "{of_dead}");
    assert!(
        of_silent.contains("not connected within 5s, name look-up, TCP, TLS and authentication"),
        "{of_silent}"
    );
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn connections_refused_for_3_s_behind_pgbouncer_cost_time_and_no_request() {
    waking::refused_behind_pgbouncer().await.assert_all_succeeded();
}

/// No name server of the tests' own, so that it never is.
#[tokio::test]
async fn a_host_that_is_not_found_is_looked_up_until_the_deadline() {
    let url = "postgresql://todo:secret@db.invalid/todo?sslmode=disable";
    let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
    let started = std::time::Instant::now();
    let error = db.query("SELECT", &[]).await.unwrap_err();
    assert!(matches!(&error, shared::db::Error::Unavailable(_)), "{error:?}");
    assert!(started.elapsed() >= shared::db::CONNECT_DEADLINE, "{error:?} after {:?}", started.elapsed());
}

#[track_caller]
fn fails_fast(outcome: Outcome) {
    assert_eq!((outcome.requests, outcome.unavailable), (1, 1), "{outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_wrong_password_is_told_at_once() {
    fails_fast(waking::wrong_password().await);
}

#[tokio::test]
async fn an_unknown_database_is_told_at_once() {
    fails_fast(waking::unknown_database().await);
}

#[tokio::test]
async fn a_disabled_endpoint_is_told_at_once() {
    fails_fast(waking::disabled().await);
}

#[tokio::test]
async fn what_poolers_and_proxies_refuse_for_good_is_told_at_once() {
    fails_fast(waking::quota().await);
    fails_fast(waking::unknown_tenant().await);
    fails_fast(waking::ssl_required().await);
    fails_fast(waking::bouncer_config_error().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_startup_parameter_that_pgbouncer_does_not_know_is_told_at_once() {
    fails_fast(waking::unsupported_startup_parameter().await);
}

#[tokio::test]
async fn direct_tls_to_a_server_that_does_not_know_it_is_told_at_once_by_name() {
    fails_fast(waking::direct_tls_to_a_server_without().await);
    let url = format!("{}?sslmode=require&sslnegotiation=direct", kit::database().await);
    let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
    let reason = db.query("SELECT", &[]).await.unwrap_err().to_string();
    assert!(
        reason.contains("sslnegotiation=direct in DATABASE_URL needs PostgreSQL 17 or newer"),
        "{reason}"
    );
}

#[tokio::test]
async fn what_a_crowded_pooler_says_is_503_after_another_try() {
    for (whose, message) in waking::CROWDED {
        let outcome = waking::crowded(whose, message).await;
        assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_told_at_once() {
    fails_fast(waking::unknown_authority().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_wrong_password_is_told_at_once_by_pgbouncer() {
    fails_fast(waking::wrong_password_of_pgbouncer().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn an_unknown_database_is_told_at_once_by_pgbouncer() {
    fails_fast(waking::unknown_database_of_pgbouncer().await);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::list(lost::ConnectionPath::Plain).await);
    sent_again(lost::read(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
async fn a_new_task_whose_answer_is_lost_is_sent_again_and_made_once() {
    sent_again(lost::create(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::update(lost::ConnectionPath::Plain).await);
    sent_again(lost::complete(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_sent_again_and_is_done() {
    sent_again(lost::delete(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
async fn a_sign_up_whose_answer_is_lost_is_sent_again_and_makes_one_user() {
    sent_again(lost::signup(lost::ConnectionPath::Plain).await);
}

#[track_caller]
fn refused(outcome: Outcome) {
    let outcome = outcome.assert_no_loss_or_duplicates();
    assert_eq!(outcome.refused, outcome.requests, "{outcome:?}");
}

#[tokio::test]
async fn a_sign_up_whose_answer_is_lost_with_an_email_that_somebody_has_is_409() {
    refused(lost::signup_taken(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
async fn a_login_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::login(lost::ConnectionPath::Plain).await);
}

#[track_caller]
fn sent_once(outcome: Outcome) {
    let outcome = outcome.assert_no_loss_or_duplicates();
    assert_eq!(outcome.unavailable, outcome.requests, "{outcome:?}");
    assert_eq!(outcome.resent, 0, "{outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_toggle_whose_answer_is_lost_is_503_and_never_sent_again() {
    sent_once(lost::toggled(lost::ConnectionPath::Plain).await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn answers_lost_before_pgbouncer_come_to_the_same() {
    sent_again(lost::list(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::read(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::create(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::update(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::complete(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::delete(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::signup(lost::ConnectionPath::PgBouncer).await);
    refused(lost::signup_taken(lost::ConnectionPath::PgBouncer).await);
    sent_again(lost::login(lost::ConnectionPath::PgBouncer).await);
    sent_once(lost::toggled(lost::ConnectionPath::PgBouncer).await);
}

#[tokio::test]
async fn an_insert_whose_connection_is_cut_while_it_runs_makes_one_task() {
    sent_again(lost::cut_while_inserting().await);
}

#[tokio::test]
async fn connections_closed_while_idle_cost_nothing() {
    let outcome = lost::closed_while_idle().await.assert_all_succeeded();
    assert_eq!(outcome.resent, 0, "{outcome:?}");
}

#[tokio::test]
async fn after_1000_cuts_every_request_that_was_answered_2xx_is_done_once() {
    let outcome = cuts::mixed_load(1000, lost::ConnectionPath::Plain).await.assert_no_loss_or_duplicates();
    // Toggles alone, as the scenario checks.
    assert!(outcome.unavailable > 0, "no toggle was ever lost: {outcome:?}");
    assert!(outcome.resent > 100, "few cuts hit a statement: {outcome:?}");
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn after_300_cuts_before_pgbouncer_too() {
    let outcome = cuts::mixed_load(300, lost::ConnectionPath::PgBouncer).await.assert_no_loss_or_duplicates();
    assert!(outcome.resent > 30, "few cuts hit a statement: {outcome:?}");
}

#[tokio::test]
async fn an_answer_that_is_lost_for_good_is_told_as_what_nobody_knows() {
    let outcome = lost::for_good().await;
    assert_eq!((outcome.requests, outcome.unavailable), (2, 2), "{outcome:?}");
}

#[tokio::test]
async fn a_black_hole_costs_no_more_than_the_deadline_and_its_connections() {
    let outcome = silence::black_hole().await.assert_no_loss_or_duplicates();
    assert_eq!((outcome.unavailable, outcome.succeeded), (2, 4), "{outcome:?}");
    assert_eq!(outcome.resent, 0, "{outcome:?}");
    assert!(outcome.slowest <= shared::middleware::REQUEST_DEADLINE, "{outcome:?}");
}

#[tokio::test]
async fn too_many_connections_is_503_after_another_try() {
    let outcome = pressure::too_many_connections().await;
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_full_pooler_is_503_after_another_try() {
    let outcome = pressure::pooler_full().await;
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_statement_that_the_server_gives_up_is_503_and_not_sent_again() {
    let outcome = pressure::statement_timeout().await;
    assert_eq!((outcome.requests, outcome.unavailable, outcome.resent), (2, 2, 0), "{outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_statement_that_is_a_deadlocks_victim_is_sent_again() {
    sent_again(pressure::deadlock().await);
}

#[tokio::test]
async fn a_statement_that_cannot_be_serialized_is_sent_again() {
    sent_again(pressure::serialization_failure().await);
}

#[tokio::test]
async fn a_user_deleted_meanwhile_is_401_and_an_email_taken_meanwhile_409() {
    for outcome in [pressure::user_deleted_meanwhile().await, pressure::email_taken_meanwhile().await] {
        assert_eq!((outcome.refused, outcome.resent), (1, 0), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_database_that_stops_and_starts_again_costs_no_request() {
    stopped::restarted().await.assert_all_succeeded();
}

#[tokio::test]
async fn a_database_that_crashes_costs_no_request() {
    stopped::crashed().await.assert_all_succeeded();
}

#[tokio::test]
async fn two_hundred_clients_at_once_lose_nothing_and_are_answered_in_time() {
    for (pool, delay) in [(1, 0), (4, 0), (1, 5), (4, 5)] {
        let outcome = crowd::clients(pool, Duration::from_millis(delay)).await.assert_all_succeeded();
        assert_eq!(outcome.resent, 0, "{outcome:?}");
        assert!(outcome.slowest < shared::middleware::REQUEST_DEADLINE, "{outcome:?}");
    }
}

#[tokio::test]
async fn two_hundred_logins_at_once_are_answered_in_time() {
    let outcome = crowd::logins().await.assert_all_succeeded();
    assert!(outcome.slowest < shared::middleware::REQUEST_DEADLINE, "{outcome:?}");
}

fn assert_round_trips(trips: &[(&str, u64)]) {
    for &(request, trips) in trips {
        let expected = match request {
            // The limit is taken before the hash is made, and the user inserted after.
            "POST /auth/signup" => 2,
            "GET /tasks without a token" => 0,
            _ => 1,
        };
        assert_eq!(trips, expected, "{request}");
    }
}

#[tokio::test]
async fn a_request_is_one_round_trip_a_sign_up_two_and_a_401_none() {
    assert_round_trips(&pressure::round_trips(async |url| Proxy::start(url).await).await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn through_pgbouncer_too_a_request_is_one_round_trip_a_sign_up_two_and_a_401_none() {
    let mut pgbouncer = None;
    let trips = pressure::round_trips(async |url| {
        Proxy::start(pgbouncer.insert(PgBouncer::start(url, 1, 100).await).url()).await
    });
    assert_round_trips(&trips.await);
}
