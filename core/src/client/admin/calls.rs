//! The commands, once for both admin clients.

/// Writes the methods. `$async` and `$await` are empty for the blocking client.
macro_rules! admin_calls {
    ([$($async:tt)?] [$($await:tt)*]) => {
        /// The server's version.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn version(&mut self) -> Result<String> {
            ok(&self.call("version")$($await)*?)
        }

        /// The server's process id.
        ///
        /// # Errors
        /// Those of the connection; [`ErrorKind::InvalidPacket`](crate::ErrorKind::InvalidPacket) where the answer is no number.
        pub $($async)? fn getpid(&mut self) -> Result<u32> {
            let text = ok(&self.call("getpid")$($await)*?)?;
            text.parse().map_err(|_| {
                let detail = format!("`{text}` is no process id");
                crate::error::Error::new(crate::error::ErrorKind::InvalidPacket, "admin", detail)
            })
        }

        /// How much the server logs.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn verbose(&mut self) -> Result<String> {
            ok(&self.call("verbose")$($await)*?)
        }

        /// Changes up to which level the server logs, all of it or one part, and answers the level that holds then. gearmand changes
        /// nothing and answers its own level.
        ///
        /// # Errors
        /// Those of the connection; [`ErrorKind::Server`](crate::ErrorKind::Server) from a server whose log is not its own.
        pub $($async)? fn set_verbose(&mut self, level: LogLevel, target: Option<LogTarget>) -> Result<String> {
            let target = target.map_or(String::new(), |target| format!(" {}", target.name()));
            ok(&self.call(&format!("verbose {level}{target}"))$($await)*?)
        }

        /// All functions, with their jobs and workers.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn status(&mut self) -> Result<Vec<FunctionStatus>> {
            self.call("status")$($await)*?.iter().map(Row::parse).collect()
        }

        /// All functions, with their queued jobs of each priority.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn priority_status(&mut self) -> Result<Vec<PriorityStatus>> {
            self.call("prioritystatus")$($await)*?.iter().map(Row::parse).collect()
        }

        /// All connections, this one included, with what they can do.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn workers(&mut self) -> Result<Vec<WorkerStatus>> {
            self.call("workers")$($await)*?.iter().map(Row::parse).collect()
        }

        /// All jobs.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn jobs(&mut self) -> Result<Vec<JobRow>> {
            self.call("show jobs")$($await)*?.iter().map(Row::parse).collect()
        }

        /// The uniques of all jobs.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn unique_jobs(&mut self) -> Result<Vec<Bytes>> {
            self.call("show unique jobs")$($await)*
        }

        /// All schedules. gearmand does not know them: [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument).
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn schedules(&mut self) -> Result<Vec<ScheduleRow>> {
            self.call("show schedules")$($await)*?.iter().map(Row::parse).collect()
        }

        /// Where the server keeps background jobs, and whether that works. gearmand does not tell:
        /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument).
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn store(&mut self) -> Result<StoreRow> {
            let lines = self.call("show store")$($await)*?;
            Row::parse(lines.first().unwrap_or(&Bytes::new()))
        }

        /// Why a job, or the next job of a function, does not run: `about` is a handle or the name of a function. gearmand does not
        /// tell: [`ErrorKind::InvalidCommand`](crate::ErrorKind::InvalidCommand).
        ///
        /// # Errors
        /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name with blanks, and those of the connection.
        pub $($async)? fn explain(&mut self, about: impl AsRef<[u8]>) -> Result<ExplanationRow> {
            let command = format!("explain {}", word(about.as_ref())?);
            let lines = self.call(&command)$($await)*?;
            Row::parse(lines.first().unwrap_or(&Bytes::new()))
        }

        /// As [`Self::explain`], for each function that has jobs waiting.
        ///
        /// # Errors
        /// Those of the connection.
        pub $($async)? fn explain_all(&mut self) -> Result<Vec<ExplanationRow>> {
            self.call("explain")$($await)*?.iter().map(Row::parse).collect()
        }

        /// Cancels a job, or ends a schedule. Who waits for the job hears that it failed.
        ///
        /// # Errors
        /// [`ErrorKind::JobNotFound`](crate::ErrorKind::JobNotFound), and those of the connection.
        pub $($async)? fn cancel(&mut self, handle: impl AsRef<[u8]>) -> Result<()> {
            let command = format!("cancel job {}", word(handle.as_ref())?);
            ok(&self.call(&command)$($await)*?).map(|_| ())
        }

        /// Makes a function known to the server; it may be known already.
        ///
        /// # Errors
        /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) for a name with blanks, and those of the connection.
        pub $($async)? fn create_function(&mut self, function: impl AsRef<[u8]>) -> Result<()> {
            let command = format!("create function {}", word(function.as_ref())?);
            ok(&self.call(&command)$($await)*?).map(|_| ())
        }

        /// Lets the server forget a function.
        ///
        /// # Errors
        /// As [`Self::create_function`]; [`ErrorKind::Server`](crate::ErrorKind::Server) where it is not known, or still has
        /// workers or running jobs.
        pub $($async)? fn drop_function(&mut self, function: impl AsRef<[u8]>) -> Result<()> {
            let command = format!("drop function {}", word(function.as_ref())?);
            ok(&self.call(&command)$($await)*?).map(|_| ())
        }

        /// Limits the jobs of a function, whatever their priority; `None` and 0 lift the limit. The server does nothing where it
        /// does not know the function.
        ///
        /// # Errors
        /// As [`Self::create_function`].
        pub $($async)? fn max_queue(&mut self, function: impl AsRef<[u8]>, jobs: Option<u32>) -> Result<()> {
            let command = format!("maxqueue {} {}", word(function.as_ref())?, jobs.unwrap_or(0));
            ok(&self.call(&command)$($await)*?).map(|_| ())
        }

        /// As [`Self::max_queue`], with a limit for submissions of each priority: high, normal, low.
        ///
        /// # Errors
        /// As [`Self::create_function`].
        pub $($async)? fn max_queue_by_priority(
            &mut self,
            function: impl AsRef<[u8]>,
            jobs: [Option<u32>; 3],
        ) -> Result<()> {
            let [high, normal, low] = jobs.map(|jobs| jobs.unwrap_or(0));
            let command = format!("maxqueue {} {high} {normal} {low}", word(function.as_ref())?);
            ok(&self.call(&command)$($await)*?).map(|_| ())
        }

        /// Any command, without its line end. Answers its lines without theirs, and without the dot that ends a list: `status`,
        /// `prioritystatus`, `workers`, `explain` and all that begins with `show` are lists.
        ///
        /// # Errors
        /// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) where `line` is empty or has a line end in it; what the
        /// server says in an `ERR` line; those of the connection.
        pub $($async)? fn command(&mut self, line: &str) -> Result<Vec<Bytes>> {
            if line.is_empty() || line.contains(|c: char| c.is_control()) {
                let detail = format!("`{}` is no command", line.escape_debug());
                return Err(crate::error::Error::new(crate::error::ErrorKind::InvalidArgument, "admin", detail));
            }
            self.call(line)$($await)*
        }
    };
}

pub(super) use admin_calls;
