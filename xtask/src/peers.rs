//! Other people's clients, workers and servers, which the interop suites need. Nothing is fetched where all is there.

use crate::run::{Failure, Workspace, must, step, works};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A Debian package and how to see that it is there.
struct Package {
    name: &'static str,
    probe: Probe,
}

enum Probe {
    File(&'static str),
    /// A command that succeeds.
    Run(&'static [&'static str]),
}

const PACKAGES: &[Package] = &[
    Package { name: "libgearman-dev", probe: Probe::File("/usr/include/libgearman/gearman.h") },
    Package { name: "php-cli", probe: Probe::File("/usr/bin/php") },
    Package { name: "php-gearman", probe: Probe::Run(&["php", "-r", "new GearmanClient();"]) },
    Package { name: "cmake", probe: Probe::File("/usr/bin/cmake") },
    Package { name: "man-db", probe: Probe::File("/usr/bin/man") },
    Package { name: "mandoc", probe: Probe::File("/usr/bin/mandoc") },
    Package { name: "systemd", probe: Probe::File("/lib/systemd/systemd") },
    Package { name: "dbus", probe: Probe::File("/usr/bin/dbus-daemon") },
    Package { name: "zsh", probe: Probe::File("/usr/bin/zsh") },
    Package { name: "fish", probe: Probe::File("/usr/bin/fish") },
    Package { name: "pkgconf", probe: Probe::File("/usr/bin/pkg-config") },
    Package { name: "binutils", probe: Probe::File("/usr/bin/nm") },
    Package { name: "gcc", probe: Probe::File("/usr/bin/cc") },
    Package { name: "g++", probe: Probe::File("/usr/bin/c++") },
    Package { name: "curl", probe: Probe::File("/usr/bin/curl") },
    Package { name: "prometheus", probe: Probe::File("/usr/bin/promtool") },
    Package { name: "gearman-job-server", probe: Probe::File("/usr/sbin/gearmand") },
    Package { name: "gearman-tools", probe: Probe::File("/usr/bin/gearadmin") },
    Package {
        name: "libgearman-client-perl",
        probe: Probe::Run(&["perl", "-MGearman::Worker", "-MGearman::Client", "-e1"]),
    },
    Package { name: "chromium", probe: Probe::File("/usr/bin/chromium") },
    Package { name: "chromium-driver", probe: Probe::File("/usr/bin/chromedriver") },
    Package { name: "redis-server", probe: Probe::File("/usr/bin/redis-server") },
    Package { name: "redis-tools", probe: Probe::File("/usr/bin/redis-cli") },
    Package { name: "memcached", probe: Probe::File("/usr/bin/memcached") },
    Package { name: "tokyocabinet-bin", probe: Probe::File("/usr/bin/tchmgr") },
    Package { name: "mariadb-server", probe: Probe::File("/usr/sbin/mariadbd") },
    Package { name: "postgresql", probe: Probe::Run(&["sh", "-c", "ls /usr/lib/postgresql/*/bin/postgres"]) },
    Package { name: "openssl", probe: Probe::File("/usr/bin/openssl") },
    Package { name: "valgrind", probe: Probe::File("/usr/bin/valgrind") },
    Package { name: "python3-venv", probe: Probe::Run(&["python3", "-c", "import ensurepip, venv"]) },
];

/// From PyPI, in a virtual environment under the target folder.
const PYTHON_PEERS: [&str; 3] = ["gear==0.16.0", "prometheus-client==0.26.0", "schemathesis==4.32.5"];

/// Installs what is missing.
pub(crate) fn install(workspace: &Workspace) -> Result<(), Failure> {
    let missing: Vec<&str> = PACKAGES.iter().filter(|it| !it.is_there()).map(|it| it.name).collect();
    if !missing.is_empty() {
        debian(workspace, &missing)?;
        if let Some(package) = PACKAGES.iter().find(|it| !it.is_there()) {
            return Err(Failure::new(format!(
                "{} is installed, yet what it brings is not there",
                package.name
            )));
        }
    }
    python(workspace)
}

impl Package {
    fn is_there(&self) -> bool {
        match self.probe {
            Probe::File(path) => Path::new(path).exists(),
            Probe::Run(words) => works(Command::new(words[0]).args(&words[1..])),
        }
    }
}

fn debian(workspace: &Workspace, packages: &[&str]) -> Result<(), Failure> {
    let names = packages.join(" ");
    let root = workspace.command("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    if !root || !works(workspace.command("apt-get").arg("--version")) {
        return Err(Failure::new(format!(
            "the tests need these Debian packages: {names}\n  sudo apt-get install {names}"
        )));
    }
    step(&format!("install {names}"));
    let install = || {
        let mut command = workspace.command("apt-get");
        command.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
        // With RUNLEVEL=1 Debian's scripts do not start the job server that they install: port 4730 stays free.
        command.env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
        command
    };
    if works(&mut install()) {
        return Ok(());
    }
    // A machine that has never fetched the lists of packages.
    must(workspace.command("apt-get").args(["update", "--quiet"]))?;
    must(&mut install())
}

/// The interpreter of the virtual environment.
pub(crate) fn interpreter(workspace: &Workspace) -> PathBuf {
    workspace.target.join("test-env/bin/python")
}

fn python(workspace: &Workspace) -> Result<(), Failure> {
    let wanted = PYTHON_PEERS.join("\n");
    let folder = workspace.target.join("test-env");
    let stamp = folder.join("installed");
    let interpreter = interpreter(workspace);
    if std::fs::read_to_string(&stamp).is_ok_and(|text| text == wanted)
        && works(workspace.command(&interpreter).args(["-c", "import gear, prometheus_client, schemathesis"]))
    {
        return Ok(());
    }
    step(&format!("install {wanted} from PyPI into {}", folder.display()));
    must(workspace.command("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    must(workspace.command(&interpreter).args(pip).args(PYTHON_PEERS))?;
    std::fs::write(&stamp, wanted).map_err(|error| Failure::new(format!("{}: {error}", stamp.display())))
}
