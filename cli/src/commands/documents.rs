//! `lineshaft completions`, and the manual pages: both from the tables and types that read the command lines.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use jiff::civil::Date;

use super::Lineshaft;
use crate::classic;
use crate::exit::{Exit, Failure};
use crate::options::arguments;

/// So many options on a page's first line are no help to anybody.
const MANY: usize = 20;

/// A shell, and a program.
#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
    /// The name under which the program is called.
    #[arg(long, value_name = "NAME", default_value = "lineshaft", value_parser = names())]
    program: String,
}

/// Where to, and of when.
#[derive(Args, Debug)]
pub(super) struct ManPages {
    /// The folder, made where it is missing.
    folder: PathBuf,
    /// What the pages are dated, as 2026-11-22.
    date: Date,
}

/// `lineshaft` and the names of others that it goes by.
fn names() -> Vec<&'static str> {
    std::iter::once("lineshaft").chain(classic::NAMES.iter().map(|(name, _)| *name)).collect()
}

/// All programs, as clap sees them.
fn programs() -> impl Iterator<Item = Command> {
    let classic =
        classic::NAMES.iter().filter_map(|(name, about)| Some(arguments::of_program(name)?.about(*about)));
    std::iter::once(Lineshaft::command().disable_help_subcommand(true)).chain(classic)
}

impl Completions {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut script = Vec::new();
        for mut program in programs().filter(|program| program.get_name() == self.program) {
            clap_complete::generate(self.shell, &mut program, &*self.program, &mut script);
        }
        io::stdout().write_all(&script)?;
        Ok(Exit::Done.own())
    }
}

impl ManPages {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let problem = |path: &Path, error: &io::Error| Failure::system(path.display(), error);
        fs::create_dir_all(&self.folder).map_err(|error| problem(&self.folder, &error))?;
        for mut program in programs() {
            program.build();
            let section = if program.get_name() == "gearmand" { "8" } else { "1" };
            for (name, page) in pages(&program, section, self.date)? {
                let path = self.folder.join(name);
                fs::write(&path, page).map_err(|error| problem(&path, &error))?;
            }
        }
        Ok(Exit::Done.own())
    }
}

/// The page of a command and those of its subcommands, each with its file's name.
fn pages(command: &Command, section: &str, date: Date) -> io::Result<Vec<(String, String)>> {
    let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
    let mut whole = command.clone();
    if command.get_arguments().count() > MANY {
        let called = command.get_bin_name().unwrap_or(command.get_name());
        whole = whole.override_usage(format!("{called} [OPTIONS]"));
    }
    let mut text = Vec::new();
    Man::new(whole).render(&mut text)?;
    let mut all =
        vec![(format!("{name}.{section}"), tidy(&String::from_utf8_lossy(&text), &name, section, date))];
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        all.extend(pages(subcommand, section, date)?);
    }
    Ok(all)
}

/// The page with our title, and without line ends that formatters warn of: those beside an empty line.
fn tidy(text: &str, name: &str, section: &str, date: Date) -> String {
    let title = format!(
        ".TH {} {section} {date} \"Lineshaft {}\" Lineshaft",
        name.to_uppercase(),
        env!("CARGO_PKG_VERSION")
    );
    let mut page = String::new();
    let mut lines = text.lines().peekable();
    let mut last = "";
    while let Some(line) = lines.next() {
        let beside_nothing = last.is_empty() || lines.peek() == Some(&"");
        if line == ".br" && beside_nothing {
            continue;
        }
        last = line;
        page.push_str(if line.starts_with(".TH ") { &title } else { line });
        page.push('\n');
    }
    page
}
