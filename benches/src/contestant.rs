//! Who is measured: the programs, and the flags that tell them apart.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;
use crate::options::{Against, Options};
use crate::scenario::Group;
use crate::wire::Language;

/// Which server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Lineshaft's daemon, with its defaults and jobs in memory.
    Ours,
    /// gearmand with what someone who knows its weak spots would set.
    Tuned,
    /// gearmand with its defaults.
    Gearmand,
    /// Lineshaft's daemon with its log.
    Log,
    /// Lineshaft's daemon with SQLite.
    Sqlite,
    /// gearmand with SQLite and defaults.
    GearmandSqlite,
    /// Redis that syncs its append-only file before each answer.
    Redis,
}

impl Kind {
    /// The name in tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Tuned => "tuned",
            Self::Gearmand | Self::GearmandSqlite => "gearmand",
            Self::Log => "log",
            Self::Sqlite => "sqlite",
            Self::Redis => "redis",
        }
    }

    /// Whom it is compared with, itself among them.
    pub(crate) const fn of(group: Group) -> &'static [Self] {
        match group {
            Group::Memory => &[Self::Ours, Self::Tuned, Self::Gearmand],
            Group::Durable => &[Self::Log, Self::Sqlite, Self::GearmandSqlite, Self::Redis],
        }
    }

    /// The targets are this one's.
    pub(crate) const fn has_targets(self) -> bool {
        matches!(self, Self::Ours | Self::Log)
    }

    /// How many cores it uses can be said; how many threads gearmand's defaults are does not depend on the cores.
    pub(crate) const fn can_use_cores(self) -> bool {
        matches!(self, Self::Ours | Self::Tuned | Self::Log | Self::Sqlite)
    }

    pub(crate) const fn language(self) -> Language {
        match self {
            Self::Redis => Language::Redis,
            _ => Language::Gearman,
        }
    }
}

/// A server and the number of cores that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Variant {
    pub(crate) kind: Kind,
    pub(crate) cores: usize,
}

impl Variant {
    /// The name in tables.
    pub(crate) fn name(self) -> String {
        match self.cores {
            1 => self.kind.name().to_owned(),
            cores => format!("{} x{cores}", self.kind.name()),
        }
    }
}

/// The programs that take part.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    /// Lineshaft's binary and more arguments for it; none where only the others are measured.
    ours: Option<(PathBuf, Vec<String>)>,
    gearmand: Option<PathBuf>,
    redis: Option<PathBuf>,
}

impl Programs {
    /// Those that `options` ask for.
    pub(crate) fn find(options: &Options) -> Result<Self> {
        let ours = options.server.clone().map(|path| {
            // The server runs in a folder of its own.
            let path = std::path::absolute(&path).unwrap_or(path);
            (path, options.server_arg.clone())
        });
        if let Some((path, _)) = &ours
            && !path.is_file()
        {
            return Err(format!("--server {}: there is no such file; cargo build builds it", path.display()));
        }
        if options.against.contains(&Against::Nobody) && options.against.len() > 1 {
            return Err("--against: nobody goes with no other".into());
        }
        let against = |whom, rival: &Rival, named: Option<&Path>| {
            options.against.contains(&whom).then(|| rival.find(named)).transpose()
        };
        Ok(Self {
            ours,
            gearmand: against(Against::Gearmand, &GEARMAND, options.gearmand.as_deref())?,
            redis: against(Against::Redis, &REDIS, options.redis.as_deref())?,
        })
    }

    fn program(&self, kind: Kind) -> Option<&Path> {
        match kind {
            Kind::Ours | Kind::Log | Kind::Sqlite => self.ours.as_ref().map(|(path, _)| path.as_path()),
            Kind::Tuned | Kind::Gearmand | Kind::GearmandSqlite => self.gearmand.as_deref(),
            Kind::Redis => self.redis.as_deref(),
        }
    }

    /// It was asked for.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.program(kind).is_some()
    }

    /// What starts a server that listens on `address`, keeps all files in `folder`, and ends with this process, however that ends.
    pub(crate) fn command(&self, variant: Variant, folder: &Path, address: SocketAddr) -> Result<Command> {
        let Variant { kind, cores } = variant;
        let program = self.program(kind).ok_or_else(|| format!("no {} to measure", kind.name()))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).current_dir(folder);
        let (port, ip) = (address.port().to_string(), address.ip().to_string());
        if kind == Kind::Redis {
            command
                .arg(program)
                .args(["--port", &port, "--bind", &ip, "--dir"])
                .arg(folder)
                .args(REDIS_FLAGS);
            return Ok(command);
        }
        if let (Some((_, arguments)), Kind::Ours | Kind::Log | Kind::Sqlite) = (&self.ours, kind) {
            // It answers to the name it is called by.
            let link = folder.join("gearmand");
            std::os::unix::fs::symlink(program, &link)
                .map_err(|error| format!("cannot link {}: {error}", link.display()))?;
            command.arg(link).args(arguments);
        } else {
            command.arg(program);
        }
        if kind == Kind::Tuned || (kind.can_use_cores() && cores > 1) {
            command.args(["-t", &cores.to_string()]);
        }
        match kind {
            Kind::Tuned => command.args(["-w", "1", "--hashtable-buckets", "1000003", "-b", "1024"]),
            Kind::Log => command.args(["--store", "log:store"]),
            Kind::Sqlite => command.args(["--store", "sqlite:store.db"]),
            Kind::GearmandSqlite => command.args(["-q", "libsqlite3", "--libsqlite3-db", "store.db"]),
            Kind::Ours | Kind::Gearmand | Kind::Redis => &mut command,
        };
        command.args(["-p", &port, "-L", &ip, "-l", "none", "-P"]).arg(folder.join("pid"));
        Ok(command)
    }
}

/// Its append-only file is synced before each answer; it writes no snapshots and never rewrites the file, which spares it work.
const REDIS_FLAGS: [&str; 8] =
    ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--auto-aof-rewrite-percentage", "0"];

/// A program that has to be installed to be compared with.
struct Rival {
    program: &'static str,
    package: &'static str,
    flag: &'static str,
}

const GEARMAND: Rival = Rival { program: "gearmand", package: "gearman-job-server", flag: "--gearmand" };
const REDIS: Rival = Rival { program: "redis-server", package: "redis-server", flag: "--redis" };

impl Rival {
    /// Looks for it: `named`, else in the places where packages put it.
    fn find(&self, named: Option<&Path>) -> Result<PathBuf> {
        let Self { program, package, flag } = self;
        let places = match named {
            Some(path) => vec![path.to_owned()],
            None => ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"]
                .map(|folder| Path::new(folder).join(program))
                .to_vec(),
        };
        places.iter().find(|path| path.is_file()).cloned().ok_or_else(|| {
            let places = places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
            format!(
                "{program} is not installed (looked for {places}): install Debian's package {package} \
                 (apt-get install {package}), or name the program with {flag} PATH"
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_there_is_named_with_the_package() {
        let error = REDIS.find(Some(Path::new("/nowhere/redis-server"))).unwrap_err();
        assert!(error.contains("apt-get install redis-server") && error.contains("--redis PATH"), "{error}");
    }
}
