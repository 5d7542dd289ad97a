# SPDX-License-Identifier: Apache-2.0
"""What `demo --mtls --check` verifies on top: nothing readable between the nodes, nobody gets in without a certificate, and the metrics say
which edges are encrypted."""

import socket
import ssl

from demo_mesh import EXERCISES, NODES
from metrics import Counters
from mtls import NODE_NAME, clear_text, is_tls

PATIENCE_S = 10


def check_packets(mesh, report, capture):
    """Everything that went to and from the incoming routers is TLS; the same words are seen elsewhere, so the capture can see them."""
    between = capture.of_port(mesh.exercise.routers["incoming"])
    elsewhere = capture.of_port(mesh.exercise.routers["outgoing"], *(service.port for service in mesh.exercise.services))
    size = sum(map(len, between.values()))
    called = {key[2] for key in between if key[3] == mesh.exercise.routers["incoming"]}
    report.add("packets between the nodes are captured", size > 10000 and called == set(NODES), "connections to every node",
               f"{len(between)} directions of connections, {size} bytes")
    lost = capture.lost()
    report.add("no packet was lost", lost == 0, "0", lost)
    plain = [key for key, flow in between.items() if not is_tls(flow)]
    report.add("all connections between the nodes begin with a TLS handshake", between and not plain, "no other", plain or f"{len(between)} do")
    seen = clear_text(between)
    report.add("nothing of requests and answers can be read between the nodes", between and not seen, "no clear text", seen[:3] or "nothing")
    shown = clear_text(elsewhere)
    report.add("the same capture reads it between nodes and their services", shown, "clear text there", f"in {len(shown)} directions")


def check_metrics(mesh, report):
    counters, incoming = Counters(), mesh.exercise.routers["incoming"]
    for node in NODES:
        key = f"rt/incoming/server/{node}/{incoming}/tls/handshakes"
        report.add(key, counters.at(node, key) > 0, "more than 0", counters.at(node, key))
        outgoing = mesh.exercise.routers["outgoing"]
        shakes = counters.at(node, f"rt/outgoing/server/{node}/{outgoing}/tls/handshakes")
        report.add(f"rt/outgoing/server/{node}/{outgoing} is plain text", shakes == 0, "no handshakes", shakes)
        made = sum(value for key, value in counters.by_node[node].items()
                   if key.startswith("rt/outgoing/client/") and key.endswith("/tls/handshakes"))
        report.add(f"handshakes of clients on {node}", made > 0, "more than 0", made)
        plain = sum(value for key, value in counters.by_node[node].items()
                    if key.startswith("rt/incoming/client/") and key.endswith("/tls/handshakes"))
        report.add(f"services on {node} are called in plain text", plain == 0, "no handshakes", plain)


def answer_of(node, port, context):
    """What a caller gets: the first bytes, or why there are none."""
    try:
        with socket.create_connection((node, port), PATIENCE_S) as connection:
            if context:
                connection = context.wrap_socket(connection, server_hostname=NODE_NAME)
            with connection:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: hello\r\nConnection: close\r\n\r\n")
                return connection.recv(100)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def check_strangers(mesh, report):
    """Callers without a certificate of the mesh, at a node's incoming router."""
    port, files = mesh.exercise.routers["incoming"], mesh.certificates[NODES[0]]
    got = answer_of(NODES[0], port, None)
    report.add("plain text at an incoming router", not isinstance(got, bytes) or not got.startswith(b"HTTP/"), "no answer", got)
    context = ssl.create_default_context(cafile=files["bundle"])
    got = answer_of(NODES[0], port, context)
    report.add("TLS without a certificate", not isinstance(got, bytes) or not got, "refused", got)
    context.load_cert_chain(files["certificate"], files["key"])
    if mesh.exercise is EXERCISES["http"]:
        got = answer_of(NODES[0], port, context)
        report.add("TLS with a node's certificate", isinstance(got, bytes) and got.startswith(b"HTTP/1.1 200"), "HTTP/1.1 200", got)


def run(mesh, report, capture):
    check_packets(mesh, report, capture)
    check_metrics(mesh, report)
    check_strangers(mesh, report)
