//! The options of gearadmin.

use super::{Flag, NO_LETTER, flag};

const GROUP: &str = "Options";

static GEARADMIN: &[Flag] = &[
    flag("help", NO_LETTER, "Print this text.").group(GROUP),
    flag("host", 'h', "Host to connect to.").text("HOST").group(GROUP).or("localhost"),
    flag("port", 'p', "Port, a number or the name of a service.").text("PORT").group(GROUP).or("4730"),
    flag("server-version", NO_LETTER, "Print the server's version.").group(GROUP),
    flag("server-verbose", NO_LETTER, "Print what the server logs.").group(GROUP),
    flag("create-function", NO_LETTER, "Create a function.").text("NAME").group(GROUP),
    flag("cancel-job", NO_LETTER, "Take a job out of the queue.").text("HANDLE").group(GROUP),
    flag("drop-function", NO_LETTER, "Drop a function.").text("NAME").group(GROUP),
    flag("show-unique-jobs", NO_LETTER, "Print the unique of every job.").group(GROUP),
    flag("show-jobs", NO_LETTER, "Print every job.").group(GROUP),
    flag("getpid", NO_LETTER, "Print the server's process id.").group(GROUP),
    flag("status", NO_LETTER, "Print jobs and workers per function.").group(GROUP),
    flag("priority-status", NO_LETTER, "Print queued jobs per function and priority.").group(GROUP),
    flag("workers", NO_LETTER, "Print every connection with its functions.").group(GROUP),
    flag("ssl", 'S', "Speak TLS, with the files that GEARMAND_CA_CERTIFICATE, GEARMAN_CLIENT_PEM and GEARMAN_CLIENT_KEY name.").group(GROUP),
];

/// All of them, in the order of the help.
pub(crate) fn all() -> Vec<&'static Flag> {
    GEARADMIN.iter().collect()
}
