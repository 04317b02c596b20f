//! The goals of the figures, and whether they are met.

use Column::{FastApiByOurs, Ours, OursByFloor};

use crate::{
    Error,
    figures::{Figures, ratio},
    report,
    target::Target,
};

/// The column of the figures' table that has a goal. FastAPI's by ours has a minimum, the others have a maximum.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Ours,
    OursByFloor,
    FastApiByOurs,
}

const GOALS: [(&str, Column, f64); 21] = [
    ("list p50, ms", OursByFloor, 1.0),
    ("CPU a list, ms", OursByFloor, 1.1),
    ("the database's CPU a list, ms", OursByFloor, 0.6),
    ("create p50, ms", OursByFloor, 1.05),
    ("list p50, CPU of 128 MB, ms", OursByFloor, 1.15),
    ("init and first list, ms", OursByFloor, 1.15),
    ("init and first list, ms", FastApiByOurs, 75.0),
    ("list p50, ms", FastApiByOurs, 10.0),
    ("CPU a list, ms", FastApiByOurs, 8.0),
    ("list p50, CPU of 512 MB, ms", FastApiByOurs, 30.0),
    ("list p50, CPU of 128 MB, ms", FastApiByOurs, 80.0),
    ("list p50, database 2 ms away, ms", Ours, 2.8),
    ("CPU a list, ms", Ours, 0.17),
    ("peak RSS, MiB", Ours, 8.0),
    ("zip, MB", Ours, 4.0),
    ("login without its hash, ms", Ours, 1.0),
    ("round trips, list", Ours, 1.0),
    ("round trips, create", Ours, 1.0),
    ("round trips, login", Ours, 2.0),
    ("round trips, sign-up", Ours, 2.0),
    ("round trips, bad token", Ours, 0.0),
];

pub fn table(figures: &Figures) -> Result<String, Error> {
    let rows = GOALS.map(|(name, column, goal)| {
        let values = figures.get(name)?;
        let (heading, measured) = match column {
            Ours => ("ours", values.get(&Target::Ours).copied()),
            OursByFloor => ("ours / floor", ratio(values, Target::Ours, Target::Floor)),
            FastApiByOurs => ("FastAPI / ours", ratio(values, Target::FastApi, Target::Ours)),
        };
        let is_minimum = column == FastApiByOurs;
        let is_met = |measured| if is_minimum { measured >= goal } else { measured <= goal };
        let verdict = measured.map_or("not measured", |measured| report::verdict(is_met(measured)));
        let goal = format!("{} {goal}", if is_minimum { "≥" } else { "≤" });
        Ok([name, heading, &goal, &report::figure(measured), verdict].map(str::to_owned).into())
    });
    let rows = rows.into_iter().collect::<Result<Vec<_>, Error>>()?;
    Ok(report::table("figure | of | goal | measured | ", rows))
}
