//! The targets that are measured side by side.

use crate::process::{CREATE, LIST};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Ours,
    /// Ours without prepared statements.
    Unprepared,
    Floor,
    FastApi,
}

impl Target {
    pub const ALL: [Self; 4] = [Self::Ours, Self::Unprepared, Self::Floor, Self::FastApi];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Unprepared => "unprepared",
            Self::Floor => "floor",
            Self::FastApi => "FastAPI",
        }
    }

    /// Returns the targets that answer an event of `events/`: the floor only lists and creates tasks.
    pub fn answering(event: &str) -> impl Iterator<Item = Self> {
        let floor_answers = [LIST, CREATE].contains(&event);
        Self::ALL.into_iter().filter(move |target| *target != Self::Floor || floor_answers)
    }
}
