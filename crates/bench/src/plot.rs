//! The figures as a picture: rates beside their yardsticks, and how long a booking takes as the service fills up.

use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::prelude::*;

use crate::clock::{Lap, median};
use crate::figures::{Contest, Figures};

const SIZE: (u32, u32) = (960, 420);
const COLOURS: [RGBColor; 3] = [RGBColor(0x9a, 0xa5, 0xb1), RGBColor(0x5b, 0x7d, 0xb1), RGBColor(0x12, 0x3a, 0x7a)];

/// Draws `figures` to `path`.
pub(crate) fn draw(figures: &Figures, path: &Path) -> Result<()> {
    let area = SVGBackend::new(path, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(SIZE.0 / 2);
    rates(&left, &figures.contests)?;
    times(&right, &figures.contests)?;
    area.present().with_context(|| format!("{} can't be written", path.display()))
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Bars: bookings a second, by contender.
fn rates(area: &Area<'_>, contests: &[Contest]) -> Result<()> {
    let rate = |laps: &[Lap]| median(laps.iter().map(Lap::rate));
    let all = contests.iter().flat_map(Contest::contenders).map(|(_, laps)| rate(laps));
    let top = all.fold(0.0, f64::max) * 1.15;
    #[expect(clippy::cast_precision_loss, reason = "there are two kinds of sales")]
    let width = contests.len() as f64;
    let mut chart = ChartBuilder::on(area)
        .caption("bookings a second", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(28)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..width, 0.0..top)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .disable_x_axis()
        .max_light_lines(1)
        .y_label_formatter(&|rate| format!("{rate:.0}"))
        .draw()?;
    let mut left = 0.0;
    for contest in contests {
        for (n, (name, laps)) in contest.contenders().into_iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "there are three contenders")]
            let start = left + 0.1 + 0.27 * n as f64;
            let bar = [(start, 0.0), (start + 0.25, rate(laps))];
            let drawn = chart.draw_series([Rectangle::new(bar, COLOURS[n].filled())])?;
            if left == 0.0 {
                drawn
                    .label(name)
                    .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 10, y + 5)], COLOURS[n].filled()));
            }
            let value =
                Text::new(format!("{:.0}", rate(laps)), (start + 0.04, rate(laps) + top * 0.03), ("sans-serif", 13));
            chart.draw_series([value])?;
        }
        chart.draw_series([Text::new(contest.name.clone(), (left + 0.3, -top * 0.02), ("sans-serif", 14))])?;
        left += 1.0;
    }
    chart.configure_series_labels().background_style(WHITE).position(SeriesLabelPosition::UpperLeft).draw()?;
    Ok(())
}

/// Lines: how long a booking takes, by the share of the service's best rate.
fn times(area: &Area<'_>, contests: &[Contest]) -> Result<()> {
    let all = contests.iter().flat_map(|contest| &contest.timed);
    let top = all.map(|timed| timed.lap.percentile(99)).fold(1.0, f64::max) * 1.15;
    let mut chart = ChartBuilder::on(area)
        .caption("milliseconds for a booking (line: p50, dots: p99)", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(44)
        .build_cartesian_2d(0.0..100.0, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("% of saturation")
        .max_light_lines(1)
        .y_label_formatter(&|time| format!("{time:.0}"))
        .x_label_formatter(&|share| format!("{share:.0}"))
        .draw()?;
    for (contest, colour) in contests.iter().zip([COLOURS[2], COLOURS[1]]) {
        let points =
            |percent| contest.timed.iter().map(move |timed| (timed.share * 100.0, timed.lap.percentile(percent)));
        let line = chart.draw_series(LineSeries::new(points(50), colour.stroke_width(2)))?;
        line.label(contest.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 14, y)], colour.stroke_width(2)));
        chart.draw_series(points(99).map(|point| Circle::new(point, 4, colour.filled())))?;
    }
    chart.configure_series_labels().background_style(WHITE).position(SeriesLabelPosition::UpperLeft).draw()?;
    Ok(())
}
