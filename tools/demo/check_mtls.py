# SPDX-License-Identifier: Apache-2.0
"""What `demo --mtls --check` verifies on top: nothing readable between the nodes, certificates that are renewed, the metrics say who is at
the other end, strangers and impostors get nowhere, and permissive mode takes plain text."""

import contextlib
import re
import socket
import ssl
import threading

from demo_mesh import NODES, wait_until
from metrics import Counters
from mtls import CHECKER, OTHER, Authority, clear_text, is_tls, node_id

PATIENCE_S = 10
RENEWAL_S = 60
IDS = {node_id(number) for number in range(1, len(NODES) + 1)}
PEER = re.compile(r"rt/(?P<router>\w+)/(?P<side>server|client)/.*/peer/(?P<id>spiffe://.*)/connects")
ELSEWHERE = "127.0.9.1"        # where the impostor runs


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
    report.add("all connections between the nodes begin with a TLS handshake", between and not plain, "no other",
               plain or f"{len(between)} do")
    seen = clear_text(between)
    report.add("nothing of requests and answers can be read between the nodes", between and not seen, "no clear text",
               seen[:3] or "nothing")
    shown = clear_text(elsewhere)
    report.add("the same capture reads it between nodes and their services", shown, "clear text there", f"in {len(shown)} directions")


def check_metrics(mesh, report):
    counters, routers = Counters(), mesh.exercise.routers
    for node in NODES:
        def shaken(prefix, node=node):
            return sum(value for key, value in counters.by_node[node].items() if key.startswith(prefix) and key.endswith("/tls/handshakes"))

        key = f"rt/incoming/server/{node}/{routers['incoming']}/"
        report.add(f"handshakes of callers at {node}", shaken(key) > 0, "more than 0", shaken(key))
        plain = counters.at(node, key + "tls/plaintext")
        report.add(f"callers in plain text at {node}", plain == 0, "none", plain)
        report.add(f"handshakes of clients on {node}", shaken("rt/outgoing/client/") > 0, "more than 0", shaken("rt/outgoing/client/"))
        for prefix in (f"rt/outgoing/server/{node}/{routers['outgoing']}/", "rt/incoming/client/"):
            report.add(f"{node} {prefix} is plain text", shaken(prefix) == 0, "no handshakes", shaken(prefix))
        peers = {(match["router"], match["side"]): set() for key in counters.by_node[node] if (match := PEER.fullmatch(key))}
        for key, value in counters.by_node[node].items():
            match = PEER.fullmatch(key)
            if match and value > 0:
                peers[match["router"], match["side"]].add(match["id"])
        for edge in (("incoming", "server"), ("outgoing", "client")):
            report.add(f"who is at the other end of the {edge[0]} {edge[1]} of {node}", peers.get(edge) == IDS, f"all of {sorted(IDS)}",
                       sorted(peers.get(edge, ())))


# ---- callers from outside ----

def answer_of(node, port, context, host="hello", target="/", field=""):
    """What a caller gets: the first bytes, or why there are none."""
    try:
        with contextlib.ExitStack() as open_ones:
            connection = open_ones.enter_context(socket.create_connection((node, port), PATIENCE_S))
            if context:
                connection = open_ones.enter_context(context.wrap_socket(connection))
            connection.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{field}Connection: close\r\n\r\n".encode())
            return connection.recv(100)
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def is_answer(got):
    """Whether a proxy has taken the call, whatever it says of it."""
    return isinstance(got, bytes) and got.startswith(b"HTTP/1.1 ")


def context_of(files, bundle):
    """A caller's that shows what is in a folder of `weft ca`, if any, and trusts a bundle."""
    context = ssl.create_default_context(cafile=bundle)
    context.check_hostname = False
    if files:
        context.load_cert_chain(files / "svid.pem")
    return context


def check_callers(mesh, report):
    """At a node's strict incoming router: who has a certificate of the mesh, and who hasn't."""
    port, folder = mesh.exercise.routers["incoming"], mesh.folder
    fetched = mesh.authority.fetch(CHECKER, folder / "checker")
    report.add("weft ca agent fetches a certificate for a workload of the mesh", fetched.returncode == 0, "exit code 0",
               (fetched.stdout + fetched.stderr).strip())
    refused = mesh.authority.fetch(OTHER, folder / "refused")
    report.add("and none for one of another namespace, which the policy doesn't allow", refused.returncode == 1 and "403" in refused.stderr,
               "exit code 1, refused with 403", refused.stderr.strip())
    bundle = folder / "checker" / "bundle.pem"
    (folder / "foreign").mkdir()
    foreign = Authority(mesh.weft, folder / "foreign")
    stranger = foreign.issue(node_id(1), folder / "foreign" / "files")
    before = Counters()
    for what, context in (("plain text", None), ("TLS without a certificate", context_of(None, bundle)),
                          ("a certificate of another root, with a node's SPIFFE ID", context_of(stranger, bundle))):
        got = answer_of(NODES[0], port, context)
        report.add(f"{what} at a strict router", not is_answer(got), "refused", got)
    got = answer_of(NODES[0], port, context_of(folder / "checker", bundle))
    report.add("a certificate of the mesh at a strict router", is_answer(got), "an answer", got)
    after = Counters()
    for reason in ("not_tls", "no_certificate", "untrusted"):
        key = f"rt/incoming/server/{NODES[0]}/{port}/tls/failures/{reason}"
        grown = after.at(NODES[0], key) - before.at(NODES[0], key)
        report.add(f"and is counted: {key}", grown == 1, "one more", f"{grown} more")


# ---- an endpoint that isn't who it should be ----

class Impostor:
    """Takes one call after the other at the address of an incoming router, with any certificate, and notes what it could read."""

    def __init__(self, port, files, bundle):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(files / "svid.pem")
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(bundle)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.called, self.read = 0, b""
        self.socket = socket.create_server((ELSEWHERE, port))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            self.called += 1
            with plain, contextlib.suppress(OSError):
                plain.settimeout(PATIENCE_S)
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    self.read += connection.recv(1000)

    def end(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join(PATIENCE_S)


def check_impostors(mesh, report):
    """Endpoints that the nodes are sent to, but that are nobody whom they may call."""
    incoming, outgoing = mesh.exercise.routers["incoming"], mesh.exercise.routers["outgoing"]
    folder, bundle = mesh.folder, mesh.folder / "checker" / "bundle.pem"
    (mesh.disco / "impostor").write_text(f"{ELSEWHERE} {incoming}\n")
    others = {"another root": folder / "foreign" / "files", "another SPIFFE ID": mesh.authority.issue(OTHER, folder / "other")}
    for what, files in others.items():
        impostor = Impostor(incoming, files, bundle)
        before = untrusted_of_clients()
        try:
            got = answer_of(NODES[0], outgoing, None, "impostor", "/impostor", "l5d-dtab: /svc/impostor => /#/io.l5d.fs/impostor\r\n")
        finally:
            impostor.end()
        good = isinstance(got, bytes) and re.match(rb"HTTP/1\.1 50[23] ", got) and impostor.called > 0 and impostor.read == b""
        report.add(f"an endpoint with a certificate of {what} is sent nothing", good, "502 or 503, and nothing read",
                   f"{got}, called {impostor.called} times, read {impostor.read!r}")
        grown = untrusted_of_clients() - before
        report.add(f"and {what} is counted", grown > 0, "tls/failures/untrusted to grow", f"by {grown}")


def untrusted_of_clients():
    return sum(value for key, value in Counters().by_node[NODES[0]].items()
               if key.startswith("rt/outgoing/client/") and key.endswith("/tls/failures/untrusted"))


# ---- permissive ----

def check_permissive(mesh, report):
    """One node is told to be permissive, and to be strict again, without a restart."""
    node, port = NODES[-1], mesh.exercise.routers["incoming"]
    key = f"rt/incoming/server/{node}/{port}/tls/plaintext"
    try:
        mesh.write_node(node, "permissive")
        taken = wait_until(lambda: is_answer(answer_of(node, port, None)), PATIENCE_S)
        report.add("plain text at a permissive router", taken, "an answer", "answered" if taken else "refused")
        count = Counters().at(node, key)
        report.add(key, count > 0, "more than 0", count)
        got = answer_of(node, port, context_of(mesh.folder / "checker", mesh.folder / "checker" / "bundle.pem"))
        report.add("and mutual TLS at the same", is_answer(got), "an answer", got)
    finally:
        mesh.write_node(node, "strict")
    refused = wait_until(lambda: not is_answer(answer_of(node, port, None)), PATIENCE_S)
    report.add("plain text, once it is strict again", refused, "refused", "refused" if refused else "answered")


# ---- renewal ----

def shown_by(mesh, node):
    """The certificate that a node shows, in DER. With TLS 1.3 the handshake ends before ours is judged."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection((node, mesh.exercise.routers["incoming"]), PATIENCE_S) as plain, context.wrap_socket(plain) as connection:
        return connection.getpeercert(binary_form=True)


class Encryption:
    """The checks, with the certificates that the nodes have shown when the first of them came."""

    def __init__(self, capture):
        self.capture = capture
        self.first = {}

    def begin(self, mesh):
        self.first = {node: shown_by(mesh, node) for node in NODES}

    def check_renewals(self, mesh, report):
        last = {}

        def all_renewed():
            last.update({node: shown_by(mesh, node) for node in NODES})
            return all(last[node] != self.first[node] for node in NODES)

        renewed = wait_until(all_renewed, RENEWAL_S)
        report.add("every node shows another certificate than at the beginning", renewed, "renewed", f"{len(set(last.values()))} new ones")
        counters = Counters()
        for key, good in (("identity/renewals", lambda count: count >= 2), ("identity/failures", lambda count: count == 0),
                          ("identity/certificate_expires_in_s", lambda left: 0 < left <= 30), ("certificates/failures", lambda count: count == 0)):
            report.add(key, all(map(good, counters.each(key))), "at least 2; 0; up to 30; 0", counters.each(key))

    def check(self, mesh, report, _clients):
        check_packets(mesh, report, self.capture)
        check_metrics(mesh, report)
        self.check_renewals(mesh, report)
        check_callers(mesh, report)
        check_impostors(mesh, report)
        check_permissive(mesh, report)
