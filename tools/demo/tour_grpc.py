# SPDX-License-Identifier: Apache-2.0
"""What a newcomer sees of the gRPC exercise: the mesh, calls with their answers, and a trickle of traffic to play with."""

import subprocess
import sys
import textwrap

from demo_mesh import ADMIN_PORT, HELLOWORLD, NODES, plain_environment
from grpc_traffic import GrpcClients
from tour import say, show_dashboard, trickle

GREET = "samples/helloworld/greet.py"
STEPS = (
    ("A call through the mesh",
     "greet.py calls helloworld.Hello at node 1's outgoing router, which picks one of three hellos, on any node, for each call. "
     "That hello calls helloworld.World in the same way, through the router of its own node.",
     ("{0}:4240",) * 3),
    ("A stream", "Five greetings in one answer; each makes hello call world anew.", ("{0}:4240 -streaming",)),
    ("Another version, for this call only", "A routing rule in the call's metadata, which hello hands on without knowing what it says.",
     ("{0}:4240 -H 'l5d-dtab: /grpc/World => /srv/world-v2;'",)),
    ("A service that only some have", "World can be called, too.", ("{0}:4240 -service World",)),
)
TRIES = (
    ("make a world slow: it gets less of the traffic", "curl -X POST 'http://{2}:7788/setLatency?latency=300ms'"),
    ("and quick again", "curl -X POST 'http://{2}:7788/setLatency?latency=0s'"),
    ("make a world fail: it is taken out, its failures are retried elsewhere",
     "curl -X POST 'http://{1}:7788/setFailureRate?failureRate=1.0'"),
    ("and recover: it comes back", "curl -X POST 'http://{1}:7788/setFailureRate?failureRate=0'"),
    ("what a node counted", "curl -s http://{0}:9990/admin/metrics.json"),
)


def greet(arguments):
    """What greet.py prints, failures included."""
    command = f"exec {sys.executable} {HELLOWORLD.with_name('greet.py')} {arguments}"
    done = subprocess.run(["sh", "-c", command], env=plain_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False)
    return (done.stdout + done.stderr).rstrip("\n")


def run(mesh):
    show_dashboard()
    print("\nweft: a mesh of three nodes for gRPC on this machine\n")
    for number, node in enumerate(NODES, 1):
        print(f"  node {number}  {node}   outgoing :4240  incoming :4241   admin http://{node}:{ADMIN_PORT}")
    print("\n  on each node  hello :7777   world (version 1) :7778   world (version 2) :7780")
    print(f"\n  written for this run, and removed at its end: {mesh.folder}")
    for title, explanation, commands in STEPS:
        print(f"\n{title}\n")
        say(explanation, "  ")
        print()
        for command in commands:
            command = command.format(*NODES)
            print(f"  $ {GREET} {command}")
            print(textwrap.indent(greet(command), "  "))
    show_dashboard()
    print("\nNow a trickle of calls goes on until Ctrl-C. Watch the counts, by node; in another terminal, try:\n")
    for what, command in TRIES:
        print(f"  # {what}\n  {command.format(*NODES)}")
    print()
    trickle(mesh, GrpcClients())
