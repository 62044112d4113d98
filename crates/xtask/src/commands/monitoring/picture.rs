//! A dashboard as a picture: the panels that one looks at first, where Grafana would put them, with what they showed of a
//! run. It isn't Grafana that draws them, but they ask what it asks.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::dashboards::{Panel, Place};
use super::prometheus::Line;

/// The size of a column and of a row of a dashboard, and of the line above it, in pixels.
const COLUMN: u32 = 40;
const ROW: u32 = 32;
const HEAD: u32 = 36;

/// How many columns a dashboard has.
const COLUMNS: u32 = 24;

/// How much of a panel's place is left empty around it, and how high a row of its title and of its legend is.
const GAP: u32 = 4;
const TITLE_ROW: u32 = 18;
const LEGEND_ROW: u32 = 16;

/// What a letter of a title and of a legend takes on an average, in tenths: nobody knows which font the picture meets.
const TITLE_LETTER: i32 = 75;
const LEGEND_LETTER: i32 = 65;

/// Which lines belong together: one that begins later than this many steps after the last is a new one.
const STEPS_APART: f64 = 1.5;

const BACKGROUND: RGBColor = RGBColor(0xf4, 0xf5, 0xf7);
const BORDER: RGBColor = RGBColor(0xdd, 0xdf, 0xe3);
const INK: RGBColor = RGBColor(0x24, 0x29, 0x2f);
const PALE_INK: RGBColor = RGBColor(0x6a, 0x73, 0x7d);
const LIMIT: RGBColor = RGBColor(0xc6, 0x28, 0x28);
const AWAY: RGBColor = RGBColor(0xe5, 0x8a, 0x1f);

const COLOURS: [RGBColor; 8] = [
    RGBColor(0x1f, 0x5f, 0xbf),
    RGBColor(0xd0, 0x5a, 0x2b),
    RGBColor(0x2a, 0x8f, 0x5e),
    RGBColor(0x8e, 0x5b, 0xb5),
    RGBColor(0xb8, 0x8f, 0x14),
    RGBColor(0x18, 0x9a, 0xa8),
    RGBColor(0xb8, 0x3a, 0x78),
    RGBColor(0x6b, 0x75, 0x80),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A panel, and the lines that it showed, by their names: values over seconds since the beginning.
pub(super) struct Chart<'a> {
    pub(super) panel: &'a Panel,
    pub(super) lines: Vec<(String, Line)>,
}

/// Draws `charts` under a `title` to `path`: all `seconds` of a run, shaded while the cache was `away`.
pub(super) fn draw(title: &str, charts: &[Chart<'_>], seconds: f64, away: &Range<f64>, path: &Path) -> Result<()> {
    let charts: Vec<_> = charts.iter().filter(|chart| chart.panel.kind != "table").collect();
    let rows = charts.iter().map(|chart| chart.panel.place.y + chart.panel.place.height).max();
    let area = SVGBackend::new(path, (COLUMNS * COLUMN, HEAD + rows.unwrap_or_default() * ROW)).into_drawing_area();
    area.fill(&BACKGROUND)?;
    write(&area, title, (12, 10), 17, INK, HPos::Left)?;
    let remark = format!("{:.0} minutes; shaded: Redis is away", seconds / 60.0);
    write(&area, &remark, (pixels(COLUMNS * COLUMN) - 12, 12), 13, PALE_INK, HPos::Right)?;
    for chart in charts {
        let Place { x, y, width, height } = chart.panel.place;
        let corner = (x * COLUMN + GAP, HEAD + y * ROW + GAP);
        let panel = area.clone().shrink(corner, (width * COLUMN - 2 * GAP, height * ROW - 2 * GAP));
        chart.draw(&panel, seconds, away)?;
    }
    area.present().with_context(|| format!("{} can't be written", path.display()))
}

impl Chart<'_> {
    fn draw(&self, area: &Area<'_>, seconds: f64, away: &Range<f64>) -> Result<()> {
        let (width, height) = area.dim_in_pixel();
        let corners = [(0, 0), (pixels(width) - 1, pixels(height) - 1)];
        area.draw(&Rectangle::new(corners, WHITE.filled()))?;
        area.draw(&Rectangle::new(corners, BORDER.stroke_width(1)))?;
        let title = self.title(width);
        for (words, row) in title.iter().zip(0..) {
            write(area, words, (10, pixels(9 + row * TITLE_ROW)), 14, INK, HPos::Left)?;
        }
        if self.panel.kind == "stat" {
            return self.number(area);
        }
        let legend = self.legend(width);
        let below = u32::try_from(legend.len())? * LEGEND_ROW;
        for (names, row) in legend.iter().zip(0..) {
            let y = pixels(height - below + row * LEGEND_ROW) - 6;
            for (x, name, colour) in names {
                area.draw(&PathElement::new([(*x, y + 6), (*x + 12, y + 6)], colour.stroke_width(3)))?;
                write(area, name, (*x + 17, y), 12, INK, HPos::Left)?;
            }
        }
        let above = 18 + u32::try_from(title.len())? * TITLE_ROW;
        let plot = area.clone().shrink((0, above), (width - 14, height - above - below - 14));
        self.curves(&plot, seconds, away)
    }

    /// The last value, large.
    fn number(&self, area: &Area<'_>) -> Result<()> {
        let last = self.lines.first().and_then(|(_, line)| line.points.last()).map(|(_, value)| *value);
        let shown = last.map_or_else(|| "–".to_owned(), |value| self.shown(value, value.abs()));
        let (width, height) = area.dim_in_pixel();
        let style = style(38, COLOURS[2]).pos(Pos::new(HPos::Center, VPos::Center));
        Ok(area.draw_text(&shown, &style, (pixels(width / 2), pixels(height / 2) + 8))?)
    }

    fn curves(&self, area: &Area<'_>, seconds: f64, away: &Range<f64>) -> Result<()> {
        let top = self.top();
        let mut chart = ChartBuilder::on(area)
            .x_label_area_size(20)
            .y_label_area_size(70)
            .build_cartesian_2d(0.0..seconds / 60.0, 0.0..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BORDER)
            .axis_style(BORDER)
            .x_labels(5)
            .y_labels(4)
            .label_style(style(12, PALE_INK))
            .x_label_formatter(&|minutes| format!("{} min", rounded(*minutes, seconds / 60.0)))
            .y_label_formatter(&|value| self.shown(*value, top))
            .draw()?;
        let shade = [(away.start / 60.0, 0.0), (away.end / 60.0, top)];
        chart.draw_series([Rectangle::new(shade, AWAY.mix(0.13).filled())])?;
        for limit in self.panel.limits.iter().filter(|limit| **limit < top) {
            let across = [(0.0, *limit), (seconds / 60.0, *limit)];
            chart.draw_series(DashedLineSeries::new(across, 5, 4, LIMIT.mix(0.7).stroke_width(1)))?;
        }
        for ((_, line), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            for part in parts(&line.points) {
                let points = part.iter().map(|(at, value)| (at / 60.0, value.min(top)));
                chart.draw_series(LineSeries::new(points, colour.stroke_width(2)))?;
            }
        }
        Ok(())
    }

    /// Where the axis ends: above all values, and above the first limit, so that one sees how far off it is.
    fn top(&self) -> f64 {
        let values = self.lines.iter().flat_map(|(_, line)| &line.points).map(|(_, value)| *value);
        let highest = values.chain(self.panel.limits.first().copied()).filter(|value| value.is_finite());
        let highest = highest.fold(0.0, f64::max);
        self.panel.most.unwrap_or(if highest > 0.0 { highest * 1.15 } else { 1.0 })
    }

    /// Its title in as many rows as it needs in this width.
    fn title(&self, width: u32) -> Vec<String> {
        let letters = (pixels(width) - 20) * 10 / TITLE_LETTER;
        let mut rows: Vec<String> = Vec::new();
        for word in self.panel.title.split(' ') {
            match rows.last_mut() {
                Some(row) if pixels(row.chars().count() + 1 + word.chars().count()) <= letters => {
                    row.push(' ');
                    row.push_str(word);
                }
                _ => rows.push(word.to_owned()),
            }
        }
        rows
    }

    /// The names of its lines where they are written: in as many rows as they need in this width.
    fn legend(&self, width: u32) -> Vec<Vec<(i32, &str, RGBColor)>> {
        /// What stands before and after a name.
        const AROUND: i32 = 32;
        const MARGIN: i32 = 12;
        let (mut rows, mut x) = (Vec::<Vec<_>>::new(), i32::MAX);
        for ((name, _), colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let takes = pixels(name.chars().count()) * LEGEND_LETTER / 10 + AROUND;
            if x.saturating_add(takes) > pixels(width) {
                rows.push(Vec::new());
                x = MARGIN;
            }
            if let Some(row) = rows.last_mut() {
                row.push((x, name.as_str(), *colour));
            }
            x += takes;
        }
        rows
    }

    /// A value in the panel's unit, as exactly as it matters on an axis that ends at `top`.
    fn shown(&self, value: f64, top: f64) -> String {
        match self.panel.unit.as_deref() {
            Some("percentunit") => format!("{} %", rounded(value * 100.0, top * 100.0)),
            Some("s") if top < 1.0 => format!("{} ms", rounded(value * 1000.0, top * 1000.0)),
            Some("s") => format!("{} s", rounded(value, top)),
            Some("reqps") => format!("{} req/s", rounded(value, top)),
            Some("ops") => format!("{} ops/s", rounded(value, top)),
            Some("currencyKRW") => format!("₩{}", rounded(value, top)),
            _ => rounded(value, top),
        }
    }
}

/// A number with as many decimals as matter below `top`; millions and thousands are abbreviated where it is large.
fn rounded(value: f64, top: f64) -> String {
    let (value, top, suffix) = match top {
        top if top >= 1e6 => (value / 1e6, top / 1e6, " M"),
        top if top >= 1e4 => (value / 1e3, top / 1e3, " k"),
        top => (value, top, ""),
    };
    let decimals = match top {
        top if top < 0.1 => 3,
        top if top < 1.0 => 2,
        top if top < 10.0 => 1,
        _ => 0,
    };
    let number = format!("{value:.decimals$}");
    let whole = number.trim_end_matches('0').trim_end_matches('.');
    format!("{}{suffix}", if number.contains('.') { whole } else { &number })
}

/// The unbroken parts of a line: it ends where there is no number, or nothing at all.
fn parts(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    let steps = points.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let apart = steps.fold(f64::INFINITY, f64::min) * STEPS_APART;
    let numbers = points.split(|(_, value)| !value.is_finite());
    numbers.flat_map(move |part| part.chunk_by(move |one, next| next.0 - one.0 < apart))
}

fn write(area: &Area<'_>, text: &str, at: (i32, i32), size: u32, colour: RGBColor, from: HPos) -> Result<()> {
    Ok(area.draw_text(text, &style(size, colour).pos(Pos::new(from, VPos::Top)), at)?)
}

/// Text of a `size` in pixels, which is what plotters makes of a quarter more.
fn style(size: u32, colour: RGBColor) -> TextStyle<'static> {
    ("sans-serif", f64::from(size) * 1.24).into_font().color(&colour)
}

/// A length in the type of coordinates.
fn pixels(length: impl TryInto<i32>) -> i32 {
    length.try_into().unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_exact_as_their_axis() {
        for (value, top, shown) in [
            (0.0, 1.0, "0"),
            (0.25, 0.8, "0.25"),
            (2.5, 8.0, "2.5"),
            (40.0, 230.0, "40"),
            (1_260_000.0, 1_260_000.0, "1.3 M"),
            (20_000.0, 45_000.0, "20 k"),
        ] {
            assert_eq!(rounded(value, top), shown, "{value} of {top}");
        }
    }

    #[test]
    fn a_line_is_broken_where_nothing_was_seen() {
        let points = [(0.0, 1.0), (2.0, 1.0), (4.0, f64::NAN), (6.0, 2.0), (12.0, 3.0), (14.0, 3.0)];
        let seen: Vec<usize> = parts(&points).map(<[_]>::len).collect();
        assert_eq!(seen, [2, 1, 2]);
    }
}
