//! Where the library lies, and how C programs are built against it.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The package's folder.
pub(crate) fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Our headers.
pub(crate) fn include() -> PathBuf {
    package().join("../include")
}

/// The library that Cargo has built beside this test.
pub(crate) fn library() -> PathBuf {
    let exe = std::env::current_exe().expect("a path of the test");
    exe.parent().expect("a folder of the test").join("libgearman.so")
}

/// A folder with the library under the names that the linker and the loader look for.
pub(crate) fn library_folder() -> PathBuf {
    let folder = library().with_file_name("libgearman-test");
    std::fs::create_dir_all(&folder).expect("a folder for links");
    for name in ["libgearman.so", "libgearman.so.8"] {
        let link = folder.join(name);
        if std::fs::read_link(&link).ok() != Some(library()) {
            // Another test may be doing the same: what counts is that the link is there afterwards.
            let _ = std::fs::remove_file(&link);
            let _ = std::os::unix::fs::symlink(library(), &link);
        }
    }
    folder
}

/// What a command prints; the test fails where it does not succeed.
pub(crate) fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
