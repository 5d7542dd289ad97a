# SPDX-License-Identifier: Apache-2.0
"""Endpoints whose machine is gone: nothing comes from there any more, no answer, no acknowledgement, no reset. As when a cable is pulled: what comes
to their sockets is dropped by a filter of the kernel."""

import ctypes
import socket
import struct
import threading
import time

import pytest

from mesh import wait_until

SO_ATTACH_FILTER = 26
DROP = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET 0
SOON = {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}
CLIENT = {"socketOptions": {"ackTimeoutMs": 2000}, "loadBalancer": {"kind": "roundRobin"}}
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n"


class Machine:
    """Answers its name when it is allowed to; requests are told by their end, so they are bodiless or as long as `reads`."""

    def __init__(self, name):
        self.name, self.requests, self.connections = name, 0, []
        self.may_answer, self.may_read = threading.Event(), threading.Event()
        self.may_answer.set()
        self.may_read.set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            with connection.makefile("rb") as lines:
                while self.request(lines):
                    self.requests += 1
                    self.may_answer.wait()
                    connection.sendall(ANSWER + self.name)
        except OSError:
            return

    def request(self, lines):
        length = 0
        while (line := lines.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        self.may_read.wait()
        return line and len(lines.read(length)) == length

    def vanish(self):
        for each in (self.listener, *self.connections):
            each.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(DROP)))

    def close(self):
        self.may_answer.set()
        self.may_read.set()
        for each in (self.listener, *self.connections):
            each.close()


@pytest.fixture(name="machines")
def make_machines():
    machines = [Machine(b"a"), Machine(b"b")]
    yield machines
    for each in machines:
        each.close()


def at_once(mesh, weft, count):
    """So many calls at the same time: their answers, as they come."""
    answers = []

    def call():
        answer = mesh.client(weft).get("web")
        answers.append((answer.status, answer.body))

    threads = [threading.Thread(target=call, daemon=True) for _ in range(count)]
    for each in threads:
        each.start()
    return answers


def start(mesh, machines, **service):
    mesh.service("web", *(each.address for each in machines))
    return mesh.weft(client=CLIENT, service={**SOON, **service})


def test_calls_go_elsewhere_when_a_machine_is_gone(mesh, machines):
    """On connections that were there, and on new ones."""
    weft = start(mesh, machines)
    client = mesh.client(weft)
    wait_until(lambda: {client.get("web").body for _ in range(4)} == {b"a", b"b"}, "both answer")
    machines[0].vanish()
    answers = at_once(mesh, weft, 8)
    wait_until(lambda: len(answers) == 8, "all calls are answered")
    assert answers == [(200, b"b")] * 8


def test_an_answer_that_is_waited_for_is_asked_for_elsewhere(mesh, machines):
    """The request was acknowledged: nothing is outstanding."""
    weft = start(mesh, machines)
    machines[0].may_answer.clear()
    answers = at_once(mesh, weft, 6)
    wait_until(lambda: machines[0].requests and len(answers) + machines[0].requests == 6, "some wait")
    waiting = machines[0].requests
    machines[0].vanish()
    wait_until(lambda: len(answers) == 6, "those that wait are answered")
    assert answers == [(200, b"b")] * 6 and waiting > 0


@pytest.mark.slow
def test_who_only_takes_nothing_is_not_gone(mesh, machines):
    """A window that is closed is no silence, however long."""
    machines[1].close()
    weft = start(mesh, machines[:1])
    machines[0].may_read.clear()
    said = []
    body = b"x" * 8_000_000
    thread = threading.Thread(target=lambda: said.append(mesh.client(weft).request("POST", "web", body=body)), daemon=True)
    thread.start()
    time.sleep(6)  # several times ackTimeoutMs
    assert not said
    machines[0].may_read.set()
    wait_until(lambda: said, "the answer")
    assert (said[0].status, said[0].body) == (200, b"a")
