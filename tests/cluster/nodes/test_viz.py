# SPDX-License-Identifier: Apache-2.0
"""weft install viz on real nodes: a Prometheus in a pod, where Pod Security's level "restricted" is enforced, finds the proxies by itself."""

import json
import urllib.parse

import pytest

from cluster import SAMPLES, wait_until, weft

VIZ = ["--namespace", "monitoring", "--proxies", "default"]
DTAB = "/host/world => /srv/world-v1"
UNTIL_SEEN = 120


class Prometheus:
    def __init__(self, cluster):
        self.cluster = cluster
        service = cluster.get("service", "-n", "monitoring", "weft-prometheus")["spec"]
        self.base = f"http://{service['clusterIP']}:{service['ports'][0]['port']}/api/v1"

    def get(self, path):
        answer = json.loads(self.cluster.curl(f"{self.base}/{path}"))
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, query):
        """[(labels, number)]"""
        return [(each["metric"], float(each["value"][1])) for each in self.get("query?" + urllib.parse.urlencode({"query": query}))["result"]]

    def number(self, query):
        return next((value for _, value in self.ask(query)), None)

    def known(self, query):
        """The number, as soon as there is one: each group of rules has a time of its own."""
        wait_until(lambda: self.number(query) is not None, f"{query} is known", UNTIL_SEEN)
        return self.number(query)


@pytest.fixture(name="prometheus", scope="module")
def make_prometheus(cluster):
    sample = SAMPLES / "hello-world.yaml"
    cluster.kubectl("create", "namespace", "monitoring")
    try:
        cluster.kubectl("label", "namespace", "monitoring", "pod-security.kubernetes.io/enforce=restricted")
        cluster.apply(weft("install", "node", "--dtab", DTAB))
        cluster.apply(weft("install", "viz", *VIZ, "--image", "localhost/prometheus:1", "--interval", "2s"))
        cluster.kubectl("apply", "-f", sample)
        cluster.rolled_out("daemonset/l5d")
        cluster.replicated("hello", "world-v1")
        for name in ("weft-prometheus", "weft-viz"):
            cluster.kubectl("rollout", "status", "-n", "monitoring", f"deployment/{name}", "--timeout=120s", seconds=150)
        yield Prometheus(cluster)
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", sample)
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", given=weft("uninstall"))
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", given=weft("uninstall", "viz", *VIZ))
        cluster.kubectl("delete", "namespace", "monitoring")
        wait_until(lambda: not any(cluster.get("pods", "-l", f"app={app}")["items"] for app in ("l5d", "hello", "world-v1")), "all pods are gone")


def test_it_finds_every_proxy(cluster, prometheus):
    def found():
        targets = prometheus.get("targets?state=active")["activeTargets"]
        assert all(each["health"] == "up" for each in targets), [each["lastError"] for each in targets]
        return {each["labels"]["node"]: each["labels"]["instance"] for each in targets}

    wait_until(lambda: found() == {node: f"{address}:9990" for node, address in cluster.nodes.items()}, "each node's proxy is up", UNTIL_SEEN)
    wait_until(lambda: prometheus.number('sum(up{job="weft",namespace="default"})') == len(cluster.nodes), "they are counted", UNTIL_SEEN)


@pytest.mark.parametrize("name", ["weft-prometheus", "weft-viz"])
def test_their_rights_are_no_more_than_that(cluster, prometheus, name):
    assert prometheus.cluster is cluster   # what is installed is there
    account = f"system:serviceaccount:monitoring:{name}"

    def may(verb, what, namespace):
        return cluster.kubectl("auth", "can-i", verb, what, "-n", namespace, "--as", account, check=False).stdout.strip() == "yes"

    assert may("list", "pods", "default") and may("watch", "pods", "default") == (name == "weft-prometheus")
    for denied in (("get", "pods", "default"), ("list", "pods", "monitoring"), ("list", "secrets", "default"), ("list", "services", "default"),
                   ("list", "pods", "kube-system"), ("create", "pods", "default")):
        assert not may(*denied), denied


def test_rules_have_the_numbers_of_the_traffic(cluster, prometheus):
    wait_until(cluster.hello, "hello answers")

    def recorded():
        for node in cluster.nodes:
            cluster.hello(node=node)
        rates = {labels["service"]: value for labels, value in prometheus.ask('service:weft_requests:rate1m{rt="outgoing"}')}
        instances = {labels["instance"] for labels, value in prometheus.ask("instance:weft_requests:rate1m") if value > 0}
        return rates.get("svc/hello", 0) > 0 and rates.get("svc/world", 0) > 0 and len(instances) == len(cluster.nodes)

    wait_until(recorded, "both services and all instances have rates", UNTIL_SEEN)
    assert prometheus.known('service:weft_failures:ratio_rate5m{rt="outgoing",service="svc/hello"}') < 0.5
    assert 0 < prometheus.known('service:weft_latency_seconds:p99_1m{rt="outgoing",service="svc/hello"}')


def test_counters_are_those_of_the_proxies(cluster, prometheus):
    def same(node, address):
        counted = cluster.metrics(node).get("rt/outgoing/service/svc/hello/requests", 0)
        return prometheus.number(f'weft_service_requests_total{{instance="{address}:9990",rt="outgoing",service="svc/hello"}}') == counted > 0

    for node, address in cluster.nodes.items():
        wait_until(lambda node=node, address=address: same(node, address), f"Prometheus has what {node} has counted", UNTIL_SEEN)


def test_rules_and_alerts_are_in_order(prometheus):
    def judged():
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return {rule["type"] for rule in rules} == {"recording", "alerting"} and [rule["name"] for rule in rules if rule["health"] != "ok"] == []

    wait_until(judged, "all rules have been judged without errors", UNTIL_SEEN)


def test_who_comes_is_found_and_who_goes_is_forgotten(cluster, prometheus):
    cluster.apply(weft("install", "ingress"))
    cluster.rolled_out("deployment/l5d-ingress")
    wait_until(lambda: {labels["pod"] for labels, _ in prometheus.ask('up{job="weft",pod!=""} == 1')} ==
               {each["metadata"]["name"] for each in cluster.get("pods", "-l", "app=l5d-ingress")["items"]}, "its pods are up", UNTIL_SEEN)
    cluster.kubectl("delete", "--wait", "-f", "-", given=weft("uninstall", "ingress"))
    wait_until(lambda: len(prometheus.ask('up{job="weft"}')) == len(cluster.nodes), "only the node proxies are known", UNTIL_SEEN)


def page(cluster, path="mesh.json"):
    service = cluster.get("service", "-n", "monitoring", "weft-viz")["spec"]
    return cluster.curl(f"http://{service['clusterIP']}:{service['ports'][0]['port']}/{path}")


def test_the_page_has_what_the_proxies_have_counted(cluster, prometheus):
    """weft's own page: as many proxies as nodes, their names as Kubernetes knows them, and their counters."""
    assert prometheus.cluster is cluster
    for node in cluster.nodes:
        wait_until(lambda node=node: cluster.hello(node=node), f"hello answers by {node}")

    def same():
        told = json.loads(page(cluster))
        wanted = {node: cluster.metrics(node).get("rt/outgoing/service/svc/hello/requests", 0) for node in cluster.nodes}
        hello = [each for each in told["services"] if (each["router"], each["name"]) == ("outgoing", "svc/hello")]
        return sum(each["requests"] for each in hello) == sum(wanted.values()) > 0 and told

    told = wait_until(same, "the page has what the proxies have", UNTIL_SEEN)
    assert {each["name"].rpartition("@")[2] for each in told["proxies"] if each["reached"]} == set(cluster.nodes)
    assert {(each["namespace"], each["service"]) for each in told["services"] if each["router"] == "outgoing"} >= {("default", "hello"), ("default", "world-v1")}
    assert told["totals"]["all"]["proxies"] == len(cluster.nodes) and "why" not in told["kubernetes"]
