//! `tasks` as other release profiles would build it.

use std::fs;

use kit::Tls;

use crate::{
    Error,
    binaries::{Binaries, cargo, size_mb, succeeds, target_folder, zipped_mb},
    machine, report,
    report::figure,
    requests::seed,
    root,
    statistics::median,
    target::{Database, Request, Running, Target},
};

/// What differs from the workspace's own profile, as `cargo --config` takes it: a name and `key = value`s of
/// `profile.release`.
const PROFILES: [(&str, &[&str]); 3] =
    [("as in Cargo.toml", &[]), ("opt-level 3 throughout", &THROUGHOUT), ("opt-level s", &["opt-level='s'"])];
/// What Cargo.toml has small.
const THROUGHOUT: [&str; 26] = [
    "package.aws-config.opt-level=3",
    "package.aws-credential-types.opt-level=3",
    "package.aws-runtime.opt-level=3",
    "package.aws-sdk-ssm.opt-level=3",
    "package.aws-sdk-sts.opt-level=3",
    "package.aws-sigv4.opt-level=3",
    "package.aws-smithy-async.opt-level=3",
    "package.aws-smithy-http.opt-level=3",
    "package.aws-smithy-http-client.opt-level=3",
    "package.aws-smithy-json.opt-level=3",
    "package.aws-smithy-observability.opt-level=3",
    "package.aws-smithy-query.opt-level=3",
    "package.aws-smithy-runtime.opt-level=3",
    "package.aws-smithy-runtime-api.opt-level=3",
    "package.aws-smithy-schema.opt-level=3",
    "package.aws-smithy-types.opt-level=3",
    "package.aws-smithy-xml.opt-level=3",
    "package.aws-types.opt-level=3",
    "package.h2.opt-level=3",
    "package.hyper-rustls.opt-level=3",
    "package.regex-lite.opt-level=3",
    "package.rustls.opt-level=3",
    "package.rustls-native-certs.opt-level=3",
    "package.rustls-webpki.opt-level=3",
    "package.time.opt-level=3",
    "package.url.opt-level=3",
];

const STARTS: usize = 20;
const WARM_UP: usize = 50;
const ROUNDS: usize = 10;
const IN_A_ROW: usize = 100;

struct Built {
    name: &'static str,
    binaries: Binaries,
    starts: Vec<f64>,
    lists: Vec<f64>,
    cpu: f64,
    peak_rss: f64,
}

pub async fn run() -> Result<(), Error> {
    let mut all = Vec::new();
    for (name, settings) in PROFILES {
        all.push(Built::build(name, settings)?);
    }
    let tls = kit::tls().await;
    seed(&tls, "").await?;
    eprintln!("profiles: starts");
    for _ in 0..=STARTS {
        for built in &mut all {
            let init = built.start(&tls).await?.init().await?;
            built.starts.push(init);
        }
    }
    eprintln!("profiles: lists");
    let mut running = Vec::new();
    for built in &all {
        let mut process = built.start(&tls).await?;
        for _ in 0..WARM_UP {
            process.answer().await?;
        }
        running.push(process);
    }
    for _ in 0..ROUNDS {
        for (built, process) in all.iter_mut().zip(&mut running) {
            let before = process.cpu()?;
            for _ in 0..IN_A_ROW {
                built.lists.push(process.answer().await?);
            }
            built.cpu += process.cpu()? - before;
        }
    }
    for (built, process) in all.iter_mut().zip(&running) {
        built.peak_rss = process.peak_rss()?;
    }
    let rows = all.iter().map(Built::row).collect::<Result<Vec<_>, _>>()?;
    let head = [
        "release profile of `tasks`",
        "binary MB",
        "zip MB",
        "init ms",
        "list p50 ms",
        "CPU a list, ms",
        "peak RSS, MiB",
    ];
    let text = format!("{}\n{}", report::table(&head, rows), machine::described(&tls).await?);
    report::write(&root().join("docs/benchmarks.md"), "profiles", &text)
}

impl Built {
    /// From nothing, as cargo would otherwise keep a gigabyte of each. Those that are in target/profiles are not built again.
    fn build(name: &'static str, settings: &[&str]) -> Result<Self, Error> {
        let profiles = target_folder().join("profiles");
        let folder = profiles.join(name.replace(' ', "-"));
        if !folder.join("tasks").exists() {
            eprintln!("profiles: {name}");
            let target = profiles.join("target");
            if target.exists() {
                fs::remove_dir_all(&target)?;
            }
            let mut build = cargo();
            build.args(["build", "--quiet", "--release", "--package", "tasks", "--target-dir"]).arg(&target);
            for setting in settings {
                build.args(["--config", &format!("profile.release.{setting}")]);
            }
            succeeds(&mut build)?;
            fs::create_dir_all(&folder)?;
            fs::rename(target.join("release/tasks"), folder.join("tasks"))?;
            fs::remove_dir_all(&target)?;
        }
        Ok(Self {
            name,
            binaries: Binaries::of(folder),
            starts: Vec::new(),
            lists: Vec::new(),
            cpu: 0.0,
            peak_rss: 0.0,
        })
    }

    async fn start(&self, tls: &Tls) -> Result<Running, Error> {
        let (url, authority) = (tls.secure_url(), tls.authority());
        let database = Database { url: &url, authority };
        let mut running = Target::Ours.start(&self.binaries, Request::List, database).await?;
        running.init().await?;
        Ok(running)
    }

    fn row(&self) -> Result<Vec<String>, Error> {
        let nothing = "nothing was measured";
        let binary = self.binaries.path("tasks")?;
        let figures = [
            size_mb(&binary)?,
            zipped_mb(&binary)?,
            // The first is for the page cache.
            median(&self.starts[1..]).ok_or(nothing)?,
            median(&self.lists).ok_or(nothing)?,
            self.cpu / self.lists.len() as f64,
            self.peak_rss,
        ];
        Ok([self.name.to_owned()].into_iter().chain(figures.map(figure)).collect())
    }
}
