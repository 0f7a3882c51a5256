"""What the package says of itself: examples, documentation, errors, codecs, admin, server, fixtures."""

import doctest
import importlib
import inspect
import os
import pickle
import pkgutil
import pydoc
import re
import subprocess
import sys
import textwrap

import pytest

import lineshaft
from conftest import EXAMPLES
from lineshaft import Admin, Client, Server, Worker, errors


@pytest.mark.parametrize("name", ["first_minute", "progress", "many", "later"])
def test_examples_run(name):
    done = subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def first_minute(where):
    if where == "docstring":
        text = lineshaft.__doc__
        return textwrap.dedent(text[text.index("    import asyncio") : text.index("`Client` and `Worker`")])
    text = (EXAMPLES.parent / where).read_text()
    return next(block for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "Server() as server" in block)


@pytest.mark.parametrize("where", ["docstring", "README.md", "../README.md"])
def test_the_first_minute_is_as_it_reads(where):
    code = first_minute(where)
    assert code.strip() == first_minute("docstring").strip()
    exec(code, {})


@pytest.mark.parametrize("name", ["client", "worker", "aio_worker", "admin"])
def test_doctests(name):
    module = importlib.import_module(f"lineshaft.{name}")
    result = doctest.testmod(module, extraglobs=vars(lineshaft))
    assert result.attempted > 0 and result.failed == 0


def test_every_public_name_has_a_docstring():
    for name in lineshaft.__all__:
        public = getattr(lineshaft, name)
        if not inspect.isclass(public):
            continue
        assert (public.__doc__ or "").strip(), name
        for key, member in vars(public).items():
            if key.startswith("_") or key in ("count", "index"):
                continue
            if inspect.isfunction(member) or isinstance(member, property):
                assert (inspect.getdoc(member) or "").strip(), f"{name}.{key}"


def test_help_reads_well():
    text = pydoc.plain(pydoc.render_doc(lineshaft))
    for word in ("class Client", "class AsyncWorker", "a real broker in this process", "submit_many"):
        assert word in text


def test_every_kind_of_error_can_be_made_and_pickled():
    assert len(errors.KINDS) == len(lineshaft._native.ERROR_KINDS) >= 25
    for code, (number, text, retryable) in errors.KINDS.items():
        error = errors._make(code, "test", "detail", "", b"data")
        assert isinstance(error, lineshaft.LineshaftError)
        assert (error.code, error.number, error.retryable) == (code, number, retryable) and text.endswith(".")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and again.code == code and str(again) == str(error)


@pytest.mark.parametrize("codec", ["json", "pickle", (str.encode, bytes.decode), lineshaft.JSON])
def test_codecs(gearman_server, codec):
    worker = Worker(gearman_server, codec=codec)
    worker.add_function("double", lambda job: job.workload * 2)
    with worker, Client(gearman_server, codec=codec) as client:
        assert client.submit("double", "äb").result(timeout=10) == "äbäb"
        assert list(client.map("double", ["1", "2"])) == ["11", "22"]


def test_an_unknown_codec_is_refused():
    with pytest.raises(ValueError, match="raw, json, pickle"):
        Client(codec="yaml")


def test_admin(gearman_server, worker):
    with Admin(gearman_server.address) as admin, Client(gearman_server) as client:
        assert admin.version() == lineshaft.__version__
        assert admin.getpid() == os.getpid()
        admin.create_function("idle")
        task = client.submit("idle", unique="u")
        assert ("idle", 1, 0, 0) in admin.status()
        assert [row.normal for row in admin.priority_status() if row.function == "idle"] == [1]
        assert admin.unique_jobs() == ["u"]
        assert [row.handle for row in admin.jobs()] == [task.handle]
        admin.max_queue("idle", 1)
        with pytest.raises(lineshaft.LineshaftError) as caught:
            client.submit("idle")
        assert caught.value.code == "QUEUE_ERROR"
        admin.max_queue("idle", high=1, normal=0, low=5)
        admin.cancel(task.handle)
        with pytest.raises(lineshaft.JobFailed):
            task.result(timeout=10)
        admin.drop_function("idle")
        assert admin.command("version")[0].startswith(b"OK")
        with pytest.raises(lineshaft.LineshaftError):
            admin.command("no such command")


def test_servers():
    with Server(None) as hidden:
        with pytest.raises(ValueError, match="no socket"):
            hidden.address
        Client(hidden).echo()
    with pytest.raises(lineshaft.LineshaftError):
        Client(hidden).echo()
    with Server(["127.0.0.1:0", "127.0.0.1:0"], handle_prefix="H:me") as server:
        assert len(server.addresses) == 2 and server.host == "127.0.0.1" and server.port > 0
        assert Client(server).submit("f", background=True).handle == "H:me:1"
        with pytest.raises(lineshaft.LineshaftError) as caught:
            Server(server.address)
        assert server.address in str(caught.value)
        assert server.jobs == 1 and server.stop() is False
        assert server.stop() is True
    with pytest.raises(ValueError):
        Server(compat="3")


def test_fixtures_are_plugged_in(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(gearman_server, gearman_client):\n"
        "    assert gearman_client.submit('f', background=True).handle\n"
        "    assert gearman_server.jobs == 1\n"
    )
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", tmp_path], capture_output=True, text=True, timeout=60)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_every_module_is_imported_by_the_package():
    names = {module.name for module in pkgutil.iter_modules(lineshaft.__path__)}
    assert {"client", "worker", "aio", "aio_worker", "server", "admin", "pytest_plugin"} <= names
