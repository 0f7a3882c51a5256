"""A client that stands on PyPI's gear. What happens to the job is printed, one event a line, bytes in hex.

usage: client.py PORT do FUNCTION [unique=U] [priority=high|low] [background] [exceptions] < workload
       client.py PORT status HANDLE
"""
import sys
import threading

import gear


def say(*words):
    line = ' '.join(word.hex() if isinstance(word, bytes) else word for word in words)
    # One write: gear's own thread speaks as well.
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


class Client(gear.Client):
    def __init__(self):
        super().__init__()
        self.ended = threading.Event()

    def handleWorkData(self, packet):
        say('data', packet.getArgument(1, True))

    def handleWorkWarning(self, packet):
        say('warning', packet.getArgument(1, True))

    def handleWorkStatus(self, packet):
        say('progress', packet.getArgument(1).decode(), packet.getArgument(2).decode())

    def handleWorkComplete(self, packet):
        say('complete', packet.getArgument(1, True))
        self.ended.set()

    def handleWorkException(self, packet):
        say('exception', packet.getArgument(1, True))
        self.ended.set()

    def handleWorkFail(self, packet):
        # Raises where the handle is not one of ours.
        super().handleWorkFail(packet)
        say('fail')
        self.ended.set()


class Status(gear.Client):
    def __init__(self):
        super().__init__()
        self.answered = threading.Event()

    def handleStatusRes(self, packet):
        say('status', *(packet.getArgument(at).decode() for at in (1, 2, 3)), packet.getArgument(4, True).decode())
        self.answered.set()


def connect(client, port):
    client.addServer('127.0.0.1', int(port))
    client.waitForServer(timeout=60)
    return client


def do(port, function, *options):
    client = connect(Client(), port)
    words = dict(option.partition('=')[::2] for option in options)
    if 'exceptions' in words and not client.setOption('exceptions'):
        sys.exit('the server did not take the option')
    precedence = {'high': gear.PRECEDENCE_HIGH, 'low': gear.PRECEDENCE_LOW, None: gear.PRECEDENCE_NORMAL}
    unique = words.get('unique')
    job = gear.Job(function, sys.stdin.buffer.read(), unique and unique.encode())
    background = 'background' in words
    client.submitJob(job, background=background, precedence=precedence[words.get('priority')])
    say('created', job.handle.decode())
    if not background and not client.ended.wait(60):
        sys.exit('the job did not end')


def status(port, handle):
    client = connect(Status(), port)
    packet = gear.Packet(gear.constants.REQ, gear.constants.GET_STATUS, handle.encode())
    client.sendPacket(packet, client.getConnection())
    if not client.answered.wait(60):
        sys.exit('no answer')


if __name__ == '__main__':
    {'do': do, 'status': status}[sys.argv[2]](sys.argv[1], *sys.argv[3:])
