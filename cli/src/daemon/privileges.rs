//! The user to run as, how many descriptors there may be, and whether there is a terminal.

use std::fs::File;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{User, geteuid, setgid, setgroups, setuid};

use crate::exit::{Exit, Failure};

/// Becomes the user `name` for good, without supplementary groups. Before any thread is started.
pub(crate) fn become_user(name: &str) -> Result<(), Failure> {
    let failure = |text: String| Failure::new(Exit::System, text);
    let user = User::from_name(name)
        .map_err(|error| Failure::system(format!("cannot look up user {name}"), &error.into()))?;
    let Some(user) = user else { return Err(failure(format!("Could not find user : {name}"))) };
    if !geteuid().is_root() {
        return Err(failure("Must be root to switch users.".into()));
    }
    let done = setgroups(&[]).and_then(|()| setgid(user.gid)).and_then(|()| setuid(user.uid));
    done.map_err(|error| Failure::system(format!("cannot become user {name}"), &error.into()))
}

/// Whether there is a terminal that the process belongs to.
pub(crate) fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Lets the process have `wanted` descriptors open; `None` takes all that the system allows.
pub(crate) fn allow_descriptors(wanted: Option<u64>) -> Result<(), Failure> {
    let (soft, hard) = match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok(limits) => limits,
        Err(error) => return Err(Failure::system("cannot read the limit of descriptors", &error.into())),
    };
    let Some(wanted) = wanted else {
        if soft < hard {
            // Fewer connections are no reason not to start.
            let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
        return Ok(());
    };
    setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).map_err(|error| {
        Failure::system(format!("--file-descriptors {wanted}: the system allows {hard}"), &error.into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_user_is_named() {
        let failure = become_user("nobody-has-this-name").unwrap_err();
        assert_eq!(failure.text, "Could not find user : nobody-has-this-name");
    }
}
