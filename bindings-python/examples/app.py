"""A worker for the runner: python -m lineshaft worker app:worker --processes 4"""

import lineshaft

worker = lineshaft.Worker("127.0.0.1:4730", concurrency=2, tracebacks=True)


@worker.function("reverse")
def reverse(job):
    return job.workload[::-1]
