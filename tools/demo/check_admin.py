# SPDX-License-Identifier: Apache-2.0
"""The part of `demo --check` that reads the admin servers, when no traffic goes any more."""

import re
from urllib.parse import quote

from demo_mesh import ADMIN_PORT, HELLO, NODES, ROUTERS, WORLD, fetch, wait_until
from metrics import INCOMING_CLIENT, OUTGOING_CLIENT, Counters, json_page, page, parse_prometheus

SETTLE_DEADLINE_S = 10
OUTGOING_DTAB = "/srv=>/#/io.l5d.fs;/host=>/srv;/svc=>/host;/host/world=>/srv/world-v1"
GROWN = (
    "rt/outgoing/service/svc/hello/requests",
    "rt/outgoing/service/svc/hello/success",
    "rt/outgoing/service/svc/world/retries/total",
    f"{OUTGOING_CLIENT}hello/requests",
    f"{OUTGOING_CLIENT}hello/success",
    f"{OUTGOING_CLIENT}hello/connects",
    f"{OUTGOING_CLIENT}hello/service/svc/hello/requests",
    f"{OUTGOING_CLIENT}world-v1/failures",
    f"{OUTGOING_CLIENT}world-v1/failure_accrual/removals",
    f"{OUTGOING_CLIENT}world-v1/failure_accrual/probes",
    f"{OUTGOING_CLIENT}world-v1/failure_accrual/revivals",
    f"{OUTGOING_CLIENT}world-v2/requests",
    f"{INCOMING_CLIENT}hello/requests",
    f"{INCOMING_CLIENT}world-v1/requests",
    "rt/incoming/service/svc/hello/requests",
    "rt/ingress/service/svc/www.hello.world/requests",
    "rt/ingress/service/svc/api.hello.world/requests",
)


def check_metrics(_, report, __):
    counters = Counters()
    for key in GROWN:
        report.add(f"metrics.json {key}", counters.total(key) > 0, "more than 0", counters.each(key))
    for node in NODES:
        for router in ("outgoing", "incoming", "ingress"):
            key = f"rt/{router}/server/{node}/{ROUTERS[router]}/requests"
            report.add(f"metrics.json {key}", counters.at(node, key) > 0, "more than 0", counters.at(node, key))
    key = f"{OUTGOING_CLIENT}hello/loadbalancer/size"
    report.add(f"metrics.json {key}", counters.each(key) == [len(NODES)] * len(NODES), "3 at each node",
               counters.each(key))
    check_tree(report, counters)
    status, text = fetch(NODES[0], ADMIN_PORT, "/admin/metrics.json?q=no/such")
    report.add("metrics.json?q= of a subtree that is not there", status == 404 and "error" in text, "404 and an error",
               f"{status} {text.strip()}")


def check_tree(report, counters):
    """The same numbers as a tree, in which an identifier such as svc/hello is one key."""
    tree = json_page(NODES[0], "/admin/metrics.json?tree=1")
    leaf = tree
    for step in ("rt", "outgoing", "service", "svc/hello", "requests"):
        leaf = leaf.get(step, {})
    expected = {"counter": counters.at(NODES[0], GROWN[0])}
    report.add("metrics.json?tree=1 rt outgoing service svc/hello requests", leaf == expected, expected, leaf)


def prometheus_names(node):
    """metrics.json key: the documented form of the same counter in Prometheus' text."""
    service, client = 'rt="outgoing", service="svc/hello"', f'rt="outgoing", client="{OUTGOING_CLIENT[19:]}'
    return {
        "rt/outgoing/service/svc/hello/requests": f"rt:service:requests{{{service}}}",
        "rt/outgoing/service/svc/hello/success": f"rt:service:success{{{service}}}",
        "rt/outgoing/service/svc/hello/retries/total": f"rt:service:retries:total{{{service}}}",
        f"{OUTGOING_CLIENT}hello/requests": f'rt:client:requests{{{client}hello"}}',
        f"{OUTGOING_CLIENT}hello/service/svc/hello/requests":
            f'rt:client:service:requests{{{client}hello", service="svc/hello"}}',
        f"{OUTGOING_CLIENT}world-v1/failure_accrual/removals":
            f'rt:client:failure_accrual:removals{{{client}world-v1"}}',
        f"rt/outgoing/server/{node}/{ROUTERS['outgoing']}/requests":
            f'rt:server:requests{{rt="outgoing", server="{node}/{ROUTERS["outgoing"]}"}}',
    }


def check_prometheus(_, report, __):
    for node in NODES:
        differing, wrong = [], []

        def agree():
            samples, lines = parse_prometheus(page(node, "/admin/metrics/prometheus"))
            counters = json_page(node, "/admin/metrics.json")
            wrong[:] = lines
            differing[:] = [f"{name} {samples.get(name)} but {counters.get(key)}"
                            for key, name in prometheus_names(node).items() if samples.get(name) != counters.get(key)]
            return not differing

        wait_until(agree, SETTLE_DEADLINE_S)
        report.add(f"prometheus on {node}: each line is name{{label=\"value\", ...}} number", not wrong,
                   "no other line", f"{len(wrong)} others" + (f", the first {wrong[0]!r}" if wrong else ""))
        report.add(f"prometheus on {node}: documented names, counts as in metrics.json", not differing, "the same",
                   "; ".join(differing) or f"{len(prometheus_names(node))} the same")
    check_latencies(report)


def check_latencies(report):
    samples, _ = parse_prometheus(page(NODES[0], "/admin/metrics/prometheus"))
    labels = 'rt="outgoing", service="svc/hello"'
    wanted = [f'rt:service:request_latency_ms{{{labels}, quantile="{q}"}}' for q in ("0.5", "0.95", "0.99")]
    wanted += [f"rt:service:request_latency_ms_{part}{{{labels}}}" for part in ("count", "sum", "avg")]
    missing = [name for name in wanted if name not in samples]
    report.add("prometheus: latencies of svc/hello as quantiles, count, sum and avg", not missing,
               "all six kinds of lines", f"without {missing}" if missing else "all there")


def walk(tree):
    """Every object within a JSON value."""
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from walk(child)


def check_delegator(_, report, __):
    for path, service, entry in (("/svc/hello", HELLO, ("/host", "/srv")),
                                 ("/svc/world", WORLD, ("/host/world", "/srv/world-v1"))):
        tree = json_page(NODES[0], f"/delegator.json?namespace=outgoing&path={quote(path)}&dtab={quote(OUTGOING_DTAB)}")
        nodes = list(walk(tree))
        entries = {(node.get("prefix"), node.get("dst")) for node in nodes}
        report.add(f"delegator.json {path}: goes by {entry[0]} => {entry[1]}", entry in entries, entry,
                   sorted(" => ".join(map(str, e)) for e in entries if e != (None, None)))
        leaves = [node["bound"] for node in nodes if node.get("type") == "leaf" and "bound" in node]
        found = [leaf for leaf in leaves if str(leaf.get("id", "")).endswith(f"/#/io.l5d.fs/{service.name}")]
        addresses = sorted({address["ip"] for leaf in found for address in leaf["addr"].get("addrs", ())})
        report.add(f"delegator.json {path}: ends at {service.name}'s instances", addresses == sorted(NODES),
                   f"a leaf {service.name} with {', '.join(NODES)}", addresses or f"leaves {leaves}")


def check_pages(_, report, __):
    for node in NODES:
        ping = page(node, "/admin/ping").strip()
        report.add(f"admin on {node}: ping", ping == "pong", "pong", ping)
        labels = [router.get("label") for router in json_page(node, "/config.json").get("routers", ())]
        report.add(f"admin on {node}: config.json", labels == list(ROUTERS), list(ROUTERS), labels)
        names = json_page(node, "/bound-names.json")
        bound = {match[1] for name in names if (match := re.search(r"(/#/io\.l5d\.fs/[^/]+)$", name))}
        wanted = {f"/#/io.l5d.fs/{service.name}" for service in (HELLO, WORLD)}
        report.add(f"admin on {node}: bound-names.json", wanted <= bound, sorted(wanted), names)
