"""PyPI's gear as peer, on either side, and as server."""

import threading

import gear
import pytest

import lineshaft


@pytest.fixture
def gear_client(gearman_server):
    done = threading.Event()

    class Client(gear.Client):
        def handleWorkComplete(self, packet):
            job = super().handleWorkComplete(packet)
            done.set()
            return job

        def handleWorkFail(self, packet):
            # What a client without the option `exceptions` hears.
            job = super().handleWorkFail(packet)
            done.set()
            return job

    client = Client()
    client.done = done
    client.addServer(gearman_server.host, gearman_server.port)
    client.waitForServer()
    yield client
    client.shutdown()


def gear_worker(host, port, function):
    worker = gear.Worker("gear")
    worker.addServer(host, port)
    worker.waitForServer()
    worker.registerFunction("reverse")

    def work():
        try:
            while True:
                function(worker.getJob())
        except gear.InterruptedError:
            pass

    threading.Thread(target=work, daemon=True).start()
    return worker


def test_our_worker_does_gears_jobs(worker, gear_client):
    job = gear.Job(b"reverse", b"abc")
    gear_client.submitJob(job)
    assert gear_client.done.wait(10)
    assert job.complete and b"".join(job.data) == b"cba"


def test_our_exception_reaches_gear(worker, gear_client):
    worker.add_function("bad", lambda job: 1 / 0)
    job = gear.Job(b"bad", b"")
    gear_client.submitJob(job)
    assert gear_client.done.wait(10)
    assert job.failure


def test_gears_worker_does_our_jobs(gearman_server, gearman_client):
    def work(job):
        job.sendWorkStatus(1, 2)
        job.sendWorkData(b"data ")
        if job.arguments == b"bad":
            job.sendWorkException(b"why")
        elif job.arguments == b"fail":
            job.sendWorkFail()
        else:
            job.sendWorkComplete(job.arguments[::-1])

    worker = gear_worker(gearman_server.host, gearman_server.port, work)
    task = gearman_client.submit("reverse", b"abc")
    assert [event.kind for event in task] == ["created", "status", "data", "complete"]
    assert gearman_client.submit("reverse", b"abc").result(timeout=10) == b"data cba"
    with pytest.raises(lineshaft.JobException, match="why"):
        gearman_client.submit("reverse", b"bad").result(timeout=10)
    with pytest.raises(lineshaft.JobFailed):
        gearman_client.submit("reverse", b"fail").result(timeout=10)
    worker.stopWaitingForJobs()
    worker.shutdown()
