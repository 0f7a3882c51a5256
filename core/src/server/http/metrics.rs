//! `/metrics`.

use hyper::StatusCode;

use super::answer::{Answer, answer};
use super::exposition::{Exposition, Format, Kind, label};
use super::text::shown;
use crate::broker::report::FunctionReport;
use crate::broker::{Counters, Histogram};
use crate::server::{Report, View};

/// The name of a family, what it says, and where its numbers are.
type Family<R> = (&'static str, &'static str, R);
type Count = fn(&Counters) -> u64;
type Reading = fn(&FunctionReport) -> f64;
type Durations = fn(&Counters) -> &Histogram;

/// What is counted for each function.
const COUNTERS: [Family<Count>; 9] = [
    ("lineshaft_jobs_added", "Jobs made by a submission or a schedule.", |c| c.added),
    ("lineshaft_jobs_done", "Jobs that ended by WORK_COMPLETE.", |c| c.done),
    ("lineshaft_jobs_failed", "Jobs that ended by WORK_FAIL of their worker.", |c| c.failed),
    ("lineshaft_jobs_exceptions", "Jobs that ended by WORK_EXCEPTION.", |c| c.exceptions),
    ("lineshaft_jobs_retried", "Times a job was given back to the queue.", |c| c.retried),
    ("lineshaft_jobs_timed_out", "Times a job was given back because its worker took too long.", |c| {
        c.timed_out
    }),
    ("lineshaft_jobs_cancelled", "Jobs that were cancelled, or dropped with their function.", |c| {
        c.cancelled
    }),
    ("lineshaft_jobs_dropped", "Jobs that failed because they had been given back too often.", |c| c.dropped),
    ("lineshaft_jobs_abandoned", "Jobs removed because nobody waited for them any more.", |c| c.abandoned),
];

/// How things stand for each function.
const GAUGES: [Family<Reading>; 5] = [
    ("lineshaft_delayed_jobs", "Jobs whose time has not come.", |f| f.delayed.into()),
    ("lineshaft_running_jobs", "Jobs that workers have.", |f| f.running.into()),
    ("lineshaft_function_workers", "Workers that are registered for the function.", |f| f.workers.into()),
    ("lineshaft_function_queue_bytes", "Bytes that the jobs of the function hold.", |f| f.bytes as f64),
    (
        "lineshaft_oldest_job_age_seconds",
        "How long the first job in line has been able to run; 0 where none can.",
        |f| f.oldest.unwrap_or_default().as_secs_f64(),
    ),
];

const HISTOGRAMS: [Family<Durations>; 2] = [
    ("lineshaft_job_wait_seconds", "From the moment at which a job could run until a worker had it.", |c| {
        &c.wait
    }),
    ("lineshaft_job_run_seconds", "From there to the end that the worker reported.", |c| &c.run),
];

pub(super) fn metrics(view: &View, accept: &str, most: usize) -> Answer {
    let format = Format::of(accept);
    let report = view.report();
    let page = view.functions(0, most);
    let omitted = report.broker.functions.saturating_sub(page.items.len());
    let mut text = Exposition::new(format);
    write_server(&mut text, &report, omitted);
    write_functions(&mut text, &page.items);
    answer(StatusCode::OK, format.content_type(), text.finish())
}

fn write_functions(text: &mut Exposition, functions: &[FunctionReport]) {
    let labels: Vec<String> = functions.iter().map(|one| label("function", &shown(&one.name))).collect();
    let all = || labels.iter().zip(functions);
    for (name, help, count) in COUNTERS {
        text.family(Kind::Counter, name, help);
        all().for_each(|(label, one)| text.sample(label, count(&one.counters)));
    }
    text.family(Kind::Gauge, "lineshaft_queued_jobs", "Jobs that can run.");
    for (function, one) in all() {
        for (priority, count) in ["high", "normal", "low"].iter().zip(one.queued) {
            text.sample(&format!("{function},{}", label("priority", priority)), count);
        }
    }
    for (name, help, reading) in GAUGES {
        text.family(Kind::Gauge, name, help);
        all().for_each(|(label, one)| text.sample(label, reading(one)));
    }
    for (name, help, histogram) in HISTOGRAMS {
        text.family(Kind::Histogram, name, help);
        for (label, one) in all() {
            let histogram = histogram(&one.counters);
            let counts = histogram.counts();
            let bounds = Histogram::BOUNDS.map(|bound| bound.as_secs_f64());
            let ranges = bounds.into_iter().zip(counts.iter().copied());
            let rest = counts.last().copied().unwrap_or_default();
            text.histogram(label, ranges, rest, histogram.sum().as_secs_f64());
        }
    }
}

fn write_server(text: &mut Exposition, report: &Report, omitted: usize) {
    let (broker, stats) = (&report.broker, &report.broker.stats);
    text.family(Kind::Info, "lineshaft_build", "The server's version.");
    text.sample(&label("version", env!("CARGO_PKG_VERSION")), true);
    text.family(Kind::Gauge, "process_start_time_seconds", "When the server was started, since 1970.");
    text.sample("", report.started.as_secs_f64());

    let mut gauge = |name, help, value: f64| {
        text.family(Kind::Gauge, name, help);
        text.sample("", value);
    };
    gauge("lineshaft_ready", "1 where /readyz says so.", f64::from(report.unready().is_none()));
    gauge(
        "lineshaft_store_up",
        "0 while the store fails and background jobs wait or are refused.",
        f64::from(broker.store_failing.is_none()),
    );
    gauge("lineshaft_functions", "Functions that are known.", broker.functions as f64);
    gauge(
        "lineshaft_functions_omitted",
        "Functions that are not told here because they are too many (http-metrics-functions).",
        omitted as f64,
    );
    gauge("lineshaft_schedules", "Schedules.", broker.schedules as f64);
    gauge("lineshaft_queue_bytes", "Bytes that all jobs and schedules hold.", broker.queue_bytes as f64);
    gauge(
        "lineshaft_queue_limit_bytes",
        "Bytes that all jobs may hold (max-queue-bytes).",
        broker.max_queue_bytes as f64,
    );
    gauge(
        "lineshaft_waiting_clients",
        "Foreground submissions that wait for a result.",
        broker.waiting as f64,
    );
    gauge("lineshaft_connections", "Connections.", report.connections as f64);
    gauge("lineshaft_backlog_bytes", "Bytes that slow readers have not taken.", report.backlog as f64);
    text.family(Kind::Gauge, "lineshaft_workers", "Connections that are registered for a function.");
    text.sample("state=\"idle\"", broker.workers.saturating_sub(broker.busy_workers));
    text.sample("state=\"busy\"", broker.busy_workers);

    for (name, help, value) in [
        ("lineshaft_connections_opened", "Connections made.", stats.connections),
        ("lineshaft_received_bytes", "Bytes that peers have sent; HTTP is not among them.", report.bytes_in),
        (
            "lineshaft_sent_bytes",
            "Bytes that peers have been sent; HTTP is not among them.",
            report.bytes_out,
        ),
        (
            "lineshaft_submissions_coalesced",
            "Submissions that became part of a job that was there already.",
            stats.coalesced,
        ),
        ("lineshaft_errors_sent", "ERROR packets sent.", stats.errors),
        ("lineshaft_wakeups_sent", "NOOPs sent to sleeping workers.", stats.noops),
        ("lineshaft_late_results", "Reports on jobs that their sender did not hold.", stats.late_results),
        (
            "lineshaft_schedules_skipped",
            "Times a schedule was passed over because its last job was not done.",
            stats.schedules_skipped,
        ),
    ] {
        text.family(Kind::Counter, name, help);
        text.sample("", value);
    }
}
