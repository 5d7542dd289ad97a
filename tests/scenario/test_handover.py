# SPDX-License-Identifier: Apache-2.0
"""One proxy after another with the same listening sockets: `weft proxy --handover SOCKET`, and sockets that systemd holds."""

import array
import contextlib
import functools
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time

import grpc
import pytest

from callers import Callers
from client import Client, CutShort
from grpc_service import GrpcServer, channel
from mesh import PATIENCE, ROOT, WEFT, sanitized, wait_until
from tls import Pki, TlsClient

ASK, SOCKETS, READY, LEAVING, REFUSED = 1, 2, 3, 4, 5
BY_NUMBER, DOOR = 0, 255


# ---- what the two processes say to each other (src/control/handover.h), said by a test ----

def message(kind, body=b"", version=1):
    return b"WEFTSOCK" + struct.pack(">HB", version, kind) + body


class Taker:
    """A process that asks for the sockets of the running one."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(str(path))
        self.descriptors = []

    def ask(self, newest=1, oldest=1):
        self.socket.send(message(ASK, struct.pack(">H", oldest), newest))

    def take(self):
        """Until all sockets are here; their roles."""
        self.ask()
        roles = b""
        while True:
            kind, body = self.hear()
            assert kind == SOCKETS, body
            roles += body[2:]
            if body[:2] == b"\0\0":
                assert len(roles) == len(self.descriptors)
                return roles

    def hear(self):
        """The next message's kind and body; (None, b"") at the end."""
        data, ancillary, flags, _ = self.socket.recvmsg(1024, socket.CMSG_SPACE(4 * 253))
        assert not flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC)
        for level, kind, payload in ancillary:
            assert (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            got = array.array("i")
            got.frombytes(payload)
            self.descriptors.extend(got)
        if not data:
            return None, b""
        assert data[:8] == b"WEFTSOCK"
        return data[10], data[11:]

    def refusal(self):
        kind, body = self.hear()
        assert kind == REFUSED
        assert self.hear() == (None, b"")
        return body.decode()

    def close(self):
        self.socket.close()
        for descriptor in self.descriptors:
            os.close(descriptor)
        self.descriptors = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Giver:
    """A process that runs already, with these listening sockets; it does what `answer`(connection) says."""

    def __init__(self, path):
        self.door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.door.bind(str(path))
        self.door.listen(4)
        self.door.settimeout(PATIENCE)

    def asked(self):
        connection, _ = self.door.accept()
        connection.settimeout(PATIENCE)
        assert connection.recv(1024)[10] == ASK
        return connection

    @staticmethod
    def give(connection, sockets, roles, follow=0):
        descriptors = array.array("i", [one.fileno() for one in sockets])
        connection.sendmsg([message(SOCKETS, struct.pack(">H", follow) + bytes(roles))],
                           [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])

    def close(self):
        self.door.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# ---- load ----

# gRPC's default: a call whose stream GOAWAY says was not processed begins anew, unseen (gRPC's A6).
TRANSPARENT_RETRIES = ("grpc.enable_retries", 1)


class Load(Callers):
    """Callers of every kind that never try again by themselves: whatever goes wrong is in `failures`. `client` makes another than Client."""

    def __init__(self, http, grpc_address=None, client=Client):
        self.connect, self.grpc_address = functools.partial(client, http), grpc_address
        calls = [self._keep_alive, self._keep_alive, self._fresh]
        if grpc_address:
            calls += [self._unary, self._stream]
        super().__init__([functools.partial(self._run, call) for call in calls])

    def _run(self, call, which):
        def done():
            self.counts[which] += 1
            time.sleep(0.002)   # or one of them keeps the interpreter from the others

        try:
            while not self.stopping.is_set():
                call(done)
        except (OSError, CutShort, grpc.RpcError, AssertionError) as error:
            self.failures.append(f"{call.__name__}: {error!r}")

    def _keep_alive(self, done):
        """What has idled for too long is closed in order, which callers see before they use it again."""
        with self.connect() as client:
            while not select.select([client.socket], [], [], 0)[0] and not self.stopping.is_set():
                answer = client.get("web")
                assert (answer.status, answer.body) == (200, b"hello"), answer
                done()
                if answer.header("connection") == "close":
                    return

    def _fresh(self, done):
        with self.connect() as client:
            answer = client.get("web")
            assert (answer.status, answer.body) == (200, b"hello"), answer
            done()

    def _unary(self, done):
        with channel(self.grpc_address, TRANSPARENT_RETRIES) as made:
            say = made.unary_unary("/test.Echo/Say")
            while not self.stopping.is_set():
                assert say(b"x", timeout=PATIENCE) == b"one: x"
                done()

    def _stream(self, done):
        """Messages go back and forth over streams that live as long as a hundred of them."""
        with channel(self.grpc_address, TRANSPARENT_RETRIES) as made:
            while not self.stopping.is_set():
                replied = threading.Semaphore(1)

                def messages(replied=replied):
                    for i in range(100):
                        replied.acquire()
                        yield b"m%d" % i

                for i, reply in enumerate(made.stream_stream("/test.Echo/Chat")(messages(), timeout=PATIENCE)):
                    assert reply == b"M%d" % i
                    replied.release()
                done()


@pytest.fixture(name="path")
def handover_path(tmp_path):
    return tmp_path / "handover.sock"


@pytest.fixture(name="start")
def make_start(mesh, path):
    """start(...): a proxy that takes over from the one before, if there is one."""
    mesh.service("web", mesh.origin(body=b"hello"))

    def start(*routers, arguments=(), **options):
        return mesh.weft(mesh.config(*routers), arguments=["--handover", str(path), *arguments], **options)

    return start


def get(weft):
    with Client(weft.address()) as client:
        return client.get("web").body


def refused_start(mesh, path, config=None, through=()):
    """What a proxy says that can't take over. `through`: a command that executes it."""
    file = mesh.folder / "refused.yaml"
    file.write_text(json.dumps(config or mesh.config()))
    ended = subprocess.run([*through, WEFT, "proxy", file, "--handover", path], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                           timeout=3 * PATIENCE, check=False)
    assert ended.returncode == 2, ended
    return ended.stderr


# ---- handing over ----

@pytest.mark.parametrize("threads", [[1], [1, 3, 2]], ids=["one", "many"])
def test_ten_handovers_in_a_row_lose_no_request(mesh, start, threads):
    echo = GrpcServer("one")
    mesh.service("test.Echo", echo.address)
    routers = [mesh.router(), mesh.router("grpc", protocol="h2", identifier={"kind": "io.l5d.header.path", "segments": 1})]
    try:
        weft = start(*routers, threads=threads[0])
        with Load(weft.address("out"), weft.address("grpc")) as load:
            load.wait_for(1)
            for i in range(1, 11):
                old, weft = weft, start(*routers, threads=threads[i % len(threads)])
                assert weft.addresses == old.addresses and weft.admin_address == old.admin_address
                old.wait_end()
                load.wait_for(1)
        assert not load.failures
        assert weft.metric("rt/out/server/127.0.0.1/%d/requests" % weft.address("out")[1]) > 0
    finally:
        echo.close()


def test_handovers_of_tls_lose_no_request(mesh, start):
    """A long connection stays with the process that has its keys; who has a ticket of an old process shakes hands anew."""
    pki = Pki(mesh.folder / "pki")
    web = pki.issue("web", "DNS:web.example")
    router = mesh.router(server={"tls": {"certPath": str(web.cert), "keyPath": str(web.key)}})
    go = slow_origin(mesh)
    weft = first = start(router, arguments=["--drain", "1m"])
    address = weft.address()
    client = functools.partial(TlsClient, context=pki.context(), name="web.example")
    before = pki.context(maximum=ssl.TLSVersion.TLSv1_2)
    with client(address, context=before) as ticketed, client(address) as lasting, Load(address, client=client) as load:
        assert ticketed.get("web").body == b"hello"
        session = ticketed.socket.session
        assert session.has_ticket
        begin_slow(lasting)
        for i in range(5):
            load.wait_for(1)
            old, weft = weft, start(router, threads=1 + i % 2)
            assert weft.address() == address
            if old is not first:
                old.wait_end()
        load.wait_for(1)
        with client(address, context=before, session=session) as again:
            assert again.get("web").body == b"hello"
        assert first.process.poll() is None
        go.set()
        assert lasting.receive() == b"half"
    assert not load.failures
    first.wait_end()


def test_a_name_without_a_file(mesh, start, tmp_path):
    """An abstract socket, as node proxies on Kubernetes have it."""
    name = f"@weft-test-{tmp_path}"[-100:].replace("/", "-")
    name = "@" + name.lstrip("@")
    mesh.service("web", mesh.origin(body=b"hello"))

    def ready():
        return subprocess.run([WEFT, "ready", name], capture_output=True, text=True, timeout=PATIENCE, check=False)

    assert (ready().returncode, "nobody listens" in ready().stderr) == (1, True)
    weft = mesh.weft(arguments=["--handover", name])
    address = weft.address()
    with Load(address) as load:
        for _ in range(3):
            load.wait_for(1)
            old, weft = weft, mesh.weft(arguments=["--handover", name])
            assert weft.address() == address
            old.wait_end()
            wait_until(lambda weft=weft: ready().stdout == f"process {weft.process.pid} has {name}\n", "the new one to answer there")
        load.wait_for(1)
    assert not load.failures
    weft.finish()
    assert ready().returncode == 1


def test_ready_tells_another_container_apart(start, path):
    """As a probe of a new container, while the old one still has the socket: in a pid namespace of its own."""
    if os.getuid() != 0:
        pytest.skip("needs root, for a pid namespace")
    start()
    inside = subprocess.run([WEFT, "ready", path], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert inside.returncode == 0, inside
    outside = subprocess.run(["unshare", "--pid", "--fork", WEFT, "ready", path], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (outside.returncode, "outside of this container" in outside.stderr) == (1, True), outside


def test_connections_in_the_queue_are_answered_by_the_new_process(start):
    """The old one is stopped, so it accepts none of them; it gives its sockets all the same, when it goes on."""
    old = start(threads=2)
    address = old.address()
    with contextlib.ExitStack() as stack:
        old.signal(signal.SIGSTOP)
        waiting = [stack.enter_context(Client(address)) for _ in range(20)]
        for client in waiting:
            client.send_request(host="web")
        old.signal(signal.SIGCONT)
        start(threads=3)
        for client in waiting:
            assert client.response().body == b"hello"
    old.wait_end()


def slow_origin(mesh):
    """disco/slow: the first bytes of a body at once, the others when `go` is set."""
    go = threading.Event()

    def handler(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        go.wait(PATIENCE)
        with contextlib.suppress(OSError):
            call.send(b"half")

    mesh.service("slow", mesh.origin(handler))
    return go


def begin_slow(client):
    client.send_request(host="slow")
    received = b""
    while not received.endswith(b"half"):
        received += client.receive()


def test_a_long_connection_stays_with_the_old_process(mesh, start):
    go = slow_origin(mesh)
    old = start(arguments=["--drain", "1m"])
    with Client(old.address()) as client:
        begin_slow(client)
        new = start()
        assert get(new) == b"hello"
        assert old.process.poll() is None
        # The long one isn't the new process's.
        wait_until(lambda: new.metric("server/127.0.0.1/%d/connections" % new.address()[1]) == 0, "its connections to end")
        go.set()
        assert client.receive() == b"half"
        assert client.at_end()
    old.wait_end()


def test_an_access_log_that_begins_empty_goes_on_at_a_handover(mesh, start, tmp_path):
    go, log = threading.Event(), tmp_path / "access.log"
    late = mesh.origin(lambda call: go.wait(PATIENCE) and call.answer(200))
    mesh.service("late", late)
    log.write_text("from another life\n")
    router = mesh.router(httpAccessLog=str(log), httpAccessLogAppend=False, httpAccessLogFormat="%REQ(:AUTHORITY)% %RESPONSE_CODE%")
    old = start(router)
    get(old)
    with Client(old.address()) as client:
        client.send_request(host="late")
        wait_until(lambda: late.requests, "the request")
        get(start(router))
        wait_until(lambda: log.read_text().splitlines() == ["web 200"] * 2, "a line of each process")
        go.set()
        assert client.response().status == 200
    old.wait_end()
    assert log.read_text().splitlines() == ["web 200", "web 200", "late 200"]


def test_a_long_connection_is_cut_at_the_limit(mesh, start):
    go = slow_origin(mesh)
    old = start(arguments=["--drain", "300ms"])
    old.expected_exit = 1
    with Client(old.address()) as client:
        begin_slow(client)
        new = start()
        assert client.at_end()
        old.wait_end()
        assert get(new) == b"hello"
    go.set()


def test_sigterm_shortens_the_limit_of_a_handover(mesh, start):
    go = slow_origin(mesh)
    old = mesh.weft(mesh.config(admin={"shutdownGraceMs": 200}), arguments=["--handover", str(mesh.folder / "handover.sock"), "--drain", "1h"])
    old.expected_exit = 1
    with Client(old.address()) as client:
        begin_slow(client)
        start()
        old.signal(signal.SIGTERM)
        assert client.at_end()
        old.wait_end()
    go.set()


def test_a_process_that_stays_waits_for_sigterm(start):
    old = start(arguments=["--stay"])
    new = start()
    wait_until(lambda: "waiting for SIGTERM" in old.stderr, "the old process to drain")
    assert old.process.poll() is None
    assert get(new) == b"hello"
    old.signal(signal.SIGTERM)
    old.wait_end()


def test_sigterm_does_not_shorten_the_limit_of_one_that_stays(mesh, start):
    """Kubernetes sends it as soon as the new pod is ready."""
    go = slow_origin(mesh)
    config = mesh.config(admin={"shutdownGraceMs": 1})
    old = mesh.weft(config, arguments=["--handover", str(mesh.folder / "handover.sock"), "--drain", "1h", "--stay"])
    with Client(old.address()) as client:
        begin_slow(client)
        new = start()
        wait_until(lambda: "draining" in old.stderr, "the old process to drain")
        old.signal(signal.SIGTERM)
        assert get(new) == b"hello"
        assert old.process.poll() is None
        go.set()
        assert client.receive() == b"half"
        assert client.at_end()
    old.wait_end()


def test_the_second_sigterm_does(mesh, start):
    go = slow_origin(mesh)
    config = mesh.config(admin={"shutdownGraceMs": 1})
    old = mesh.weft(config, arguments=["--handover", str(mesh.folder / "handover.sock"), "--drain", "1h", "--stay"])
    old.expected_exit = 1
    with Client(old.address()) as client:
        begin_slow(client)
        start()
        wait_until(lambda: "draining" in old.stderr, "the old process to drain")
        old.signal(signal.SIGTERM)
        wait_until(lambda: "drains on" in old.stderr, "the first to be seen")
        old.signal(signal.SIGTERM)
        assert client.at_end()
        old.wait_end()
    go.set()


def test_listeners_are_matched_by_address(mesh, start):
    """One stays, one goes, one is new."""
    old = start(mesh.router("kept"), mesh.router("gone"))
    kept, gone = old.address("kept"), old.address("gone")
    with socket.create_server(("127.0.0.1", 0)) as other:
        fresh = other.getsockname()
    new = start(mesh.router("kept", server={"port": kept[1]}), mesh.router("fresh", server={"port": fresh[1]}))
    old.wait_end()
    assert new.addresses == {"kept": [kept], "fresh": [fresh]}
    for address in (kept, fresh):
        with Client(address) as client:
            assert client.get("web").body == b"hello"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(gone)


def other_build(folder):
    """Another build of the binary, or at least another file."""
    for name in ("build-test", "build-asan", "build-tsan", "build"):
        other = ROOT / name / "weft"
        if other.exists() and other.resolve() != WEFT.resolve():
            return other
    return pathlib.Path(shutil.copy(WEFT, folder / "weft-of-tomorrow"))


def test_the_binary_is_replaced_under_load(mesh, start):
    other = other_build(mesh.folder)
    weft = start(threads=2)
    with Load(weft.address()) as load:
        for binary in (other, WEFT, other):
            old, weft = weft, start(threads=2, binary=binary)
            old.wait_end()
            load.wait_for(5)
        assert os.readlink(f"/proc/{weft.process.pid}/exe") == str(other.resolve())
    assert not load.failures


# ---- what goes wrong ----

def test_the_old_process_goes_on_when_the_new_one_dies_before_it_is_ready(start, path):
    old = start(threads=2)
    with Load(old.address()) as load:
        for _ in range(5):
            with Taker(path) as taker:
                roles = taker.take()
                assert len(roles) == 4 and roles.count(DOOR) == 1   # two of the server, admin's, the door
                load.wait_for(2)
            load.wait_for(2)
    assert not load.failures
    new = start()
    old.wait_end()
    assert get(new) == b"hello"


def test_the_old_process_goes_on_when_the_new_one_cannot_start(mesh, start, path):
    old = start()
    with Load(old.address()) as load, socket.create_server(("127.0.0.1", 0)) as taken:
        config = mesh.config(mesh.router(), mesh.router("two", server={"port": taken.getsockname()[1]}))
        for _ in range(3):
            assert "the address is in use" in refused_start(mesh, path, config)
            load.wait_for(2)
        assert "nonsense" in refused_start(mesh, path, {**mesh.config(), "nonsense": 1})
    assert not load.failures
    assert old.process.poll() is None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "told to end"])
def test_the_old_process_goes_on_whenever_the_new_one_ends_before_it_is_ready(mesh, start, path, number):
    """It ends once it has the sockets. What it may have accepted by then is lost with it if it is killed, nothing else is; when it had become
    ready all the same the old one has left in order."""
    old, told = start(), 0
    file = mesh.folder / "ending.yaml"
    file.write_text(json.dumps(mesh.config()))

    def outcomes(old):
        return old.stderr.count("has gone before it was ready") + old.stderr.count("has taken over")

    for _ in range(10):
        with subprocess.Popen([WEFT, "proxy", file, "--handover", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) as asking:
            seen = b""
            while b"listening sockets" not in seen:
                seen += asking.stderr.read1()
            asking.send_signal(number)
            asking.stderr.read()
        assert asking.returncode in (0, -signal.SIGKILL)
        wait_until(lambda old=old, told=told: outcomes(old) > told, "the old one to see it")
        told = outcomes(old)
        if "has taken over" in old.stderr:
            old.wait_end()
            old, told = start(), 0
        assert get(old) == b"hello"


def test_sigterm_to_the_new_process_while_it_waits_for_sockets(mesh, start, path):
    """The old one is stopped, so it doesn't answer; when it goes on nobody asks any more, and it serves as before."""
    old = start()
    file = mesh.folder / "waiting.yaml"
    file.write_text(json.dumps(mesh.config()))
    with Load(old.address()) as load:
        load.wait_for(1)
        old.signal(signal.SIGSTOP)
        with subprocess.Popen([WEFT, "proxy", file, "--handover", path], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as asking:
            wait_until(lambda: has_connected(asking.pid), "the new one to ask")
            asking.terminate()
            assert asking.wait(PATIENCE) == 0
        old.signal(signal.SIGCONT)
        load.wait_for(5)
    assert not load.failures
    new = start()
    old.wait_end()
    assert get(new) == b"hello"


def has_connected(pid):
    """Whether that process has a Unix socket of packets that is connected."""
    inodes = set()
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}").removeprefix("socket:[").removesuffix("]"))
    with open("/proc/net/unix", encoding="ascii", errors="replace") as sockets:
        return any(words[4] == "0005" and words[5] == "03" and words[6] in inodes for words in map(str.split, sockets) if len(words) > 6)


def test_sigterm_to_the_new_process_before_the_old_one_has_left(mesh, start, path):
    """It has said that it is ready, and may have accepted: it drains, and the sockets stay open for the other's sake."""
    with Giver(path) as giver, socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        address = listening.getsockname()
        begun = []
        thread = threading.Thread(target=lambda: begun.append(start(mesh.router(server={"port": address[1]}))))
        thread.start()
        with giver.asked() as connection:
            giver.give(connection, [giver.door, listening], [DOOR, BY_NUMBER])
            assert connection.recv(1024)[10] == READY
            thread.join()
            begun[0].signal(signal.SIGTERM)
            begun[0].wait_end()
            assert path.exists()
        with socket.create_connection(address):
            listening.settimeout(PATIENCE)
            listening.accept()[0].close()


def test_the_old_process_is_killed_before_it_answers(start):
    old = start()
    old.expected_exit = -signal.SIGKILL
    old.signal(signal.SIGSTOP)
    begun = []
    thread = threading.Thread(target=lambda: begun.append(start()))
    thread.start()
    wait_until(lambda: len(list(old.folder.parent.glob("weft-*/stderr.txt"))) == 2, "the new process")
    old.signal(signal.SIGKILL)
    thread.join()
    assert get(begun[0]) == b"hello"


def test_the_old_process_dies_while_the_new_one_starts(mesh, start, path):
    """What it had given serves on, and what it hadn't is bound anew; the next process finds the door, too."""
    with Giver(path) as giver, socket.create_server(("127.0.0.1", 0), backlog=100) as listening:
        address = listening.getsockname()
        begun = []
        thread = threading.Thread(target=lambda: begun.append(start(mesh.router(server={"port": address[1]}))))
        thread.start()
        with giver.asked() as connection, Client(address) as waiting:
            waiting.send_request(host="web")
            giver.give(connection, [giver.door, listening], [DOOR, BY_NUMBER], follow=1)
            connection.close()
            giver.close()
            listening.close()
            thread.join()
            assert waiting.response().body == b"hello"
    first = begun[0]
    second = start(mesh.router(server={"port": address[1]}))
    first.wait_end()
    assert get(second) == b"hello"


def is_unanswered(address):
    with socket.create_connection(address) as asking:
        asking.settimeout(0.5)
        asking.sendall(b"GET /admin/ready HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            asking.recv(1)
        except TimeoutError:
            return True
        return False


def test_sigterm_in_the_middle_leaves_the_sockets_to_the_new_process(mesh, start, path):
    go = slow_origin(mesh)
    old = start()
    address = old.address()
    with Taker(path) as taker:
        taker.take()
        with Client(address) as client:
            begin_slow(client)
            old.signal(signal.SIGTERM)
            assert taker.hear()[0] == LEAVING
            # While it drains, its admin server's callers are the new process's, too, as soon as that thread has heard of it.
            wait_until(lambda: is_unanswered(old.admin_address), "the admin server to have left its port")
            go.set()
        old.wait_end()
        assert path.exists()    # the door is another's now
        with socket.create_connection(address):
            pass
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    assert get(start()) == b"hello"   # what is left at the path is nobody's


def test_a_reload_waits_for_the_end_of_a_handover(mesh, start, path):
    mesh.service("other", mesh.origin(body=b"other"))
    weft = start()
    with Taker(path) as taker:
        taker.take()
        weft.write(mesh.config(mesh.router(dtab="/svc => /#/io.l5d.fs/other")))
        weft.signal(signal.SIGHUP)
        assert weft.delegate("/svc/web").status == 200    # the control thread has been at it since
        assert weft.metric("configuration/reloads") == 0
        assert get(weft) == b"hello"
    wait_until(lambda: weft.metric("configuration/reloads") == 1, "the reload")


def test_only_one_process_takes_over_at_a_time(mesh, start, path):
    old = start()
    with Taker(path) as taker:
        taker.take()
        assert "is taking over already" in refused_start(mesh, path)
        with Taker(path) as another:
            another.ask()
            assert f"process {os.getpid()} is taking over" in another.refusal()
    assert get(old) == b"hello"
    start()
    old.wait_end()


@pytest.mark.parametrize(("newest", "oldest", "why"), [(0, 0, "versions 0 to 0"), (9, 7, "versions 7 to 9")])
def test_a_version_that_is_not_spoken_is_refused(start, path, newest, oldest, why):
    weft = start()
    with Taker(path) as taker:
        taker.ask(newest, oldest)
        assert why in taker.refusal()
    assert get(weft) == b"hello"


def test_a_newer_process_that_still_speaks_this_version_is_answered(start, path):
    start()
    with Taker(path) as taker:
        taker.socket.send(message(ASK, struct.pack(">H", 1) + b"what version 9 adds", 9))
        assert taker.hear()[0] == SOCKETS


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", b"WEFTSOCK", message(READY), message(99), message(SOCKETS, b"\0\0"), b"x" * 1024],
                         ids=["http", "short", "ready", "unknown", "sockets", "long"])
def test_what_is_not_understood_is_refused(start, path, said):
    weft = start()
    with Taker(path) as taker:
        taker.socket.send(said)
        assert "not understood" in taker.refusal()
    with Taker(path) as taker:
        taker.socket.send(b"y" * 5000)    # longer than any packet
        assert taker.hear() == (None, b"")
    assert get(weft) == b"hello"


def test_a_process_that_says_nothing_is_sent_away(start, path):
    weft = start()
    with Taker(path) as silent:
        assert "asked for nothing" in silent.refusal()
    assert get(weft) == b"hello"


def test_a_running_process_that_does_not_answer_is_told_of(mesh, path):
    with Giver(path):
        assert "doesn't answer" in refused_start(mesh, path)


def test_more_sockets_than_files_may_be_open_is_told_of(mesh, path):
    if sanitized():
        pytest.skip("a sanitizer opens files of its own")
    with Giver(path) as giver, contextlib.ExitStack() as stack:
        many = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(200)]
        said = []
        thread = threading.Thread(target=lambda: said.append(refused_start(mesh, path, through=["prlimit", "--nofile=100:100"])))
        thread.start()
        with giver.asked() as connection:
            giver.give(connection, many, [BY_NUMBER] * len(many))
            thread.join()
    assert "not all sockets could be received" in said[0]


# Asks at a path, and fails where it gets an answer.
UNHEARD = """
import socket, sys
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as taker:
    taker.settimeout(20)
    taker.connect(sys.argv[1])
    try:
        taker.send(bytes.fromhex(sys.argv[2]))
        answer = taker.recv(1024)
    except (BrokenPipeError, ConnectionResetError):
        answer = b""
sys.exit(answer != b"")
"""


def test_another_user_is_not_answered(start, path):
    if os.getuid() != 0:
        pytest.skip("needs root, to be another user")
    weft = start()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o666)
    for folder in (path.parent, *path.parent.parents):
        if folder.stat().st_uid == 0 and folder != pathlib.Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    # Base Python: that of a virtual environment may be in a folder of root's.
    subprocess.run([sys._base_executable, "-I", "-c", UNHEARD, path, message(ASK, struct.pack(">H", 1)).hex()],
                   user=65534, timeout=3 * PATIENCE, check=True)
    wait_until(lambda: "another user" in weft.stderr, "the complaint")
    assert get(weft) == b"hello"


def test_what_a_killed_process_left_at_the_path_is_replaced(start, path):
    old = start()
    old.expected_exit = -signal.SIGKILL
    old.signal(signal.SIGKILL)
    old.wait_end()
    assert path.is_socket()
    weft = start()
    assert get(weft) == b"hello"
    weft.finish()
    assert not path.exists()


def test_what_is_no_door_is_told_of(mesh, path, tmp_path):
    path.write_text("a file")
    assert "no socket" in refused_start(mesh, path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as stream:
        stream.bind(str(path))
        stream.listen()
        assert "no socket of a running weft proxy" in refused_start(mesh, path)
    assert "no such directory" in refused_start(mesh, tmp_path / "nowhere" / "socket")
    assert "107 bytes" in refused_start(mesh, tmp_path / ("x" * 108))


# ---- systemd ----

def test_systemd_hears_of_no_end_that_is_a_handover(start, tmp_path):
    """It would count TimeoutStopSec from then, kill what still drains, and start it again."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE)
        first = start(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert told.recv(100) == b"READY=1"
        assert get(start()) == b"hello"
        first.wait_end()
        told.setblocking(False)
        with pytest.raises(BlockingIOError):
            told.recv(100)


def test_systemd_is_told_and_its_sockets_are_served(mesh, tmp_path):
    mesh.service("web", mesh.origin(body=b"hello"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told, socket.create_server(("127.0.0.1", 0)) as listening:
        told.bind(str(tmp_path / "notify"))
        told.settimeout(PATIENCE)
        config = mesh.config(mesh.router(server={"port": listening.getsockname()[1]}))
        # What systemd does: the socket is descriptor 3, and the variables name this very process.
        shell = tmp_path / "as-systemd-does"
        shell.write_text(f'#!/bin/bash\nexec 3<&{listening.fileno()}\nexport LISTEN_PID=$$ LISTEN_FDS=1\nexec "$REAL" "$@"\n')
        shell.chmod(0o755)
        os.set_inheritable(listening.fileno(), True)
        popen = subprocess.Popen
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(subprocess, "Popen", lambda *a, **k: popen(*a, pass_fds=[listening.fileno()], **k))
            weft = mesh.weft(config, threads=2, binary=shell, env={"NOTIFY_SOCKET": str(tmp_path / "notify"), "REAL": str(WEFT)})
        assert told.recv(100) == b"READY=1"
        assert weft.address() == listening.getsockname()
        assert get(weft) == b"hello"
        weft.finish()
        assert told.recv(100) == b"STOPPING=1"
