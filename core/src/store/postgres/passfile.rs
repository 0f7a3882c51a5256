//! Passwords from a file in the form of `~/.pgpass`: lines `host:port:database:user:password`.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Bytes of such a file that are read.
const MAX_FILE: u64 = 1 << 20;

/// The password for the first place of `config`; `None` where the file has none, is not there, or may be read by others.
pub(super) fn find(path: &Path, config: &Config) -> Option<String> {
    let file = fs::File::open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() {
        return None;
    }
    if about.permissions().mode() & 0o077 != 0 {
        tracing::warn!("{} may be read by others: it is not used. `chmod 600` it.", path.display());
        return None;
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).ok()?;
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        Some(Host::Unix(_)) => "localhost".to_owned(),
        None => config.get_hostaddrs().first()?.to_string(),
    };
    let user = config.get_user().unwrap_or_default();
    let database = config.get_dbname().unwrap_or(user);
    let port = config.get_ports().first().unwrap_or(&5432).to_string();
    look(&text, [&host, &port, database, user])
}

fn look(text: &str, wanted: [&str; 4]) -> Option<String> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(fields).find_map(|fields| match <[String; 5]>::try_from(fields) {
        Ok([host, port, database, user, password]) => {
            let there = [host, port, database, user];
            let fits = there.iter().zip(wanted).all(|(there, wanted)| there == "*" || there == wanted);
            fits.then_some(password)
        }
        Err(_) => None,
    })
}

/// The fields of a line, five at most: a colon in the last one counts as itself, and a backslash makes any character do so.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let count = fields.len();
        let last = &mut fields[count - 1];
        match letter {
            ':' if count < 5 => fields.push(String::new()),
            '\\' => last.extend(letters.next()),
            other => last.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_fits_counts() {
        let text = "# a:1:d:u:comment\nb:1:d:u:other\nshort:line\na:1:d:u:one\na:*:*:*:two\n*:*:d\\:\\\\x:u:th\\:r:ee\n";
        assert_eq!(look(text, ["a", "1", "d", "u"]).as_deref(), Some("one"));
        assert_eq!(look(text, ["a", "2", "d", "u"]).as_deref(), Some("two"));
        assert_eq!(look(text, ["c", "1", "d:\\x", "u"]).as_deref(), Some("th:r:ee"));
        assert_eq!(look(text, ["c", "1", "d", "u"]), None);
    }

    #[test]
    fn a_file_that_others_may_read_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pgpass");
        let mut config = Config::new();
        config.host("a").user("u");
        assert_eq!(find(&path, &config), None);
        fs::write(&path, "a:5432:u:u:secret\n").expect("write");
        for (mode, found) in [(0o640, None), (0o600, Some("secret".to_owned()))] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            assert_eq!(find(&path, &config), found);
        }
    }
}
