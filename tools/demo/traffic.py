# SPDX-License-Identifier: Apache-2.0
"""What the demo sends: single requests by the real curl, and many at once over kept connections."""

import http.client
import re
import shlex
import subprocess
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from demo_mesh import NODES, ROUTERS, plain_environment

TIMEOUT_S = 60
IP = r"(127\.0\.[123]\.1)"
GREETING = re.compile(rf"^Hello \({IP}\) (?:world|earth) \({IP}\)!!$")
WORLD_ONLY = re.compile(rf"^world \({IP}\)!$")


class CurlError(Exception):
    """curl ended with an exit code other than 0, or not in time."""


def run_curl(command):
    """The output of a command as one would type it: `[NAME=VALUE ...] curl ...`; CurlError if curl fails."""
    words = shlex.split(command)
    environment = plain_environment()
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    try:
        done = subprocess.run(words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise CurlError(f"no answer within {TIMEOUT_S} s: {command}") from None
    if done.returncode != 0:
        raise CurlError(f"exit code {done.returncode} {done.stderr.decode(errors='replace').strip()}: {command}")
    return done.stdout.decode(errors="replace")


@dataclass(frozen=True)
class Answer:
    """What came back from one request: status 0 if nothing did, and then text says why."""

    status: int
    text: str

    @property
    def hello(self):
        """Address of the hello that answered, or None."""
        match = GREETING.match(self.text)
        return match[1] if match else None

    @property
    def world(self):
        """Address of the world that answered, directly or to hello, or None."""
        match = GREETING.match(self.text)
        if match:
            return match[2]
        match = WORLD_ONLY.match(self.text)
        return match[1] if match else None


class Clients:
    """A few clients at once, each with one kept connection to every node's outgoing router."""

    def __init__(self, number):
        self.pool = ThreadPoolExecutor(number)
        self.own = threading.local()

    def send(self, count, names=("hello",)):
        """Sends count requests of each name, spread evenly over the nodes; returns all answers."""
        wanted = [(NODES[turn % len(NODES)], name) for turn in range(count) for name in names]
        return list(self.pool.map(self._ask, wanted))

    def end(self):
        self.pool.shutdown(wait=False, cancel_futures=True)

    def _ask(self, wanted):
        node, name = wanted
        connections = self.own.__dict__.setdefault("connections", {})
        connection = connections.get(node)
        if connection is None:
            connection = connections[node] = http.client.HTTPConnection(node, ROUTERS["outgoing"], timeout=TIMEOUT_S)
        try:
            connection.request("GET", f"http://{name}")
            response = connection.getresponse()
            return Answer(response.status, response.read().decode("utf-8", "replace"))
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return Answer(0, f"{type(error).__name__}: {error}")


def count_by_node(addresses):
    """`1: 12  2: 9  3: 11` of a list of addresses, those that are None left out."""
    counted = Counter(addresses)
    return "  ".join(f"{number}: {counted[node]}" for number, node in enumerate(NODES, 1))
