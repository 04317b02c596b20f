//! A chart of bars, as SVG.

use std::fmt::Write;

use crate::{
    Error,
    figures::{ByTarget, Figures},
    report::figure,
    target::Target,
};

/// The groups of bars, each on a scale of its own: heading, unit and figure.
const GROUPS: [(&str, &str, &str); 5] = [
    ("Cold start: init and first list", "ms", "init and first list, ms"),
    ("Warm list of ten tasks, p50", "ms", "list p50, ms"),
    ("CPU a list", "ms", "CPU a list, ms"),
    ("Peak memory", "MiB", "peak RSS, MiB"),
    ("Upload (zip)", "MB", "zip, MB"),
];

const WIDTH: f64 = 760.0;
/// The start of the bars, and the length of a group's longest bar. Its figure stands behind it.
const LEFT: f64 = 84.0;
const LONGEST: f64 = 590.0;
const BAR: f64 = 16.0;
const LINE: f64 = 22.0;
const GROUP: f64 = 130.0;
const MARGIN: f64 = 16.0;
const STYLE: &str = include_str!("../chart.css");

pub fn svg(figures: &Figures) -> Result<String, Error> {
    let height = 2.0 * MARGIN + GROUP * GROUPS.len() as f64 - (GROUP - 26.0 - 4.0 * LINE);
    let (mut bars, mut descriptions) = (String::new(), Vec::new());
    for (number, (heading, unit, name)) in GROUPS.into_iter().enumerate() {
        let mut values = figures.get(name)?.clone();
        values.remove(&Target::Unprepared);
        draw(&mut bars, heading, unit, &values, MARGIN + GROUP * number as f64)?;
        let values =
            values.iter().map(|(target, value)| format!("{} {} {unit}", target.name(), figure(*value)));
        descriptions.push(format!("{heading}: {}.", values.collect::<Vec<_>>().join(", ")));
    }
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
         <title id=\"title\">What a request costs: ours, the floor, Node and FastAPI</title>\n\
         <desc id=\"description\">{description}</desc>\n\
         <style>\n{STYLE}</style>\n{bars}</svg>\n",
        description = descriptions.join(" "),
    ))
}

fn draw(svg: &mut String, heading: &str, unit: &str, values: &ByTarget<f64>, top: f64) -> Result<(), Error> {
    let longest = values.values().copied().fold(f64::MIN_POSITIVE, f64::max);
    writeln!(svg, "<text class=\"group\" x=\"{MARGIN}\" y=\"{:.0}\">{heading}</text>", top + 14.0)?;
    for (line, (target, value)) in values.iter().enumerate() {
        let y = top + 24.0 + LINE * line as f64;
        // Short bars stay visible.
        let length = (value / longest * LONGEST).max(1.5);
        writeln!(
            svg,
            "<text x=\"{MARGIN}\" y=\"{text:.0}\">{name}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text class=\"figure\" x=\"{end:.1}\" y=\"{text:.0}\">{figure} {unit}</text>",
            text = y + 12.5,
            end = LEFT + length + 8.0,
            name = target.name(),
            class = target.name().to_lowercase(),
            figure = figure(*value),
        )?;
    }
    Ok(())
}
