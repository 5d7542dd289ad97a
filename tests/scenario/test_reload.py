# SPDX-License-Identifier: Apache-2.0
"""A proxy's life: its file changes under load, is wrong, comes back; it is told to end while calls run."""

import json
import os
import signal
import socket
import threading

import pytest

from callers import Callers
from client import Client, CutShort
from mesh import Weft, wait_until

LOADED = "configuration/reloads"
REFUSED = "configuration/failures"


class Load(Callers):
    """Callers that send one request after another, each on a connection of its own, until told to stop."""

    def __init__(self, weft, callers=4, host="web"):
        self.weft, self.host = weft, host
        self.bodies = []
        super().__init__([self._call] * callers)

    def _call(self, _):
        try:
            with Client(self.weft.address()) as client:
                while not self.stopping.is_set():
                    answer = client.get(self.host)
                    self.bodies.append((answer.status, answer.text))
        except (OSError, CutShort) as error:
            self.failures.append(repr(error))

    def wait_for(self, more):
        """Until so many further requests are answered; what came for them."""
        before = len(self.bodies)
        wait_until(lambda: len(self.bodies) >= before + more or self.failures, f"{more} more answers")
        return self.bodies[before:]


class Mounted(Weft):
    """Its file is in a volume as Kubernetes mounts ConfigMaps: weft.yaml -> ..data/weft.yaml, ..data -> a directory a version."""

    def write(self, config):
        version = self.folder / f"..2026_{len(list(self.folder.glob('..2026_*')))}"
        version.mkdir()
        (version / "weft.yaml").write_text(config)
        fresh = self.folder / "..data_tmp"
        fresh.symlink_to(version.name)
        fresh.rename(self.folder / "..data")
        if not self.path.is_symlink():
            self.path.symlink_to("..data/weft.yaml")


def two_versions(mesh):
    """Configurations that send `web` to one origin or to another."""
    one, two = mesh.origin(body=b"one"), mesh.origin(body=b"two")
    mesh.service("one", one)
    mesh.service("two", two)
    return [mesh.config(mesh.router(dtab=f"/svc/web => /#/io.l5d.fs/{name}")) for name in ("one", "two")]


# ---- reloading ----

@pytest.mark.parametrize("threads", [1, 4])
def test_reloads_under_load_fail_no_request(mesh, threads):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0], threads=threads)
    with Load(weft) as load:
        load.wait_for(20)
        for number in range(1, 11):
            weft.reload(configs[number % 2])
            load.wait_for(20)
        weft.reload(configs[1])
        assert mesh.client(weft).get("web").text == "two"
    assert load.failures == []
    assert set(load.bodies) == {(200, "one"), (200, "two")}
    # Nobody was told to come back on another connection either.
    assert weft.metric("rt/out/server/127.0.0.1/%d/connects" % weft.address()[1]) == len(load.threads) + 1


def test_sighup_loads_even_an_unchanged_file(mesh):
    config = two_versions(mesh)[0]
    weft = mesh.weft(config)
    client = mesh.client(weft)
    assert client.get("web").text == "one"
    for number in (1, 2, 3):
        weft.signal(signal.SIGHUP)
        wait_until(lambda: weft.metric(LOADED) == number, "the reload")
        assert client.get("web").text == "one"


def test_touching_the_file_is_no_reload(mesh):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0])
    weft.write(configs[0])
    os.utime(weft.path)
    weft.reload(configs[1])  # later than the two above, so they have been looked at
    assert weft.metric(LOADED) == 1


def test_a_file_written_in_place_is_loaded(mesh):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0])
    weft.path.write_text(json.dumps(configs[1]))
    wait_until(lambda: mesh.client(weft).get("web").text == "two", "the new configuration")


def test_a_configmaps_links_are_followed(mesh):
    configs = two_versions(mesh)
    folder = mesh.folder / "mounted"
    folder.mkdir()
    weft = Mounted(folder, json.dumps(configs[0]))
    mesh.wefts.append(weft)
    client = mesh.client(weft)
    assert client.get("web").text == "one"
    for number in (1, 0, 1):
        weft.reload(json.dumps(configs[number]))
        assert client.get("web").text == ("one", "two")[number]


# ---- files that are wrong ----

def test_a_wrong_file_is_refused_and_the_old_one_stays(mesh):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0])
    client = mesh.client(weft)
    wrong = "routers:\n- protocol: http\n  servers: [{port: 0}]\n  clinet: {}\n  service:\n    tls: 1\n"
    with Load(weft) as load:
        load.wait_for(20)
        weft.write(wrong)
        wait_until(lambda: weft.metric(REFUSED) == 1, "the refusal")
        load.wait_for(20)
    assert load.failures == []
    assert set(load.bodies) == {(200, "one")}
    assert f"{weft.path}:4:3: routers[0].clinet: unknown key; did you mean `client`?\n" in weft.stderr
    assert f"{weft.path}:6:5: routers[0].service.tls: unknown key\n" in weft.stderr
    assert weft.metric(LOADED) == 0
    assert client.get("web").text == "one"
    weft.reload(configs[1])
    assert client.get("web").text == "two"
    assert weft.metric(REFUSED) == 1


def test_a_missing_file_leaves_all_as_it_is(mesh):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0])
    weft.path.unlink()
    wait_until(lambda: weft.metric(REFUSED) > 0, "the refusal")
    assert mesh.client(weft).get("web").text == "one"
    weft.reload(configs[1])
    assert mesh.client(weft).get("web").text == "two"


def test_an_address_that_is_taken_refuses_the_whole_file(mesh):
    configs = two_versions(mesh)
    weft = mesh.weft(configs[0])
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        dtab = configs[1]["routers"][0]["dtab"]
        weft.write(mesh.config(mesh.router(dtab=dtab, servers=[{"port": 0}, {"port": port}])))
        wait_until(lambda: weft.metric(REFUSED) == 1, "the refusal")
    assert f"127.0.0.1:{port}" in weft.stderr
    assert mesh.client(weft).get("web").text == "one"


# ---- listeners come and go ----

def test_a_new_server_is_printed_and_a_removed_one_is_closed(mesh):
    first = two_versions(mesh)[0]
    dtab = first["routers"][0]["dtab"]
    weft = mesh.weft(first)
    weft.reload(mesh.config(mesh.router(dtab=dtab), mesh.router(label="second", dtab=dtab)))
    wait_until(lambda: "second" in weft.addresses, "the line of the new listener")
    assert len(weft.addresses["out"]) == 1
    added = weft.address("second")
    with Client(added) as client:
        assert client.get("web").text == "one"
        weft.reload(first)
        assert client.at_end()  # idle connections of a router that is gone are closed

    wait_until(lambda: refuses(added), "the removed listener to be closed")
    assert mesh.client(weft).get("web").text == "one"


def test_a_removed_server_refuses_callers_while_a_call_still_runs_there(mesh):
    """And its address is free: it comes back as a listener of its own, beside the call that it left."""
    go = threading.Event()

    def handler(call):
        call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        go.wait(20)
        call.send(b"half")

    first = two_versions(mesh)[0]
    dtab = first["routers"][0]["dtab"]
    mesh.service("slow", mesh.origin(handler))
    weft = mesh.weft(first)
    weft.reload(mesh.config(mesh.router(dtab=dtab), mesh.router(label="second", dtab="/svc => /#/io.l5d.fs")))
    wait_until(lambda: "second" in weft.addresses, "the line of the new listener")
    added = weft.address("second")
    with Client(added) as client:
        client.send_request(host="slow")
        received = b""
        while not received.endswith(b"half"):
            received += client.receive()
        weft.reload(first)
        wait_until(lambda: refuses(added), "the removed listener to be closed")
        with socket.create_server(added):
            pass
        again = {"label": "again", "dtab": dtab, "server": {"port": added[1]}}
        weft.reload(mesh.config(mesh.router(dtab=dtab), mesh.router(**again)))
        assert mesh.client(added).get("web").text == "one"
        go.set()
        assert client.receive() == b"half"
        assert client.at_end()
    weft.reload(first)
    wait_until(lambda: refuses(added), "it to be closed again")


def test_a_port_that_moves_to_another_router_is_counted_there(mesh):
    dtab = two_versions(mesh)[0]["routers"][0]["dtab"]
    configs = [mesh.config(mesh.router(label=label, dtab=dtab)) for label in ("out", "moved")]
    weft = mesh.weft(configs[0])
    address, port = weft.address(), weft.address()[1]

    def server(label, metric):
        return weft.metric(f"rt/{label}/server/127.0.0.1/{port}/{metric}")

    with Client(address) as client:
        assert client.get("web").text == "one"
        for number in range(1, 4):
            weft.reload(configs[number % 2])
            assert client.get("web").text == "one"  # the connection stays
        assert (server("out", "requests"), server("moved", "requests")) == (2, 2)
        assert (server("out", "success"), server("moved", "success")) == (2, 2)
        assert (server("out", "connections"), server("moved", "connections")) == (1, 0)
        with Client(address) as other:
            assert other.get("web").text == "one"
            assert (server("out", "connections"), server("moved", "connections")) == (1, 1)
    wait_until(lambda: server("out", "connections") == server("moved", "connections") == 0, "both to be closed")
    assert (server("out", "pending"), server("moved", "pending")) == (0, 0)


# ---- ending ----

def held_call(mesh, **admin):
    """(weft, client, release): a request that its origin has, and answers when release is set."""
    release, there = threading.Event(), threading.Event()

    def hold(call):
        there.set()
        release.wait(20)
        call.answer(body=b"late")

    origin = mesh.origin(hold)
    mesh.service("web", origin)
    weft = mesh.weft(mesh.config(mesh.router(), admin=admin))
    client = mesh.client(weft)
    client.send_request(host="web")
    assert there.wait(20)
    return weft, client, release


def refuses(address):
    """Whether new connections are refused. Nothing is sent on one that is not."""
    try:
        socket.create_connection(address, 5).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_call_that_runs_may_end(mesh, number):
    weft, client, release = held_call(mesh)
    idle = mesh.client(weft)
    weft.signal(number)
    assert idle.at_end()
    wait_until(lambda: refuses(weft.address()), "new connections to be refused")
    assert weft.process.poll() is None
    release.set()
    answer = client.response()
    assert (answer.status, answer.text) == (200, "late")
    assert answer.header("connection") == "close"
    assert client.at_end()
    weft.wait_end()


class Hammer(threading.Thread):
    """Sends one request after another, on a new connection whenever it is told to, until connecting is refused."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.answers, self.cut, self.farewells = address, 0, [], 0
        self.start()

    def run(self):
        while True:
            try:
                client = Client(self.address)
            except ConnectionError:
                return
            with client:
                self._use(client)

    def _use(self, client):
        first = True
        while True:
            try:
                answer = client.get("web")
            except (CutShort, OSError) as error:
                # One in the queue when the listener closed was never accepted; that can't be helped, and it can be retried.
                if not first:
                    self.cut.append(repr(error))
                return
            first = False
            self.answers += 1
            if answer.header("connection") == "close":
                self.farewells += 1
                return


@pytest.mark.parametrize("attempt", range(3))
def test_draining_under_load_cuts_no_call_off(mesh, attempt):
    mesh.service("web", mesh.origin())
    weft = mesh.weft(threads=2)
    hammers = [Hammer(weft.address()) for _ in range(8)]
    wait_until(lambda: all(hammer.answers > 5 for hammer in hammers), "answers for all callers")
    weft.signal(signal.SIGTERM)
    for hammer in hammers:
        hammer.join(20)
    weft.wait_end()
    assert [hammer.cut for hammer in hammers] == [[]] * 8
    assert all(hammer.farewells for hammer in hammers)


def test_after_the_grace_calls_are_cut_off(mesh):
    weft, client, release = held_call(mesh, shutdownGraceMs=100)
    weft.expected_exit = 1
    weft.signal(signal.SIGTERM)
    weft.wait_end()
    assert client.at_end()
    release.set()


def test_a_second_signal_ends_at_once(mesh):
    weft, client, release = held_call(mesh, shutdownGraceMs=3600_000)
    weft.expected_exit = 1
    weft.signal(signal.SIGTERM)
    wait_until(lambda: "draining" in weft.stderr, "the draining")
    weft.signal(signal.SIGTERM)
    weft.wait_end()
    assert client.at_end()
    release.set()


def test_shutdown_by_the_admin_server(mesh):
    weft, client, release = held_call(mesh)
    assert weft.admin("/admin/shutdown", method="POST").status == 200
    wait_until(lambda: refuses(weft.address()), "new connections to be refused")
    release.set()
    assert client.response().text == "late"
    weft.wait_end()


def test_nothing_is_loaded_while_it_ends(mesh):
    weft, client, release = held_call(mesh)
    weft.signal(signal.SIGTERM)
    wait_until(lambda: refuses(weft.address()), "new connections to be refused")
    weft.write("routers: []\n")
    weft.signal(signal.SIGHUP)
    release.set()
    assert client.response().text == "late"
    weft.wait_end()
    assert "must not be empty" not in weft.stderr


# ---- keys whose effect only a running proxy shows ----

def test_the_timestamp_header_is_set(mesh):
    origin = mesh.origin()
    mesh.service("web", origin)
    weft = mesh.weft(server={"timestampHeader": "X-Request-Start"}, originator=True)
    assert mesh.client(weft).get("web", headers=[("x-request-start", "5"), ("X-Request-Start", "6")]).status == 200
    assert int(origin.last.header("X-Request-Start")) > 1_500_000_000_000
    assert weft.metrics()["rt/out/originator"] == 1
    weft.reload(mesh.config(mesh.router()))
    wait_until(lambda: "rt/out/originator" not in weft.metrics(), "the router before to go")


def test_the_dialects_own_resolv_conf_is_used(mesh):
    origin = mesh.origin()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        resolv_conf = mesh.folder / "resolv.conf"
        resolv_conf.write_text(f"nameserver 127.0.0.1:{server.getsockname()[1]}\n")
        config = mesh.config(mesh.router(dtab=f"/svc/web => /$/inet/web.test/{origin.port}"), dns={"resolvConf": str(resolv_conf)})
        weft = mesh.weft(config)
        client = mesh.client(weft)
        client.send_request(host="web")
        for _ in range(2):
            question, peer = server.recvfrom(512)
            name_end = question.index(b"\x00", 12) + 5  # behind type and class
            is_a = question[name_end - 4:name_end - 2] == b"\x00\x01"
            record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x7f\x00\x00\x01" if is_a else b""
            server.sendto(question[:2] + b"\x81\x80\x00\x01" + (b"\x00\x01" if is_a else b"\x00\x00") + bytes(4) + question[12:name_end] + record, peer)
        assert client.response().status == 200
