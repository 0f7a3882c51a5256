"""What the tests share."""

import pathlib
import signal
import subprocess
import sys
import threading

import pytest

import lineshaft

HERE = pathlib.Path(__file__).parent
EXAMPLES = HERE.parent / "examples"


@pytest.fixture(autouse=True)
def deadline():
    """A test that hangs fails, and says where."""

    def late(*_):
        raise TimeoutError("the test has hung")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def worker(gearman_server):
    """A worker that runs in the background."""
    worker = lineshaft.Worker(gearman_server)
    worker.add_function("reverse", lambda job: job.workload[::-1])
    with worker:
        yield worker


@pytest.fixture
def blocker(gearman_server):
    """A worker whose function `block` waits until `blocker.set()`."""
    go = threading.Event()
    worker = lineshaft.Worker(gearman_server)
    worker.add_function("block", lambda job: go.wait(30) and job.workload)
    with worker:
        yield go
        go.set()


class Script:
    """A Python program of its own, whose lines can be read as they come."""

    def __init__(self, text, *arguments, **options):
        command = [sys.executable, "-u", "-c", text, *arguments] if text else [sys.executable, "-u", *arguments]
        options = {"stdout": subprocess.PIPE, "text": True, **options}
        self.process = subprocess.Popen(command, **options)

    def line(self):
        return self.process.stdout.readline().strip()

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        """The rest of what it says, and its exit code."""
        rest, _ = self.process.communicate(timeout=30)
        return rest, self.process.returncode


@pytest.fixture
def script():
    started = []

    def start(text, *arguments, **options):
        started.append(Script(text, *arguments, **options))
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()


def pytest_terminal_summary(terminalreporter):
    """The closing line that `cargo xtask test` adds up."""
    count = {key: len(terminalreporter.stats.get(key, [])) for key in ("passed", "failed", "error", "skipped", "xfailed")}
    failed = count["failed"] + count["error"]
    verdict = "FAILED" if failed else "ok"
    ignored = count["skipped"] + count["xfailed"]
    print(f"\ntest result: {verdict}. {count['passed']} passed; {failed} failed; {ignored} ignored;")
