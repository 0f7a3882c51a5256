//! What cannot be shown with a certain peer, and why. Everything else is expected to work.

use super::peers::Peer;
use lineshaft_tests::server::Maker;

/// Stories that are not told, for all or for some of those who could take part.
struct Gap {
    broker: Option<Maker>,
    worker: Option<Peer>,
    client: Option<Peer>,
    stories: &'static [&'static str],
    reason: &'static str,
}

const GAPS: &[Gap] = &[
    // The peers' own limits.
    Gap {
        worker: Some(Peer::Tool(Maker::Debian)),
        stories: &["progress", "warning", "exception", "exception_unwanted", "after_exception"],
        ..Gap::because("`gearman -w` reports only data, a result or a failure")
    },
    Gap {
        worker: Some(Peer::Tool(Maker::Ours)),
        stories: &["progress", "warning", "exception", "exception_unwanted", "after_exception"],
        ..Gap::because("under its name our tool does what `gearman -w` does")
    },
    Gap {
        client: Some(Peer::Tool(Maker::Debian)),
        stories: &["exception"],
        ..Gap::because("`gearman` does not ask for exceptions")
    },
    Gap {
        client: Some(Peer::Tool(Maker::Ours)),
        stories: &["exception"],
        ..Gap::because("under its name our tool does what `gearman` does")
    },
    Gap {
        worker: Some(Peer::Tool(Maker::Debian)),
        stories: &["large", "large_result"],
        ..Gap::because(
            "Debian's `gearman -w` takes a minute to read 10 MB, and hangs where both sides are large",
        )
    },
    Gap {
        client: Some(Peer::Tool(Maker::Debian)),
        stories: &["large", "large_workload"],
        ..Gap::because("Debian's `gearman` takes a minute to read 10 MB from its standard input")
    },
    Gap {
        worker: Some(Peer::Gear),
        client: Some(Peer::Gear),
        stories: &["large", "large_workload", "large_result"],
        ..Gap::because("gear reads 10 MB in quadratic time: once a trial is enough")
    },
    // gearmand's defects, protocol.md 8.2.
    Gap {
        broker: Some(Maker::Debian),
        stories: &["exception_unwanted"],
        ..Gap::because("gearmand puts a NUL behind the handle of the WORK_FAIL that replaces an exception")
    },
    Gap {
        broker: Some(Maker::Debian),
        worker: Some(Peer::Perl),
        stories: &["after_exception"],
        ..Gap::because(
            "gearmand answers the WORK_FAIL after an exception with an ERROR, of which Perl's worker dies",
        )
    },
    Gap {
        broker: Some(Maker::Debian),
        worker: Some(Peer::Perl),
        stories: &["empty_result"],
        ..Gap::because(
            "Perl's worker leaves out the NUL before an empty result, and gearmand then waits for it",
        )
    },
];

impl Gap {
    const fn because(reason: &'static str) -> Self {
        Self { broker: None, worker: None, client: None, stories: &[], reason }
    }
}

/// Why `story` is not told with these, where it is not.
pub(crate) fn gap(broker: Maker, worker: Peer, client: Peer, story: &str) -> Option<&'static str> {
    let meets = |gap: &&Gap| {
        gap.stories.contains(&story)
            && gap.broker.is_none_or(|it| it == broker)
            && gap.worker.is_none_or(|it| it == worker.kind())
            && gap.client.is_none_or(|it| it == client.kind())
    };
    GAPS.iter().find(meets).map(|gap| gap.reason)
}
