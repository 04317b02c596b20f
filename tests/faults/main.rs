//! Tests each line of the table in docs/faults.md: the results of requests that meet a fault.

#![cfg(test)]

mod prepared;
mod scenarios;

use std::time::Duration;

use kit::{Outcome, PgBouncer, Proxy};
use scenarios::{addresses, crowd, cuts, lost, pressure, silence, stopped, waking};

/// Asserts that every request was answered 2xx after one resent statement.
#[track_caller]
fn sent_again(outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!(outcome.resent, outcome.requests as u64, "{outcome:?}");
}

/// Asserts the same for a statement after which the task is read, because it was changed the first time.
#[track_caller]
fn sent_again_and_read(outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!(outcome.resent, 2 * outcome.requests as u64, "{outcome:?}");
}

#[track_caller]
fn succeeded_late(outcome: Outcome) {
    let outcome = outcome.assert_all_succeeded();
    assert_eq!(outcome.resent, 0, "no statement is sent before there is a connection: {outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(10), "{outcome:?}");
}

#[tokio::test]
async fn connections_refused_for_3_s_fail_no_request() {
    succeeded_late(waking::refused().await);
}

#[tokio::test]
async fn connections_closed_for_3_s_fail_no_request() {
    succeeded_late(waking::closed().await);
}

#[tokio::test]
async fn a_server_that_is_starting_for_3_s_fails_no_request() {
    succeeded_late(waking::starting_or_stopping().await);
}

#[tokio::test]
async fn a_compute_that_wakes_for_3_s_fails_no_request() {
    succeeded_late(waking::suspended().await);
}

#[tokio::test]
async fn a_control_plane_that_fails_for_3_s_fails_no_request() {
    succeeded_late(waking::without_control_plane().await);
}

#[tokio::test]
async fn a_supavisor_without_its_database_for_3_s_fails_no_request() {
    succeeded_late(waking::supavisor_without_database().await);
}

#[tokio::test]
async fn a_database_that_is_resumed_after_15_s_fails_no_request() {
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
async fn a_dead_address_delays_a_connection_by_2_s_or_connect_timeout() {
    the_next_address_is_tried_within(4.0, addresses::first_is_dead().await);
    the_next_address_is_tried_within(1.9, addresses::first_is_dead_and_less_time().await);
    the_next_address_is_tried_within(4.0, addresses::first_is_silent().await);
    the_next_address_is_tried_within(1.0, addresses::first_refuses().await);
}

#[tokio::test]
async fn a_timeout_is_reported_with_its_address() {
    let dead = addresses::Dead::new().await;
    let silent = kit::Proxy::start(&kit::database().await).await;
    silent.black_hole();
    let dead_url = format!("postgresql://todo:secret@127.0.0.1:{}/todo?connect_timeout=2", dead.port);
    let error = async |url: &str| {
        let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
        db.query_opt("SELECT", &[]).await.unwrap_err().to_string()
    };
    let (dead_error, silent_error) = tokio::join!(error(&dead_url), error(silent.url()));
    assert!(dead_error.contains(&format!("127.0.0.1:{}: ", dead.port)), "{dead_error}");
    assert!(dead_error.contains("connection timed out (nothing answers at this address"), "{dead_error}");
    assert!(
        silent_error.contains("took longer than 5s (name lookup, TCP, TLS and authentication together)"),
        "{silent_error}"
    );
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn connections_refused_for_3_s_behind_pgbouncer_fail_no_request() {
    waking::refused_behind_pgbouncer().await.assert_all_succeeded();
}

/// The name is never found, because the tests have no name server that could add it later.
#[tokio::test]
async fn a_host_that_is_not_found_is_looked_up_until_the_deadline() {
    let url = "postgresql://todo:secret@db.invalid/todo?sslmode=disable";
    let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
    let started = std::time::Instant::now();
    let error = db.query_opt("SELECT", &[]).await.unwrap_err();
    assert!(matches!(&error, shared::db::Error::Unavailable(_)), "{error:?}");
    assert!(started.elapsed() >= shared::db::CONNECT_DEADLINE, "{error:?} after {:?}", started.elapsed());
}

#[track_caller]
fn unavailable_at_once(outcome: Outcome) {
    assert_eq!((outcome.requests, outcome.unavailable), (1, 1), "{outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_wrong_password_is_503_at_once() {
    unavailable_at_once(waking::wrong_password().await);
}

#[tokio::test]
async fn an_unknown_database_is_503_at_once() {
    unavailable_at_once(waking::unknown_database().await);
}

#[tokio::test]
async fn a_disabled_endpoint_is_503_at_once() {
    unavailable_at_once(waking::disabled().await);
}

#[tokio::test]
async fn a_permanent_refusal_of_a_pooler_or_proxy_is_503_at_once() {
    unavailable_at_once(waking::quota().await);
    unavailable_at_once(waking::unknown_tenant().await);
    unavailable_at_once(waking::ssl_required().await);
    unavailable_at_once(waking::bouncer_config_error().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_startup_parameter_unknown_to_pgbouncer_is_503_at_once() {
    unavailable_at_once(waking::unsupported_startup_parameter().await);
}

#[tokio::test]
async fn unsupported_direct_tls_is_503_at_once_with_its_reason() {
    unavailable_at_once(waking::direct_tls_to_a_server_without().await);
    let url = format!("{}?sslmode=require&sslnegotiation=direct", kit::database().await);
    let db = shared::Db::new(&shared::Config::from_iter([("DATABASE_URL", url)])).unwrap();
    let error = db.query_opt("SELECT", &[]).await.unwrap_err().to_string();
    assert!(
        error.contains(
            "does not support sslnegotiation=direct, which needs PostgreSQL 17 or newer; remove it from DATABASE_URL"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn too_many_connections_to_a_pooler_or_proxy_is_503_after_one_retry() {
    for (whose, message) in waking::CROWDED {
        let outcome = waking::crowded(whose, message).await;
        assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_503_at_once() {
    unavailable_at_once(waking::unknown_authority().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_wrong_password_with_pgbouncer_is_503_at_once() {
    unavailable_at_once(waking::wrong_password_of_pgbouncer().await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn an_unknown_database_with_pgbouncer_is_503_at_once() {
    unavailable_at_once(waking::unknown_database_of_pgbouncer().await);
}

#[tokio::test]
async fn a_read_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::list(lost::Way::Plain).await);
    sent_again(lost::read(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_new_task_whose_answer_is_lost_is_sent_again_and_made_once() {
    sent_again(lost::create(lost::Way::Plain).await);
}

#[tokio::test]
async fn an_update_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::update(lost::Way::Plain).await);
    sent_again(lost::complete(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_sent_again_and_succeeds() {
    sent_again(lost::delete(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_create_with_a_key_whose_answer_is_lost_is_sent_again_and_made_once() {
    sent_again(lost::create_with_key(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_restore_whose_answer_is_lost_is_sent_again_and_succeeds() {
    sent_again_and_read(lost::restore(lost::Way::Plain).await);
}

#[tokio::test]
async fn deleted_tasks_whose_answer_is_lost_are_asked_for_or_cleared_again() {
    sent_again(lost::list_deleted(lost::Way::Plain).await);
    sent_again(lost::clear(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_deletion_or_restore_of_anothers_task_whose_answer_is_lost_is_404() {
    refused(lost::delete_anothers(lost::Way::Plain).await);
    refused(lost::restore_anothers(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_sign_up_whose_answer_is_lost_is_sent_again_and_makes_one_user() {
    sent_again(lost::signup(lost::Way::Plain).await);
}

#[track_caller]
fn refused(outcome: Outcome) {
    let outcome = outcome.assert_no_loss_or_duplicates();
    assert_eq!(outcome.refused, outcome.requests, "{outcome:?}");
}

#[tokio::test]
async fn a_sign_up_with_a_taken_email_whose_answer_is_lost_is_409() {
    refused(lost::signup_taken(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_login_whose_answer_is_lost_is_sent_again_and_starts_one_session() {
    sent_again(lost::login(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_is_sent_again_and_advances_once() {
    sent_again(lost::refresh(lost::Way::Plain).await);
}

#[tokio::test]
async fn an_ended_session_whose_answer_is_lost_is_told_as_ended() {
    sent_again(lost::log_out(lost::Way::Plain).await);
    sent_again(lost::end_session(lost::Way::Plain).await);
    sent_again(lost::end_another_session(lost::Way::Plain).await);
    sent_again(lost::end_other_sessions(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_changed_password_whose_answer_is_lost_is_told_as_changed() {
    sent_again(lost::change_password(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_deleted_account_whose_answer_is_lost_is_told_as_deleted() {
    sent_again(lost::delete_account(lost::Way::Plain).await);
}

#[tokio::test]
async fn nobody_is_signed_out_when_answers_are_lost_in_a_chain_of_1000_refreshes() {
    let outcome = lost::refreshes(1000).await.assert_all_succeeded();
    assert!(outcome.requests > 1200 && outcome.resent > 150, "{outcome:?}");
}

#[tokio::test]
async fn a_new_username_whose_answer_is_lost_is_sent_again() {
    sent_again(lost::rename(lost::Way::Plain).await);
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
    sent_once(lost::toggled(lost::Way::Plain).await);
}

#[tokio::test]
async fn a_change_with_a_condition_whose_answer_is_lost_is_503_and_never_sent_again() {
    sent_once(lost::conditional_update(lost::Way::Plain).await);
    sent_once(lost::conditional_complete(lost::Way::Plain).await);
    sent_once(lost::conditional_delete(lost::Way::Plain).await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn lost_answers_have_the_same_results_with_pgbouncer() {
    sent_again(lost::list(lost::Way::PgBouncer).await);
    sent_again(lost::read(lost::Way::PgBouncer).await);
    sent_again(lost::create(lost::Way::PgBouncer).await);
    sent_again(lost::update(lost::Way::PgBouncer).await);
    sent_again(lost::complete(lost::Way::PgBouncer).await);
    sent_again(lost::delete(lost::Way::PgBouncer).await);
    sent_again(lost::create_with_key(lost::Way::PgBouncer).await);
    sent_again_and_read(lost::restore(lost::Way::PgBouncer).await);
    sent_again(lost::list_deleted(lost::Way::PgBouncer).await);
    sent_again(lost::clear(lost::Way::PgBouncer).await);
    refused(lost::delete_anothers(lost::Way::PgBouncer).await);
    refused(lost::restore_anothers(lost::Way::PgBouncer).await);
    sent_again(lost::signup(lost::Way::PgBouncer).await);
    refused(lost::signup_taken(lost::Way::PgBouncer).await);
    sent_again(lost::login(lost::Way::PgBouncer).await);
    sent_again(lost::refresh(lost::Way::PgBouncer).await);
    sent_again(lost::log_out(lost::Way::PgBouncer).await);
    sent_again(lost::end_session(lost::Way::PgBouncer).await);
    sent_again(lost::end_another_session(lost::Way::PgBouncer).await);
    sent_again(lost::end_other_sessions(lost::Way::PgBouncer).await);
    sent_again(lost::change_password(lost::Way::PgBouncer).await);
    sent_again(lost::delete_account(lost::Way::PgBouncer).await);
    sent_again(lost::rename(lost::Way::PgBouncer).await);
    sent_once(lost::toggled(lost::Way::PgBouncer).await);
    sent_once(lost::conditional_update(lost::Way::PgBouncer).await);
    sent_once(lost::conditional_complete(lost::Way::PgBouncer).await);
    sent_once(lost::conditional_delete(lost::Way::PgBouncer).await);
}

#[tokio::test]
async fn an_insert_whose_connection_is_cut_creates_one_task() {
    sent_again(lost::cut_while_inserting().await);
}

#[tokio::test]
async fn connections_closed_while_idle_fail_no_request() {
    let outcome = lost::closed_while_idle().await.assert_all_succeeded();
    assert_eq!(outcome.resent, 0, "{outcome:?}");
}

#[tokio::test]
async fn requests_answered_2xx_ran_once_after_1000_cuts() {
    let outcome = cuts::mixed_load(1000, lost::Way::Plain).await.assert_no_loss_or_duplicates();
    // The scenario checks that they are toggles and conditional changes.
    assert!(outcome.unavailable > 0, "none was ever lost: {outcome:?}");
    assert!(outcome.resent > 100, "few cuts hit a statement: {outcome:?}");
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn requests_answered_2xx_ran_once_after_300_cuts_with_pgbouncer() {
    let outcome = cuts::mixed_load(300, lost::Way::PgBouncer).await.assert_no_loss_or_duplicates();
    assert!(outcome.resent > 30, "few cuts hit a statement: {outcome:?}");
}

#[tokio::test]
async fn an_answer_lost_without_a_new_connection_is_503() {
    let outcome = lost::for_good().await;
    assert_eq!((outcome.requests, outcome.unavailable), (2, 2), "{outcome:?}");
}

#[tokio::test]
async fn requests_in_a_black_hole_are_503_within_the_deadline() {
    let outcome = silence::black_hole().await.assert_no_loss_or_duplicates();
    assert_eq!((outcome.unavailable, outcome.succeeded), (2, 4), "{outcome:?}");
    assert_eq!(outcome.resent, 0, "{outcome:?}");
    assert!(outcome.slowest <= shared::middleware::REQUEST_DEADLINE, "{outcome:?}");
}

#[tokio::test]
async fn too_many_connections_is_503_after_one_retry() {
    let outcome = pressure::too_many_connections().await;
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_full_pooler_is_503_after_one_retry() {
    let outcome = pressure::pooler_full().await;
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_statement_timeout_is_503_and_not_sent_again() {
    let outcome = pressure::statement_timeout().await;
    assert_eq!((outcome.requests, outcome.unavailable, outcome.resent), (2, 2, 0), "{outcome:?}");
    assert!(outcome.slowest < Duration::from_secs(5), "{outcome:?}");
}

#[tokio::test]
async fn a_statement_cancelled_by_a_deadlock_is_sent_again() {
    sent_again(pressure::deadlock().await);
}

#[tokio::test]
async fn a_statement_with_a_serialization_failure_is_sent_again() {
    sent_again(pressure::serialization_failure().await);
}

#[tokio::test]
async fn a_user_deleted_meanwhile_is_401_and_an_email_taken_meanwhile_409() {
    for outcome in [pressure::user_deleted_meanwhile().await, pressure::email_taken_meanwhile().await] {
        assert_eq!((outcome.refused, outcome.resent), (1, 0), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_database_restart_fails_no_request() {
    stopped::restarted().await.assert_all_succeeded();
}

#[tokio::test]
async fn a_database_crash_fails_no_request() {
    stopped::crashed().await.assert_all_succeeded();
}

#[tokio::test]
async fn two_hundred_clients_at_once_are_answered_in_time_and_lose_nothing() {
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
            // One statement checks the rate limit before a hash is computed, one writes.
            "POST /auth/signup" | "POST /auth/login" | "POST /auth/password" | "POST /auth/me/delete" => 2,
            "POST /auth/refresh, forged" | "GET /tasks without a token" => 0,
            _ => 1,
        };
        assert_eq!(trips, expected, "{request}");
    }
}

#[tokio::test]
async fn a_request_is_one_round_trip_one_with_a_password_two_and_a_401_none() {
    assert_round_trips(&pressure::round_trips(async |url| Proxy::start(url).await).await);
}

#[tokio::test]
#[ignore = "needs pgbouncer"]
async fn a_request_through_pgbouncer_is_one_round_trip_one_with_a_password_two_and_a_401_none() {
    let mut pgbouncer = None;
    let trips = pressure::round_trips(async |url| {
        Proxy::start(pgbouncer.insert(PgBouncer::start(url, 1, 100).await).url()).await
    });
    assert_round_trips(&trips.await);
}
