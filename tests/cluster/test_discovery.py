# SPDX-License-Identifier: Apache-2.0
"""io.l5d.k8s against a real API server. The machine's addresses 10.99.0.0/24 are the pods': `./dev cluster` makes them, in a
network namespace of its own, because the API refuses loopback addresses as endpoints."""

import itertools
import json
import signal

import pytest

from api_server import outage
from certificates import Authority
from mesh import wait_until

NUMBERS = itertools.count(1)


@pytest.fixture(name="service")
def make_service(api):
    """A name that no other test has."""
    return f"hello-{next(NUMBERS)}"


def service_object(name, port=80, port_name="http"):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": port_name, "port": port, "targetPort": 7777}]}}


def slice_object(name, origins, suffix="a", conditions=None, port_name="http", node="node1"):
    """One EndpointSlice with the addresses of these origins, which have the same port."""
    ports = {origin.address[1] for origin in origins}
    assert len(ports) == 1
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{name}-{suffix}", "namespace": "default", "labels": {"kubernetes.io/service-name": name}},
            "ports": [{"name": port_name, "port": ports.pop(), "protocol": "TCP"}],
            "endpoints": [{"addresses": [origin.address[0]], "nodeName": node,
                           "conditions": conditions or {"ready": True, "serving": True, "terminating": False}} for origin in origins]}


def origins(mesh, count, port=0):
    made = []
    for number in range(1, count + 1):
        made.append(mesh.origin(ip=f"10.99.0.{number}", port=made[0].address[1] if made else port, body=f"pod {number}".encode()))
    return made


def namer(api, token=None, **keys):
    return {"kind": "io.l5d.k8s", "host": "127.0.0.1", "port": api.port, "caFile": str(api.folder / "ca.crt"),
            "tokenFile": str(token or api.account("weft")), **keys}


def start(mesh, *namers, dtab="/svc => /#/io.l5d.k8s/default/http", env=None, **router):
    return mesh.weft(mesh.config(mesh.router(dtab=dtab, **router), namers=list(namers)), env=env)


def answers(client, service):
    response = client.get(service)
    return response.body.decode() if response.status == 200 else response.status


def answered_by(client, service, calls=12):
    return {answers(client, service) for _ in range(calls)}


def wait_answered(client, service, expected):
    return wait_until(lambda: answered_by(client, service) == expected, f"{service} answered by {expected}")


def test_calls_go_to_ready_endpoints_and_follow_them(api, mesh, service):
    one, two, three = origins(mesh, 3)
    api.apply(service_object(service), slice_object(service, [one]))
    weft = start(mesh, namer(api))
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 1"}
    api.apply(slice_object(service, [one, two]))
    wait_answered(client, service, {"pod 1", "pod 2"})
    api.apply(slice_object(service, [three], "b"))
    wait_answered(client, service, {"pod 1", "pod 2", "pod 3"})
    api.apply(slice_object(service, [one, two], conditions={"ready": False, "serving": True, "terminating": True}))
    wait_answered(client, service, {"pod 3"})
    api.delete("endpointslice", f"{service}-b")
    wait_answered(client, service, {"pod 1", "pod 2"})   # they serve while they terminate, and nothing else does
    metrics = weft.metrics()
    assert any(f"/client/#/io.l5d.k8s/default/http/{service}/requests" in key for key in metrics), sorted(metrics)


def test_a_service_that_appears_takes_its_name(api, mesh, service):
    one, two = origins(mesh, 2)
    mesh.service("spare", one)
    weft = mesh.weft(mesh.config(
        mesh.router(dtab="/svc => /#/io.l5d.fs/spare; /svc => /#/io.l5d.k8s/default/http"),
        namers=[{"kind": "io.l5d.fs", "rootDir": str(mesh.disco)}, namer(api)]))
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 1"}
    api.apply(service_object(service), slice_object(service, [two]))
    wait_answered(client, service, {"pod 2"})
    api.delete("endpointslice", f"{service}-a")
    wait_answered(client, service, {"pod 1"})


def test_numeric_ports_are_the_services(api, mesh, service):
    one, = origins(mesh, 1)
    api.apply(service_object(service, port=8080, port_name="web"), slice_object(service, [one], port_name="web"))
    weft = start(mesh, namer(api), dtab="/svc => /#/io.l5d.k8s/default/8080")
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 1"}
    api.apply(service_object(service, port=8081, port_name="web"))
    wait_answered(client, service, {502})   # no port 8080: the name has no binding


def test_kubectl_proxy(api, mesh, service):
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    weft = start(mesh, {"kind": "io.l5d.k8s", "port": api.plain_proxy()})
    assert answered_by(mesh.client(weft), service) == {"pod 1"}


def test_an_outage_loses_no_call(api, mesh, service):
    one, two = origins(mesh, 2)
    other = service + "-other"
    api.apply(service_object(service), slice_object(service, [one]), service_object(other), slice_object(other, [two]))
    weft = start(mesh, namer(api))
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 1"}
    for kill, before, after in ((False, "pod 1", two), (True, "pod 2", one)):
        with outage(api, kill):
            assert answered_by(client, service, 200) == {before}
            assert answered_by(client, other) == {"pod 2"}   # the first time during the outage: it is known all the same
        api.apply(slice_object(service, [after]))
        wait_answered(client, service, {after.body.decode()})
    assert weft.metric("failures") == 0


def test_a_reload_during_an_outage_forgets_nothing(api, mesh, service):
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    the_namer = namer(api)
    weft = start(mesh, the_namer)
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 1"}
    with outage(api):
        weft.reload(mesh.config(mesh.router(dtab="/svc => /other; /other => /#/io.l5d.k8s/default/http"), namers=[the_namer]))
        assert answered_by(client, service) == {"pod 1"}


def test_a_compaction_during_an_outage_is_followed_by_a_new_list(api, mesh, service):
    one, two = origins(mesh, 2)
    api.apply(service_object(service), slice_object(service, [one]), slice_object(service, [two], "b"))
    weft = start(mesh, namer(api))
    client = mesh.client(weft)
    wait_answered(client, service, {"pod 1", "pod 2"})
    # The proxy stands still while its watch breaks, an object goes, and the version that it has seen is forgotten: 410 Gone.
    weft.signal(signal.SIGSTOP)
    try:
        with outage(api):
            pass
        api.delete("endpointslice", f"{service}-b")
        api.compact()
        with outage(api):
            pass
    finally:
        weft.signal(signal.SIGCONT)
    wait_answered(client, service, {"pod 1"})
    assert weft.metric("failures") == 0


def refusal(client, service):
    """Why a name can't be bound, once the API has been asked."""
    def refused():
        response = client.get(service)
        return response.body.decode() if response.status == 502 and b"Kubernetes' API" in response.body else None
    return wait_until(refused, "an answer that says why")


def test_what_may_not_be_read_is_said(api, mesh, service):
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": "default"}})
    weft = start(mesh, namer(api, api.token("nobody")))
    why = refusal(mesh.client(weft), service)
    assert "it answers 403: endpointslices.discovery.k8s.io is forbidden" in why, why


def test_a_token_is_replaced(api, mesh, service, tmp_path):
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    token = tmp_path / "token"
    token.write_text("wrong")
    weft = start(mesh, namer(api, token))
    client = mesh.client(weft)
    assert "it answers 401" in refusal(client, service)
    token.write_text(api.account("weft").read_text())
    wait_answered(client, service, {"pod 1"})


def test_another_ca_is_not_trusted(api, mesh, service, tmp_path):
    weft = start(mesh, namer(api, caFile=Authority(tmp_path, "other").bundle))
    assert "its certificate is not trusted" in refusal(mesh.client(weft), service)


def test_inside_a_pod_nothing_needs_to_be_said(api, mesh, service):
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    weft = start(mesh, {"kind": "io.l5d.k8s", "caFile": str(api.folder / "ca.crt"), "tokenFile": str(api.account("weft"))},
                 env={"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(api.port)})
    assert answered_by(mesh.client(weft), service) == {"pod 1"}


def test_one_namespace(api, mesh, service):
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    weft = start(mesh, namer(api, kind="io.l5d.k8s.ns"), dtab="/svc => /#/io.l5d.k8s.ns/http", env={"POD_NAMESPACE": "default"})
    assert answered_by(mesh.client(weft), service) == {"pod 1"}


def test_from_node_to_node(api, mesh, service):
    """Three nodes' proxies of a DaemonSet; which of them a call goes through follows its endpoints, and follows the DaemonSet."""
    proxies = origins(mesh, 3)
    l5d = service + "-l5d"
    for number, proxy in enumerate(proxies, 1):
        api.apply(slice_object(l5d, [proxy], str(number), port_name="incoming", node=f"node{number}"))
    api.apply(service_object(l5d, port=4141, port_name="incoming"), service_object(service), slice_object(service, proxies[:1], node="node2"))
    known = namer(api)
    through = {"kind": "io.l5d.k8s.daemonset", "namespace": "default", "service": l5d, "port": 4141, "byNode": True, "k8sHost": known["host"],
               "k8sPort": known["port"], "caFile": known["caFile"], "tokenFile": known["tokenFile"]}
    weft = start(mesh, known, interpreter={"kind": "default", "transformers": [through]})
    client = mesh.client(weft)
    assert answered_by(client, service) == {"pod 2"}
    api.apply(slice_object(service, proxies[1:2], "b", node="node3"))
    wait_answered(client, service, {"pod 2", "pod 3"})
    api.delete("endpointslice", f"{l5d}-2")
    wait_answered(client, service, {"pod 3"})
    with outage(api):
        assert answered_by(client, service, 100) == {"pod 3"}
    assert weft.metric("failures") == 0


def test_this_nodes_endpoints(api, mesh, service):
    one, two = origins(mesh, 2)
    api.apply(service_object(service), slice_object(service, [one]), slice_object(service, [two], "b", node="node2"))
    here = {"kind": "io.l5d.k8s.localnode", "hostNetwork": True}
    weft = start(mesh, namer(api), env={"NODE_NAME": "node2"}, interpreter={"kind": "default", "transformers": [here]})
    assert answered_by(mesh.client(weft), service) == {"pod 2"}


def ingress_object(name, *rules, default=None, **spec):
    """Rules of (host, path, path type, service)."""
    def backend(service_name):
        return {"service": {"name": service_name, "port": {"number": 80}}}
    all_rules = [{"host": host, "http": {"paths": [{"path": path, "pathType": kind, "backend": backend(to)}]}} for host, path, kind, to in rules]
    usual = {"defaultBackend": backend(default)} if default else {}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": name, "namespace": "default"},
            "spec": {"rules": all_rules, **usual, **spec}}


def test_ingresses(api, mesh, service):
    """Backends by the Service's number: discovery finds its port's name."""
    one, two = origins(mesh, 2)
    other, host = service + "-other", service + ".example"
    api.apply(service_object(service), slice_object(service, [one]), service_object(other), slice_object(other, [two]),
              ingress_object(service, (host, "/", "Prefix", service), (host, "/v[12]/.*", "ImplementationSpecific", service),
                             (host, "/exact", "Exact", other), ingressClassName="linkerd"),
              ingress_object(other, (host, "/exact", "Exact", service), ingressClassName="another"))
    known = namer(api)
    by_ingress = {"kind": "io.l5d.ingress", **{key: known[key] for key in ("host", "port", "caFile", "tokenFile")}}
    weft = start(mesh, known, dtab="/svc => /#/io.l5d.k8s", identifier=by_ingress)
    client = mesh.client(weft)

    def asked(path):
        response = client.get(host, path)
        return response.body.decode() if response.status == 200 else response.status

    assert [asked(path) for path in ("/", "/v1/x", "/exact", "/exact/x")] == ["pod 1", "pod 1", "pod 2", "pod 1"]
    assert client.get("elsewhere.example").status == 400
    with outage(api):
        assert [asked("/exact") for _ in range(50)] == ["pod 2"] * 50
    api.apply(ingress_object(service, (host, "/", "Prefix", other), ingressClassName="linkerd"))
    wait_until(lambda: asked("/") == "pod 2", "the new rules")
    api.delete("ingress", service)
    wait_until(lambda: asked("/") == 400, "no rule")
    api.delete("ingress", other)


def test_ingresses_that_may_not_be_read(api, mesh, service):
    api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "nobody", "namespace": "default"}})
    known = namer(api, api.token("nobody"))
    by_ingress = {"kind": "io.l5d.ingress", **{key: known[key] for key in ("host", "port", "caFile", "tokenFile")}}
    why = refusal(mesh.client(start(mesh, known, identifier=by_ingress)), service)
    assert "it answers 403: ingresses.networking.k8s.io is forbidden" in why, why


def test_load_balancers_of_services(api, mesh, service):
    """Nobody gives load balancers here: their status is written as who does would write it."""
    one, = origins(mesh, 1)
    thing = service_object(service, port=one.address[1])
    thing["spec"]["type"] = "LoadBalancer"
    api.apply(thing)
    weft = start(mesh, namer(api, kind="io.l5d.k8s.external"), dtab="/svc => /#/io.l5d.k8s.external/default/http")
    client = mesh.client(weft)
    assert client.get(service).status == 502
    api.kubectl("patch", "service", service, "--subresource=status", "--type=merge", "-p",
                json.dumps({"status": {"loadBalancer": {"ingress": [{"ip": one.address[0]}]}}}))
    wait_answered(client, service, {"pod 1"})


def test_a_kubeconfig(api, mesh, service):
    """kubectl's own file, with a certificate for the user; by a key of the namer, by KUBECONFIG, and with a token instead."""
    one, = origins(mesh, 1)
    api.apply(service_object(service), slice_object(service, [one]))
    by_key = start(mesh, {"kind": "io.l5d.k8s", "kubeconfig": str(api.admin)})
    by_variable = start(mesh, {"kind": "io.l5d.k8s"}, env={"KUBECONFIG": f"{api.admin}:/nowhere"})
    config = json.loads(api.admin.read_text())
    config["users"][0]["user"] = {"tokenFile": api.account("weft").name}
    with_token = api.folder / "token.kubeconfig"
    with_token.write_text(json.dumps(config))
    by_token = start(mesh, {"kind": "io.l5d.k8s", "kubeconfig": str(with_token)})
    for weft in (by_key, by_variable, by_token):
        assert answered_by(mesh.client(weft), service) == {"pod 1"}


def test_a_kubeconfig_that_is_of_no_use(api, mesh):
    config = json.loads(api.admin.read_text())
    config["users"][0]["user"] = {"exec": {"command": "aws"}}
    bad = api.folder / "bad.kubeconfig"
    bad.write_text(json.dumps(config))
    with pytest.raises(AssertionError, match="did not start.*bad.kubeconfig: its user is told by a way that weft doesn't know.*`exec`"):
        start(mesh, {"kind": "io.l5d.k8s", "kubeconfig": str(bad)})


def test_a_dtab_in_a_config_map(api, mesh, service):
    """By an account that may read that ConfigMap, and no other."""
    one, two = origins(mesh, 2)
    other = service + "-other"
    may = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list", "watch"], "resourceNames": [service]}]
    reader = {"kind": "ServiceAccount", "name": service, "namespace": "default"}
    api.apply(service_object(service), slice_object(service, [one]), service_object(other), slice_object(other, [two]),
              {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": service, "namespace": "default"}},
              {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": service, "namespace": "default"}, "rules": may},
              {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": service, "namespace": "default"},
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": service}, "subjects": [reader]})

    def put_dtab(name):
        api.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": service, "namespace": "default"},
                   "data": {"dtab": f"/svc/web => /#/io.l5d.k8s/default/http/{name};"}})

    put_dtab(service)
    known = namer(api)
    interpreter = {"kind": "io.l5d.k8s.configMap", "name": service, "filename": "dtab", "tokenFile": str(api.token(service)),
                   **{key: known[key] for key in ("host", "port", "caFile")}}
    weft = start(mesh, known, dtab="", interpreter=interpreter)
    client = mesh.client(weft)
    assert answered_by(client, "web") == {"pod 1"}
    put_dtab(other)
    wait_answered(client, "web", {"pod 2"})
    with outage(api):
        assert answered_by(client, "web", 50) == {"pod 2"}
    api.delete("configmap", service)
    wait_answered(client, "web", {502})
