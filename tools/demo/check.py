# SPDX-License-Identifier: Apache-2.0
"""`demo --check`: every answer of the exercise verified. Waits for conditions with deadlines, assumes no timing."""

import http.client
import json
import re
import subprocess

import check_admin
from demo_mesh import HELLO, NODES, ROUTERS, WORLD, fetch, wait_until
from errors import MeshError
from metrics import AdminError, Counters, INCOMING_CLIENT, OUTGOING_CLIENT
from traffic import Clients, CurlError, GREETING, IP, count_by_node, run_curl

CLIENTS = 6
BATCH = 30
SETTLE_DEADLINE_S = 10
CHANGE_DEADLINE_S = 90
EARTH = re.compile(rf"Hello \({IP}\) earth \({IP}\)!!")
WORLD_GREETING = re.compile(rf"Hello \({IP}\) world \({IP}\)!!")
API_GREETING = re.compile(rf"api \(127\.0\.1\.1\) Hello \({IP}\) world \({IP}\)!!")
TO_EARTH = "-H 'l5d-dtab: /host/world => /srv/world-v2;'"

OUT_HELLO = OUTGOING_CLIENT + HELLO.name
OUT_WORLD = OUTGOING_CLIENT + WORLD.name
IN_HELLO = INCOMING_CLIENT + HELLO.name
IN_WORLD = INCOMING_CLIENT + WORLD.name
REMOVALS = OUT_WORLD + "/failure_accrual/removals"
REVIVALS = OUT_WORLD + "/failure_accrual/revivals"
PROBES = OUT_WORLD + "/failure_accrual/probes"
WORLD_RETRIES = "rt/outgoing/service/svc/world/retries/total"


def split_response(text):
    """(status, {header: all its values joined by `, `}, body) of what `curl -si` printed."""
    head, _, body = text.partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.lower(), []).append(value.strip())
    return int(lines[0].split()[1]), {name: ", ".join(values) for name, values in headers.items()}, body


def tell(service, node, request):
    """Changes how an instance behaves, by a request of its own straight to it."""
    status, text = fetch(node, service.control or service.port, request, "POST")
    if (status, text) != (200, "ok"):
        raise AdminError(f"{service.name} on {node} answered {request} with {status} {text!r}")


def failures_of(answers):
    """What to show of the answers that were not 200."""
    bad = [answer for answer in answers if answer.status != 200]
    return f"{len(bad)} of {len(answers)} failed" + (f", the first with {bad[0].status} {bad[0].text!r}" if bad else "")


def check_files(mesh, report, _):
    for node in NODES:
        command = [str(mesh.weft), "validate", str(mesh.node_file(node))]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        said = (done.stdout + done.stderr).strip()
        report.add(f"weft validate {mesh.node_file(node).name}", done.returncode == 0, "exit code 0",
                   f"exit code {done.returncode} {said}".strip())


def check_greetings(_, report, clients):
    for node in NODES:
        command = f"http_proxy={node}:{ROUTERS['outgoing']} curl -s http://hello"
        report.match(command, WORLD_GREETING, run_curl(command))
    answers = []

    def all_seen():
        answers.extend(clients.send(BATCH))
        return all({seen(answer) for answer in answers} >= set(NODES) for seen in
                   (lambda answer: answer.hello, lambda answer: answer.world))

    seen = wait_until(all_seen, CHANGE_DEADLINE_S)
    spread = f"hello {count_by_node(a.hello for a in answers)}, world {count_by_node(a.world for a in answers)}"
    report.add("all nodes' instances answer", seen, "each node among the hellos and the worlds", spread)
    report.add("every answer is a greeting", all(a.status == 200 and GREETING.match(a.text) for a in answers),
               "200 and Hello (ip) world (ip)!! each time", failures_of(answers))


def check_routing(_, report, __):
    for node in NODES:
        command = f"http_proxy={node}:{ROUTERS['outgoing']} curl -s {TO_EARTH} http://hello"
        report.match(command, EARTH, run_curl(command))
    command = f"http_proxy={NODES[0]}:{ROUTERS['outgoing']} curl -s http://hello"
    report.match(f"{command} (afterwards, as before)", WORLD_GREETING, run_curl(command))


def check_ingress(_, report, __):
    for node in NODES:
        at = f"http://{node}:{ROUTERS['ingress']}"
        command = f"curl -s -H 'Host: www.hello.world' {at}"
        report.match(command, WORLD_GREETING, run_curl(command))
        command = f"curl -s -H 'Host: www.hello.world' {TO_EARTH} {at}"
        report.match(command, EARTH, run_curl(command))
        command = f"curl -s -H 'Host: api.hello.world' {at}"
        got = run_curl(command)
        try:
            result = json.loads(got)
            good = list(result) == ["api_result"] and API_GREETING.fullmatch(result["api_result"])
        except (ValueError, TypeError):
            good = False
        report.add(command, good, '{"api_result": ' + API_GREETING.pattern + "}", got)


def check_errors(_, report, __):
    proxy = f"http_proxy={NODES[0]}:{ROUTERS['outgoing']}"
    status, headers, body = split_response(run_curl(f"{proxy} curl -si http://nobody"))
    report.add("unknown name", status == 502, "502", status)
    report.add("unknown name: l5d-err", headers.get("l5d-err"), "the header l5d-err", headers.get("l5d-err"))
    good = body.startswith("Unable to route request!") and "service name: /svc/nobody" in body
    report.add("unknown name: body", good, "Unable to route request! and service name: /svc/nobody", repr(body[:120]))
    command = f"curl -si -H 'Host: {NODES[0]}:{ROUTERS['ingress']}' http://{NODES[0]}:{ROUTERS['ingress']}"
    status, headers, _ = split_response(run_curl(command))
    report.add("ingress, a host that no rule knows", status == 502 and "l5d-err" in headers, "502 and l5d-err",
               f"{status}, l5d-err {headers.get('l5d-err')}")
    status, headers, _ = split_response(run_curl(f"{proxy} curl -si -H 'l5d-dtab: /host => => /srv' http://hello"))
    report.add("a malformed l5d-dtab", status == 400 and "l5d-err" in headers, "400 and l5d-err",
               f"{status}, l5d-err {headers.get('l5d-err')}")


def check_headers(_, report, __):
    command = f"http_proxy={NODES[0]}:{ROUTERS['outgoing']} curl -si http://hello"
    status, headers, body = split_response(run_curl(command))
    report.add("answer with its headers", status == 200 and WORLD_GREETING.fullmatch(body), "200 and a greeting",
               f"{status} {body}")
    via = [hop.strip() for hop in headers.get("via", "").split(",")]
    report.add("answer's Via: the two routers it came through", via == ["1.1 linkerd"] * 2, "1.1 linkerd, 1.1 linkerd",
               headers.get("via"))
    classes = {value.strip() for value in headers.get("l5d-success-class", "").split(",")}
    report.add("answer's l5d-success-class", classes == {"1.0"}, "1.0", headers.get("l5d-success-class"))


def check_counters(_, report, clients):
    """Sends a known number of requests while all is well; every counter on their way must have grown by just that."""
    before = Counters()
    answers = clients.send(BATCH)
    report.add(f"{BATCH} requests while all is well", all(answer.hello for answer in answers), "each answered",
               failures_of(answers))
    hellos = [sum(answer.hello == node for answer in answers) for node in NODES]
    worlds = [sum(answer.world == node for answer in answers) for node in NODES]
    sent = [BATCH // len(NODES)] * len(NODES)
    per_node = {f"{scope}/{counter}": growth for counter in ("requests", "success") for scope, growth in (
        ("rt/outgoing/service/svc/hello", sent), ("rt/outgoing/service/svc/world", hellos),
        ("rt/incoming/service/svc/hello", hellos), ("rt/incoming/service/svc/world", worlds),
        (IN_HELLO, hellos), (IN_WORLD, worlds))}
    in_all = {f"{client}/requests": BATCH for client in (OUT_HELLO, OUT_WORLD)}
    wrong = []

    def agree():
        after = Counters()
        wrong.clear()
        for key, expected in per_node.items():
            grown = [now - then for now, then in zip(after.each(key), before.each(key))]
            if grown != expected:
                wrong.append(f"{key} grew by {grown}, not {expected}")
        for key, expected in in_all.items():
            if after.total(key) - before.total(key) != expected:
                wrong.append(f"{key} grew by {after.total(key) - before.total(key)} in all, not {expected}")
        for node, own, passed in zip(NODES, sent, hellos):
            key = f"rt/outgoing/server/{node}/{ROUTERS['outgoing']}/requests"
            if after.at(node, key) - before.at(node, key) != own + passed:
                wrong.append(f"{key} grew by {after.at(node, key) - before.at(node, key)}, not {own + passed}")
        return not wrong

    wait_until(agree, SETTLE_DEADLINE_S)
    report.add("counters agree with the traffic", not wrong, "the answers' own count",
               "; ".join(wrong) or f"{len(per_node) + len(in_all) + 1} counters, hello {hellos}, world {worlds}")


def busiest_world(answers):
    """Address of the world that answered most often: at least a third of them."""
    return max(NODES, key=[answer.world for answer in answers].count)


def check_slow(_, report, __):
    """Requests one after the other: nothing but the latencies seen before can steer them then."""
    count, one = 120, Clients(1)
    try:
        before = one.send(count)
        slow = busiest_world(before)
        tell(WORLD, slow, "/setLatency?latency=300ms")
        try:
            answers = one.send(count)
        finally:
            tell(WORLD, slow, "/setLatency?latency=0s")
    finally:
        one.end()
    share = sum(answer.world == slow for answer in answers)
    # It had a third or more. What it still gets is what each node must spend to learn that it is slow.
    report.add(f"a world 300 ms slow, on {slow}, gets less traffic", share < count / 6,
               f"fewer than {count // 6} of {count}",
               f"{count_by_node(a.world for a in answers)} (before, {count_by_node(a.world for a in before)})")
    report.add("and nobody's request fails", all(answer.hello for answer in answers), "none", failures_of(answers))


def check_failing(mesh, report, clients):
    """One world answers 500 until told to recover: taken out at every node, hidden by retries, and back afterwards."""
    failing = busiest_world(clients.send(2 * BATCH))
    before = Counters()
    answers = []

    def grown_everywhere(key):
        mesh.check_alive()
        answers.extend(clients.send(BATCH, ("hello", "world")))
        return all(now > then for now, then in zip(Counters().each(key), before.each(key)))

    tell(WORLD, failing, "/setFailureRate?failureRate=1.0")
    try:
        removed = wait_until(lambda: grown_everywhere(REMOVALS), CHANGE_DEADLINE_S)
        report.add(f"a failing world, on {failing}, is taken out at every node", removed, f"{REMOVALS} to grow",
                   Counters().each(REMOVALS))
        check_left_alone(report, clients, failing, answers)
        check_retries(report, before, answers)
    finally:
        tell(WORLD, failing, "/setFailureRate?failureRate=0")
    answers.clear()
    revived = wait_until(lambda: grown_everywhere(REVIVALS), CHANGE_DEADLINE_S)
    report.add("it comes back at every node when it recovers", revived, f"{REVIVALS} to grow",
               Counters().each(REVIVALS))

    def answers_again():
        answers.extend(clients.send(BATCH))
        return any(answer.world == failing for answer in answers)

    back = wait_until(answers_again, CHANGE_DEADLINE_S)
    report.add("and answers again", back, f"{failing} among the worlds", count_by_node(a.world for a in answers))
    report.add("no request failed meanwhile", all(a.status == 200 for a in answers), "none", failures_of(answers))


def check_left_alone(report, clients, failing, answers):
    """While it is out the failing instance gets probes and nothing else, whatever the time that takes."""
    before = Counters()
    sent = []

    def probed():
        sent.extend(clients.send(2 * BATCH))
        return len(sent) >= 4 * BATCH and Counters().total(PROBES) > before.total(PROBES)

    seen = wait_until(probed, CHANGE_DEADLINE_S)
    answers.extend(sent)
    after = Counters()
    got = after.at(failing, f"{IN_WORLD}/requests") - before.at(failing, f"{IN_WORLD}/requests")
    probes = after.total(PROBES) - before.total(PROBES)
    # One more for each node: a probe that was counted before and arrived after.
    report.add(f"while it is out {len(sent)} requests bring it nothing but probes", seen and got <= probes + len(NODES),
               f"some probes, and at most {len(NODES)} requests more than probes", f"{got} requests, {probes} probes")


def check_retries(report, before, answers):
    report.add("retries hide its failures from everybody", all(answer.status == 200 for answer in answers),
               "200 each time", failures_of(answers))
    after = Counters()
    for what, key in (("the retries are counted", WORLD_RETRIES), ("and so are the failures", f"{OUT_WORLD}/failures")):
        report.add(what, after.total(key) > before.total(key), f"{key} to grow", after.each(key))


def check_end(mesh, report, clients):
    clients.end()
    mesh.check_alive()
    wrong = mesh.end_nodes()
    report.add("the nodes end when told to", not wrong, "exit code 0 after SIGTERM",
               "; ".join(f"{name}: {what}" for name, what in wrong.items()) or "exit code 0")


CHECKS = (check_files, check_greetings, check_routing, check_ingress, check_errors, check_headers, check_counters,
          check_slow, check_failing, check_admin.check_metrics, check_admin.check_prometheus,
          check_admin.check_delegator, check_admin.check_pages, check_end)


def run(mesh, report, more=()):
    """All checks in order, and more before the nodes are ended. One that can't go on has failed, and the next is done; MeshError ends them all."""
    clients = Clients(CLIENTS)
    try:
        for check in (*CHECKS[:-1], *more, CHECKS[-1]):
            try:
                mesh.check_alive()
                check(mesh, report, clients)
            except MeshError:
                raise
            except (AdminError, CurlError, OSError, ValueError, LookupError, http.client.HTTPException) as error:
                mesh.check_alive()
                report.add(check.__name__.replace("_", " "), False, "to be able to check",
                           f"{type(error).__name__}: {error}")
    finally:
        clients.end()
