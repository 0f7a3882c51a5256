"""`python -m lineshaft worker module:worker`: a worker in several processes, kept alive."""

from __future__ import annotations

import argparse
import sys

from . import _child, _supervisor, __version__


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lineshaft", description="Gearman workers in several processes.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("worker", "run a worker in child processes"), ("_child", argparse.SUPPRESS)):
        worker = commands.add_parser(
            name,
            help=text,
            description="Runs the Worker or AsyncWorker that `module:name` names. SIGTERM lets what runs finish, Ctrl-C ends at "
            "once, SIGHUP starts all children anew, one after the other.",
        )
        worker.add_argument("target", metavar="module:worker", help="where the worker is; a function that returns it will do")
        worker.add_argument("--processes", type=int, default=1, metavar="N", help="child processes (1)")
        worker.add_argument("--concurrency", type=int, metavar="M", help="jobs at once in each child (the worker's own)")
        worker.add_argument("--servers", metavar="LIST", help="host:port,... instead of the worker's own servers")
        worker.add_argument("--max-jobs", type=int, metavar="N", help="start a child anew after so many jobs")
        worker.add_argument("--max-rss", type=float, metavar="MIB", help="start a child anew when it holds so much memory, in MiB")
        worker.add_argument("--grace", type=float, default=30.0, metavar="S", help="seconds that a job may go on after SIGTERM (30)")
        worker.add_argument("--reload", action="store_true", help="start all children anew when a .py file below the current folder changes")
        worker.add_argument("--verbose", "-v", action="store_true", help="log every job")
        worker.add_argument("--number", type=int, default=0, help=argparse.SUPPRESS)
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    if arguments.processes < 1:
        sys.exit("--processes: at least one")
    if arguments.command == "_child":
        return _child.run(arguments)
    return _supervisor.Supervisor(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
