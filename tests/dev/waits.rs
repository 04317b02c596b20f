//! What `cargo dev` says while it waits.

use crate::{Dev, folder};

#[test]
fn each_step_of_a_start_is_told_before_it_begins() {
    let folder = folder();
    for action in ["Creating a PostgreSQL database in", "Starting the PostgreSQL database in"] {
        let dev = Dev::start(folder.path(), &[], &[]);
        let steps = format!(
            "{action} {}\nApplying the migrations\n\nserverless-todo is at ",
            folder.path().display()
        );
        assert!(dev.welcome.starts_with(&steps), "{}", dev.welcome);
    }
}
