//! The text formats of metrics: OpenMetrics 1.0, and Prometheus' older one for those who do not ask for it.

use std::fmt::Write as _;

/// Which format is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Prometheus,
}

impl Format {
    /// The one that an `Accept` header prefers.
    pub(super) fn of(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Prometheus }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// What kind of family is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

/// Metrics being written, family by family.
#[derive(Debug)]
pub(super) struct Exposition {
    format: Format,
    text: String,
    name: &'static str,
    kind: Kind,
}

impl Exposition {
    pub(super) const fn new(format: Format) -> Self {
        Self { format, text: String::new(), name: "", kind: Kind::Gauge }
    }

    /// Begins a family. The name is that without `_total` and its like.
    pub(super) fn family(&mut self, kind: Kind, name: &'static str, help: &str) {
        (self.name, self.kind) = (name, kind);
        let (suffix, kind) = match (self.format, kind) {
            (Format::OpenMetrics, Kind::Counter) => ("", "counter"),
            (Format::OpenMetrics, Kind::Info) => ("", "info"),
            (Format::Prometheus, Kind::Counter) => ("_total", "counter"),
            (Format::Prometheus, Kind::Info) => ("_info", "gauge"),
            (_, Kind::Gauge) => ("", "gauge"),
            (_, Kind::Histogram) => ("", "histogram"),
        };
        let text = &mut self.text;
        // Writing into a string cannot fail.
        let _ = writeln!(text, "# HELP {name}{suffix} {help}");
        let _ = writeln!(text, "# TYPE {name}{suffix} {kind}");
        if let (Format::OpenMetrics, Some((_, unit @ ("seconds" | "bytes")))) =
            (self.format, name.rsplit_once('_'))
        {
            let _ = writeln!(text, "# UNIT {name} {unit}");
        }
    }

    /// A value of the family. `labels` come from [`label`], separated by commas.
    pub(super) fn sample(&mut self, labels: &str, value: impl Into<Number>) {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Info => "_info",
            Kind::Gauge | Kind::Histogram => "",
        };
        self.line(suffix, labels, value.into());
    }

    /// One histogram of the family: the bound of each range and how many are in it, then how many are in the range without bound, and
    /// the sum.
    pub(super) fn histogram(
        &mut self,
        labels: &str,
        ranges: impl Iterator<Item = (f64, u64)>,
        rest: u64,
        sum: f64,
    ) {
        let mut count = 0;
        let comma = if labels.is_empty() { "" } else { "," };
        for (bound, here) in ranges {
            count += here;
            self.line("_bucket", &format!("{labels}{comma}le=\"{bound:?}\""), count.into());
        }
        count += rest;
        self.line("_bucket", &format!("{labels}{comma}le=\"+Inf\""), count.into());
        self.line("_sum", labels, sum.into());
        self.line("_count", labels, count.into());
    }

    fn line(&mut self, suffix: &str, labels: &str, value: Number) {
        let (text, name) = (&mut self.text, self.name);
        let _ = match labels {
            "" => write!(text, "{name}{suffix} "),
            labels => write!(text, "{name}{suffix}{{{labels}}} "),
        };
        let _ = match value {
            Number::Whole(number) => writeln!(text, "{number}"),
            Number::Real(number) => writeln!(text, "{number:?}"),
        };
    }

    /// The whole text.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Whole(u64),
    Real(f64),
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        Self::Whole(number)
    }
}

impl From<u32> for Number {
    fn from(number: u32) -> Self {
        Self::Whole(number.into())
    }
}

impl From<usize> for Number {
    fn from(number: usize) -> Self {
        Self::Whole(number as u64)
    }
}

impl From<bool> for Number {
    fn from(truth: bool) -> Self {
        Self::Whole(truth.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

/// `name="value"`, escaped.
pub(super) fn label(name: &str, value: &str) -> String {
    let mut text = format!("{name}=\"");
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(format: Format) -> String {
        let mut text = Exposition::new(format);
        text.family(Kind::Counter, "a_bytes", "Help.");
        text.sample("", 7u64);
        text.family(Kind::Gauge, "b", "Help.");
        text.sample(&label("l", "\\ \" \n ü"), 0.5);
        text.family(Kind::Histogram, "c_seconds", "Help.");
        text.histogram("l=\"v\"", [(0.5, 2), (2.0, 1)].into_iter(), 4, 9.25);
        text.family(Kind::Info, "d", "Help.");
        text.sample("version=\"1\"", true);
        text.finish()
    }

    #[test]
    fn open_metrics_name_families_without_suffix() {
        let expected = r#"# HELP a_bytes Help.
# TYPE a_bytes counter
# UNIT a_bytes bytes
a_bytes_total 7
# HELP b Help.
# TYPE b gauge
b{l="\\ \" \n ü"} 0.5
# HELP c_seconds Help.
# TYPE c_seconds histogram
# UNIT c_seconds seconds
c_seconds_bucket{l="v",le="0.5"} 2
c_seconds_bucket{l="v",le="2.0"} 3
c_seconds_bucket{l="v",le="+Inf"} 7
c_seconds_sum{l="v"} 9.25
c_seconds_count{l="v"} 7
# HELP d Help.
# TYPE d info
d_info{version="1"} 1
# EOF
"#;
        assert_eq!(write(Format::OpenMetrics), expected);
    }

    #[test]
    fn prometheus_names_families_as_their_samples() {
        let text = write(Format::Prometheus);
        assert!(text.contains("# TYPE a_bytes_total counter\na_bytes_total 7\n"), "{text}");
        assert!(text.contains("# TYPE d_info gauge\nd_info{version=\"1\"} 1\n"), "{text}");
        assert!(!text.contains("# EOF") && !text.contains("# UNIT"), "{text}");
    }

    #[test]
    fn who_does_not_ask_for_open_metrics_gets_the_older_format() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
        assert_eq!(Format::of(prometheus), Format::OpenMetrics);
        assert_eq!(Format::of("*/*"), Format::Prometheus);
    }
}
