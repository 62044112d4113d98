//! What Prometheus saw of a run, as a picture: requests, how long they took, and what became of the cache's.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::prelude::*;

use super::prometheus::Line;

const SIZE: (u32, u32) = (960, 300);

const COLOURS: [RGBColor; 6] = [
    RGBColor(0x12, 0x3a, 0x7a),
    RGBColor(0xc2, 0x4d, 0x2c),
    RGBColor(0x2a, 0x85, 0x5a),
    RGBColor(0x9a, 0x6b, 0xb1),
    RGBColor(0xb0, 0x8d, 0x1f),
    RGBColor(0x6b, 0x75, 0x80),
];

/// One chart: its title, and its lines over seconds since the beginning.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) lines: Vec<Line>,
}

/// Draws `charts` side by side to `path`; a rule stands where the accident happened.
pub(super) fn draw(charts: &[Chart], accident: f64, path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    for (chart, area) in charts.iter().zip(area.split_evenly((1, charts.len()))) {
        draw_one(chart, accident, &area)?;
    }
    area.present().with_context(|| format!("{} can't be written", path.display()))
}

fn draw_one(
    Chart { title, lines }: &Chart,
    accident: f64,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let end = points().map(|(at, _)| *at).fold(1.0, f64::max);
    let top =
        points().map(|(_, value)| *value).filter(|value| value.is_finite()).fold(f64::MIN_POSITIVE, f64::max) * 1.9;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..end, 0.0..top)?;
    chart.configure_mesh().max_light_lines(1).x_label_formatter(&|at| format!("{at:.0} s")).draw()?;
    chart.draw_series([PathElement::new([(accident, 0.0), (accident, top)], RED.mix(0.7).stroke_width(2))])?;
    for (line, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
        let finite = line.points.iter().copied().filter(|(_, value)| value.is_finite());
        chart
            .draw_series(LineSeries::new(finite, colour.stroke_width(2)))?
            .label(line.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 12, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .label_font(("sans-serif", 11))
        .background_style(WHITE.mix(0.8))
        .position(SeriesLabelPosition::UpperRight)
        .draw()?;
    Ok(())
}
