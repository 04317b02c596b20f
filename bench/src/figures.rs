//! The figures of the targets, each with its name: the rows of a table.

use std::collections::BTreeMap;

use crate::{
    Error, report,
    target::Target::{self, FastApi, Floor, Node, Ours},
};

pub type ByTarget<T> = BTreeMap<Target, T>;

#[derive(Default)]
pub struct Figures(Vec<(String, ByTarget<f64>)>);

impl Figures {
    pub fn add(&mut self, name: impl Into<String>, values: ByTarget<f64>) {
        self.0.push((name.into(), values));
    }

    pub fn get(&self, name: &str) -> Result<&ByTarget<f64>, Error> {
        let figure = self.0.iter().find(|(each, _)| each == name);
        Ok(&figure.ok_or_else(|| format!("no figure is named {name:?}"))?.1)
    }

    pub fn table(&self) -> String {
        let rows = self.0.iter().map(|(name, values)| {
            let ratios = [(Ours, Floor), (Node, Ours), (FastApi, Ours)];
            let ratios = ratios.map(|(one, other)| ratio(values, one, other));
            let values = Target::ALL.map(|target| values.get(&target).copied());
            report::row(name, values.into_iter().chain(ratios))
        });
        let head = " | ours | ours, unprepared | floor | Node | FastAPI | ours / floor | Node / ours | FastAPI / ours";
        report::table(head, rows)
    }
}

/// Returns `one`'s value divided by `other`'s, if both were measured and the latter is not 0.
pub fn ratio(values: &ByTarget<f64>, one: Target, other: Target) -> Option<f64> {
    Some(values.get(&one)? / values.get(&other)?).filter(|ratio| ratio.is_finite())
}

/// Returns what `figure` makes of each target's value.
pub fn figures_of<T>(values: &ByTarget<T>, figure: impl Fn(&T) -> f64) -> ByTarget<f64> {
    values.iter().map(|(target, value)| (*target, figure(value))).collect()
}
