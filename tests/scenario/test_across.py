# SPDX-License-Identifier: Apache-2.0
"""weft stat, routes, edges, top, tap and explain across the proxies of a cluster: pods found by Kubernetes' API and read by way of it. tests/cluster/nodes
does the same on a real one."""

import contextlib
import json
import os
import subprocess
import time

import pytest

from certificates import Authority
from kube_api import KubeApi, endpoint_slice, pod
from mesh import PATIENCE, WEFT, wait_until

TOKEN = "a-token"


@pytest.fixture(name="api")
def make_api():
    api = KubeApi()
    yield api
    api.close()


def run(command, api, *arguments, env=None):
    done = subprocess.run([WEFT, command, "--kubernetes", "--api", f"127.0.0.1:{api.port}", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=PATIENCE, check=False, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def proxy(mesh, api, label="out", **router):
    namers = [{"kind": "io.l5d.k8s", "port": api.port}]
    return mesh.weft(mesh.config(mesh.router(label=label, dtab="/svc => /#/io.l5d.k8s/shop/http", **router), namers=namers))


def in_shop(name, *origins):
    made = endpoint_slice(name, [origin.address for origin in origins])
    made["metadata"]["namespace"] = "shop"
    return made


def two_nodes(mesh, api):
    """A proxy on each of two nodes, both of which know the Service `cart` of the namespace `shop`."""
    api.put(in_shop("cart", mesh.origin()))
    wefts = [proxy(mesh, api), proxy(mesh, api)]
    for name, node, weft in zip(("l5d-a", "l5d-b"), ("node1", "node2"), wefts):
        add(api, name, node, weft)
    return wefts


def add(api, name, node, weft, **keys):
    api.put(pod(name, node, admin=weft.admin_address[1], **keys))
    api.pods[name] = weft.admin_address


def ask(mesh, weft, host, count):
    client = mesh.client(weft)
    statuses = [client.get(host).status for _ in range(count)]
    client.close()
    return statuses


class Watch:
    """The windows that `--watch -o json` tells, one after the other."""

    def __init__(self, command, api, *arguments):
        self.process = subprocess.Popen([WEFT, command, "--kubernetes", "--api", f"127.0.0.1:{api.port}", "--watch", "--window", "200ms", "-o", "json",
                                         *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def window(self):
        return json.loads(self.process.stdout.readline())

    def until(self, condition):
        """Windows, until the condition holds for the last one."""
        windows = []
        wait_until(lambda: windows.append(self.window()) or condition(windows[-1]), "a window")
        return windows

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.process.stderr.close()


def total(rows, column="requests", **wanted):
    return sum(row[column] for row in rows if all(row[key] == value for key, value in wanted.items()))


def test_sums_are_what_was_sent_to_all_proxies(mesh, api):
    one, two = two_nodes(mesh, api)
    assert ask(mesh, one, "cart", 1) == ask(mesh, two, "cart", 1) == [200]
    with Watch("stat", api) as watch:
        first = watch.window()
        assert (first["unreachable"], total(first["services"])) == ([], 0)
        ask(mesh, one, "cart", 30)
        ask(mesh, two, "cart", 12)
        ask(mesh, two, "nobody", 5)
        sums = [0, 0]

        def all_counted():
            rows = watch.window()["services"]
            sums[0] += total(rows, name="svc/cart")
            sums[1] += total(rows, name="svc/nobody")
            return sums == [42, 5]

        wait_until(all_counted, "42 and 5 requests")
        rows = {row["name"]: row for row in watch.window()["services"]}
    cart, nobody = rows["svc/cart"], rows["svc/nobody"]
    assert (cart["namespace"], cart["service"], cart["router"], cart["proxies"], cart["requests"]) == ("shop", "cart", "out", 2, 0)
    assert (nobody["namespace"], nobody["service"], nobody["proxies"]) == ("", "", 1)


def test_tables_name_what_kubernetes_knows(mesh, api):
    one, _ = two_nodes(mesh, api)
    ask(mesh, one, "cart", 3)
    code, out, err = run("routes", api, "--window", "100ms")
    assert (code, err) == (0, "")
    assert [line.split()[:5] for line in out.splitlines()] == [["NAMESPACE", "SERVICE", "PORT", "NAME", "ROUTER"], ["shop", "cart", "http", "svc/cart", "out"]]
    code, out, err = run("stat", api, "--window", "100ms", "--per-proxy")
    assert [line.split()[:4] for line in out.splitlines()] == [["PROXY", "NAMESPACE", "SERVICE", "NAME"], ["l5d-a@node1", "shop", "cart", "svc/cart"]]
    for pattern in ("shop/*", "cart", "shop/cart", "svc/cart"):
        assert "svc/cart" in run("stat", api, "--window", "100ms", pattern)[1]
    assert "svc/cart" not in run("stat", api, "--window", "100ms", "other/*")[1]


def test_a_name_that_leads_to_several(mesh, api):
    api.put(in_shop("cart", mesh.origin()))
    api.put(in_shop("cart-v2", mesh.origin()))
    weft = mesh.weft(mesh.config(mesh.router(dtab="/srv => /#/io.l5d.k8s/shop/http; /svc/cart => 1 * /srv/cart & 1 * /srv/cart-v2"),
                                 namers=[{"kind": "io.l5d.k8s", "port": api.port}]))
    add(api, "l5d-a", "node1", weft)
    wait_until(lambda: ask(mesh, weft, "cart", 20) and len(json.loads(run("routes", api, "--window", "100ms", "-o", "json")[1])["routes"]) == 2, "both")
    [row] = json.loads(run("stat", api, "--window", "100ms", "-o", "json")[1])["services"]
    assert (row["namespace"], row["service"], row["name"]) == ("shop", "cart,cart-v2", "svc/cart")
    assert "svc/cart" in run("stat", api, "--window", "100ms", "shop/cart-v2")[1]


def test_clients_of_one_service_are_one_row(mesh, api):
    """As node proxies have them, whose transformers put something of the node before the client's name."""
    api.put(in_shop("cart", mesh.origin()))
    for number in (1, 2):
        transformers = [{"kind": "io.l5d.port", "port": number}]   # nobody is there
        weft = proxy(mesh, api, interpreter={"kind": "default", "transformers": transformers})
        add(api, f"l5d-{number}", f"node{number}", weft)
        assert ask(mesh, weft, "cart", 1) == [502]
    [route] = json.loads(run("routes", api, "--window", "100ms", "-o", "json")[1])["routes"]
    assert (route["service"], route["client"], route["proxies"]) == ("cart", "#/io.l5d.k8s/shop/http/cart", 2)

    def edges():
        rows = [row for row in json.loads(run("edges", api, "--window", "100ms", "-o", "json")[1])["edges"] if row["namespace"]]
        return sorted((row["caller"], row["to"], row["proxies"]) for row in rows)

    wait_until(lambda: edges() == [("plaintext", "#/io.l5d.k8s/shop/http/cart", 2), ("rt/out", "#/io.l5d.k8s/shop/http/cart", 2)], "a row for each caller")
    apart = json.loads(run("routes", api, "--per-proxy", "--window", "100ms", "-o", "json")[1])["routes"]
    assert [row["client"] for row in apart] == [f"%/io.l5d.port/{number}/#/io.l5d.k8s/shop/http/cart" for number in (1, 2)]


def test_edges_tell_callers_by_namespace_and_account(mesh, api, tmp_path):
    authority = Authority(tmp_path)
    front = authority.issue("front", uri=["spiffe://example.org/ns/web/sa/front"])
    cart = authority.issue("cart", uri=["spiffe://example.org/ns/shop/sa/cart"])
    api.put(in_shop("cart", mesh.origin()))
    servers = [{"port": 0, "tls": {"certPath": str(cart.certificate), "keyPath": str(cart.key), "caCertPath": str(authority.bundle),
                                   "requireClientAuth": True}}]
    incoming = proxy(mesh, api, "incoming", servers=servers)
    add(api, "l5d-b", "node2", incoming)
    curl = ["curl", "-sS", "-k", "--cert", front.certificate, "--key", front.key, "-H", "Host: cart", "https://{}:{}/".format(*incoming.address())]
    subprocess.run(curl, check=True, timeout=PATIENCE, capture_output=True)

    def callers():
        return [row for row in json.loads(run("edges", api, "--window", "100ms", "-o", "json")[1])["edges"] if row["caller"] == "web/front"]

    [row] = wait_until(callers, "the caller")
    assert (row["namespace"], row["service"], row["secured"], row["from"]) == ("shop", "cart", "mutual", "spiffe://example.org/ns/web/sa/front")
    code, out, err = run("edges", api, "--window", "100ms", "web/front")
    assert (code, err) == (0, "")
    assert [line.split()[:4] for line in out.splitlines()] == [["CALLER", "NAMESPACE", "SERVICE", "ROUTER"], ["web/front", "shop", "cart", "incoming"]]
    assert out.splitlines()[1].split()[-2] == "mutual"


def test_a_proxy_that_cannot_be_reached_is_one_line(mesh, api):
    two_nodes(mesh, api)
    api.pods["l5d-b"] = ("127.0.0.1", 1)
    api.put(pod("l5d-c", "node3", phase="Pending"))
    code, out, err = run("stat", api, "--window", "100ms")
    assert code == 2 and out.startswith("NAMESPACE ")
    assert [line.partition(": ")[2].partition(": ")[0] for line in err.splitlines()] == ["l5d-b@node2", "l5d-c@node3"]
    assert err.splitlines()[0].startswith("weft: l5d-b@node2: status 503: error trying to reach service")
    assert err.splitlines()[1] == "weft: l5d-c@node3: it isn't running: Pending"


def test_two_pods_that_share_an_address_are_counted_once(mesh, api):
    """As while a node's proxy is replaced: the old pod is still there, and the new one's process answers for both."""
    one, _ = two_nodes(mesh, api)
    ask(mesh, one, "cart", 1)
    for name, keys in (("l5d-0", {"deletionTimestamp": "2026-01-01T00:00:00Z"}), ("l5d-z", {})):
        add(api, name, "node1", one, **keys)
    rows = json.loads(run("stat", api, "--per-proxy", "--window", "100ms", "-o", "json")[1])["services"]
    assert [row["proxy"] for row in rows] == ["l5d-a@node1"]


def test_a_port_that_is_only_noted(mesh, api):
    one = proxy(mesh, api)
    thing = pod("l5d-a", "node1", annotations={"weft/admin-port": str(one.admin_address[1])})
    thing["spec"]["containers"][0]["ports"] = []
    api.put(thing)
    assert run("stat", api, "--direct", "--window", "100ms")[::2] == (0, "")


def test_what_is_no_proxy_is_not_asked(mesh, api):
    one, two = two_nodes(mesh, api)
    api.put(pod("other", "node1", app="hello"))
    api.put(pod("l5d-old", "node1", phase="Failed"))
    api.put(pod("l5d-ingress-x", "node1", app="l5d-ingress"))
    api.pods["l5d-ingress-x"] = one.admin_address
    assert run("stat", api, "--window", "100ms", "-o", "json")[0] == 0
    asked = {path.split("/")[6].partition(":")[0] for path in api.requests if "/proxy/" in path}
    assert asked == {"l5d-a", "l5d-b", "l5d-ingress-x"}
    assert two is not one


def test_pods_that_come_and_go_while_one_watches(mesh, api):
    one, two = two_nodes(mesh, api)
    with Watch("stat", api, "--per-proxy") as watch:
        ask(mesh, one, "cart", 1)
        watch.until(lambda window: total(window["services"], "proxies", proxy="l5d-a@node1") == 1)
        api.delete(pod("l5d-b", "node2"))
        api.pods["l5d-b"] = ("127.0.0.1", 1)   # it is gone: what fails is looked up again
        watch.until(lambda window: window["unreachable"] == [])
        add(api, "l5d-d", "node2", two)
        api.pods["l5d-a"] = ("127.0.0.1", 1)
        watch.until(lambda window: len(window["unreachable"]) == 1)
        ask(mesh, two, "cart", 1)
        watch.until(lambda window: total(window["services"], "proxies", proxy="l5d-d@node2") == 1)


def test_an_api_that_is_away_or_refuses(api):
    api.token = TOKEN
    where = f"http://127.0.0.1:{api.port}"
    assert run("stat", api) == (2, "", f"weft: {where}: 401: Unauthorized\n")
    assert json.loads(run("edges", api, "-o", "json")[1])["unreachable"] == [{"admin": where, "error": "401: Unauthorized"}]
    assert run("tap", api) == (2, "", f"weft: {where}: 401: Unauthorized\n")
    api.token = None
    assert run("stat", api) == (2, "", f"weft: {where}: no pod labelled app=l5d or app=l5d-ingress in the namespace default; --namespace says another\n")
    assert run("stat", api, "--namespace", "mesh")[2] == f"weft: {where}: 404: the server could not find the requested resource\n"
    api.stop()
    assert run("stat", api) == (2, "", f"weft: {where}: connection refused\n")


def test_proxies_asked_directly(mesh, api):
    one, two = two_nodes(mesh, api)
    api.pods.clear()   # the API server can't reach them
    ask(mesh, one, "cart", 1)
    ask(mesh, two, "cart", 1)
    [row] = json.loads(run("stat", api, "--direct", "--window", "100ms", "-o", "json")[1])["services"]
    assert (row["service"], row["proxies"]) == ("cart", 2)


def test_a_kubeconfig_over_tls(mesh, tmp_path):
    authority = Authority(tmp_path)
    secure = KubeApi(identity=authority.issue("api"), token=TOKEN)
    plain = KubeApi()
    try:
        weft = proxy(mesh, plain)
        add(secure, "l5d-a", "node1", weft)
        config = tmp_path / "kubeconfig"
        config.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "x", "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
            "clusters": [{"name": "x", "cluster": {"server": f"https://127.0.0.1:{secure.port}", "certificate-authority": str(authority.bundle)}}],
            "users": [{"name": "x", "user": {"token": TOKEN}}]}))
        for arguments, env in (["--kubeconfig", config], {}), ([], {"KUBECONFIG": str(config)}):
            done = subprocess.run([WEFT, "stat", "--kubernetes", "--window", "100ms", *arguments], capture_output=True, text=True, timeout=PATIENCE,
                                  check=False, env={**os.environ, **env})
            assert (done.returncode, done.stderr) == (0, "")
    finally:
        secure.close()
        plain.close()


@contextlib.contextmanager
def tapping(api, *arguments):
    """Gives its output, to be read without waiting. It ends in order, and complains of nothing."""
    process = subprocess.Popen([WEFT, "tap", "--kubernetes", "--api", f"127.0.0.1:{api.port}", "-o", "json", *arguments], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    try:
        os.set_blocking(process.stdout.fileno(), False)
        yield process.stdout
        process.terminate()
        assert process.wait(PATIENCE) == 0
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.wait(PATIENCE)
        process.stdout.close()
        process.stderr.close()


def test_tap_shows_requests_of_all(mesh, api):
    one, two = two_nodes(mesh, api)
    clients = [mesh.client(one), mesh.client(two)]
    seen = set()
    with tapping(api, "cart") as output:
        def both():
            for number, client in enumerate(clients):
                client.get("cart", f"/{number}")
            while line := output.readline():
                seen.add(json.loads(line)["path"])
            return seen == {"/0", "/1"}

        wait_until(both, "requests of both")


def test_tap_follows_pods(mesh, api):
    """Those that come later are tapped, too; those that go are forgotten without a word; what streams goes on."""
    def ready(name, node, weft):
        add(api, name, node, weft)
        [thing] = [thing for thing in api.objects.values() if (thing["kind"], thing["metadata"]["name"]) == ("Pod", name)]
        api.put({**thing, "status": {**thing["status"], "conditions": [{"type": "Ready", "status": "True"}]}})

    api.put(in_shop("cart", mesh.origin()))
    one, two, three = (proxy(mesh, api) for _ in range(3))
    ready("l5d-a", "node1", one)
    ready("l5d-b", "node2", two)
    clients = [mesh.client(weft) for weft in (one, two, three)]
    seen = []

    def tapped(*numbers):
        def all_seen():
            for number in numbers:
                clients[number].get("cart", f"/{number}")
            while line := output.readline():
                seen.append(json.loads(line)["path"])
            return {f"/{number}" for number in numbers} <= set(seen)
        return all_seen

    with tapping(api, "cart") as output:
        wait_until(tapped(0, 1), "requests of the two")
        streams = len([path for path in api.requests if "l5d-a" in path])
        seen.clear()
        mesh.wefts.remove(two)
        two.kill()
        api.delete(pod("l5d-b", "node2"))
        ready("l5d-c", "node3", three)
        api.put(pod("l5d-d", "node4"))   # not ready: it would only fail
        wait_until(tapped(0, 2), "requests of the one that came", 30)
        assert len([path for path in api.requests if "l5d-a" in path]) == streams == 1
        assert not [path for path in api.requests if "l5d-d" in path]


def test_readings_share_connections(mesh, api):
    """One for each proxy and one for the list, however many readings."""
    two_nodes(mesh, api)
    with Watch("stat", api) as watch:
        begun = api.connections
        watch.window()
        after = api.connections
        for _ in range(5):
            watch.window()
        assert api.connections == after <= begun + 3
        assert len([path for path in api.requests if "/proxy/" in path]) >= 12
        watch.process.terminate()
        assert watch.process.wait(PATIENCE) == 0
        assert watch.process.stderr.read() == b""


def test_lists_come_in_chunks(mesh, api):
    one, _ = two_nodes(mesh, api)
    for number in range(5):
        add(api, f"l5d-more-{number}", "node3", one, **{"annotations": {"weft/admin-port": "1"}})
        api.pods[f"l5d-more-{number}"] = ("127.0.0.1", 1)
    assert run("stat", api, "--window", "100ms")[0] == 0   # they share an address, and one counts
    assert [path for path in api.requests if "labelSelector" in path and "continue=" in path]


def test_tap_names_pods(mesh, api):
    """The caller and the endpoint are on loopback: the address is that of one pod here."""
    one, _ = two_nodes(mesh, api)
    for name in ("l5d-a", "l5d-b"):
        [known] = [thing for thing in api.objects.values() if thing["metadata"]["name"] == name]
        api.put({**known, "status": {"phase": "Running", "podIP": "127.0.0.9"}})
    front = pod("front-1", "node1", app="front")
    front["metadata"]["namespace"] = "shop"
    api.put(front)
    lines = []
    with tapping(api, "--pods") as output:
        def named():
            ask(mesh, one, "cart", 1)
            while line := output.readline():
                lines.append(json.loads(line))
            return [line for line in lines if "source_pod" in line]

        [line, *_] = wait_until(named, "a line with names")
        assert (line["source_pod"], line["destination_pod"]) == ("shop/front-1", "shop/front-1")


def test_tap_without_the_right_to_see_pods(mesh, api):
    one, _ = two_nodes(mesh, api)
    del api.collections["/api/v1/pods"]
    process = subprocess.Popen([WEFT, "tap", "--kubernetes", "--api", f"127.0.0.1:{api.port}", "--pods", "--for", "3s"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    while process.poll() is None:
        ask(mesh, one, "cart", 1)
        time.sleep(0.02)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, f"weft: http://127.0.0.1:{api.port}: 404: the server could not find the requested resource: "
                                            "addresses stay without names of pods\n")
    assert " 127.0.0.1:" in out and "GET cart/ -> /svc/cart 127.0.0.1:" in out


def test_top_over_a_pipe(mesh, api):
    one, _ = two_nodes(mesh, api)
    ask(mesh, one, "cart", 1)
    with subprocess.Popen([WEFT, "top", "--kubernetes", "--api", f"127.0.0.1:{api.port}", "--window", "100ms"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True) as process:
        head, row = process.stdout.readline().split(), process.stdout.readline().split()
        process.terminate()
        assert process.wait(PATIENCE) == 0
    assert head[:4] == ["NAMESPACE", "SERVICE", "NAME", "ROUTER"] and row[:4] == ["shop", "cart", "svc/cart", "out"]


def explain(api, *arguments):
    done = subprocess.run([WEFT, "explain", "--kubernetes", "--api", f"127.0.0.1:{api.port}", *arguments], capture_output=True, text=True,
                          timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def test_explain_as_the_proxy_of_a_pods_node_sees_it(mesh, api):
    """Two nodes, whose proxies send the same name elsewhere."""
    for number in (1, 2):
        api.put(in_shop(f"cart-v{number}", mesh.origin()))
        weft = mesh.weft(mesh.config(mesh.router(dtab=f"/svc/cart => /#/io.l5d.k8s/shop/http/cart-v{number}"),
                                     namers=[{"kind": "io.l5d.k8s", "port": api.port}]))
        add(api, f"l5d-{number}", f"node{number}", weft)
        wait_until(lambda weft=weft: ask(mesh, weft, "cart", 1) == [200], "an answer")
        api.put(pod(f"l5d-ingress-{number}", "node9", app="l5d-ingress"))   # so that the list has more than one chunk
    front = pod("front", "node2", app="front")
    front["metadata"]["namespace"] = "shop"
    api.put(front)
    for arguments, client in (["--from-node", "node1"], "cart-v1"), (["--from-node", "node2"], "cart-v2"), (["--from-pod", "shop/front"], "cart-v2"):
        code, out, err = explain(api, *arguments, "http://cart/x")
        assert (code, err) == (0, "")
        assert f"goes to     /#/io.l5d.k8s/shop/http/{client} " in out
    assert explain(api, "--from-pod", "shop/front", "http://nobody/")[0] == 1
    where = f"http://127.0.0.1:{api.port}"
    assert explain(api, "--from-pod", "front", "http://cart/") == (2, "", f'weft explain: {where}: 404: pods "front" not found\n')
    assert explain(api, "--from-node", "node3", "http://cart/") == (
        2, "", "weft explain: no proxy runs on the node node3, or none in the namespace default: --namespace says another\n")
    api.pods["l5d-1"] = ("127.0.0.1", 1)
    code, out, err = explain(api, "--from-node", "node1", "http://cart/")
    assert (code, out) == (2, "") and err.startswith("weft explain: the proxy of node1 doesn't answer: 503: error trying to reach service")


@pytest.mark.parametrize("arguments, told", [
    (["stat", "--kubernetes", "--admin", "x"], "weft stat: --kubernetes finds the proxies that --admin would name: one or the other\n"),
    (["tap", "--namespace", "x"], "weft tap: --namespace goes with --kubernetes\n"),
    (["tap", "--pods"], "weft tap: --pods goes with --kubernetes\n"),
    (["edges", "--direct"], "weft edges: --direct goes with --kubernetes\n"),
    (["stat", "--kubernetes", "--namespace", "X"], "weft stat: --namespace takes a name of lower-case letters, digits and `-`, not `X`\n"),
    (["routes", "--kubernetes", "--api", "a:b"], "weft routes: --api takes HOST:PORT, such as 127.0.0.1:8001, not `a:b`\n"),
    (["check", "--kubeconfig", "a", "--api", "b"], "weft check: --kubeconfig says what --api, --ca-file and --token-file do: one or the other\n"),
    (["stat", "--sort", "namespace"], "weft stat: --sort namespace goes with --kubernetes\n"),
    (["stat", "--kubernetes", "--kubeconfig", "/none"], None),
    (["explain", "--kubernetes", "http://cart/"], "weft explain: from where? --from-node NODE or --from-pod POD says whose proxy is asked\n"),
    (["explain", "--from-pod", "x", "--admin", "127.0.0.1", "http://cart/"], "weft explain: --from-node and --from-pod go with --kubernetes\n"),
    (["explain", "--kubernetes", "--from-pod", "a/b/c", "--api", "127.0.0.1:1", "http://cart/"],
     "weft explain: --from-pod takes a pod, NAME or NAMESPACE/NAME, not `a/b/c`\n"),
])
def test_wrong_usage(arguments, told):
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == told if told else done.stderr.startswith("weft stat: ") and "/none" in done.stderr
    assert done.stderr.count("\n") == 1
