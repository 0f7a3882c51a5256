"""The asyncio client."""

import asyncio

import pytest

import lineshaft
from lineshaft import AsyncClient, Submission


def test_tasks_are_awaited_again_and_by_several(worker, gearman_server):
    async def main():
        async with AsyncClient(gearman_server) as client:
            task = await client.submit("reverse", b"abc")
            assert await asyncio.gather(task.result(), task.result(timeout=5)) == [b"cba", b"cba"]
            assert await task == b"cba" and task.done()

    asyncio.run(main())


def test_a_cancelled_await_loses_nothing(blocker, gearman_server):
    async def main():
        async with AsyncClient(gearman_server) as client:
            task = await client.submit("block", b"x")
            waiting = asyncio.ensure_future(task.result())
            also = asyncio.ensure_future(task.result())
            await asyncio.sleep(0)  # lets both begin to wait
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            with pytest.raises(TimeoutError):
                await task.result(timeout=0.02)
            blocker.set()
            assert await also == b"x" and await task == b"x"

    asyncio.run(main())


def test_a_cancelled_submit_does_not_hurt_the_client(worker, gearman_server):
    async def main():
        async with AsyncClient(gearman_server.address) as client:
            submits = [asyncio.ensure_future(client.submit("reverse", b"ab")) for _ in range(20)]
            await asyncio.sleep(0)  # lets them begin
            for submit in submits[::2]:
                submit.cancel()
            done = await asyncio.gather(*submits, return_exceptions=True)
            assert [await task for task in done[1::2]] == [b"ba"] * 10

    asyncio.run(main())


def test_events_are_iterated(gearman_server):
    worker = lineshaft.Worker(gearman_server)

    @worker.function("story")
    def story(job):
        job.send_status(1, 2)
        job.send_data(b"a")
        return b"b"

    async def main():
        async with AsyncClient(gearman_server.address) as client:
            task = await client.submit("story")
            assert [event.kind async for event in task] == ["created", "status", "data", "complete"]

    with worker:
        asyncio.run(main())


def test_map_and_submit_many(worker, gearman_server):
    async def main():
        async with AsyncClient(gearman_server.address) as client:
            results = [r async for r in client.map("reverse", (b"%d" % i for i in range(3000)), in_flight=100)]
            assert results == [(b"%d" % i)[::-1] for i in range(3000)]
            good, bad = await client.submit_many([("reverse", b"ab"), Submission("", b"")])
            assert await good == b"ba"
            with pytest.raises(lineshaft.InvalidArgument):
                await bad
            assert not (await client.status("H:nobody:1")).known
            await client.echo()

    asyncio.run(main())


def test_one_client_in_two_event_loops(worker, gearman_server):
    client = AsyncClient(gearman_server.address)

    async def main():
        return await (await client.submit("reverse", b"ab"))

    assert asyncio.run(main()) == b"ba"
    assert asyncio.run(main()) == b"ba"


def test_errors_are_raised(gearman_server):
    async def main():
        with pytest.raises(lineshaft.ConnectionFailed):
            await AsyncClient("127.0.0.1:1").connect()
        async with AsyncClient(gearman_server) as client:
            with pytest.raises(ValueError):
                await client.submit("f", priority="urgent")
            task = await client.submit("nobody", timeout=0.05)
            with pytest.raises(lineshaft.Timeout):
                await task
            with pytest.raises(lineshaft.Timeout):
                await task

    asyncio.run(main())
