"""Our libgearman beside Debian's: the same program, the same broker, in turns. `cargo xtask bench c` runs it.

usage: compare.py --broker PATH --library FOLDER --program PATH [--rounds N] [--jobs N]

The figure is CPU time for one job in microseconds, user and system, of the process that uses the library. The best round counts:
whatever else the machine does only adds. The broker has the last processor to itself, as in the other benchmarks: where the system
moves processes about, the same load costs up to twice as much from one round to the next.
"""
import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

LINES = [
    ('one job at a time, client', 'do', 'client'),
    ('one job at a time, worker', 'do', 'worker'),
    ('one job at a time, both', 'do', 'both'),
    ('32 tasks at a time, client', 'tasks', 'client'),
    ('32 tasks at a time, worker', 'tasks', 'worker'),
    ('32 tasks at a time, both', 'tasks', 'both'),
    ('background submit', 'background', 'client'),
    ('drain', 'background', 'worker'),
]


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def own_processor(own):
    """Keeps a process on the last processor, or off it; a machine with one processor has nothing to choose."""
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) == 1:
        return lambda: None
    chosen = processors[-1:] if own else processors[:-1]
    return lambda: os.sched_setaffinity(0, chosen)


class Broker:
    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        self.port = free_port()
        link = os.path.join(self.folder.name, 'gearmand')
        os.symlink(program, link)
        words = ['-p', str(self.port), '-L', '127.0.0.1', '-l', 'none', '-P', os.path.join(self.folder.name, 'pid')]
        quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL}
        self.process = subprocess.Popen([link, *words], preexec_fn=own_processor(True), **quiet)
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(('127.0.0.1', self.port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    sys.exit(f'{program} does not listen')
                time.sleep(0.01)  # Nothing tells of another process's progress.

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def start(options, library, port, kind, jobs):
    environment = {name: value for name, value in os.environ.items() if not name.startswith('GEARMAN')}
    environment.pop('LD_LIBRARY_PATH', None)
    if library == 'ours':
        environment['LD_LIBRARY_PATH'] = options.library
    words = [options.program, str(port), kind, str(jobs)]
    return subprocess.Popen(words, env=environment, preexec_fn=own_processor(False), stdout=subprocess.PIPE, text=True)


def result(process):
    text, _ = process.communicate(timeout=120)
    if process.returncode != 0:
        sys.exit(f'{process.args} ended with {process.returncode}')
    jobs, wall, cpu = map(float, text.split())
    return cpu / jobs * 1e6, jobs / wall


def measure(options, library, kind):
    """CPU time per job and rate, of the client and of the worker."""
    broker = Broker(options.broker)
    try:
        if kind == 'background':
            client = result(start(options, library, broker.port, kind, options.jobs))
            return {'client': client, 'worker': result(start(options, library, broker.port, 'worker', options.jobs))}
        worker = start(options, library, broker.port, 'worker', options.jobs)
        client = result(start(options, library, broker.port, kind, options.jobs))
        worker = result(worker)
        return {'client': client, 'worker': worker, 'both': (client[0] + worker[0], client[1])}
    finally:
        broker.stop()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--broker', required=True)
    parser.add_argument('--library', required=True)
    parser.add_argument('--program', required=True)
    parser.add_argument('--rounds', type=int, default=8)
    parser.add_argument('--jobs', type=int, default=6400)
    options = parser.parse_args()
    options.jobs -= options.jobs % 32
    found = {}
    for turn in range(options.rounds):
        for kind in ('do', 'tasks', 'background'):
            for library in ('debian', 'ours') if turn % 2 == 0 else ('ours', 'debian'):
                for side, figures in measure(options, library, kind).items():
                    found.setdefault((kind, side, library), []).append(figures)
    print(f'{"CPU time per job, us":28} {"Debian":>8} {"ours":>8} {"ratio":>6}   {"jobs/s: Debian":>14} {"ours":>8} {"ratio":>6}')
    for title, kind, side in LINES:
        cpu, rate = [], []
        for library in ('debian', 'ours'):
            figures = found[kind, side, library]
            cpu.append(min(figure[0] for figure in figures))
            rate.append(max(figure[1] for figure in figures))
        print(f'{title:28} {cpu[0]:8.2f} {cpu[1]:8.2f} {cpu[1] / cpu[0]:6.2f}   {rate[0]:14.0f} {rate[1]:8.0f} {rate[1] / rate[0]:6.2f}')


if __name__ == '__main__':
    main()
