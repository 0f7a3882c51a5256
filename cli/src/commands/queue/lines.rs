//! JSON lines as a place of jobs.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

use lineshaft::store::Change;

use super::jobs::Jobs;
use super::json::{Line, counter_line, job_line, parse};
use super::progress::Progress;
use crate::exit::{Exit, Failure};
use crate::input::next_line;

pub(super) fn read_pipe(jobs: &mut Jobs) -> Result<(), Failure> {
    read_all(&mut io::stdin().lock(), "standard input", jobs)
}

pub(super) fn read(path: &Path, jobs: &mut Jobs) -> Result<(), Failure> {
    let name = path.display().to_string();
    let file =
        File::open(path).map_err(|error| Failure::system(format_args!("cannot read {name}"), &error))?;
    read_all(&mut BufReader::new(file), &name, jobs)
}

/// Jobs without a number get those behind the highest one.
fn read_all(input: &mut dyn BufRead, name: &str, jobs: &mut Jobs) -> Result<(), Failure> {
    let mut unnumbered = Vec::new();
    let (mut counter, mut at) = (0, 0_u64);
    while let Some(line) = next_line(input)? {
        at += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |why: String| Failure::new(Exit::Usage, format!("{name}, line {at}: {why}"));
        match parse(&line).map_err(wrong)? {
            Line::Counter(number) => counter = number,
            Line::Job(draft) => match draft.number {
                None => unnumbered.push(draft),
                Some(number) if jobs.contains(number) => {
                    return Err(wrong(format!("the number {number} comes twice")));
                }
                Some(number) => jobs.take(&Change::Add(draft.job(number)))?,
            },
        }
    }
    jobs.take(&Change::Counter { number: counter })?;
    let mut number = jobs.highest();
    for draft in unnumbered {
        number += 1;
        jobs.take(&Change::Add(draft.job(number)))?;
    }
    Ok(())
}

/// Writes them to the standard output.
pub(super) fn write_pipe(jobs: &Jobs) -> Result<(), Failure> {
    write_all(jobs, &mut BufWriter::new(io::stdout().lock()), &mut Progress::new("exported", jobs.len()))
}

/// Writes them to a new file. It has its name when it is whole and durable.
pub(super) fn write(path: &Path, jobs: &Jobs) -> Result<(), Failure> {
    let name = path.display();
    if path.exists() {
        return Err(Failure::new(
            Exit::Usage,
            format!("{name} is there already: name another file, or remove it"),
        ));
    }
    let part = path.with_added_extension("part");
    let failed = |error: io::Error| Failure::system(format_args!("cannot write {}", part.display()), &error);
    let file = File::create(&part).map_err(failed)?;
    let mut to = BufWriter::new(&file);
    write_all(jobs, &mut to, &mut Progress::new("exported", jobs.len()))?;
    to.flush().and_then(|()| file.sync_all()).map_err(failed)?;
    let named = fs::rename(&part, path).and_then(|()| {
        // A relative name has been made whole, so there is a folder.
        File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
    });
    named.map_err(|error| Failure::system(format_args!("cannot write {name}"), &error))
}

fn write_all(jobs: &Jobs, to: &mut dyn Write, progress: &mut Progress) -> Result<(), Failure> {
    for job in jobs.iter() {
        writeln!(to, "{}", job_line(&job?))?;
        progress.add(1);
    }
    writeln!(to, "{}", counter_line(jobs.highest()))?;
    Ok(to.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Result<(Vec<u64>, u64), String> {
        let mut jobs = Jobs::default();
        read_all(&mut text.as_bytes(), "here", &mut jobs).map_err(|failure| failure.text)?;
        Ok((jobs.numbers().collect(), jobs.highest()))
    }

    #[test]
    fn jobs_without_numbers_get_those_behind_the_others() {
        let text = "{\"function\":\"a\"}\n\n{\"function\":\"b\",\"number\":7}\r\n{\"function\":\"c\"}\n{\"counter\":20}\n";
        assert_eq!(numbers(text), Ok((vec![7, 21, 22], 22)));
        assert_eq!(numbers(""), Ok((vec![], 0)));
    }

    #[test]
    fn lines_that_are_wrong_have_numbers() {
        let twice = "{\"function\":\"a\",\"number\":7}\n".repeat(2);
        assert_eq!(numbers(&twice), Err("here, line 2: the number 7 comes twice".into()));
        assert!(numbers("\n{\n").unwrap_err().starts_with("here, line 2: no JSON object"));
    }
}
