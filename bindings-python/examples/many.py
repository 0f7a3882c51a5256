"""Thousands of tasks, with at most so many under way, and errors in their places."""

import asyncio

import lineshaft


async def main() -> None:
    with lineshaft.Server() as server:
        worker = lineshaft.AsyncWorker(server, concurrency=50, codec="json")

        @worker.function("square")
        async def square(job):
            if job.workload % 1000 == 7:
                raise ValueError(f"{job.workload} is unlucky")
            return job.workload**2

        async with worker, lineshaft.AsyncClient(server, codec="json") as client:
            results = client.map("square", range(5000), in_flight=500, return_exceptions=True)
            failed = [str(result) async for result in results if isinstance(result, lineshaft.JobException)]
        print(failed)


asyncio.run(main())
