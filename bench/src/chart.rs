//! The figures that matter most, as bars.

use std::fmt::Write;

use crate::{report::figure, requests::Each, target::Target};

const WIDTH: f64 = 760.0;
/// Where bars begin, and how long the longest of a group is; its figure stands behind it.
const LEFT: f64 = 84.0;
const LONGEST: f64 = 590.0;
const BAR: f64 = 16.0;
const LINE: f64 = 22.0;
const GROUP: f64 = 108.0;
const MARGIN: f64 = 16.0;

const STYLE: &str = "
    text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; fill: #1f2328; }
    .group { font-weight: 600; }
    .figure { font-variant-numeric: tabular-nums; }
    .ours { fill: #cf4a1f; } .floor { fill: #8c959f; } .fastapi { fill: #0f8a7a; }
    @media (prefers-color-scheme: dark) {
        text { fill: #e6edf3; }
        .ours { fill: #f0763f; } .floor { fill: #7d8590; } .fastapi { fill: #2bb5a0; }
    }";

/// A group of bars on a scale of its own: what is measured, its unit, and each target's figure.
pub struct Group {
    pub name: &'static str,
    pub unit: &'static str,
    pub values: Each<f64>,
}

/// The chart as SVG.
pub fn svg(groups: &[Group]) -> String {
    let height = 2.0 * MARGIN + GROUP * groups.len() as f64 - (GROUP - 26.0 - 3.0 * LINE);
    let mut bars = String::new();
    for (number, group) in groups.iter().enumerate() {
        draw(&mut bars, group, MARGIN + GROUP * number as f64);
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\" aria-labelledby=\"title description\">\n\
         <title id=\"title\">What a request costs: ours, the floor and FastAPI</title>\n\
         <desc id=\"description\">{description}</desc>\n\
         <style>{STYLE}\n</style>\n{bars}</svg>\n",
        description = description(groups),
    )
}

fn draw(bars: &mut String, Group { name, unit, values }: &Group, top: f64) {
    let longest = values.values().copied().fold(f64::MIN_POSITIVE, f64::max);
    // Writing to a String does not fail.
    let _ = writeln!(bars, "<text class=\"group\" x=\"{MARGIN}\" y=\"{:.0}\">{name}</text>", top + 14.0);
    for (line, (target, value)) in values.iter().enumerate() {
        let y = top + 24.0 + LINE * line as f64;
        // The shortest is still to be seen.
        let length = (value / longest * LONGEST).max(1.5);
        let _ = writeln!(
            bars,
            "<text x=\"{MARGIN}\" y=\"{text:.0}\">{target}</text>\
             <rect class=\"{class}\" x=\"{LEFT}\" y=\"{y:.0}\" width=\"{length:.1}\" height=\"{BAR}\" rx=\"2\"/>\
             <text class=\"figure\" x=\"{end:.1}\" y=\"{text:.0}\">{figure} {unit}</text>",
            text = y + 12.5,
            end = LEFT + length + 8.0,
            target = target.name(),
            class = target.name().to_lowercase(),
            figure = figure(*value),
        );
    }
}

/// What the bars show, for who cannot see them.
fn description(groups: &[Group]) -> String {
    let group = |Group { name, unit, values }: &Group| {
        let value = |(target, value): (&Target, &f64)| format!("{} {} {unit}", target.name(), figure(*value));
        format!("{name}: {}.", values.iter().map(value).collect::<Vec<_>>().join(", "))
    };
    groups.iter().map(group).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_figure_has_the_longest_bar_and_the_description_says_them_all() {
        let values = [(Target::Ours, 1.0), (Target::FastApi, 10.0)].into();
        let svg = svg(&[Group { name: "list", unit: "ms", values }]);
        assert!(svg.contains("class=\"fastapi\" x=\"84\" y=\"62\" width=\"590.0\""), "{svg}");
        assert!(svg.contains("class=\"ours\" x=\"84\" y=\"40\" width=\"59.0\""), "{svg}");
        assert!(svg.contains("list: ours 1 ms, FastAPI 10 ms."), "{svg}");
    }
}
