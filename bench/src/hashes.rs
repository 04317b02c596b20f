//! Logins by the cost of the hash and by the memory that the function has, as AWS gives and bills CPU by memory.

use kit::events;

use crate::{
    Error,
    binaries::Binaries,
    cgroup::Share,
    cost, machine, report,
    requests::{PASSWORD, ROUND_TRIP},
    root,
    statistics::median,
    target::{Database, Request, Target},
};

const COSTS: [u32; 4] = [10, 11, 12, 13];
const MEMORIES_MB: [u32; 6] = [128, 256, 512, 1024, 1769, 3008];
/// Of each; with little memory they take seconds.
const LOGINS: usize = 3;

pub async fn run(binaries: &Binaries) -> Result<(), Error> {
    let tls = kit::tls().await;
    let url = tls.secure_url();
    let database = Database { url: &url, authority: tls.authority() };
    events::seed(tls.plain_url()).await;
    let mut rows = Vec::new();
    for cost in COSTS {
        eprintln!("logins with hashes of cost {cost}");
        let hash = bcrypt::hash(PASSWORD, cost)?;
        let update = format!("UPDATE users SET hashed_password = '{hash}'");
        tls.client().await?.batch_execute(&update).await?;
        let mut row = vec![cost.to_string()];
        for memory_mb in MEMORIES_MB {
            let mut running = Target::Ours.start(binaries, Request::Login, database).await?;
            running.init().await?;
            running.answer().await?;
            let _share = match Share::limit(running.pid(), memory_mb) {
                Ok(share) => share,
                Err(error) => {
                    eprintln!(
                        "hashes: left out, as no process can be given less CPU ({error}): run it as root"
                    );
                    return Ok(());
                }
            };
            let mut logins = Vec::new();
            for _ in 0..LOGINS {
                logins.push(running.answer().await?);
            }
            let login = median(&logins).ok_or("nothing was measured")?;
            let usd = cost::usd_per_million((login + ROUND_TRIP).ceil(), f64::from(memory_mb));
            row.push(format!("{login:.0} ms, {usd:.2} USD"));
        }
        rows.push(row);
    }
    let head = MEMORIES_MB.map(|memory_mb| format!("{memory_mb} MB"));
    let head: Vec<_> = ["cost"].into_iter().chain(head.iter().map(String::as_str)).collect();
    let text = format!("{}\n{}", report::table(&head, rows), machine::described(&tls).await?);
    report::write(&root().join("docs/benchmarks.md"), "hashes", &text)
}
