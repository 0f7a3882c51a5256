"""A worker that stands on PyPI's gear. The functions are those of worker.pl.

usage: worker.py PORT
"""
import os
import sys
import time

import gear


def echo(job):
    job.sendWorkComplete(job.arguments)


def count(job):
    job.sendWorkComplete(b'%d' % len(job.arguments))


def content(job):
    with open(job.arguments, 'rb') as source:
        job.sendWorkComplete(source.read())


def log(job):
    print('log', job.arguments.decode(), flush=True)
    job.sendWorkComplete(b'logged')


def empty(job):
    job.sendWorkComplete()


def data(job):
    job.sendWorkData(b'one,')
    job.sendWorkData(b'two,')
    job.sendWorkComplete(b'three')


def warning(job):
    job.sendWorkWarning(b'careful')
    job.sendWorkComplete(b'done')


def progress(job):
    job.sendWorkStatus(1, 4)
    job.sendWorkStatus(2, 4)
    job.sendWorkComplete(b'done')


def fail(job):
    job.sendWorkFail()


def exception(job):
    job.sendWorkException(b'boom')


def hold(job):
    job.sendWorkStatus(1, 4)
    while not os.path.exists(job.arguments):
        # The test makes the file; nothing tells of it.
        time.sleep(0.005)
    job.sendWorkComplete(b'released')


FUNCTIONS = (echo, count, content, log, empty, data, warning, progress, fail, exception, hold)
BY_NAME = {function.__name__: function for function in FUNCTIONS}


def main():
    worker = gear.Worker('gear worker')
    worker.addServer('127.0.0.1', int(sys.argv[1]))
    worker.waitForServer(timeout=60)
    for name in BY_NAME:
        worker.registerFunction(name)
    while True:
        job = worker.getJob()
        BY_NAME[job.name](job)


if __name__ == '__main__':
    main()
