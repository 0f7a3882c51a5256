"""The first minute: a broker, a worker and two clients in one process."""

import asyncio

import lineshaft

with lineshaft.Server() as server:  # a real broker in this process, on a free port
    worker = lineshaft.Worker(server)  # or "host:port", a list of them, or nothing: 127.0.0.1:4730

    @worker.function("reverse")
    def reverse(job):
        return job.workload[::-1]

    with worker:  # runs in the background; worker.run() blocks instead
        client = lineshaft.Client(server)
        assert client.submit("reverse", b"abc").result(timeout=10) == b"cba"

        async def main():
            async with lineshaft.AsyncClient(server) as client:
                tasks = [await client.submit("reverse", b"%d" % i) for i in range(100)]
                return [await task for task in tasks]

        assert asyncio.run(main()) == [b"%d" % i if i < 10 else (b"%d" % i)[::-1] for i in range(100)]
