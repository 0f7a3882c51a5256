//! Adding up what test programs say of themselves.

use crate::run::{Failure, not_started, shown};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Tests so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    passed: u64,
    failed: u64,
    /// What else went wrong, each counted as one failure.
    troubles: Vec<String>,
}

impl Tally {
    /// Runs a cargo test command with its output shown and adds its tests up. A program that ends badly without having
    /// named a failed test counts as one failure, and so does one that left tests out.
    pub(crate) fn count(&mut self, command: &mut Command) -> Result<(), Failure> {
        let mut child =
            command.stdout(Stdio::piped()).spawn().map_err(|error| not_started(command, &error))?;
        let mut seen = Counts::default();
        if let Some(output) = child.stdout.take() {
            let mut shown_to = std::io::stdout();
            for line in BufReader::new(output).split(b'\n') {
                let mut line = line.map_err(|error| Failure::new(format!("{}: {error}", shown(command))))?;
                seen.add(&String::from_utf8_lossy(&line));
                line.push(b'\n');
                // Nobody may be reading any more; the counting goes on.
                let _ = shown_to.write_all(&line);
            }
        }
        let status = child.wait().map_err(|error| Failure::new(format!("{}: {error}", shown(command))))?;
        self.passed += seen.passed;
        self.failed += seen.failed;
        if !status.success() && seen.failed == 0 {
            self.troubles.push(format!("{} ended with {status}", shown(command)));
        }
        if seen.ignored > 0 {
            self.troubles.push(format!("{} left out {} tests", shown(command), seen.ignored));
        }
        if seen.programs == 0 {
            self.troubles.push(format!("{} ran no tests", shown(command)));
        }
        Ok(())
    }

    /// A suite could not be run: one failure.
    pub(crate) fn trouble(&mut self, failure: Failure) {
        self.troubles.push(failure.to_string());
    }

    /// Takes in what another one has counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.troubles.extend(other.troubles);
    }

    /// Prints the closing line.
    ///
    /// # Errors
    /// When something failed.
    pub(crate) fn close(self) -> Result<(), Failure> {
        for trouble in &self.troubles {
            eprintln!("xtask: {trouble}");
        }
        let failed = self.failed + self.troubles.len() as u64;
        println!("{} passed, {failed} failed", self.passed);
        if failed == 0 { Ok(()) } else { Err(Failure::new("not everything passed")) }
    }
}

/// What the test programs of one command said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counts {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Reads a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; ...`, or one of those
    /// that node:test ends with: `# tests 4`, `# pass 3`, `# fail 0`, `# skipped 1`.
    fn add(&mut self, line: &str) {
        if let Some((word, number)) = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '))
            && let Ok(number) = number.parse::<u64>()
        {
            match word {
                "tests" => self.programs += 1,
                "pass" => self.passed += number,
                "fail" | "cancelled" => self.failed += number,
                "skipped" | "todo" => self.ignored += number,
                _ => {}
            }
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        let words: Vec<&str> = rest.split_whitespace().collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else { continue };
            match pair[1].trim_end_matches(';') {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Counts;

    #[test]
    fn closing_lines_of_node_are_added_up() {
        let mut counts = Counts::default();
        for line in [
            "# Subtest: 7 jobs",
            "# tests 5",
            "# suites 0",
            "# pass 3",
            "# fail 1",
            "# skipped 1",
            "# todo 0",
        ] {
            counts.add(line);
        }
        assert_eq!(counts, Counts { programs: 1, passed: 3, failed: 1, ignored: 1 });
    }

    #[test]
    fn closing_lines_of_test_programs_are_added_up() {
        let mut counts = Counts::default();
        counts.add("running 4 tests");
        counts.add(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.02s",
        );
        counts.add(
            "test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        );
        assert_eq!(counts, Counts { programs: 2, passed: 5, failed: 5, ignored: 1 });
    }
}
