//! Completions and manual pages: whole, and clean in the programs that read them.

use std::fs;
use std::process::Command;

use lineshaft_tests::program::run;

use super::Place;

const PROGRAMS: [&str; 4] = ["lineshaft", "gearmand", "gearman", "gearadmin"];

/// Runs `program`, which Debian has, and answers what it says on either output.
fn said(program: &str, words: &[&str]) -> String {
    let mut command = Command::new(program);
    // Formatters cut and hyphenate as they find their terminal.
    command.args(words).env("LC_ALL", "C.UTF-8").env("MANWIDTH", "200");
    let outcome = run(&mut command, b"").unwrap();
    assert!(outcome.status.success(), "{program} {words:?}: {} {}", outcome.text(), outcome.err);
    outcome.text() + &outcome.err
}

#[test]
fn manual_pages_are_clean_and_whole() {
    let place = Place::new();
    place.run("lineshaft", &["man-pages", "man", "2026-11-22"], b"").success().unwrap();
    let pages: Vec<_> = fs::read_dir(place.path("man")).unwrap().map(|page| page.unwrap().path()).collect();
    for page in &pages {
        let page = page.to_str().unwrap();
        assert_eq!(said("mandoc", &["-Tlint", "-W", "warning", page]), "", "{page}");
        let name = page.rsplit('/').next().unwrap().split('.').next().unwrap();
        let warnings =
            run(Command::new("man").args(["--warnings", "-l", page]).env("LC_ALL", "C.UTF-8"), b"").unwrap();
        assert_eq!(warnings.err, "", "{page}");
        assert!(warnings.text().starts_with(&name.to_uppercase()), "{page}");
    }
    let text = |name: &str| said("man", &["-l", place.path("man").join(name).to_str().unwrap()]);
    assert!(text("lineshaft-serve.1").contains("env: LINESHAFT_MAX_PACKET"));
    assert!(text("gearmand.8").contains("--queue-type <NAME>"), "{}", text("gearmand.8"));
    assert!(text("gearman.1").contains("gearman -w [OPTIONS]"));
    assert!(text("gearadmin.1").contains("--drop-function <NAME>"));
    // Every subcommand that the help names has a page.
    let help = place.run("lineshaft", &["--help"], b"").success().unwrap();
    let commands = help.split("Commands:\n").nth(1).unwrap().lines().take_while(|line| !line.is_empty());
    let named = commands.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for command in
        named.filter_map(|line| line.split_whitespace().next()).filter(|command| *command != "help")
    {
        assert!(place.path("man").join(format!("lineshaft-{command}.1")).exists(), "{command}");
    }
}

#[test]
fn every_shell_reads_its_completions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        for program in PROGRAMS {
            let script =
                place.run("lineshaft", &["completions", shell, "--program", program], b"").success().unwrap();
            assert!(script.contains(program), "{shell} {program}: {script}");
            fs::write(place.path("script"), script).unwrap();
            assert_eq!(said(shell, &["-n", place.path("script").to_str().unwrap()]), "");
        }
    }
}

#[test]
fn bash_completes_words_and_options() {
    let place = Place::new();
    let completed = |program: &str, words: &str| {
        let script =
            place.run("lineshaft", &["completions", "bash", "--program", program], b"").success().unwrap();
        let ask = format!(
            "{script}\nCOMP_WORDS=({program} {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); \
             _{program} {program} \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; echo \"${{COMPREPLY[*]}}\""
        );
        said("bash", &["-c", &ask]).trim().to_owned()
    };
    assert_eq!(completed("lineshaft", "doc"), "doctor");
    assert_eq!(completed("lineshaft", "serve --max-pack"), "--max-packet");
    assert_eq!(completed("gearmand", "--round"), "--round-robin");
    assert_eq!(completed("gearadmin", "--priority"), "--priority-status");
}
