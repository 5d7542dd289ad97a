# SPDX-License-Identifier: Apache-2.0
"""`weft proxy --supervise`: a proxy that is killed or crashes under load is started again, and nobody is refused meanwhile."""

import contextlib
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from callers import Callers
from client import Client, CutShort
from mesh import PATIENCE, WEFT, sanitized, stop_process, wait_until


class Load(Callers):
    """Callers with kept and with fresh connections. `refused`: who couldn't connect; `lost`: when a call that had begun came to nothing."""

    def __init__(self, address, each=4):
        self.address, self.refused, self.lost = address, [], []
        super().__init__([self._keep] * each + [self._fresh] * each)

    def _connect(self):
        try:
            return Client(self.address)
        except OSError as error:
            self.refused.append(repr(error))
            raise

    def _call(self, client, number):
        answer = client.get("web")
        assert (answer.status, answer.body) == (200, b"hello"), answer
        self.counts[number] += 1
        time.sleep(0.002)

    def _until_stopped(self, call):
        while not self.stopping.is_set():
            try:
                call()
            except (OSError, CutShort):
                self.lost.append(time.monotonic())
            except AssertionError as error:
                self.failures.append(repr(error))
                return

    def _keep(self, number):
        def calls():
            with self._connect() as client:
                while not self.stopping.is_set() and not select.select([client.socket], [], [], 0)[0]:
                    self._call(client, number)
        self._until_stopped(calls)

    def _fresh(self, number):
        def calls():
            with self._connect() as client:
                self._call(client, number)
        self._until_stopped(calls)


@pytest.fixture(name="start")
def make_start(mesh):
    mesh.service("web", mesh.origin(body=b"hello"))

    def start(config=None, arguments=(), **options):
        return mesh.weft(config, arguments=["--supervise", *arguments], **options)

    return start


def child_of(pid):
    """The process's only one; None while it has none."""
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    assert len(children) <= 1
    return int(children[0]) if children else None


def proxy_of(weft):
    """The process that serves: it answers."""
    wait_until(lambda: weft.admin("/admin/ready").status == 200, "the proxy to be ready")
    return child_of(weft.process.pid)


def kill_proxy(weft, number=signal.SIGKILL):
    """And wait until another one serves: then that one's number."""
    before = proxy_of(weft)
    os.kill(before, number)
    wait_until(lambda: child_of(weft.process.pid) not in (None, before), "another process")
    return proxy_of(weft)


def get(weft, label=None):
    with Client(weft.address(label)) as client:
        return client.get("web").body


def restarts(weft):
    return weft.metric("process/restarts")


# ---- deaths ----

@pytest.mark.parametrize("threads", [1, 3])
def test_nobody_is_refused_when_the_proxy_is_killed(start, threads):
    weft = start(threads=threads)
    addresses, admin = weft.addresses, weft.admin_address
    kills = 4
    with Load(weft.address()) as load:
        for _ in range(kills):
            load.wait_for(3)
            kill_proxy(weft)
        load.wait_for(3)
    assert not load.failures
    assert load.refused == []
    assert len(load.lost) <= kills * len(load.threads), "only what was in flight"
    assert sum(load.counts) > len(load.threads)
    assert restarts(weft) == kills
    assert weft.admin_address == admin and weft.addresses["out"][0] == addresses["out"][0]
    assert set(weft.addresses["out"]) == set(addresses["out"]), "the ports that the kernel chose stay"


def test_who_waits_in_the_queue_is_answered_by_the_next_process(start):
    """It is stopped before they connect, and killed before it could accept any of them."""
    weft = start(threads=2)
    address, proxy = weft.address(), proxy_of(weft)
    with contextlib.ExitStack() as stack:
        stop_process(proxy)
        waiting = [stack.enter_context(Client(address)) for _ in range(30)]
        for client in waiting:
            client.send_request(host="web")
        os.kill(proxy, signal.SIGKILL)
        for client in waiting:
            assert client.response().body == b"hello"


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_is_said_and_counted(start, number):
    if sanitized():
        pytest.skip("a sanitizer handles these signals itself")
    weft = start()
    assert restarts(weft) == 0
    kill_proxy(weft, number)
    assert restarts(weft) == 1
    assert f"was killed by {number.name}" in weft.stderr
    assert "process:restarts 1" in weft.admin("/admin/metrics/prometheus").text
    assert "weft_process_restarts_total 1" in weft.admin("/metrics").text


def test_it_gives_up_on_one_that_dies_again_and_again(start):
    """With its code, so that who started it sees it; it waits longer each time."""
    weft = start()
    weft.expected_exit = 128 + signal.SIGKILL
    since, killed = time.monotonic(), set()
    # And none that comes later: at its end the supervisor itself has a child that looks for leaks, with AddressSanitizer.
    while len(killed) < 8:
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            child = child_of(weft.process.pid)
            if child and child not in killed:
                os.kill(child, signal.SIGKILL)
                killed.add(child)
        time.sleep(0.002)
        assert time.monotonic() - since < 3 * PATIENCE
    weft.wait_end()
    assert time.monotonic() - since > 3
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(weft.address(), PATIENCE)


def test_a_configuration_that_has_become_wrong_is_waited_for(start):
    """The file is wrong when the proxy dies: callers wait, and are answered once it is right."""
    weft = start()
    address, proxy = weft.address(), proxy_of(weft)
    right = weft.path.read_text()
    weft.write("routers: nonsense")
    wait_until(lambda: weft.metric("configuration/failures") == 1, "the refusal")
    os.kill(proxy, signal.SIGKILL)
    wait_until(lambda: "ended with code 2" in weft.stderr, "a start that fails")
    with Client(address) as client:
        client.send_request(host="web")
        weft.write(right)
        assert client.response().body == b"hello"


# ---- what is kept ----

def test_listeners_of_a_reload_are_kept_and_those_it_took_away_are_not(mesh, start):
    weft = start(mesh.config(mesh.router("one"), mesh.router("two")))
    first, second = weft.address("one"), weft.address("two")
    proxy_of(weft)
    weft.reload(mesh.config(mesh.router("one"), mesh.router("three", server={"ip": "127.0.0.2"})))
    third = wait_until(lambda: weft.addresses.get("three"), "the new listener")[0]

    def refused():
        try:
            socket.create_connection(second, PATIENCE).close()
            return False
        except ConnectionRefusedError:
            return True

    wait_until(refused, "the listener that is gone")
    stop_process(proxy_of(weft))
    with Client(third) as client, Client(first) as other:
        client.send_request(host="web")
        other.send_request(host="web")
        os.kill(child_of(weft.process.pid), signal.SIGKILL)
        assert client.response().body == b"hello"
        assert other.response().body == b"hello"
    assert refused()


def test_systemds_sockets_are_kept_and_it_is_told_by_the_process_it_knows(mesh, tmp_path):
    """NotifyAccess=main believes only the one that it has started."""
    mesh.service("web", mesh.origin(body=b"hello"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, socket.create_server(("127.0.0.1", 0)) as listening:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE)
        told.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

        def heard():
            text, ancillary, _, _ = told.recvmsg(100, 100)
            return text, struct.unpack("3i", ancillary[0][2])[0]

        config = mesh.config(mesh.router(server={"port": listening.getsockname()[1]}))
        shell = tmp_path / "as-systemd-does"
        shell.write_text(f'#!/bin/bash\nexec 3<&{listening.fileno()}\nexec {listening.fileno()}<&-\nexport LISTEN_PID=$$ LISTEN_FDS=1\n'
                         'exec "$REAL" "$@"\n')
        shell.chmod(0o755)
        os.set_inheritable(listening.fileno(), True)
        popen = subprocess.Popen
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, pass_fds=[listening.fileno()], **k))
            weft = mesh.weft(config, threads=2, binary=shell, env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "REAL": str(WEFT)},
                             arguments=["--supervise"])
        listening.close()
        assert heard() == (b"READY=1", weft.process.pid)
        with Load(weft.address(), each=1) as load:
            for _ in range(2):
                load.wait_for(1)
                kill_proxy(weft)
            load.wait_for(1)
        assert load.refused == []
        weft.finish()
        assert heard() == (b"STOPPING=1", weft.process.pid), "not ready twice"


# ---- being told ----

def test_a_wrong_configuration_ends_it_at_once(mesh):
    path = mesh.folder / "wrong.yaml"
    path.write_text("routers: nonsense")
    ended = subprocess.run([WEFT, "proxy", path, "--supervise"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert "routers" in ended.stderr and "started again" not in ended.stderr


def test_standard_input_is_refused():
    ended = subprocess.run([WEFT, "proxy", "-", "--supervise"], input="", capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (ended.returncode, "standard input" in ended.stderr) == (2, True)


def test_sighup_reloads(mesh, start):
    weft = start()
    proxy_of(weft)
    weft.signal(signal.SIGHUP)
    wait_until(lambda: weft.metric("configuration/reloads") == 1, "the reload")


def begin_slow(mesh, weft):
    """A call that takes until `go` is set."""
    go = threading.Event()

    def handler(call):
        go.wait(PATIENCE)
        with contextlib.suppress(OSError):
            call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")

    mesh.service("slow", mesh.origin(handler))
    client = mesh.client(weft)
    client.send_request(host="slow")
    wait_until(lambda: weft.metric("pending") > 0, "the call to be in flight")
    return client, go


@pytest.mark.parametrize("both", [False, True])
def test_told_once_it_drains_whoever_is_told(mesh, start, both):
    """Ctrl-C of a terminal and systemd's KillMode=control-group tell both processes."""
    weft = start()
    proxy = proxy_of(weft)
    client, go = begin_slow(mesh, weft)
    weft.signal(signal.SIGTERM)
    if both:
        os.kill(proxy, signal.SIGTERM)
    wait_until(lambda: "draining" in weft.stderr, "the drain")
    assert weft.process.poll() is None
    go.set()
    assert client.response().body == b"slow"
    weft.wait_end()


def test_told_twice_it_ends_at_once(mesh, start):
    weft = start()
    proxy_of(weft)
    client, go = begin_slow(mesh, weft)
    weft.expected_exit = 1
    weft.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in weft.stderr, "the drain")
    weft.signal(signal.SIGTERM)
    weft.wait_end()
    assert client.at_end()
    go.set()


def test_the_proxy_ends_in_order_when_the_supervisor_is_killed(mesh, start):
    """So that what starts the next supervisor finds the ports free."""
    weft = start()
    proxy = proxy_of(weft)
    client, go = begin_slow(mesh, weft)
    weft.expected_exit = -signal.SIGKILL
    watch = os.pidfd_open(proxy)
    weft.signal(signal.SIGKILL)
    go.set()
    assert client.response().body == b"slow"
    assert select.select([watch], [], [], PATIENCE)[0], "it ends"
    os.close(watch)
    weft.wait_end()


def test_orphans_of_its_container_are_reaped(mesh):
    """It is the first process of a pid namespace, and a process that isn't its own ends there."""
    if os.getuid() != 0:
        pytest.skip("needs root, for a pid namespace")
    mesh.service("web", mesh.origin(body=b"hello"))
    shell = mesh.folder / "first"
    # What exec leaves behind is the child of the namespace's first process, as that of `kubectl exec` may be.
    shell.write_text(f'#!/bin/bash\n(sleep 0.3; : >{mesh.folder}/orphan) &\nexec {WEFT} "$@"\n')
    shell.chmod(0o755)
    outer = mesh.folder / "outer"
    outer.write_text(f'#!/bin/bash\nexec unshare --pid --fork --mount-proc --kill-child {shell} "$@"\n')
    outer.chmod(0o755)
    weft = mesh.weft(binary=outer, arguments=["--supervise"])
    supervisor = child_of(weft.process.pid)
    wait_until((mesh.folder / "orphan").exists, "the orphan's end")
    wait_until(lambda: child_of(supervisor), "no zombie beside the proxy")
    proxy = child_of(supervisor)
    os.kill(proxy, signal.SIGKILL)
    wait_until(lambda: child_of(supervisor) not in (None, proxy), "another process")
    assert get(weft) == b"hello"
    os.kill(supervisor, signal.SIGTERM)
    weft.wait_end()


# ---- and handing over ----

@pytest.fixture(name="path")
def handover_path(tmp_path):
    return str(tmp_path / "handover.sock")


def test_handovers_and_deaths_in_turn(start, path):
    """Neither refuses anybody; each proxy that was started again hands over as the one before would have."""
    weft = start(arguments=["--handover", path], threads=2)
    address = weft.address()
    with Load(address) as load:
        for threads in (1, 3, 2):
            load.wait_for(2)
            kill_proxy(weft)
            old, weft = weft, start(arguments=["--handover", path], threads=threads)
            assert weft.address() == address
            lost = len(load.lost)
            load.wait_for(2)
            old.wait_end()
            assert len(load.lost) == lost, "a handover loses nothing"
            kill_proxy(weft)
            load.wait_for(2)
    assert not load.failures
    assert load.refused == []


def test_one_that_stays_waits_for_sigterm_even_if_it_is_killed(start, path):
    """On Kubernetes the container must not end before its pod is deleted: it would be started again, and take over."""
    old = start(arguments=["--handover", path, "--stay"])
    proxy = proxy_of(old)
    new = start(arguments=["--handover", path])
    wait_until(lambda: "waiting for SIGTERM" in old.stderr, "the old proxy to drain")
    os.kill(proxy, signal.SIGKILL)
    wait_until(lambda: "killed by SIGKILL" in old.stderr, "its end")
    assert child_of(old.process.pid) is None
    assert old.process.poll() is None
    assert get(new) == b"hello"
    old.expected_exit = 128 + signal.SIGKILL
    old.signal(signal.SIGTERM)
    old.wait_end()


def test_an_old_proxy_that_dies_while_it_hands_over_is_not_started_again(mesh, start, path):
    """The new one has its sockets; two must not go on with them."""
    old = start(arguments=["--handover", path])
    proxy = proxy_of(old)
    old.expected_exit = 128 + signal.SIGKILL
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as taker:
        taker.settimeout(PATIENCE)
        taker.connect(path)
        taker.send(b"WEFTSOCK" + struct.pack(">HBH", 1, 1, 1))
        assert taker.recv(1024)[10] == 2
        os.kill(proxy, signal.SIGKILL)
        old.wait_end()
    new = start(arguments=["--handover", path])
    assert get(new) == b"hello"


def test_a_proxy_whose_handover_failed_is_kept_again(start, path):
    weft = start(arguments=["--handover", path])
    proxy_of(weft)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as taker:
        taker.settimeout(PATIENCE)
        taker.connect(path)
        taker.send(b"WEFTSOCK" + struct.pack(">HBH", 1, 1, 1))
        assert taker.recv(1024)[10] == 2
    wait_until(lambda: "has gone before it was ready" in weft.stderr, "the failure")
    kill_proxy(weft)
    assert get(weft) == b"hello"
    new = start(arguments=["--handover", path])
    weft.wait_end()
    assert get(new) == b"hello"


# ---- what it costs ----

def test_the_supervisor_is_small(start):
    if sanitized():
        pytest.skip("a sanitizer's own memory is more than that")
    weft = start()
    proxy_of(weft)
    rollup = pathlib.Path(f"/proc/{weft.process.pid}/smaps_rollup").read_text(encoding="ascii")
    private = int(rollup.split("Private_Dirty:")[1].split()[0])
    assert private < 1024, f"{private} KiB of its own"
    tasks = list(pathlib.Path(f"/proc/{weft.process.pid}/task").iterdir())
    assert len(tasks) == 1
