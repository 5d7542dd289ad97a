# SPDX-License-Identifier: Apache-2.0
"""io.l5d.k8s: calls go to the endpoints of Services, whatever becomes of the API that tells them. tests/cluster has a real API."""

import queue
import signal
import threading

import pytest

from certificates import Authority
from kube_api import KubeApi, balanced, config_map, endpoint_slice, ingress, service
from mesh import PATIENCE, wait_until


@pytest.fixture(name="api")
def make_api():
    api = KubeApi()
    yield api
    api.close()


def pods(mesh, count):
    """Origins on 127.0.1.1 and so on, all with one port."""
    made = []
    for number in range(1, count + 1):
        made.append(mesh.origin(ip=f"127.0.1.{number}", port=made[0].address[1] if made else 0, body=f"pod {number}".encode()))
    return made


def addresses(*origins):
    return [origin.address for origin in origins]


def namer(api, **keys):
    return {"kind": "io.l5d.k8s", "port": api.port, **keys}  # the host is localhost


def config(mesh, *namers, dtab="/svc => /#/io.l5d.k8s/default/http", **router):
    return mesh.config(mesh.router(dtab=dtab, **router), namers=list(namers))


def answered_by(client, name, calls=12):
    responses = [client.get(name) for _ in range(calls)]
    return {response.body.decode() if response.status == 200 else response.status for response in responses}


def wait_answered(client, name, expected):
    wait_until(lambda: answered_by(client, name) == expected, f"{name} answered by {expected}")


def refusal(client, name):
    def refused():
        response = client.get(name)
        return response.body.decode() if response.status == 502 and b"Kubernetes' API" in response.body else None
    return wait_until(refused, "an answer that says why")


def test_calls_follow_the_slices(mesh, api):
    one, two, three = pods(mesh, 3)
    api.put(endpoint_slice("hello", addresses(one)))
    for number in range(5):
        api.put(endpoint_slice(f"other-{number}", addresses(three)))
    client = mesh.client(mesh.weft(config(mesh, namer(api))))
    assert answered_by(client, "hello") == {"pod 1"}
    api.put(endpoint_slice("hello", addresses(two), "b"))
    wait_answered(client, "hello", {"pod 1", "pod 2"})
    api.put(endpoint_slice("hello", addresses(one), ready=False))
    wait_answered(client, "hello", {"pod 2"})
    api.delete(endpoint_slice("hello", addresses(two), "b"))
    wait_until(lambda: client.get("hello").status == 502, "no endpoint")
    api.delete(endpoint_slice("hello", addresses(one)))
    api.put(endpoint_slice("hello", addresses(three), "c"))
    wait_answered(client, "hello", {"pod 3"})
    assert answered_by(client, "other-4") == {"pod 3"}
    assert sum("watch=1" in path for path in api.requests) == 1


def test_numeric_ports(mesh, api):
    one, = pods(mesh, 1)
    api.put(service("hello", 8080, "web"))
    api.put(endpoint_slice("hello", addresses(one), port_name="web"))
    client = mesh.client(mesh.weft(config(mesh, namer(api), dtab="/svc => /#/io.l5d.k8s/default/8080")))
    assert answered_by(client, "hello") == {"pod 1"}


def test_the_next_alternative_until_it_is_there(mesh, api):
    one, two = pods(mesh, 2)
    api.put(endpoint_slice("spare", addresses(one)))
    dtab = "/srv => /#/io.l5d.k8s/default/http; /svc => /srv/spare; /svc => /srv"
    client = mesh.client(mesh.weft(config(mesh, namer(api), dtab=dtab)))
    assert answered_by(client, "hello") == {"pod 1"}
    api.put(endpoint_slice("hello", addresses(two)))
    wait_answered(client, "hello", {"pod 2"})
    api.delete(endpoint_slice("hello", addresses(two)))
    wait_answered(client, "hello", {"pod 1"})


def test_an_outage_loses_no_call(mesh, api):
    one, two = pods(mesh, 2)
    api.put(endpoint_slice("hello", addresses(one)))
    api.put(endpoint_slice("world", addresses(two)))
    the_config = config(mesh, namer(api))
    weft = mesh.weft(the_config)
    client = mesh.client(weft)
    assert answered_by(client, "hello") == {"pod 1"}
    api.stop()
    assert answered_by(client, "hello", 100) == {"pod 1"}
    assert answered_by(client, "world") == {"pod 2"}  # a name that was never asked for before
    weft.reload(config(mesh, namer(api), dtab="/k8s => /#/io.l5d.k8s/default; /svc => /k8s/http"))
    assert answered_by(client, "hello") == {"pod 1"}
    api.put(endpoint_slice("hello", addresses(two)))
    api.start()
    wait_answered(client, "hello", {"pod 2"})
    lists = sum("limit=" in path for path in api.requests)
    assert lists == weft.metric("kubernetes/endpointslices/lists") == 1, "the watch goes on where it was"
    assert weft.metric("kubernetes/endpointslices/watches") > 1 and weft.metric("kubernetes/endpointslices/failed_requests") > 0


@pytest.mark.parametrize("forgotten", [False, True])
def test_pods_that_an_outage_makes_unready_are_called(mesh, api, forgotten):
    """As Kubernetes' node controller may have it when nodes could not reach the API: all of them, until each node was heard again."""
    one, two = pods(mesh, 2)
    api.put(endpoint_slice("hello", addresses(one)))
    weft = mesh.weft(config(mesh, namer(api)))
    client = mesh.client(weft)
    assert answered_by(client, "hello") == {"pod 1"}
    api.stop()
    wait_until(lambda: weft.metric("kubernetes/endpointslices/failed_requests") > 0)
    api.put(endpoint_slice("hello", addresses(one), ready=False))
    if forgotten:
        api.forget()
    api.start()
    wait_until(lambda: "is ready no longer" in weft.stderr)
    assert answered_by(client, "hello", 100) == {"pod 1"}
    api.put(endpoint_slice("hello", addresses(two), "b"))
    wait_answered(client, "hello", {"pod 1", "pod 2"})
    api.delete(endpoint_slice("hello", addresses(one)))   # it isn't there any more
    wait_answered(client, "hello", {"pod 2"})


def test_a_forgotten_version_is_listed_anew(mesh, api):
    one, two = pods(mesh, 2)
    api.put(endpoint_slice("hello", addresses(one)))
    api.put(endpoint_slice("hello", addresses(two), "b"))
    weft = mesh.weft(config(mesh, namer(api)))
    client = mesh.client(weft)
    wait_answered(client, "hello", {"pod 1", "pod 2"})
    api.stop()
    api.delete(endpoint_slice("hello", addresses(two), "b"))
    api.forget()
    api.start()
    wait_until(lambda: sum("limit=" in path for path in api.requests) == 2, "the second listing")
    wait_answered(client, "hello", {"pod 1"})
    assert [weft.metric(f"kubernetes/endpointslices/{name}") for name in ("lists", "expired")] == [2, 1]


def test_tls_and_a_token_that_is_replaced(mesh, tmp_path):
    authority, token = Authority(tmp_path), tmp_path / "token"
    api = KubeApi(authority.issue("api", ip=("127.0.0.1",)), "good")
    try:
        one, = pods(mesh, 1)
        api.put(endpoint_slice("hello", addresses(one)))
        token.write_text("stale")
        client = mesh.client(mesh.weft(config(mesh, namer(api, host="127.0.0.1", caFile=authority.bundle, tokenFile=str(token)))))
        assert "it answers 401: Unauthorized" in refusal(client, "hello")
        token.write_text("good\n")
        wait_answered(client, "hello", {"pod 1"})
    finally:
        api.close()


def test_a_server_of_another_authority(mesh, tmp_path):
    api = KubeApi(Authority(tmp_path, "theirs").issue("api", ip=("127.0.0.1",)))
    try:
        client = mesh.client(mesh.weft(config(mesh, namer(api, host="127.0.0.1", caFile=Authority(tmp_path, "ours").bundle))))
        assert "its certificate is not trusted" in refusal(client, "hello")
        assert not api.requests
    finally:
        api.close()


def test_in_a_pod(mesh, tmp_path):
    """The variables that a pod has say where the API is. (The files would be the service account's.)"""
    authority, token = Authority(tmp_path), tmp_path / "token"
    token.write_text("good")
    api = KubeApi(authority.issue("api", ip=("127.0.0.1",)), "good")
    try:
        one, = pods(mesh, 1)
        api.put(endpoint_slice("hello", addresses(one)))
        inside = {"kind": "io.l5d.k8s.ns", "caFile": authority.bundle, "tokenFile": str(token)}
        weft = mesh.weft(config(mesh, inside, dtab="/svc => /#/io.l5d.k8s.ns/http"),
                         env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port), "POD_NAMESPACE": "default"})
        assert answered_by(mesh.client(weft), "hello") == {"pod 1"}
    finally:
        api.close()


def test_the_delegator_knows_the_endpoints(mesh, api):
    one, = pods(mesh, 1)
    api.put(endpoint_slice("hello", addresses(one)))
    weft = mesh.weft(config(mesh, namer(api)))
    assert answered_by(mesh.client(weft), "hello") == {"pod 1"}
    assert "/#/io.l5d.k8s/default/http/hello" in weft.admin("/bound-names.json").json()


def test_load_balancers(mesh, api):
    one, two = pods(mesh, 2)
    port = one.address[1]
    api.put(balanced("hello", "127.0.1.1", port=port))
    weft = mesh.weft(config(mesh, namer(api, kind="io.l5d.k8s.external"), dtab="/svc => /#/io.l5d.k8s.external/default/http"))
    client = mesh.client(weft)
    assert answered_by(client, "hello") == {"pod 1"}
    api.put(balanced("hello", "127.0.1.2", "127.0.1.1", port=port))
    wait_answered(client, "hello", {"pod 1", "pod 2"})
    api.put(balanced("hello", "localhost", port=mesh.origin(ip="127.0.0.1", body=b"by name").address[1]))
    wait_answered(client, "hello", {"by name"})
    api.put(service("hello", port))
    wait_until(lambda: client.get("hello").status == 502, "no load balancer")
    assert not [path for path in api.requests if "endpointslices" in path]


# ---- transformers ----

def daemonset(api, **keys):
    return {"kind": "io.l5d.k8s.daemonset", "namespace": "default", "service": "l5d", "port": "incoming", "k8sPort": api.port, **keys}


def nodes(mesh, count, net="127.0.{}.99"):
    """Origins that stand for the proxies of nodes, whose pods are in 127.0.N.0/24."""
    made = []
    for number in range(1, count + 1):
        made.append(mesh.origin(ip=net.format(number), port=made[0].address[1] if made else 0, body=f"node {number}".encode()))
    return made


def put_nodes(api, *proxies, zones=None):
    for number, proxy in enumerate(proxies, 1):
        api.put(endpoint_slice("l5d", addresses(proxy), str(number), "incoming", node=f"node{number}", zone=zones and zones[number - 1]))


def test_calls_go_through_the_nodes_of_their_endpoints(mesh, api):
    first, second, third = nodes(mesh, 3)
    api.put(endpoint_slice("hello", [("127.0.1.1", 1), ("127.0.1.2", 1), ("127.0.2.1", 1)]))
    api.put(endpoint_slice("world", [("127.0.3.1", 1)]))
    weft = mesh.weft(config(mesh, namer(api), interpreter={"kind": "default", "transformers": [daemonset(api)]}))
    client = mesh.client(weft)
    wait_until(lambda: client.get("hello").status == 502, "no DaemonSet")
    put_nodes(api, first, second, third)
    wait_answered(client, "hello", {"node 1", "node 2"})
    assert answered_by(client, "world") == {"node 3"}
    # Its endpoints come and go, and every name that goes through them follows.
    api.delete(endpoint_slice("l5d", addresses(second), "2", "incoming"))
    wait_answered(client, "hello", {"node 1"})
    api.delete(endpoint_slice("l5d", addresses(third), "3", "incoming"))
    wait_until(lambda: client.get("world").status == 502, "no node")
    put_nodes(api, first, second, third)
    wait_answered(client, "hello", {"node 1", "node 2"})
    wait_answered(client, "world", {"node 3"})
    assert len([path for path in api.requests if "watch=1" in path]) == 1, "the namer and the transformer share a watch"
    metrics = weft.metrics()
    assert any("/client/%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/default/http/hello/requests" in key for key in metrics)


def test_nodes_by_name_on_any_network(mesh, api):
    first, second = nodes(mesh, 2, "127.1.1.{}")
    put_nodes(api, first, second)
    api.put(endpoint_slice("hello", [("127.0.1.1", 1)], "a", node="node1"))
    api.put(endpoint_slice("hello", [("127.0.1.2", 1)], "b", node="node2"))
    through = daemonset(api, hostNetwork=True)
    weft = mesh.weft(config(mesh, {**namer(api), "transformers": [through]}))   # as a namer's, too
    client = mesh.client(weft)
    wait_answered(client, "hello", {"node 1", "node 2"})
    api.put(endpoint_slice("hello", [("127.0.1.2", 1)], "b", node="node9"))
    wait_answered(client, "hello", {"node 1"})


def test_calls_stay_in_the_zone_that_kubernetes_hints(mesh, api):
    proxies = nodes(mesh, 3, "127.1.1.{}")
    put_nodes(api, *proxies, zones="aab")
    for number in (1, 2, 3):
        api.put(endpoint_slice("hello", [(f"127.0.1.{number}", 1)], str(number), node=f"node{number}", zone="aab"[number - 1]))
    through = {"kind": "default", "transformers": [daemonset(api, byNode=True)]}
    weft = mesh.weft(config(mesh, namer(api), interpreter=through), env={"NODE_NAME": "node1"})
    other = mesh.weft(config(mesh, namer(api), interpreter=through), env={"NODE_NAME": "node3"})
    client, outside = mesh.client(weft), mesh.client(other)
    wait_answered(client, "hello", {"node 1", "node 2", "node 3"})
    for number in (1, 2, 3):
        zone = "aab"[number - 1]
        api.put(endpoint_slice("hello", [(f"127.0.1.{number}", 1)], str(number), node=f"node{number}", zone=zone, for_zones=[zone]))
    wait_answered(client, "hello", {"node 1", "node 2"})
    wait_answered(outside, "hello", {"node 3"})
    # The zone's last endpoint is gone: the others are better than none.
    api.delete(endpoint_slice("hello", [("127.0.1.3", 1)], "3"))
    wait_answered(outside, "hello", {"node 1", "node 2"})


def test_a_change_of_the_daemonset_drops_no_connection(mesh, api):
    first, second = nodes(mesh, 2)
    put_nodes(api, first, second)
    api.put(endpoint_slice("hello", [("127.0.1.1", 1)]))
    weft = mesh.weft(config(mesh, namer(api), interpreter={"kind": "default", "transformers": [daemonset(api)]}))
    client = mesh.client(weft)
    wait_answered(client, "hello", {"node 1"})
    before = len(first.peers)
    for _ in range(5):
        api.delete(endpoint_slice("l5d", addresses(second), "2", "incoming"))
        put_nodes(api, first, second)
        assert answered_by(client, "hello", 20) == {"node 1"}
    assert len(first.peers) == before


def test_an_outage_before_the_daemonset_is_known_says_why(mesh, api):
    one, = pods(mesh, 1)
    mesh.service("hello", one)
    weft = mesh.weft(mesh.config(
        mesh.router(dtab="/svc => /#/io.l5d.fs", interpreter={"kind": "default", "transformers": [daemonset(api)]})))
    client = mesh.client(weft)
    api.stop()
    try:
        assert "Kubernetes' API" in refusal(client, "hello")
    finally:
        api.start()
    node, = nodes(mesh, 1)
    put_nodes(api, node)
    wait_answered(client, "hello", {"node 1"})


def test_only_this_nodes_endpoints(mesh, api):
    one, two = pods(mesh, 2)
    other = mesh.origin(ip="127.0.2.1", port=one.address[1], body=b"elsewhere")
    api.put(endpoint_slice("hello", addresses(one), "a", node="node1"))
    api.put(endpoint_slice("hello", addresses(two), "b", node="node2"))
    api.put(endpoint_slice("hello", addresses(other), "c", node="node1"))
    by_net = mesh.weft(config(mesh, namer(api), interpreter={"kind": "default", "transformers": [{"kind": "io.l5d.k8s.localnode"}]}),
                       env={"POD_IP": "127.0.1.9"})
    wait_answered(mesh.client(by_net), "hello", {"pod 1", "pod 2"})
    assert any("/client/%/io.l5d.k8s.localnode/127.0.1.9/#/io.l5d.k8s/" in key for key in by_net.metrics())
    by_name = mesh.weft(
        config(mesh, namer(api), interpreter={"kind": "default", "transformers": [{"kind": "io.l5d.k8s.localnode", "hostNetwork": True}]}),
        env={"NODE_NAME": "node1"})
    client = mesh.client(by_name)
    wait_answered(client, "hello", {"pod 1", "elsewhere"})
    api.put(endpoint_slice("hello", addresses(one), "a", node="node2"))
    wait_answered(client, "hello", {"elsewhere"})


def test_the_delegator_shows_what_goes_through_a_daemonset(mesh, api):
    first, = nodes(mesh, 1)
    put_nodes(api, first)
    api.put(endpoint_slice("hello", [("127.0.1.1", 7777)]))
    weft = mesh.weft(config(mesh, namer(api), interpreter={"kind": "default", "transformers": [daemonset(api)]}))
    wait_answered(mesh.client(weft), "hello", {"node 1"})
    tree = weft.admin("/delegator.json?router=http&path=/svc/hello").json()
    while "delegate" in tree:
        tree = tree["delegate"]
    assert tree["type"] == "transformation" and tree["name"] == "io.l5d.k8s.daemonset", tree
    assert [address["ip"] for address in tree["bound"]["addr"]["addrs"]] == ["127.0.1.1"]
    assert tree["tree"]["bound"]["id"] == "/%/io.l5d.k8s.daemonset/default/incoming/l5d/#/io.l5d.k8s/default/http/hello"
    assert [address["ip"] for address in tree["tree"]["bound"]["addr"]["addrs"]] == ["127.0.1.99"]


@pytest.mark.parametrize("keys, missing", [({}, "POD_IP"), ({"byNode": True}, "NODE_NAME")])
def test_a_node_that_does_not_say_who_it_is(mesh, api, keys, missing):
    transformers = [{"kind": "io.l5d.k8s.localnode", **keys}]
    with pytest.raises(AssertionError, match=f"did not start.*the environment has no {missing}"):
        mesh.weft(config(mesh, namer(api), interpreter={"kind": "default", "transformers": transformers}))


# ---- Ingresses ----

INGRESS_DTAB = "/svc => /#/io.l5d.k8s"


def ingress_config(mesh, api, *, protocol="http", others=(), dtab=INGRESS_DTAB, bindingTimeoutMs=60000, **keys):
    by_ingress = {"kind": "io.l5d.ingress", "port": api.port, **keys}
    router = mesh.router(dtab=dtab, identifier=[by_ingress, *others], bindingTimeoutMs=bindingTimeoutMs)
    return mesh.config({**router, "protocol": protocol, "client": {"protocol": "http"}}, namers=[namer(api)])


def put_services(mesh, api, *names):
    """Each with one pod, that answers with the Service's name."""
    for number, name in enumerate(names, 1):
        origin = mesh.origin(ip=f"127.0.1.{number}", body=name.encode())
        api.put(endpoint_slice(name, addresses(origin)))


def asked(client, host, path="/"):
    response = client.get(host, path)
    return response.body.decode() if response.status == 200 else response.status


def test_ingresses_name_requests(mesh, api):
    put_services(mesh, api, "web", "users", "all", "other")
    api.put(ingress("one", ("hello.world", "/", "Prefix", "web"), ("hello.world", "/users", "Prefix", "users"),
                    ("*.hello.world", "/", "Prefix", "all"), ("hello.world", "/v[0-9]+/x", "ImplementationSpecific", "other")))
    client = mesh.client(mesh.weft(ingress_config(mesh, api)))
    assert asked(client, "hello.world") == "web"
    assert asked(client, "hello.world:80", "/users/7?q") == "users"
    assert asked(client, "www.hello.world", "/users") == "all"
    assert asked(client, "hello.world", "/v12/x") == "web", "a prefix says more than a pattern"
    response = client.get("hello")
    assert response.status == 400 and b"no Ingress has a rule for hello/" in response.body, response.body
    # Rules come and go.
    api.put(ingress("one", ("hello.world", "/v[0-9]+/x", None, "other"), ("hello.world", "/.*", None, "web"), default="all"))
    wait_until(lambda: asked(client, "hello.world", "/v12/x") == "other", "the new rules")
    assert asked(client, "hello.world", "/v12/xy") == "web"
    assert asked(client, "hello") == "all"
    api.delete(ingress("one"))
    wait_until(lambda: asked(client, "hello.world") == 400, "no rules")
    assert sum("ingresses?watch=1" in path for path in api.requests) == 1


def test_which_ingresses_count(mesh, api):
    put_services(mesh, api, "web", "linkerd", "named", "other", "default")
    api.put(ingress("none", ("a", "/", "Prefix", "web"), default="default"))
    api.put(ingress("ours", ("b", "/", "Prefix", "linkerd"), annotation="linkerd"))
    api.put(ingress("named", ("c", "/", "Prefix", "named"), ingress_class="linkerd"))
    api.put(ingress("theirs", ("d", "/", "Prefix", "other"), annotation="nginx"))
    api.put(ingress("theirs-too", ("e", "/", "Prefix", "other"), ingress_class="nginx", annotation="linkerd"))
    api.put(ingress("elsewhere", ("f", "/", "Prefix", "web"), namespace="prod"))
    client = mesh.client(mesh.weft(ingress_config(mesh, api)))
    assert [asked(client, host) for host in "abcde"] == ["web", "linkerd", "named", "default", "default"]
    assert b"/svc/prod/http/web" in client.get("f").body
    strict = mesh.client(mesh.weft(ingress_config(mesh, api, namespace="default", ignoreDefaultBackends=True, ingressClassAnnotation="nginx")))
    assert [asked(strict, host) for host in "abcdef"] == ["web", 400, 400, "other", "other", 400]


def test_requests_wait_for_the_first_list(mesh, api):
    put_services(mesh, api, "web")
    api.put(ingress("one", ("hello", "/", "Prefix", "web")))
    api.stop()
    weft = mesh.weft(ingress_config(mesh, api))
    client = mesh.client(weft)
    assert "ingresses" in refusal(client, "hello")
    api.start()
    wait_until(lambda: asked(client, "hello") == "web", "the rules")
    # They stay, whatever becomes of the API, over a reload too.
    api.stop()
    assert [asked(client, "hello") for _ in range(50)] == ["web"] * 50
    weft.reload(ingress_config(mesh, api, ignoreDefaultBackends=True))
    assert [asked(client, "hello") for _ in range(50)] == ["web"] * 50
    api.start()


def test_ingresses_in_a_router_for_http2_and_the_next_identifier(mesh, api):
    put_services(mesh, api, "web", "plain")
    api.put(ingress("one", ("hello", "/api", "Exact", "web")))
    by_host = {"kind": "io.l5d.header.token"}
    dtab = "/svc => /#/io.l5d.k8s; /svc/hello => /#/io.l5d.k8s/default/http/plain"
    client = mesh.client(mesh.weft(ingress_config(mesh, api, protocol="h2", others=[by_host], dtab=dtab)))  # the pods speak HTTP/1
    assert asked(client, "hello", "/api") == "web"
    assert asked(client, "hello", "/api/x") == "plain"


def later(client, host):
    """What a request that is on its way will come to."""
    answers = queue.Queue()
    threading.Thread(target=lambda: answers.put(asked(client, host)), daemon=True).start()
    return answers


def test_requests_wait_until_ingresses_are_known(mesh, api):
    put_services(mesh, api, "web")
    api.put(ingress("one", ("hello", "/", "Prefix", "web")))
    api.answers.clear()
    weft = mesh.weft(ingress_config(mesh, api), threads=2)
    waiting = [later(mesh.client(weft), "hello") for _ in range(8)]
    wait_until(lambda: weft.metric("connects") >= 8, "the callers")
    weft.reload(ingress_config(mesh, api, ignoreDefaultBackends=True))
    assert all(answers.empty() for answers in waiting)
    api.answers.set()
    assert [answers.get(timeout=PATIENCE) for answers in waiting] == ["web"] * 8


def test_no_request_waits_longer_than_it_may(mesh, api):
    api.answers.clear()
    client = mesh.client(mesh.weft(ingress_config(mesh, api, bindingTimeoutMs=100)))
    response = client.get("hello")
    assert response.status == 503 and b"while waiting for binding" in response.body, response.body


def test_ingresses_of_an_older_server(mesh):
    api = KubeApi(older=True)
    try:
        put_services(mesh, api, "web", "all")
        api.put(ingress("one", ("hello", "/a.*", None, "web"), default="all", older=True))
        client = mesh.client(mesh.weft(ingress_config(mesh, api)))
        assert asked(client, "hello", "/abc") == "web"
        assert asked(client, "hello", "/b") == "all"
    finally:
        api.close()


def test_an_odd_path_is_left_out(mesh, api):
    put_services(mesh, api, "web")
    api.put(ingress("odd", ("hello", "/(", None, "web"), ("hello", "/good", "Exact", "web")))
    weft = mesh.weft(ingress_config(mesh, api))
    client = mesh.client(weft)
    assert asked(client, "hello", "/good") == "web"
    assert asked(client, "hello", "/(") == 400
    assert "Ingress default/odd: the path `/(` is left out: `)` is missing" in weft.stderr


def test_explain_knows_the_ingresses(mesh, api):
    put_services(mesh, api, "web")
    api.put(ingress("one", ("hello", "/", "Prefix", "web")))
    weft = mesh.weft(ingress_config(mesh, api))
    told = weft.admin("/explain.json?request=GET%20/x%20HTTP/1.1%0D%0AHost:%20hello%0D%0A%0D%0A").json()
    assert told["identify"]["tried"] == [{"identifier": "ingress", "line": told["identify"]["tried"][0]["line"],
                                          "name": "/svc/default/http/web"}], told
    assert told["verdict"] == {"endpoints": 1}


# ---- dtabs in ConfigMaps ----

def map_config(mesh, api, dtab="", **keys):
    interpreter = {"kind": "io.l5d.k8s.configMap", "name": "l5d", "filename": "dtab", "port": api.port}
    return mesh.config(mesh.router(dtab=dtab, interpreter=interpreter, **keys),
                       namers=[{"kind": "io.l5d.fs", "rootDir": str(mesh.disco)}])


def services(mesh, *names):
    for name in names:
        mesh.service(name, mesh.origin(body=name.encode()))


def test_a_dtab_in_a_config_map(mesh, api):
    services(mesh, "web", "blue", "green")
    api.put(config_map("other", dtab="/svc => /#/io.l5d.fs/web"))
    api.put(config_map("l5d", dtab="/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.fs/blue", another="no dtab"))
    weft = mesh.weft(map_config(mesh, api))
    client = mesh.client(weft)
    assert [asked(client, name) for name in ("web", "green")] == ["blue", "green"]
    api.put(config_map("l5d", dtab="/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.fs/green"))
    wait_until(lambda: asked(client, "web") == "green", "the new dtab")
    # What is none changes nothing, and is told.
    api.put(config_map("l5d", dtab="/svc => ="))
    wait_until(lambda: "the ConfigMap default/l5d has no dtab in dtab" in weft.stderr, "the complaint")
    assert asked(client, "web") == "green"
    # Nor is a configuration taken over with it.
    weft.write(map_config(mesh, api, bindingTimeoutMs=8000))
    weft.signal(signal.SIGHUP)
    wait_until(lambda: weft.stderr.count("the ConfigMap default/l5d has no dtab in dtab") >= 3, "the refusal")
    assert asked(client, "web") == "green"
    api.put(config_map("l5d", dtab="/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.fs/green;"))
    wait_until(lambda: asked(client, "web") == "green", "a dtab again")
    api.stop()
    assert [asked(client, "web") for _ in range(20)] == ["green"] * 20
    weft.reload(map_config(mesh, api, bindingTimeoutMs=9000))
    assert asked(client, "web") == "green"
    api.put(config_map("l5d", other=""))
    api.start()
    wait_until(lambda: asked(client, "web") == 502, "no dtab")
    assert all("configmaps" in path and "fieldSelector=metadata.name%3Dl5d" in path for path in api.requests), api.requests


def test_the_routers_own_dtab_and_the_requests_come_later(mesh, api):
    services(mesh, "web", "blue", "green")
    api.put(config_map("l5d", dtab="/svc => /#/io.l5d.fs; /svc/web => /#/io.l5d.fs/blue"))
    weft = mesh.weft(map_config(mesh, api, dtab="/svc/web => /#/io.l5d.fs/green"))
    client = mesh.client(weft)
    assert asked(client, "web") == "green"
    assert client.get("web", headers={"l5d-dtab": "/svc/web => /#/io.l5d.fs/web"}).body == b"web"
    assert asked(client, "blue") == "blue"
    assert weft.delegate("/svc/blue").json()["type"] == "delegate"
    explained = weft.admin("/explain.json?request=GET%20/%20HTTP/1.1%0D%0AHost:%20blue%0D%0A%0D%0A").json()
    assert explained["verdict"] == {"endpoints": 1}, explained


def test_a_config_map_that_cannot_be_read(mesh, api):
    api.stop()
    weft = mesh.weft(map_config(mesh, api))
    client = mesh.client(weft)
    assert "configmaps" in refusal(client, "web")
    services(mesh, "web")
    api.put(config_map("l5d", dtab="/svc => /#/io.l5d.fs"))
    api.start()
    wait_until(lambda: asked(client, "web") == "web", "the dtab")


def test_no_config_map_is_an_empty_dtab(mesh, api):
    services(mesh, "web")
    weft = mesh.weft(map_config(mesh, api, dtab="/svc => /#/io.l5d.fs"))
    assert asked(mesh.client(weft), "web") == "web"
    assert "there is no ConfigMap default/l5d with the key dtab" in weft.stderr
