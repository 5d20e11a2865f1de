//! How numbers grow with the users: a picture of small charts, made of the results of several runs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::Failed;

/// The runs that are looked for; a file without a number in its name is of the last.
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const COLOURS: [&str; 4] = ["#1f6feb", "#b0700a", "#2da44e", "#8250df"];
/// A chart's size, and the margins around its lines, in pixels.
const WIDTH: f64 = 370.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 62.0;
const BOTTOM: f64 = 34.0;

/// A line of a chart: its name, and what there is at each size.
struct Line {
    name: &'static str,
    points: Vec<(u32, f64)>,
}

struct Chart {
    title: &'static str,
    lines: Vec<Line>,
}

/// Finds a number in a result.
type Find = Box<dyn Fn(&Value) -> Option<f64>>;

/// The number `field` of the first entry in the list `list` in which all these fields are so.
fn entry(list: &'static str, with: Vec<(&'static str, &'static str)>, field: &'static str) -> Find {
    Box::new(move |result| {
        let is = |entry: &&Value, (name, text): &(&str, &str)| {
            entry[*name].as_str().map_or_else(|| entry[*name].to_string(), str::to_owned) == *text
        };
        let entries = result[list].as_array()?;
        entries.iter().find(|entry| with.iter().all(|one| is(entry, one)))?[field].as_f64()
    })
}

/// The median of `field` over all such entries.
fn median(list: &'static str, with: (&'static str, i64), field: &'static str) -> Find {
    Box::new(move |result| {
        let entries = result[list].as_array()?.iter().filter(|entry| entry[with.0] == with.1);
        let mut all: Vec<f64> = entries.filter_map(|entry| entry[field].as_f64()).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied()
    })
}

fn line(results: &Path, file: &str, name: &'static str, find: &Find) -> Line {
    let read = |size: u32| {
        let name = if Some(&size) == SIZES.last() { format!("{file}.json") } else { format!("{file}-{size}.json") };
        let result: Value = serde_json::from_slice(&std::fs::read(results.join(name)).ok()?).ok()?;
        Some((size, find(&result)?))
    };
    Line { name, points: SIZES.into_iter().filter_map(read).collect() }
}

fn charts(results: &Path) -> Vec<Chart> {
    let beats = |form, field| entry("heartbeats", vec![("form", form), ("connections", "64")], field);
    let page = |what| entry("reads", vec![("what", what)], "median_ms");
    let whole = |field: &'static str| -> Find { Box::new(move |result: &Value| result[field].as_f64()) };
    let line = |file, name, find: Find| line(results, file, name, &find);
    vec![
        Chart {
            title: "Heartbeats, by a bare endpoint's requests",
            lines: vec![
                line("heartbeat", "distributed", beats("distributed", "ratio")),
                line("heartbeat", "stand-alone", beats("stand-alone", "ratio")),
            ],
        },
        Chart {
            title: "CPU of a heartbeat, distributed, µs",
            lines: vec![
                line("heartbeat", "API", beats("distributed", "api_cpu_us")),
                line("heartbeat", "Redis", beats("distributed", "redis_cpu_us")),
            ],
        },
        Chart {
            title: "Redis, bytes a session",
            lines: vec![line("sweep", "everything", whole("redis_bytes_a_session"))],
        },
        Chart {
            title: "A page of 100 users, ms",
            lines: vec![
                line("reads", "the first", page("the first page")),
                line("reads", "online, last", page("online, last")),
                line("reads", "online, by last seen", page("online by last seen")),
            ],
        },
        Chart {
            title: "Searches, ms",
            lines: vec![
                line("reads", "of one user", page("search for one user")),
                line("reads", "of few", page("search for a piece of few")),
                line("reads", "of all", page("search for a piece of all")),
            ],
        },
        Chart {
            title: "A sweep of one in a hundred, ms",
            lines: vec![
                line("sweep", "to the stream", median("sweeps", ("workers", 2), "swept_ms")),
                line("sweep", "to the database", median("sweeps", ("workers", 2), "committed_ms")),
            ],
        },
    ]
}

/// A round number that is no less: 1, 2 or 5 and zeros.
fn round_up(value: f64) -> f64 {
    let ten = 10_f64.powf(value.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|step| step * ten).find(|round| *round >= value * 0.999).unwrap_or(value)
}

fn draw(chart: &Chart, to: &mut String) -> std::fmt::Result {
    let most = chart.lines.iter().flat_map(|line| &line.points).map(|(_, value)| *value).fold(0.0, f64::max);
    let top = round_up(most);
    let x = |size: u32| {
        let (first, last) = (f64::from(SIZES[0]).log10(), f64::from(SIZES[SIZES.len() - 1]).log10());
        LEFT + (f64::from(size).log10() - first) / (last - first) * (WIDTH - LEFT - RIGHT)
    };
    let y = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    writeln!(to, r#"<text x="{LEFT}" y="20" class="title">{}</text>"#, chart.title)?;
    for part in 0..=4 {
        let value = top * f64::from(part) / 4.0;
        let (at, right) = (y(value), WIDTH - RIGHT);
        writeln!(to, r#"<line x1="{LEFT}" x2="{right}" y1="{at:.1}" y2="{at:.1}" class="grid"/>"#)?;
        let digits = usize::from(top < 4.0) * 2;
        writeln!(to, r#"<text x="{}" y="{:.1}" text-anchor="end">{value:.digits$}</text>"#, LEFT - 6.0, at + 4.0)?;
    }
    for (size, name) in SIZES.into_iter().zip(["1 k", "10 k", "100 k", "1 M"]) {
        writeln!(to, r#"<text x="{:.1}" y="{}" text-anchor="middle">{name}</text>"#, x(size), HEIGHT - 14.0)?;
    }
    let mut legend = LEFT;
    for (line, colour) in chart.lines.iter().zip(COLOURS) {
        let points: Vec<String> =
            line.points.iter().map(|(size, value)| format!("{:.1},{:.1}", x(*size), y(*value))).collect();
        writeln!(to, r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2"/>"#, points.join(" "))?;
        for (size, value) in &line.points {
            writeln!(to, r#"<circle cx="{:.1}" cy="{:.1}" r="3" fill="{colour}"/>"#, x(*size), y(*value))?;
        }
        writeln!(to, r#"<rect x="{legend}" y="34" width="10" height="10" fill="{colour}"/>"#)?;
        writeln!(to, r#"<text x="{}" y="43">{}</text>"#, legend + 14.0, line.name)?;
        legend += 26.0 + 6.6 * line.name.chars().count() as f64;
    }
    Ok(())
}

/// Writes the picture.
pub fn make(results: &Path, picture: &Path) -> Result<(), Failed> {
    let charts = charts(results);
    let rows = charts.len().div_ceil(2);
    let (width, height) = (2.0 * WIDTH, rows as f64 * HEIGHT);
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">"#
    )?;
    svg.push_str(
        "<style>text { font: 11px sans-serif; fill: #57606a } .title { font: bold 13px sans-serif; fill: #24292f } \
         .grid { stroke: #d0d7de }</style>\n",
    );
    writeln!(svg, r##"<rect width="{width}" height="{height}" fill="#ffffff"/>"##)?;
    for (place, chart) in charts.iter().enumerate() {
        let (column, row) = ((place % 2) as f64, (place / 2) as f64);
        writeln!(svg, r#"<g transform="translate({} {})">"#, column * WIDTH, row * HEIGHT)?;
        draw(chart, &mut svg)?;
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    std::fs::write(picture, svg)?;
    Ok(())
}
