# SPDX-License-Identifier: Apache-2.0
"""What a newcomer sees: the mesh, the exercise's requests with their answers, and a trickle of traffic to play with."""

import textwrap
import time

from demo_mesh import ADMIN_PORT, NODES, fetch
from traffic import Clients, count_by_node, run_curl

WIDTH = 110
ROUND_PAUSE_S = 0.5
ROUNDS_A_LINE = 10

STEPS = (
    ("A call through the mesh",
     "curl hands its request to node 1's outgoing router, which picks one of three hellos, on any node. That hello "
     "calls world in the same way, through the router of its own node. The addresses tell who answered.",
     ("http_proxy={0}:4140 curl -s http://hello",) * 3),
    ("Another version, for this request only",
     "A routing rule in a header sends world's part to version 2, which says earth. It travels with the request: hello "
     "knows nothing of it.",
     ("http_proxy={0}:4140 curl -s -H 'l5d-dtab: /host/world => /srv/world-v2;' http://hello",)),
    ("From outside, by host name",
     "The ingress router turns host names into services.",
     ("curl -s -H 'Host: www.hello.world' http://{0}:4142",
      "curl -s -H 'Host: api.hello.world' http://{0}:4142",
      "curl -s -H 'Host: www.hello.world' -H 'l5d-dtab: /host/world => /srv/world-v2;' http://{0}:4142")),
    ("A name that nobody has",
     "The answer says which name was looked up, and by which rules.",
     ("http_proxy={0}:4140 curl -s http://nobody",)),
)

TRIES = (
    ("make a world slow: it gets less of the traffic", "curl -X POST 'http://{2}:7778/setLatency?latency=300ms'"),
    ("and quick again", "curl -X POST 'http://{2}:7778/setLatency?latency=0s'"),
    ("make a world fail: it is taken out, its failures are retried elsewhere",
     "curl -X POST 'http://{1}:7778/setFailureRate?failureRate=1.0'"),
    ("and recover: it comes back", "curl -X POST 'http://{1}:7778/setFailureRate?failureRate=0'"),
    ("what a node counted", "curl -s http://{0}:9990/admin/metrics.json"),
    ("how a name is resolved",
     "curl -sG http://{0}:9990/delegator.json -d namespace=outgoing -d path=/svc/world --data-urlencode "
     "'dtab=/srv => /#/io.l5d.fs; /host => /srv; /svc => /host; /host/world => /srv/world-v1'"),
)


def say(text, indent=""):
    print(textwrap.fill(text, WIDTH, initial_indent=indent, subsequent_indent=indent))


def show_dashboard():
    """First of all, where to look: the pages are there from now on, and soon there is traffic in them."""
    address = f"http://{NODES[0]}:{ADMIN_PORT}"
    if fetch(NODES[0], ADMIN_PORT, "/files/app.js")[0] == 200:
        what = f"open {address} in a browser: the dashboard, with this traffic in it"
    else:
        what = f"{address} has no dashboard: this weft was built without pages; `./dev demo` says why when it builds"
    print(f"\n  {'=' * len(what)}\n  {what}\n  {'=' * len(what)}")


def show_mesh(mesh):
    show_dashboard()
    print("\nweft: a mesh of three nodes on this machine\n")
    for number, node in enumerate(NODES, 1):
        print(f"  node {number}  {node}   outgoing :4140  incoming :4141  ingress :4142"
              f"   admin http://{node}:{ADMIN_PORT}")
    print("\n  on each node  hello :7777   world (version 1) :7778   world (version 2) :7780    on node 1  api :7779")
    print(f"\n  written for this run, and removed at its end: {mesh.folder}")
    print("    node-1.yaml node-2.yaml node-3.yaml   what each node is told: a Linkerd 1.x configuration")
    print("    disco/                                who runs where: a file a service, a line an instance")
    if mesh.authority:
        print("    ca/ ca.sock                           the authority, and where `weft ca serve` gives each node its certificates")
        print(f"\n  The nodes call each other by mutual TLS. Whom one has been called by: curl -s http://{NODES[0]}:{ADMIN_PORT}/admin/metrics.json"
              " | grep -o 'peer/[^\"]*connects'")


def show_steps():
    for title, explanation, commands in STEPS:
        print(f"\n{title}\n")
        say(explanation, "  ")
        print()
        for command in commands:
            command = command.format(*NODES)
            print(f"  $ {command}")
            print(textwrap.indent(run_curl(command).rstrip("\n"), "  "))


def show_tries():
    show_dashboard()
    print("\nNow a trickle of requests goes on until Ctrl-C. Watch the counts, by node; in another terminal, try:\n")
    for what, command in TRIES:
        print(f"  # {what}\n  {command.format(*NODES)}")
    print()


def trickle(mesh, clients):
    """Sends until a signal comes, a line of counts each few seconds. Ends the clients."""
    try:
        while True:
            answers = []
            for _ in range(ROUNDS_A_LINE):
                answers += clients.send(len(NODES))
                mesh.check_alive()
                time.sleep(ROUND_PAUSE_S)
            good = sum(answer.status == 200 for answer in answers)
            print(f"{time.strftime('%H:%M:%S')}  {len(answers)} sent, {good} answered with 200"
                  f"    hello  {count_by_node(answer.hello for answer in answers)}"
                  f"    world  {count_by_node(answer.world for answer in answers)}")
    finally:
        clients.end()


def run(mesh):
    show_mesh(mesh)
    show_steps()
    show_tries()
    trickle(mesh, Clients(len(NODES)))
