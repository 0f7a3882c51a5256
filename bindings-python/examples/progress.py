"""A long job that tells how far it is, and a client that shows it."""

import lineshaft

with lineshaft.Server() as server:
    worker = lineshaft.Worker(server, codec="json")

    @worker.function("resize", timeout=60)
    def resize(job):
        sizes = job.workload["sizes"]
        for done, size in enumerate(sizes, 1):
            if job.cancelled:  # the connection is gone, or the worker must end: the work would be in vain
                return None
            job.send_status(done, len(sizes))
        return {"name": job.workload["name"], "sizes": len(sizes)}

    with worker, lineshaft.Client(server, codec="json") as client:
        task = client.submit("resize", {"name": "cat.jpg", "sizes": [100, 200, 400]}, unique="cat.jpg", priority="high")
        for event in task:
            if event.kind == "status":
                print(f"{event.numerator} of {event.denominator}")
            elif event.kind == "complete":
                print("done:", event.data.decode())
