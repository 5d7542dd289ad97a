# SPDX-License-Identifier: Apache-2.0
"""The demo's mesh: three nodes on loopback addresses and the services behind them, as real processes.

    with Mesh(weft) as mesh:    # ports free, files written, all started and answering, or MeshError
        ...
    # all ended and the folder gone, whatever happened
"""

import ctypes
import errno
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

import mtls
from errors import MeshError

NODES = ("127.0.1.1", "127.0.2.1", "127.0.3.1")
ROUTERS = {"outgoing": 4140, "incoming": 4141, "ingress": 4142}
GRPC_ROUTERS = {"outgoing": 4240, "incoming": 4241}
ADMIN_PORT = 9990
START_DEADLINE_S = 60
END_DEADLINE_S = 15
POLL_S = 0.02
LOG_TAIL_LINES = 20

HERE = pathlib.Path(__file__).resolve().parent
HELLOWORLD = HERE.parents[1] / "samples" / "helloworld" / "helloworld.py"
PR_SET_PDEATHSIG = 1
TRACES = "- kind: io.weft.otlp\n  url: @URL@\n  sampleRate: 1.0\n  metrics: true\n  intervalMs: 5000"
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Service:
    """A service: its name in the discovery folder, its port on each of its nodes, and what its instances are given."""

    name: str
    port: int
    nodes: tuple
    flags: tuple = ()
    text: str = ""
    calls_out: bool = False
    control: int = 0     # a port for requests that change an instance; 0: they go to its own

    def command(self, node):
        """What starts the instance on a node; @IP@ in flags is the node."""
        flags = [flag.replace("@IP@", node) for flag in self.flags]
        if self.control:
            flags.append(f"-control={node}:{self.control}")
        return [sys.executable, HELLOWORLD, f"-addr={node}:{self.port}", *flags]

    def environment(self, node):
        given = {"POD_IP": node}
        if self.text:
            given["TARGET_WORLD"] = self.text
        if self.calls_out:
            given["http_proxy"] = f"{node}:{ROUTERS['outgoing']}"
        return given


HELLO = Service("hello", 7777, NODES, ("-text=Hello", "-target=world"), calls_out=True)
WORLD = Service("world-v1", 7778, NODES, text="world")
EARTH = Service("world-v2", 7780, NODES, text="earth")
API = Service("api", 7779, NODES[:1], ("-text=api", "-target=hello", "-json"), calls_out=True)
SERVICES = (HELLO, WORLD, EARTH, API)
GRPC = "-protocol=grpc"
# A gRPC client is told its proxy's address as its target's.
GRPC_HELLO = Service("hello", 7777, NODES, (GRPC, "-text=Hello", f"-target=@IP@:{GRPC_ROUTERS['outgoing']}"), control=7787)
GRPC_WORLD = Service("world-v1", 7778, NODES, (GRPC,), text="world", control=7788)
GRPC_EARTH = Service("world-v2", 7780, NODES, (GRPC,), text="earth", control=7790)


@dataclass(frozen=True)
class Exercise:
    """What runs on the three nodes."""

    template: str      # of a node's configuration, in this folder
    routers: dict      # label: port
    services: tuple


EXERCISES = {
    "http": Exercise("node.yaml", ROUTERS, SERVICES),
    "grpc": Exercise("node-grpc.yaml", GRPC_ROUTERS, (GRPC_HELLO, GRPC_WORLD, GRPC_EARTH)),
}


def plain_environment():
    """This process's environment without what would send or keep requests elsewhere."""
    dropped = ("TARGET_WORLD", "POD_IP")
    return {name: value for name, value in os.environ.items()
            if not name.lower().endswith("_proxy") and name not in dropped}


def wait_until(condition, deadline_s):
    """What condition() returned last: true as soon as it is, or false when the deadline has passed."""
    end = time.monotonic() + deadline_s
    while True:
        result = condition()
        if result or time.monotonic() > end:
            return result
        time.sleep(POLL_S)


def fetch(host, port, path, method="GET", timeout_s=10.0):
    """(status, text) of one direct request, by no proxy."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    finally:
        connection.close()


def is_free(host, port):
    """Whether a server could be started on the address; raises OSError if this machine has no such address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def answers(host, port):
    try:
        socket.create_connection((host, port), 1.0).close()
    except OSError:
        return False
    return True


def answers_ping(host):
    try:
        status, text = fetch(host, ADMIN_PORT, "/admin/ping", timeout_s=1.0)
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and text.strip() == "pong"


class Child:
    """A process that this one started: ended with it, whichever way it ends."""

    def __init__(self, name, command, environment, log):
        self.name = name
        self.log = log
        parent = os.getpid()

        def bind_to_parent():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

        # In a session of its own, so that Ctrl-C in the terminal reaches the demo alone, which then ends it in order.
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=output, start_new_session=True, preexec_fn=bind_to_parent)

    def fate(self):
        """How it ended, or None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"

    def log_tail(self):
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        return "".join(f"\n    {line}" for line in lines) or "\n    (it said nothing)"


class Mesh:
    """All that the demo starts. Used on the main thread only: children are bound to the thread that starts them."""

    def __init__(self, weft, exercise=EXERCISES["http"], mtls=False, traces=None):
        self.weft = pathlib.Path(weft).resolve()
        self.exercise, self.mtls = exercise, mtls
        self.traces = traces       # the URL of an OTLP collector that all spans go to
        self.authority = None      # mtls.Authority, with mtls
        self.folder = None
        self.signers = []
        self.nodes = []
        self.services = []

    def __enter__(self):
        try:
            self._require()
            self._write_files()
            self._start()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    @property
    def disco(self):
        return self.folder / "disco"

    def node_file(self, node):
        return self.folder / f"node-{NODES.index(node) + 1}.yaml"

    def write_node(self, node, mode="strict"):
        """The file that a node is told by. It is watched; `mode` is how its incoming router takes callers, with mtls."""
        template = (HERE / self.exercise.template).read_text()
        values = None
        if self.authority:
            values = {"socket": self.authority.socket, "id": mtls.node_id(NODES.index(node) + 1), "pattern": mtls.PATTERN, "mode": mode}
        text = mtls.with_tls(template, values).replace("@IP@", node).replace("@DISCO@", str(self.disco))
        text = text.replace("# @TRACES@", TRACES.replace("@URL@", self.traces) if self.traces else "")
        new = self.folder / "new.yaml"
        new.write_text(text)
        new.rename(self.node_file(node))

    def check_alive(self):
        """MeshError if anything that was started has ended."""
        for child in self.signers + self.nodes + self.services:
            if child.fate():
                raise MeshError(f"{child.name} ended by itself ({child.fate()}). Its last lines:{child.log_tail()}")

    def end_nodes(self):
        """Tells the nodes to end and waits. What went wrong with each: {} is how it should be."""
        return self._end_children(self.nodes, expected=0)

    def end(self):
        """Ends everything and removes the folder. May be called at any time, and again."""
        self._end_children(self.nodes, expected=0)
        self._end_children(self.services, expected=-signal.SIGTERM)
        self._end_children(self.signers, expected=0)
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _require(self):
        if not os.access(self.weft, os.X_OK):
            raise MeshError(f"{self.weft} is not there: build it first (./dev build)")
        if not shutil.which("curl"):
            raise MeshError("curl is not there: apt-get install curl")
        wanted = [(node, port) for node in NODES for port in (*self.exercise.routers.values(), ADMIN_PORT)]
        wanted += [(node, port) for service in self.exercise.services for node in service.nodes
                   for port in (service.port, service.control) if port]
        try:
            taken = [f"{node}:{port}" for node, port in wanted if not is_free(node, port)]
        except OSError as error:
            raise MeshError(f"the loopback addresses {', '.join(NODES)} can't be used: {error.strerror}") from None
        if taken:
            raise MeshError(f"in use already: {', '.join(taken)}. Is another demo running? "
                            f"`ss -ltnp 'sport = :{taken[0].rpartition(':')[2]}'` shows by whom.")

    def _write_files(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-demo."))
        self.disco.mkdir()
        for service in self.exercise.services:
            lines = [f"{node} {service.port}\n" for node in service.nodes]
            (self.disco / service.name).write_text("".join(lines))
        if self.mtls:
            self.authority = mtls.Authority(self.weft, self.folder)
        for node in NODES:
            self.write_node(node)

    def _start(self):
        if self.authority:
            self.signers.append(self._child("weft ca serve", self.authority.serve_command(), {}))
        for service in self.exercise.services:
            for node in service.nodes:
                self.services.append(self._child(f"{service.name} on {node}", service.command(node), service.environment(node)))
        for number, node in enumerate(NODES, 1):
            self.nodes.append(self._child(f"node {number} ({node})", [self.weft, "proxy", self.node_file(node)], {}))
        for service in self.exercise.services:
            for node in service.nodes:
                self._await(f"{service.name} on {node}:{service.port}", lambda: answers(node, service.port))
        for number, node in enumerate(NODES, 1):
            self._await(f"node {number}'s admin server on {node}:{ADMIN_PORT}", lambda: answers_ping(node))
            for router, port in self.exercise.routers.items():
                self._await(f"node {number}'s {router} router on {node}:{port}", lambda: answers(node, port))

    def _child(self, name, command, environment):
        log = self.folder / f"{name.replace(' ', '-').replace('(', '').replace(')', '')}.log"
        return Child(name, command, {**plain_environment(), **environment}, log)

    def _await(self, what, condition):
        def settled():
            self.check_alive()
            return condition()

        if not wait_until(settled, START_DEADLINE_S):
            logs = "".join(f"\n  {child.name}:{child.log_tail()}" for child in self.nodes)
            raise MeshError(f"no answer from {what} within {START_DEADLINE_S} s. The nodes said:{logs}")

    @staticmethod
    def _end_children(children, expected):
        wrong = {}
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()
        for child in children:
            try:
                child.process.wait(END_DEADLINE_S)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
                wrong[child.name] = f"still there {END_DEADLINE_S} s after SIGTERM"
                continue
            if child.process.returncode != expected:
                wrong[child.name] = child.fate() + child.log_tail()
        return wrong
