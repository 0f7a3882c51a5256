//! Where things are that tests need.

use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};

/// The root of the tree.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A script in tests/peers.
pub fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// The project's reference, which lies beside the clone where the project is developed.
pub fn reference(name: &str) -> PathBuf {
    root().join("../shared/reference").join(name)
}

/// Cargo's target folder: test programs lie in `target/PROFILE/deps`.
///
/// # Errors
/// When this program lies elsewhere.
pub fn target() -> Result<PathBuf> {
    let exe = std::env::current_exe().context("own path")?;
    let target = exe.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    Ok(target.with_context(|| format!("{} is not inside a target folder", exe.display()))?.to_owned())
}

/// The variable that names another program than the release build: one that a package has installed.
pub const PROGRAM: &str = "PROGRAM_UNDER_TEST";

/// Our program: daemon, client, worker and admin tool in one.
///
/// # Errors
/// When it has not been built.
pub fn lineshaft() -> Result<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "the one place where tests read the environment")]
    if let Some(program) = std::env::var_os(PROGRAM) {
        ensure!(Path::new(&program).exists(), "{PROGRAM}: {} is not there", program.display());
        return Ok(program.into());
    }
    let path = target()?.join("release/lineshaft");
    ensure!(path.exists(), "{} is missing: run `cargo build --release -p lineshaft-cli`", path.display());
    Ok(path)
}

/// The Python interpreter that has the peers.
///
/// # Errors
/// When it has not been set up.
pub fn python() -> Result<PathBuf> {
    let path = target()?.join("test-env/bin/python");
    ensure!(path.exists(), "{} is missing: run `cargo xtask test` once, which sets it up", path.display());
    Ok(path)
}

/// A folder with our libgearman under the name that the loader looks for.
///
/// # Errors
/// When the library has not been built.
pub fn libgearman() -> Result<PathBuf> {
    let built = target()?.join("debug/libgearman.so");
    ensure!(built.exists(), "{} is missing: run `cargo build -p lineshaft-ffi`", built.display());
    let folder = target()?.join("test-libgearman");
    std::fs::create_dir_all(&folder).with_context(|| format!("{}", folder.display()))?;
    let link = folder.join("libgearman.so.8");
    if !link.exists() {
        // Another test may be doing the same: what counts is that the link is there afterwards.
        let _ = std::os::unix::fs::symlink(&built, &link);
        ensure!(link.exists(), "{} cannot be made", link.display());
    }
    Ok(folder)
}

/// A program of tests/peers in C, compiled against the headers of Debian's libgearman.
///
/// # Errors
/// What the compiler says.
pub fn c_peer(name: &str) -> Result<PathBuf> {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let (source, built) = (peer(&format!("{name}.c")), target()?.join(format!("test-c-{name}")));
    let changed = |path: &Path| path.metadata().and_then(|about| about.modified());
    if changed(&built).ok() > changed(&source).ok() {
        return Ok(built);
    }
    // Made beside its place: tests of other processes may be running the one that is there.
    let fresh = built.with_extension(std::process::id().to_string());
    let mut cc = std::process::Command::new("cc");
    cc.args(["-Wall", "-Wextra", "-Werror", "-o"]).arg(&fresh).arg(source).arg("-lgearman");
    let output = cc.output().context("cc")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::rename(&fresh, &built).with_context(|| format!("{}", built.display()))?;
    Ok(built)
}
