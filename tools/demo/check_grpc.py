# SPDX-License-Identifier: Apache-2.0
"""`demo grpc --check`: the exercise over gRPC, every answer verified. Waits for conditions with deadlines, assumes no timing."""

import http.client

from check import (
    BATCH, CHANGE_DEADLINE_S, EARTH, SETTLE_DEADLINE_S, WORLD_GREETING, busiest_world, check_end, check_files, failures_of, tell)
from demo_mesh import GRPC_ROUTERS, GRPC_WORLD, NODES, wait_until
from errors import MeshError
from grpc_traffic import TO_EARTH, GrpcClients, helloworld
from metrics import AdminError, Counters
from traffic import GREETING, count_by_node

OUT = f"rt/outgoing/client/%/io.l5d.port/{GRPC_ROUTERS['incoming']}/#/io.l5d.fs/"
IN = "rt/incoming/client/%/io.l5d.specificHost/#/io.l5d.fs/"
OUT_WORLD = OUT + "world-v1"
SERVICE = f"svc/{helloworld.PACKAGE}."
HELLO_SERVICE, WORLD_SERVICE = f"rt/outgoing/service/{SERVICE}Hello", f"rt/outgoing/service/{SERVICE}World"
METHOD = f"rt/outgoing/method/{helloworld.PACKAGE}."


def check_unary(_, report, clients):
    for node in NODES:
        report.match(f"Hello/Greeting at {node}", WORLD_GREETING, clients.one(node).text)
    answers = []

    def all_seen():
        answers.extend(clients.send(BATCH))
        return all({seen(answer) for answer in answers} >= set(NODES) for seen in
                   (lambda answer: answer.hello, lambda answer: answer.world))

    seen = wait_until(all_seen, CHANGE_DEADLINE_S)
    spread = f"hello {count_by_node(a.hello for a in answers)}, world {count_by_node(a.world for a in answers)}"
    report.add("calls of one connection are spread over all nodes", seen, "each node among the hellos and the worlds", spread)
    report.add("every answer is a greeting", all(GREETING.match(a.text) for a in answers), "a greeting each time", failures_of(answers))


def check_streaming(_, report, clients):
    for node in NODES:
        answers = clients.stream(node)
        good = len(answers) == helloworld.STREAMED and all(WORLD_GREETING.fullmatch(answer.text) for answer in answers)
        report.add(f"Hello/StreamGreeting at {node}", good, f"{helloworld.STREAMED} greetings", [answer.text for answer in answers])
        report.add("all of one stream are of one hello", len({answer.hello for answer in answers}) == 1, "one address",
                   {answer.hello for answer in answers})


def check_override(_, report, clients):
    for node in NODES:
        report.match(f"l5d-dtab in the metadata at {node}", EARTH, clients.one(node, metadata=TO_EARTH).text)
    answers = clients.stream(NODES[0], metadata=TO_EARTH)
    good = len(answers) == helloworld.STREAMED and all(EARTH.fullmatch(answer.text) for answer in answers)
    report.add("and for a stream", good, f"{helloworld.STREAMED} times earth", [answer.text for answer in answers])
    report.match("afterwards, as before", WORLD_GREETING, clients.one(NODES[0]).text)


def check_errors(_, report, clients):
    got = clients.one(NODES[0], "Nobody").text
    report.add("unknown service", got.startswith("UNAVAILABLE: "), "UNAVAILABLE, and why", got)
    got = clients.one(NODES[0], metadata=(("l5d-dtab", "/grpc => => /srv"),)).text
    report.add("a malformed l5d-dtab", got.startswith(("INTERNAL: ", "INVALID_ARGUMENT: ")), "INTERNAL or INVALID_ARGUMENT, and why", got)


def check_counters(_, report, clients):
    """A known number of calls while all is well; every counter on their way must have grown by just that."""
    before = Counters()
    answers = clients.send(BATCH)
    report.add(f"{BATCH} calls while all is well", all(answer.hello for answer in answers), "each answered", failures_of(answers))
    hellos = [sum(answer.hello == node for answer in answers) for node in NODES]
    worlds = [sum(answer.world == node for answer in answers) for node in NODES]
    sent = [BATCH // len(NODES)] * len(NODES)
    expected = {f"{scope}/{counter}": growth for counter in ("requests", "success") for scope, growth in (
        (HELLO_SERVICE, sent), (WORLD_SERVICE, hellos), (METHOD + "Hello/Greeting", sent), (METHOD + "World/Greeting", hellos),
        (f"rt/incoming/service/{SERVICE}Hello", hellos), (f"rt/incoming/service/{SERVICE}World", worlds),
        (IN + "hello", hellos), (IN + "world-v1", worlds))}
    wrong = []

    def agree():
        after = Counters()
        wrong[:] = [f"{key} grew by {grown}, not {growth}" for key, growth in expected.items()
                    if (grown := [now - then for now, then in zip(after.each(key), before.each(key))]) != growth]
        return not wrong

    wait_until(agree, SETTLE_DEADLINE_S)
    report.add("counters agree with the traffic, by service, method and client", not wrong, "the answers' own count",
               "; ".join(wrong) or f"{len(expected)} counters, hello {hellos}, world {worlds}")


def check_failing(mesh, report, clients):
    """One world fails every call until told to recover: taken out at every node, hidden by retries, and back afterwards."""
    failing = busiest_world(clients.send(2 * BATCH))
    before, answers = Counters(), []

    def grown_everywhere(key):
        mesh.check_alive()
        answers.extend(clients.send(BATCH, ("Hello", "World")))
        return all(now > then for now, then in zip(Counters().each(key), before.each(key)))

    tell(GRPC_WORLD, failing, "/setFailureRate?failureRate=1.0")
    try:
        removals = f"{OUT_WORLD}/failure_accrual/removals"
        removed = wait_until(lambda: grown_everywhere(removals), CHANGE_DEADLINE_S)
        report.add(f"a failing world, on {failing}, is taken out at every node", removed, f"{removals} to grow", Counters().each(removals))
        streams = [answer for node in NODES for answer in clients.stream(node)]
        report.add("retries hide its failures from everybody", all(a.status == 200 for a in answers + streams), "OK each time",
                   failures_of(answers + streams))
        after = Counters()
        for what, key in (("the retries are counted", f"{WORLD_SERVICE}/retries/total"), ("and so are the failures", f"{OUT_WORLD}/failures")):
            report.add(what, after.total(key) > before.total(key), f"{key} to grow", after.each(key))
    finally:
        tell(GRPC_WORLD, failing, "/setFailureRate?failureRate=0")
    answers.clear()
    revivals = f"{OUT_WORLD}/failure_accrual/revivals"
    revived = wait_until(lambda: grown_everywhere(revivals), CHANGE_DEADLINE_S)
    report.add("it comes back at every node when it recovers", revived, f"{revivals} to grow", Counters().each(revivals))

    def answers_again():
        answers.extend(clients.send(BATCH))
        return any(answer.world == failing for answer in answers)

    back = wait_until(answers_again, CHANGE_DEADLINE_S)
    report.add("and answers again", back, f"{failing} among the worlds", count_by_node(a.world for a in answers))
    report.add("no call failed meanwhile", all(a.status == 200 for a in answers), "none", failures_of(answers))


def check_streams_in_metrics(_, report, __):
    counters = Counters()
    for key in (f"{HELLO_SERVICE}/stream_success", f"{METHOD}Hello/StreamGreeting/requests", f"{METHOD}Hello/StreamGreeting/grpc_status/0",
                f"{OUT}hello/stream_success", f"{OUT}hello/connects", f"{OUT}world-v2/requests"):
        report.add(f"metrics.json {key}", counters.total(key) > 0, "more than 0", counters.each(key))
    key = f"{OUT}hello/loadbalancer/size"
    report.add(f"metrics.json {key}", counters.each(key) == [len(NODES)] * len(NODES), "3 at each node", counters.each(key))


CHECKS = (check_files, check_unary, check_streaming, check_override, check_errors, check_counters, check_failing, check_streams_in_metrics,
          check_end)


def run(mesh, report, more=()):
    """All checks in order, and more before the nodes are ended. One that can't go on has failed, and the next is done; MeshError ends them all."""
    clients = GrpcClients()
    try:
        for check in (*CHECKS[:-1], *more, CHECKS[-1]):
            try:
                mesh.check_alive()
                check(mesh, report, clients)
            except MeshError:
                raise
            except (AdminError, OSError, ValueError, LookupError, http.client.HTTPException) as error:
                mesh.check_alive()
                report.add(check.__name__.replace("_", " "), False, "to be able to check", f"{type(error).__name__}: {error}")
    finally:
        clients.end()
