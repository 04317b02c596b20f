//! Builds of binaries.

use std::{env, fs, os::unix::fs::PermissionsExt, process::Command};

#[test]
#[ignore = "not a test: `a_slow_build_is_told_although_tests_capture_their_output` runs it"]
fn building_process() {
    if env::var_os("BUILDING_PROCESS").is_some() {
        kit::binary("dev");
    }
}

#[test]
fn a_slow_build_is_told_although_tests_capture_their_output() {
    let folder = tempfile::tempdir().unwrap();
    let cargo = folder.path().join("cargo");
    for (script, told) in
        [("#!/bin/sh\nsleep 3\n", "Building `dev`, which these tests run\n"), ("#!/bin/sh\n", "")]
    {
        fs::write(&cargo, script).unwrap();
        fs::set_permissions(&cargo, fs::Permissions::from_mode(0o755)).unwrap();
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "binary::building_process", "--ignored"])
            .env("CARGO", &cargo)
            .env("BUILDING_PROCESS", "")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), told);
    }
}
