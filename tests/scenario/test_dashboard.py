# SPDX-License-Identifier: Apache-2.0
"""weft dashboard: what it tells of several real proxies is the sum of what they have counted, also while one of them is away."""

import contextlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from dashboard import Dashboard
from kube_api import KubeApi, endpoint_slice, pod
from mesh import PATIENCE, WEFT


def addresses(*wefts):
    return ",".join("%s:%d" % weft.admin_address for weft in wefts)


def ask(mesh, address, host, count):
    client = mesh.client(address)
    for _ in range(count):
        client.get(host)
    client.close()


def counted(name, *wefts, where="/server/"):
    """What the proxies' own pages say together."""
    return sum(value for weft in wefts for key, value in weft.metrics().items() if where in key and key.endswith("/" + name))


@contextlib.contextmanager
def calling(mesh, weft, host, pause=0.01):
    stopped = threading.Event()
    client = mesh.client(weft)

    def run():
        while not stopped.wait(pause):
            client.get(host)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join(PATIENCE)
        client.close()


def test_numbers_are_the_sum_of_the_proxies(mesh):
    mesh.service("web", mesh.origin())
    mesh.service("cart", mesh.origin(lambda call: call.answer(503)))
    wefts = [mesh.weft(), mesh.weft(), mesh.weft(mesh.config(mesh.router("incoming"), mesh.router("outgoing")))]
    with Dashboard("--admin", addresses(*wefts)) as dashboard:
        ask(mesh, wefts[0].address(), "web", 17)
        ask(mesh, wefts[1].address(), "web", 5)
        ask(mesh, wefts[1].address(), "cart", 4)
        ask(mesh, wefts[2].address("outgoing"), "nobody", 3)
        ask(mesh, wefts[2].address("incoming"), "web", 2)
        told = dashboard.until(lambda told: told["totals"]["all"].get("requests") == 31 and told["totals"]["all"]["pending"] == 0)
        total = told["totals"]["all"]
        for name in ("requests", "success", "failures"):
            assert total[name] == counted(name, *wefts), name
        assert (total["success"], total["failures"], total["services"], total["proxies"]) == (24, 7, 3, 3)
        assert {label: (each["requests"], each["services"], each["proxies"]) for label, each in told["totals"]["routers"].items()} == {
            "out": (26, 2, 2), "outgoing": (3, 1, 1), "incoming": (2, 1, 1)}
        assert [each["all"]["requests"] for each in told["proxies"]] == [counted("requests", weft) for weft in wefts] == [17, 9, 5]
        assert all(each["reached"] for each in told["proxies"])
        assert {(each["router"], each["name"]): (each["requests"], each["success"]) for each in told["services"]} == {
            ("out", "svc/web"): (22, 22), ("out", "svc/cart"): (4, 0), ("outgoing", "svc/nobody"): (3, 0), ("incoming", "svc/web"): (2, 2)}


def test_rates_latency_and_errors_are_of_the_last_window(mesh):
    def slowly(call):
        time.sleep(0.02)
        call.answer()

    mesh.service("slow", mesh.origin(slowly))
    mesh.service("absent", mesh.origin(lambda call: call.answer(404)))
    mesh.service("broken", mesh.origin(lambda call: call.answer(500)))
    wefts = [mesh.weft(), mesh.weft()]
    with Dashboard("--admin", addresses(*wefts)) as dashboard, calling(mesh, wefts[0], "slow"), calling(mesh, wefts[1], "absent"), \
            calling(mesh, wefts[1], "broken"):
        def settled(told):
            total = told["totals"]["all"]
            return told["readings"] > 2 and total["client_errors_per_s"] and total["server_errors_per_s"] and total["p99_ms"]

        told = dashboard.until(settled)
        total, rows = told["totals"]["all"], {each["name"].removeprefix("svc/"): each for each in told["services"]}
        assert total["rate_per_s"] == pytest.approx(sum(each["rate_per_s"] for each in rows.values()), rel=0.5)
        assert total["rate_per_s"] == pytest.approx(sum(each["all"]["rate_per_s"] for each in told["proxies"]), rel=1e-3)
        assert total["client_errors_per_s"] + total["server_errors_per_s"] <= total["rate_per_s"]
        assert 18 < rows["slow"]["p50_ms"] <= rows["slow"]["p99_ms"] and rows["absent"]["p50_ms"] < rows["slow"]["p50_ms"]
        assert (rows["slow"]["success_percent"], rows["absent"]["success_percent"], rows["broken"]["success_percent"]) == (100, 100, 0)
        assert {(each["service"], each["client"]) for each in told["routes"]} == {(f"svc/{name}", f"#/io.l5d.fs/{name}") for name in rows}
        assert {(each["from"], each["to"]) for each in told["edges"] if each["from"] == "plaintext"} == {
            ("plaintext", f"#/io.l5d.fs/{name}") for name in rows}
        ids = f"{total['id']},{rows['slow']['id']}"
        past = dashboard.json(f"/history.json?ids={ids}")
        assert len(past["times_ms"]) >= 3 and past["times_ms"] == sorted(past["times_ms"])
        for row in past["rows"].values():
            assert all(len(values) == len(past["times_ms"]) for values in row.values())
        assert any(past["rows"][str(total["id"])]["server_errors_per_s"])
        assert set(dashboard.json(f"/history.json?ids={ids}&only=rate")["rows"][str(total["id"])]) == {"rate_per_s"}


def test_a_proxy_that_is_killed_is_shown_and_comes_back(mesh):
    mesh.service("web", mesh.origin())
    stays = mesh.weft()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    config = mesh.config(mesh.router(), admin={"port": port})
    killed = mesh.weft(config)
    with Dashboard("--admin", addresses(stays, killed)) as dashboard, calling(mesh, stays, "web"):
        ask(mesh, killed.address(), "web", 5)
        dashboard.until(lambda told: [each["all"].get("requests", 0) > 0 for each in told["proxies"]] == [True, True])
        killed.kill()
        killed.expected_exit = -signal.SIGKILL
        told = dashboard.until(lambda told: not told["proxies"][1]["reached"])
        assert told["proxies"][1]["why"] == "connection refused"
        first, away = told["proxies"]
        assert first["reached"] and away["all"]["rate_per_s"] is None
        # Those that are left go on, and how long the other has been away grows.
        later = dashboard.until(lambda now: now["readings"] >= told["readings"] + 2)
        assert later["totals"]["all"]["rate_per_s"] > 0 and later["totals"]["all"]["proxies"] == 1
        assert later["proxies"][1]["for_ms"] >= away["for_ms"] + 1500
        back = mesh.weft(config)
        told = dashboard.until(lambda told: told["proxies"][1]["reached"] and told["proxies"][1]["all"]["rate_per_s"] is not None)
        assert told["proxies"][1]["all"]["requests"] == counted("requests", back) == 0
        ask(mesh, back.address(), "web", 6)
        dashboard.until(lambda told: told["proxies"][1]["all"]["requests"] == 6)


@pytest.fixture(name="api")
def make_api():
    api = KubeApi()
    yield api
    api.close()


def test_proxies_of_a_cluster_come_and_go(mesh, api):
    cart = endpoint_slice("cart", [mesh.origin().address])
    cart["metadata"]["namespace"] = "shop"
    api.put(cart)

    def node(name, node):
        weft = mesh.weft(mesh.config(mesh.router(dtab="/svc => /#/io.l5d.k8s/shop/http"), namers=[{"kind": "io.l5d.k8s", "port": api.port}]))
        made = pod(name, node, admin=weft.admin_address[1])
        api.put(made)
        api.pods[name] = weft.admin_address
        return weft, made

    first, _ = node("l5d-a", "node1")
    with Dashboard("--kubernetes", "--api", f"127.0.0.1:{api.port}") as dashboard:
        ask(mesh, first.address(), "cart", 4)
        told = dashboard.until(lambda told: told["totals"]["all"].get("requests") == 4)
        service, = told["services"]
        assert (service["namespace"], service["service"], service["name"]) == ("shop", "cart", "svc/cart")
        assert [each["name"] for each in told["proxies"]] == ["l5d-a@node1"]
        second, gone = node("l5d-b", "node2")
        ask(mesh, second.address(), "cart", 3)
        told = dashboard.until(lambda told: told["totals"]["all"]["requests"] == 7)
        assert [each["name"] for each in told["proxies"]] == ["l5d-a@node1", "l5d-b@node2"]
        api.delete(gone)
        told = dashboard.until(lambda told: len(told["proxies"]) == 1)
        assert told["totals"]["all"]["requests"] == 4 and told["kubernetes"]["server"] == f"http://127.0.0.1:{api.port}"
        # When the API refuses it says so, and goes on when it may ask again.
        api.token = "another"
        told = dashboard.until(lambda told: "why" in told["kubernetes"])
        assert not told["proxies"][0]["reached"]
        assert "401" in told["kubernetes"]["why"]
        api.token = None
        dashboard.until(lambda told: "why" not in told["kubernetes"] and told["proxies"][0]["reached"])


def test_it_is_only_read(mesh):
    weft = mesh.weft()
    with Dashboard("--admin", addresses(weft)) as dashboard:
        assert dashboard.get("/ready")[0] == 200
        status, headers, body = dashboard.get("/")
        assert status == weft.admin("/").status     # 404 where it was built without pages
        if status == 200:
            assert headers["Content-Encoding"] == "gzip" and body
            assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert dashboard.get("/mesh.json", "HEAD")[::2] == (200, b"")
        for path in ("/mesh.json", "/", "/admin/shutdown"):
            assert dashboard.get(path, "POST")[0] == 405
        for path in ("/admin/metrics.json", "/mesh", "/files/none"):
            assert dashboard.get(path)[0] == 404, path
        for query in ("", "?ids=", "?ids=x", "?ids=1&only=p50_ms", "?ids=" + ",".join("1" * 65)):
            assert dashboard.get("/history.json" + query)[0] == (200 if query == "?ids=" else 400), query


@pytest.mark.parametrize("arguments, complaint", [
    (["--interval", "10ms"], "--interval takes 1s to 1m"),
    (["--listen", "8084"], "--listen takes IP:PORT, such as 127.0.0.1:8084, not `8084`"),
    (["--admin", "127.0.0.1:0"], "--admin takes addresses such as"),
    (["--direct"], "--direct goes with --kubernetes"),
    (["web"], ""),
])
def test_what_it_does_not_take(arguments, complaint):
    done = subprocess.run([WEFT, "dashboard", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and complaint in done.stderr and done.stdout == ""


def test_a_port_that_is_taken_is_told():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = subprocess.run([WEFT, "dashboard", "--listen", address], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE,
                              check=False)
    assert (done.returncode, done.stderr) == (2, f"weft dashboard: cannot listen on {address}: the address is in use\n")
