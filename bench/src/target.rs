//! The targets that are measured side by side.

use crate::process::{BAD_TOKEN, CREATE, LIST};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Ours,
    /// Ours without prepared statements.
    Unprepared,
    Floor,
    Node,
    FastApi,
}

impl Target {
    pub const ALL: [Self; 5] = [Self::Ours, Self::Unprepared, Self::Floor, Self::Node, Self::FastApi];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Unprepared => "unprepared",
            Self::Floor => "floor",
            Self::Node => "Node",
            Self::FastApi => "FastAPI",
        }
    }

    /// Returns the targets that answer an event of `events/`: the floor and Node only list and create tasks, and the
    /// floor checks no token.
    pub fn answering(event: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |target| match target {
            Self::Floor => [LIST, CREATE].contains(&event),
            Self::Node => [LIST, CREATE, BAD_TOKEN].contains(&event),
            _ => true,
        })
    }
}
