//! Runs every fault of docs/faults.md and prints the measured table:
//!
//! ```sh
//! cargo run -p tests --example faults
//! ```
//!
//! It needs PgBouncer (Debian's package is `pgbouncer`) and takes some minutes. It panics if a request is lost or
//! duplicated.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a tool that developers run by hand"
)]

mod scenarios;

use std::time::Duration;

use kit::{
    Outcome, PgBouncer, Proxy,
    faults::{self, CloseNotice, frozen, ten_functions_on_one_connection},
};
use scenarios::{addresses, crowd, cuts, lost, pressure, silence, stopped, waking};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tasks = kit::binary("tasks");
    let tasks = tasks.to_str().unwrap();
    println!("| fault | requests | 2xx | 4xx | 503 | slowest | sent again | lost | duplicated |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|");
    print(frozen(tasks, faults::ConnectionPath::Plain, CloseNotice::Received).await);
    print(frozen(tasks, faults::ConnectionPath::Tls, CloseNotice::Received).await);
    print(frozen(tasks, faults::ConnectionPath::PgBouncer, CloseNotice::Received).await);
    print(frozen(tasks, faults::ConnectionPath::Plain, CloseNotice::Lost).await);
    print(frozen(tasks, faults::ConnectionPath::Tls, CloseNotice::Lost).await);
    print(lost::closed_while_idle().await);
    print(waking::refused().await);
    print(waking::closed().await);
    print(waking::starting_or_stopping().await);
    print(waking::suspended().await);
    print(waking::without_control_plane().await);
    print(waking::supavisor_without_database().await);
    print(waking::resumed().await);
    print(waking::resumed_in_silence().await);
    print(waking::refused_behind_pgbouncer().await);
    print(stopped::restarted().await);
    print(stopped::crashed().await);
    print(waking::wrong_password().await);
    print(waking::wrong_password_of_pgbouncer().await);
    print(waking::unknown_database().await);
    print(waking::unknown_database_of_pgbouncer().await);
    print(waking::disabled().await);
    print(waking::quota().await);
    print(waking::unknown_tenant().await);
    print(waking::ssl_required().await);
    print(waking::bouncer_config_error().await);
    print(waking::unsupported_startup_parameter().await);
    print(waking::direct_tls_to_a_server_without().await);
    print(waking::unknown_authority().await);
    print(addresses::first_is_dead().await);
    print(addresses::first_is_dead_and_less_time().await);
    print(addresses::first_is_silent().await);
    print(addresses::first_refuses().await);
    print(pressure::too_many_connections().await);
    print(pressure::pooler_full().await);
    for (whose, message) in waking::CROWDED {
        print(waking::crowded(whose, message).await);
    }
    for way in [lost::Way::Plain, lost::Way::PgBouncer] {
        print(lost::list(way).await);
        print(lost::read(way).await);
        print(lost::create(way).await);
        print(lost::update(way).await);
        print(lost::complete(way).await);
        print(lost::delete(way).await);
        print(lost::create_with_key(way).await);
        print(lost::restore(way).await);
        print(lost::list_deleted(way).await);
        print(lost::clear(way).await);
        print(lost::delete_anothers(way).await);
        print(lost::restore_anothers(way).await);
        print(lost::conditional_update(way).await);
        print(lost::conditional_complete(way).await);
        print(lost::conditional_delete(way).await);
        print(lost::toggled(way).await);
        print(lost::signup(way).await);
        print(lost::signup_taken(way).await);
        print(lost::login(way).await);
        print(lost::refresh(way).await);
        print(lost::log_out(way).await);
        print(lost::end_session(way).await);
        print(lost::end_another_session(way).await);
        print(lost::end_other_sessions(way).await);
        print(lost::rename(way).await);
        print(lost::change_password(way).await);
        print(lost::delete_account(way).await);
    }
    print(lost::refreshes(1000).await);
    print(lost::cut_while_inserting().await);
    print(lost::for_good().await);
    print(cuts::mixed_load(1000, lost::Way::Plain).await);
    print(cuts::mixed_load(300, lost::Way::PgBouncer).await);
    print(silence::black_hole().await);
    print(pressure::statement_timeout().await);
    print(pressure::deadlock().await);
    print(pressure::serialization_failure().await);
    print(pressure::email_taken_meanwhile().await);
    print(pressure::user_deleted_meanwhile().await);
    print(ten_functions_on_one_connection(tasks).await);
    for delay in [Duration::ZERO, Duration::from_millis(5)] {
        for pool in [1, 4] {
            print(crowd::clients(pool, delay).await);
        }
    }

    print(crowd::logins().await);

    println!("\n| request, when nothing fails | round trips | through PgBouncer |\n|---|--:|--:|");
    let plain = pressure::round_trips(async |url| Proxy::start(url).await).await;
    let mut pgbouncer = None;
    let through = pressure::round_trips(async |url| {
        Proxy::start(pgbouncer.insert(PgBouncer::start(url, 1, 100).await).url()).await
    });
    for ((request, plain), (_, through)) in plain.iter().zip(through.await) {
        println!("| {request} | {plain} | {through} |");
    }
    for way in [faults::ConnectionPath::Plain, faults::ConnectionPath::Tls, faults::ConnectionPath::PgBouncer]
    {
        let trips = faults::round_trips(tasks, way).await;
        println!("\nThe function tasks, {way:?}: {trips} round trips in 100 lists.");
    }
    for way in [faults::ConnectionPath::Plain, faults::ConnectionPath::Tls] {
        let (trips, version) = faults::cold_start_round_trips(tasks, way).await;
        println!(
            "\nThe function tasks, {way:?}: {trips} round trips to connect (PostgreSQL {}).",
            version / 10_000
        );
    }
}

fn print(outcome: Outcome) {
    let Outcome { fault, requests, succeeded, refused, unavailable, slowest, resent, lost, duplicated } =
        &outcome;
    // Two digits, because the others vary from run to run.
    let slowest = match slowest.as_secs_f64() {
        seconds @ 1.0.. => format!("{seconds:.1} s"),
        seconds => format!("{:.0} ms", seconds * 1000.0),
    };
    println!(
        "| {fault} | {requests} | {succeeded} | {refused} | {unavailable} | {slowest} | {resent} | {lost} | {duplicated} |"
    );
    outcome.assert_no_loss_or_duplicates();
}
