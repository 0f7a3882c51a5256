//! `cargo xtask install-c`: the C library as systems want it.

use crate::man;
use crate::run::{Failure, Workspace, must, read, step};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// The library's file; its other names are links to it.
const FILE: &str = "libgearman.so.8.0.0";
const LINKS: [&str; 2] = ["libgearman.so.8", "libgearman.so"];
/// What a program that links the static library needs beside it: `rustc --print native-static-libs` names them.
const SYSTEM: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";
/// What the interface is compatible with; programs ask pkg-config for at least some version of it.
const INTERFACE: &str = "1.1.20";

/// `--prefix DIR`, and `--profile NAME` for another than the release build.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Result<(), Failure> {
    let (mut prefix, mut profile) = (None, "release");
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match (word.as_str(), words.next()) {
            ("--prefix", Some(folder)) => prefix = Some(PathBuf::from(folder)),
            ("--profile", Some(name)) => profile = name,
            _ => return Err(Failure::new("install-c takes --prefix DIR and --profile NAME")),
        }
    }
    let prefix = prefix.ok_or_else(|| Failure::new("say where: --prefix DIR"))?;
    // A relative folder is meant from where the command was given; the files name it in full.
    let prefix = std::path::absolute(&prefix).map_err(|error| failure(&prefix, &error))?;
    install(workspace, &prefix, profile)
}

/// Builds the library and puts it, with all that belongs to it, below `prefix`.
pub(crate) fn install(workspace: &Workspace, prefix: &Path, profile: &str) -> Result<(), Failure> {
    step(&format!("build the C library ({profile})"));
    must(workspace.cargo("build --quiet --package lineshaft-ffi --profile").arg(profile))?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let built = workspace.target.join(folder);
    let lib = prefix.join("lib");
    copy(&built.join("libgearman.so"), &lib.join(FILE))?;
    for link in LINKS {
        let _ = fs::remove_file(lib.join(link));
        symlink(FILE, lib.join(link)).map_err(|error| failure(&lib.join(link), &error))?;
    }
    copy(&built.join("libgearman.a"), &lib.join("libgearman.a"))?;
    let version = env!("CARGO_PKG_VERSION");
    let pc = |name: &str, description: &str, version: &str| {
        format!(
            "prefix={}\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\nName: {name}\n\
             Description: {description}\nVersion: {version}\nLibs: -L${{libdir}} -lgearman\n\
             Libs.private: {SYSTEM}\nCflags: -I${{includedir}}\n",
            prefix.display()
        )
    };
    let gearmand = pc("gearmand", "libgearman, as Lineshaft builds it", INTERFACE);
    write(&lib.join("pkgconfig/gearmand.pc"), &gearmand)?;
    let lineshaft = pc("lineshaft", "The Gearman job system: libgearman and the broker itself", version);
    write(&lib.join("pkgconfig/lineshaft.pc"), &lineshaft)?;
    write(
        &lib.join("cmake/lineshaft/lineshaft-config.cmake"),
        &CMAKE.replace("@SYSTEM@", &SYSTEM.replace(' ', ";")),
    )?;
    let version_file = CMAKE_VERSION.replace("@VERSION@", version);
    write(&lib.join("cmake/lineshaft/lineshaft-config-version.cmake"), &version_file)?;
    let include = workspace.root.join("include");
    for folder in ["", "libgearman", "libgearman-1.0", "libgearman-1.0/interface"] {
        for entry in fs::read_dir(include.join(folder)).map_err(|error| failure(&include, &error))? {
            let path = entry.map_err(|error| failure(&include, &error))?.path();
            if path.extension().is_some_and(|extension| extension == "h" || extension == "hpp") {
                let name = path.file_name().unwrap_or_default();
                copy(&path, &prefix.join("include").join(folder).join(name))?;
            }
        }
    }
    for (name, text) in man::pages(workspace)? {
        write(&prefix.join("share/man/man3").join(name), &text)?;
    }
    step(&format!("installed below {}", prefix.display()));
    Ok(())
}

/// What is installed can be used: by pkg-config with the shared and with the static library, by CMake, and its pages can be read.
pub(crate) fn test(workspace: &Workspace) -> Result<(), Failure> {
    let prefix = workspace.target.join("install-c");
    let _ = fs::remove_dir_all(&prefix);
    install(workspace, &prefix, "dev")?;
    step("programs against what is installed");
    let example = workspace.root.join("ffi/examples/embed.c");
    let flags = |words: &[&str]| {
        let mut command = workspace.command("pkg-config");
        command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(words).arg("lineshaft");
        read(&mut command).map(|said| said.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    };
    let run = |program: &Path| {
        let mut command = workspace.command(program);
        let said = read(command.env("LD_LIBRARY_PATH", prefix.join("lib")))?;
        match said.lines().any(|line| line == "olleh") {
            true => Ok(()),
            false => Err(Failure::new(format!("{} says {said:?}", program.display()))),
        }
    };
    let shared = prefix.join("embed-shared");
    must(workspace.command("cc").arg(&example).args(flags(&["--cflags", "--libs"])?).arg("-o").arg(&shared))?;
    run(&shared)?;
    let alone = prefix.join("embed-static");
    let mut command = workspace.command("cc");
    command.arg(&example).args(flags(&["--cflags"])?).arg(prefix.join("lib/libgearman.a"));
    let libraries = flags(&["--static", "--libs-only-l"])?;
    command.args(libraries.iter().filter(|library| *library != "-lgearman"));
    must(command.arg("-o").arg(&alone))?;
    run(&alone)?;
    let project = prefix.join("project");
    let text = CMAKE_TEST.replace("@EXAMPLE@", &example.display().to_string());
    write(&project.join("CMakeLists.txt"), &text)?;
    let option = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    must(
        workspace
            .command("cmake")
            .args(["-S"])
            .arg(&project)
            .arg("-B")
            .arg(project.join("build"))
            .arg(option),
    )?;
    must(workspace.command("cmake").arg("--build").arg(project.join("build")))?;
    run(&project.join("build/embed"))?;
    run(&project.join("build/embed_static"))?;
    let page = prefix.join("share/man/man3/gearman_client_do.3");
    let said = read(workspace.command("man").args(["--local-file", "--pager", "cat"]).arg(page))?;
    match said.contains("gearman_client_do - Runs a job to its end") {
        true => Ok(()),
        false => Err(Failure::new(format!("the page of gearman_client_do says {said:?}"))),
    }
}

/// A program of either library.
const CMAKE_TEST: &str = "\
cmake_minimum_required(VERSION 3.13)
project(embed C)
find_package(lineshaft 0.1 REQUIRED)
add_executable(embed @EXAMPLE@)
target_link_libraries(embed lineshaft::gearman)
add_executable(embed_static @EXAMPLE@)
target_link_libraries(embed_static lineshaft::gearman_static)
";

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    folder_of(path)?;
    fs::write(path, text).map_err(|error| failure(path, &error))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    folder_of(to)?;
    // A library that programs run with keeps its content: the new one is another file.
    let _ = fs::remove_file(to);
    fs::copy(from, to).map(|_| ()).map_err(|error| failure(from, &error))
}

fn folder_of(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder).map_err(|error| failure(folder, &error))
}

fn failure(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(format!("{}: {error}", path.display()))
}

/// `find_package(lineshaft)` gives `lineshaft::gearman` and `lineshaft::gearman_static`.
const CMAKE: &str = "\
get_filename_component(_lineshaft_prefix \"${CMAKE_CURRENT_LIST_DIR}/../../..\" ABSOLUTE)
if(NOT TARGET lineshaft::gearman)
  add_library(lineshaft::gearman SHARED IMPORTED)
  set_target_properties(lineshaft::gearman PROPERTIES
    IMPORTED_LOCATION \"${_lineshaft_prefix}/lib/libgearman.so.8.0.0\"
    IMPORTED_SONAME \"libgearman.so.8\"
    INTERFACE_INCLUDE_DIRECTORIES \"${_lineshaft_prefix}/include\")
  add_library(lineshaft::gearman_static STATIC IMPORTED)
  set_target_properties(lineshaft::gearman_static PROPERTIES
    IMPORTED_LOCATION \"${_lineshaft_prefix}/lib/libgearman.a\"
    INTERFACE_INCLUDE_DIRECTORIES \"${_lineshaft_prefix}/include\"
    INTERFACE_LINK_LIBRARIES \"@SYSTEM@\")
endif()
unset(_lineshaft_prefix)
";

/// Any version asked for up to this one will do, within one major version.
const CMAKE_VERSION: &str = "\
set(PACKAGE_VERSION \"@VERSION@\")
if(PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
else()
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION STREQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
endif()
";
