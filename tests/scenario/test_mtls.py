# SPDX-License-Identifier: Apache-2.0
"""Mutual TLS between two proxies whose identities come from `weft ca`, judged by what gets through and what origins see.

    caller -> out (client: mutualTls) -> in (server: mutualTls) -> origin
"""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest
from client import CutShort
from mesh import PATIENCE, WEFT, wait_until
from tls import Pki, connect, openssl

DOMAIN = "example.org"
FRONT, BACK = f"spiffe://{DOMAIN}/ns/web/sa/front", f"spiffe://{DOMAIN}/ns/web/sa/web"
REQUEST = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


def ca(*arguments):
    done = subprocess.run([WEFT, "ca", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout
    return done.stdout.decode()


class Workloads:
    """An authority, and directories with what it issued."""

    def __init__(self, folder, name="ca", *options):
        self.folder, self.directory = folder, folder / name
        ca("init", self.directory, "--trust-domain", DOMAIN, *options)

    def issue(self, name, identity, *options):
        out = self.folder / name
        out.mkdir(exist_ok=True)
        ca("issue", self.directory, "--id", identity, "--out", f"{out}/", *options)
        return out

    def rotate(self, *options):
        return ca("rotate", self.directory, *options)


@pytest.fixture(name="workloads")
def make_workloads(tmp_path):
    return Workloads(tmp_path)


@pytest.fixture(name="front")
def make_front(workloads):
    return workloads.issue("front", FRONT)


@pytest.fixture(name="back")
def make_back(workloads):
    return workloads.issue("back", BACK)


def inbound(mesh, back, server=None, threads=1, **keys):
    mesh.service("web", mesh.origin())
    router = mesh.router("in", server={"mutualTls": "strict", **(server or {})}, **keys)
    return mesh.weft(mesh.config(router, identity={"directory": str(back)}), threads)


def outbound(mesh, front, target, client=None, **keys):
    """In front of `target`; the name that callers use is `peer`, so that the two hops don't share a file."""
    mesh.service("peer", target.address())
    router = mesh.router("out", dtab="/svc/web => /#/io.l5d.fs/peer", client={"mutualTls": "strict", **(client or {})}, **keys)
    return mesh.weft(mesh.config(router, identity={"directory": str(front)}))


def context_of(directory, trust=None):
    context = ssl.create_default_context(cafile=(trust or directory) / "bundle.pem")
    context.check_hostname = False
    context.load_cert_chain(directory / "svid.pem")
    return context


# ---- who gets through ----

def test_two_proxies(mesh, front, back):
    inner = inbound(mesh, back)
    outer = outbound(mesh, front, inner)
    client = mesh.client(outer)
    for _ in range(20):
        assert client.get("web").status == 200
    assert inner.metric("tls/handshakes") == 1 and outer.metric("tls/handshakes") == 1
    ip, port = inner.address()
    assert inner.metrics()[f"rt/in/server/{ip}/{port}/peer/{FRONT}/connects"] == 1
    assert outer.metrics()[f"rt/out/client/#/io.l5d.fs/peer/peer/{BACK}/connects"] == 1
    assert 0 < inner.metric("tls/certificate_expires_in_s") <= 24 * 3600
    assert 0 < outer.metric("tls/certificate_expires_in_s") <= 24 * 3600


def test_two_proxies_by_h2(mesh, front, back):
    inner = inbound(mesh, back, protocol="h2", client={"protocol": "http"})
    outer = outbound(mesh, front, inner, client={"protocol": "h2"})
    client = mesh.client(outer)
    for _ in range(20):
        assert client.get("web").status == 200
    assert inner.metric("tls/handshakes") == 1


def test_plain_text_is_refused_under_strict(mesh, back):
    inner = inbound(mesh, back)
    with socket.create_connection(inner.address(), timeout=PATIENCE) as plain:
        plain.sendall(REQUEST.encode())
        assert b"HTTP/1.1 200" not in plain.recv(65536)
    wait_until(lambda: inner.metric("tls/failures/not_tls") == 1)
    assert not mesh.origins[0].requests


def test_plain_text_is_served_under_permissive(mesh, front, back):
    inner = inbound(mesh, back, server={"mutualTls": "permissive"})
    assert mesh.client(inner).get("web").status == 200
    outer = outbound(mesh, front, inner)
    assert mesh.client(outer).get("web").status == 200
    assert inner.metric("tls/plaintext") == 1 and inner.metric("tls/handshakes") == 1


def test_callers_without_a_certificate(mesh, back):
    for mode in ("strict", "permissive"):
        inner = inbound(mesh, back, server={"mutualTls": mode})
        ip, port = inner.address()
        told = subprocess.run(["openssl", "s_client", "-connect", f"{ip}:{port}", "-CAfile", back / "bundle.pem", "-ign_eof"], input=REQUEST.encode(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False).stdout.decode(errors="replace")
        assert re.search("certificate required", told) and "HTTP/1.1 200" not in told, told[-2000:]
        wait_until(lambda: inner.metric("tls/failures/no_certificate") == 1)
    assert not any(origin.requests for origin in mesh.origins)


def test_a_foreign_authority(mesh, back, tmp_path):
    (tmp_path / "foreign").mkdir()
    foreign = Workloads(tmp_path / "foreign").issue("front", FRONT)
    inner = inbound(mesh, back)
    ip, port = inner.address()
    told = subprocess.run(["openssl", "s_client", "-connect", f"{ip}:{port}", "-cert", foreign / "svid.pem", "-key", foreign / "svid.pem", "-ign_eof"],
                          input=REQUEST.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    told = told.stdout.decode(errors="replace")
    assert re.search("unknown ca|alert bad certificate", told) and "HTTP/1.1 200" not in told, told[-2000:]
    wait_until(lambda: inner.metric("tls/failures/untrusted") == 1)
    # And the other way round: an endpoint whom our bundle does not vouch for.
    outer = outbound(mesh, foreign, inner)
    assert mesh.client(outer).get("web").status in (502, 503)
    assert outer.metric("tls/failures/untrusted") >= 1
    assert not mesh.origins[0].requests


@pytest.mark.parametrize("san", ["DNS:web.example", f"URI:{FRONT},URI:{BACK}", "URI:https://web.example/", f"URI:spiffe://{DOMAIN}"])
def test_callers_that_are_no_workloads(mesh, tmp_path, san):
    """Of a root that is trusted, but not with exactly one SPIFFE ID."""
    pki = Pki(tmp_path / "pki")
    good, bad = pki.issue("good", f"URI:{BACK}"), pki.issue("bad", san)
    directory = tmp_path / "identity"
    directory.mkdir()
    (directory / "svid.pem").write_text(good.cert.read_text() + good.key.read_text())
    (directory / "bundle.pem").write_text(pki.root.cert.read_text())
    inner = inbound(mesh, directory)
    context = context_of(directory)
    assert connect(mesh, inner, context, None).get("web").status == 200
    context.load_cert_chain(bad.cert, bad.key)
    client = connect(mesh, inner, context, None)
    with pytest.raises((CutShort, OSError)):
        client.get("web")
    wait_until(lambda: inner.metric("tls/failures/untrusted") == 1)
    assert len(mesh.origins[0].requests) == 1


# ---- who may be at the other end ----

@pytest.mark.parametrize("peers", [[BACK], [f"spiffe://{DOMAIN}/ns/*/sa/web"], [FRONT, f"spiffe://{DOMAIN}/ns/web/**"]])
def test_peers_that_are_expected(mesh, front, back, peers):
    outer = outbound(mesh, front, inbound(mesh, back), client={"peerIds": peers})
    assert mesh.client(outer).get("web").status == 200


def test_peers_that_are_not_expected(mesh, front, back):
    inner = inbound(mesh, back)
    outer = outbound(mesh, front, inner, client={"peerIds": [FRONT, f"spiffe://{DOMAIN}/ns/other/**"]})
    response = mesh.client(outer).get("web")
    assert response.status in (502, 503)
    assert BACK in outer.stderr and "another identity is expected" in outer.stderr
    assert outer.metric("tls/failures/untrusted") >= 1
    assert not mesh.origins[0].requests and inner.metric("requests") == 0


@pytest.mark.parametrize("callers", [[FRONT], [BACK, FRONT], [f"spiffe://{DOMAIN}/ns/web/sa/*"], [f"spiffe://{DOMAIN}/**"]])
@pytest.mark.parametrize("mode", ["strict", "permissive"])
def test_callers_that_may_call(mesh, front, back, mode, callers):
    inner = inbound(mesh, back, server={"mutualTls": mode, "peerIds": callers})
    assert mesh.client(outbound(mesh, front, inner)).get("web").status == 200
    assert inner.metric("forbidden") == 0


@pytest.mark.parametrize("mode", ["strict", "permissive"])
def test_callers_that_may_not_call(mesh, front, back, workloads, mode):
    """They are told so, and counted; others go on. Who may call is followed by a reload, on connections that there are."""
    callers = [f"spiffe://{DOMAIN}/ns/jobs/**", f"{FRONT}s"]
    inner = inbound(mesh, back, server={"mutualTls": mode, "peerIds": callers})
    outer = outbound(mesh, front, inner)
    with mesh.client(outer) as client:
        for _ in range(3):
            answer = client.get("web")
            assert (answer.status, answer.text) == (403, f"{FRONT} may not call here")
        assert inner.metric("forbidden") == 3 and inner.metric("status/403") == 3
        told = "at {}:{} of router in: none of its peerIds is {}".format(*inner.address(), FRONT)
        assert len([line for line in inner.stderr.splitlines() if "refused a request: from 127.0.0.1:" in line and told in line]) == 3
        assert not mesh.origins[0].requests
        job = workloads.issue("job", f"spiffe://{DOMAIN}/ns/jobs/sa/nightly")
        with socket.create_connection(inner.address(), timeout=PATIENCE) as plain:
            with context_of(job, back).wrap_socket(plain) as secured:
                secured.sendall(REQUEST.encode())
                assert secured.recv(65536).startswith(b"HTTP/1.1 200")
        router = mesh.router("in", server={"mutualTls": mode, "peerIds": [FRONT]})
        inner.reload(mesh.config(router, identity={"directory": str(back)}))
        assert client.get("web").status == 200
    if mode == "permissive":
        assert mesh.client(inner).get("web").status == 200


def test_callers_by_grpc_that_may_not_call(mesh, front, back):
    inner = inbound(mesh, back, server={"peerIds": [BACK]}, protocol="h2")
    ip, port = inner.address()
    told = subprocess.run(["curl", "-sk", "--http2", "--cert", front / "svid.pem", "-H", "Content-Type: application/grpc", "-H", "TE: trailers",
                           "-H", "Host: web", "-D", "-", "--data-binary", "", f"https://{ip}:{port}/a.B/C"], stdout=subprocess.PIPE, timeout=PATIENCE,
                          check=True).stdout.decode()
    assert "HTTP/2 200" in told and "grpc-status: 7\r\n" in told, told


def test_captures_say_who_is_expected(mesh, front, back):
    inner = inbound(mesh, back)
    mesh.service("other", inner.address())
    rules = [{"prefix": "/#/io.l5d.fs/{service}", "mutualTls": "strict", "peerIds": [f"spiffe://{DOMAIN}/ns/web/sa/{{service}}"]}]
    mesh.service("web", inner.address())
    router = mesh.router("out", client={"kind": "io.l5d.static", "configs": rules})
    outer = mesh.weft(mesh.config(router, identity={"directory": str(front)}))
    client = mesh.client(outer)
    mesh.service("*", inner.address())  # what is captured makes no pattern wider
    assert client.get("other").status in (502, 503)
    assert client.get("*").status in (502, 503)
    assert outer.metric("tls/handshakes") == 0
    assert inner.metric("requests") == 0


# ---- identities that change ----

def test_the_root_is_replaced_under_load(mesh, workloads, front, back):
    inner = inbound(mesh, back, threads=2)
    outer = outbound(mesh, front, inner)
    stop, statuses = threading.Event(), []

    def call():
        while not stop.is_set():
            client = mesh.client(outer)  # a new connection each time; those to `inner` are new when identities change
            statuses.append(client.get("web").status)
            client.close()

    def renew():
        before = [weft.metric("certificates/reloads") for weft in (inner, outer)]
        workloads.issue("back", BACK)
        workloads.issue("front", FRONT)
        for weft, count in zip((inner, outer), before):
            wait_until(lambda weft=weft, count=count: weft.metric("certificates/reloads") > count, "the new identity")
        seen = len(statuses)
        wait_until(lambda: len(statuses) > seen + 20, "more calls")

    thread = threading.Thread(target=call)
    thread.start()
    try:
        old = (back / "bundle.pem").read_text()
        for _ in range(3):  # add, switch, drop
            workloads.rotate("--now")
            renew()
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert (back / "bundle.pem").read_text() != old
    assert set(statuses) == {200}
    # The old root has gone: what it vouched for is not trusted any more, by new connections.
    assert mesh.client(outer).get("web").status == 200


def test_a_bad_identity_changes_nothing(mesh, front, back):
    inner = inbound(mesh, back)
    outer = outbound(mesh, front, inner)
    (back / "svid.pem").write_text("no certificate")
    wait_until(lambda: inner.metric("certificates/failures") > 0)
    assert mesh.client(outer).get("web").status == 200


@contextlib.contextmanager
def serving(workloads):
    """`weft ca serve`, and the path of its socket, short enough for one."""
    with tempfile.TemporaryDirectory(prefix="weft-") as folder:
        path = f"{folder}/ca.sock"
        arguments = [WEFT, "ca", "serve", workloads.directory, "--socket", path]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            try:
                assert b"listening" in process.stdout.readline()
                yield path
            finally:
                process.terminate()


@pytest.fixture(name="signer")
def make_signer(workloads):
    with serving(workloads) as path:
        yield path


def signed(mesh, signer, threads=1, client=None):
    mesh.service("web", mesh.origin())
    identity = {"socket": signer, "id": BACK}
    inner = mesh.weft(mesh.config(mesh.router("in", server={"mutualTls": "strict"}), identity=identity), threads)
    mesh.service("peer", inner.address())
    router = mesh.router("out", dtab="/svc/web => /#/io.l5d.fs/peer", client={"mutualTls": "strict", "peerIds": [BACK], **(client or {})})
    return inner, mesh.weft(mesh.config(router, identity={"socket": signer, "id": FRONT}), threads)


def test_identities_from_a_signer(mesh, signer, workloads):
    inner, outer = signed(mesh, signer)
    assert mesh.client(outer).get("web").status == 200
    for weft in (inner, outer):
        assert weft.metric("identity/renewals") == 1
        wait_until(lambda weft=weft: 0 < weft.metric("identity/certificate_expires_in_s") <= 24 * 3600, "the gauge")
    # A new root: both hear of it, and load it. What is there goes on.
    for step in range(3):
        workloads.rotate("--now")
        for weft in (inner, outer):
            wait_until(lambda weft=weft, step=step: weft.metric("identity/renewals") > step + 1, "the new bundle")
        wait_until(lambda: mesh.client(outer).get("web").status == 200, "calls")
    assert inner.metric("certificates/failures") == 0


@pytest.mark.slow
def test_the_signers_root_is_replaced_under_load(mesh, tmp_path):
    """While calls go on, most of them by connections that are new: added, switched by the signer itself, dropped when nothing that the old
    one signed is valid."""
    life = 8
    workloads = Workloads(tmp_path, "short", "--max-ttl", f"{life}s")
    stop, statuses = threading.Event(), []

    def call():
        while not stop.is_set():
            client = mesh.client(outer)
            statuses.append(client.get("web").status)
            client.close()
            time.sleep(0.02)  # or no connection between the two would ever be idle

    def bundle():
        return ca("show", workloads.directory, "-o", "pem")

    def more_calls():
        seen = len(statuses)
        wait_until(lambda: len(statuses) > seen + 20, "more calls")

    with serving(workloads) as signer:
        inner, outer = signed(mesh, signer, 2, {"hostConnectionPool": {"idleTimeMs": 1}})
        old = bundle()
        threads = [threading.Thread(target=call) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            more_calls()
            assert ": add: " in workloads.rotate()
            wait_until(lambda: "retired" in ca("show", workloads.directory), "the switch, by the signer", 4 * life)
            switched = time.monotonic()
            assert bundle().count("BEGIN CERTIFICATE") == 2
            wait_until(lambda: time.monotonic() > switched + life, "the end of what the old root signed", 2 * life)
            assert ": drop: " in workloads.rotate("--now")
            assert bundle().count("BEGIN CERTIFICATE") == 1 and bundle() != old
            more_calls()
        finally:
            stop.set()
            for thread in threads:
                thread.join(PATIENCE)
        assert set(statuses) == {200}
        for weft in (inner, outer):
            assert weft.metric("identity/renewals") >= 5 and weft.metric("identity/failures") == 0
            assert weft.metric("certificates/failures") == 0
        assert inner.metric("tls/handshakes") > 50 and inner.metric("tls/resumed") > 0
        assert not any(inner.metric(f"tls/failures/{reason}") for reason in ("untrusted", "no_certificate", "refused_by_peer", "protocol"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_end_with_the_root_that_is_dropped(mesh, signer, workloads, version):
    inner, outer = signed(mesh, signer)
    caller = workloads.issue("caller", FRONT)
    context = context_of(caller)
    context.minimum_version = context.maximum_version = version
    context.verify_mode = ssl.CERT_NONE  # whom the caller trusts plays no part
    held = []

    def call(session=None):
        """(status, whether the session was resumed); keeps the session that the server gave."""
        client = connect(mesh, inner, context, None, session=session)
        try:
            status = client.get("web").status
            held[:] = [client.socket.session]
            return status, client.socket.session_reused
        finally:
            client.close()

    def refused():
        try:
            call(held[0])
            return False
        except (CutShort, OSError):
            return True

    def rotated():
        """The new bundle has come; workers use it a moment later."""
        before = [weft.metric("identity/renewals") for weft in (inner, outer)]
        workloads.rotate("--now")
        for weft, count in zip((inner, outer), before):
            wait_until(lambda weft=weft, count=count: weft.metric("identity/renewals") > count, "the new bundle")

    assert call() == (200, False)
    assert call(held[0]) == (200, True)
    rotated()  # both are trusted: the caller goes on, by a new session
    wait_until(lambda: call(held[0]) == (200, False))
    assert call(held[0]) == (200, True)
    rotated()
    assert call(held[0])[0] == 200
    before = inner.metric("tls/failures/untrusted")
    rotated()  # the old one is gone
    wait_until(refused)
    wait_until(lambda: inner.metric("tls/failures/untrusted") == before + 1)
    context.load_cert_chain(workloads.issue("caller", FRONT) / "svid.pem")
    assert call() == (200, False)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_caller_that_renewed_its_certificate(mesh, back, workloads, version):
    """Its session began with one that has ended since: it shows the new one, and is not refused."""
    inner = inbound(mesh, back)
    caller = workloads.issue("caller", FRONT, "--ttl", "2s")
    context = context_of(caller)
    context.minimum_version = context.maximum_version = version
    client = connect(mesh, inner, context, None)
    assert client.get("web").status == 200
    held = client.socket.session
    fields = dict(line.strip().split("=") for line in openssl("x509", "-noout", "-enddate", "-in", caller / "cert.pem").splitlines())
    end = ssl.cert_time_to_seconds(fields["notAfter"])
    wait_until(lambda: time.time() > end + 1, "the end of the certificate")
    context.load_cert_chain(workloads.issue("caller", FRONT) / "svid.pem")
    client = connect(mesh, inner, context, None, session=held)
    assert client.get("web").status == 200 and not client.socket.session_reused
    assert inner.metric("tls/failures/untrusted") == 0


def test_another_signer_needs_a_start(mesh, signer):
    inner, _ = signed(mesh, signer)
    inner.write(mesh.config(mesh.router("in", server={"mutualTls": "strict"}), identity={"socket": signer, "id": FRONT}))
    wait_until(lambda: inner.metric("configuration/failures") == 1)
    assert "takes effect at the next start" in inner.stderr


def test_nobody_is_served_before_there_is_an_identity(mesh, tmp_path):
    path = tmp_path / "weft.yaml"
    identity = {"socket": str(tmp_path / "none.sock"), "id": BACK}
    path.write_text(json.dumps(mesh.config(mesh.router("in", server={"mutualTls": "strict"}), identity=identity)))
    assert subprocess.run([WEFT, "validate", path], stdout=subprocess.DEVNULL, timeout=PATIENCE, check=False).returncode == 0
    with subprocess.Popen([WEFT, "proxy", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        line = process.stderr.readline()
        while b"no identity from the signer" not in line:
            assert line, "weft ended"
            line = process.stderr.readline()
        process.terminate()
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and b"listening" not in out


# ---- what is told of callers ----

CALLERS = "rt/in/client/#/io.l5d.fs/web/caller/"


def test_edges_by_who_calls(mesh, front, back, workloads):
    """Each caller is counted under the identity that it proved, however it came: by HTTP/1, HTTP/2, and when it leaves before its answer."""
    release = threading.Event()

    def answer(call):
        if call.message.target == b"/slow":
            release.wait(PATIENCE)
        call.answer(500 if call.message.target == b"/broken" else 200)

    mesh.service("web", mesh.origin(answer))
    inner = mesh.weft(mesh.config(mesh.router("in", server={"mutualTls": "permissive"}), identity={"directory": str(back)}))
    outer = outbound(mesh, front, inner)
    job = f"spiffe://{DOMAIN}/ns/jobs/sa/nightly"
    with mesh.client(outer) as client:
        assert [client.get("web", target=path).status for path in ("/", "/", "/broken")] == [200, 200, 500]
    with mesh.client(inner) as client:
        assert client.get("web").status == 200
    ip, port = inner.address()
    jobs = context_of(workloads.issue("job", job), back)
    told = subprocess.run(["curl", "-sk", "--http2", "--cert", workloads.folder / "job/svid.pem", "-H", "Host: web", f"https://{ip}:{port}/"],
                          stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    assert told.stdout == b""
    leaving = connect(mesh, inner, jobs, None)
    leaving.send_request("GET", "/slow", "web")
    wait_until(lambda: any(request.target == b"/slow" for request in mesh.origins[0].requests), "the slow one")
    leaving.close()

    def count(caller, what):
        return inner.metrics().get(f"{CALLERS}{caller}/{what}", 0)

    wait_until(lambda: count(job, "requests") == 2, "the job's calls")
    release.set()
    wait_until(lambda: count(FRONT, "requests") == 3, "the front's calls")
    wait_until(lambda: count("plaintext", "requests") == 1, "the call in plain text")
    assert [count(FRONT, what) for what in ("success", "failures")] == [2, 1]
    assert [count(job, what) for what in ("success", "failures")] == [1, 1]
    assert [count("plaintext", what) for what in ("success", "failures")] == [1, 0]
    assert not any(name.startswith(f"{CALLERS}tls/") for name in inner.metrics())
    edges = json.loads(subprocess.run([WEFT, "edges", "--admin", "{}:{}".format(*inner.admin_address), "-o", "json"], stdout=subprocess.PIPE,
                                      timeout=PATIENCE, check=True).stdout)["edges"]
    secured = {edge["from"]: edge["secured"] for edge in edges if edge["to"] == "#/io.l5d.fs/web"}
    assert secured == {FRONT: "mutual", job: "mutual", "plaintext": "no", "rt/in": "no"}

@pytest.mark.parametrize("how", ["sanitize", "append", "forward"])
def test_x_forwarded_client_cert(mesh, front, back, how):
    inner = inbound(mesh, back, server={"mutualTls": "permissive", "clientCert": how})
    mine = "x-forwarded-client-cert"
    digest = openssl("x509", "-in", front / "cert.pem", "-noout", "-fingerprint", "-sha256").split("=")[1].strip().replace(":", "").lower()
    own = f'Hash={digest};SAN={FRONT};Subject=""'

    def told(client):
        assert client.get("web", headers={mine: "Hash=00;SAN=spiffe://evil"}).status == 200
        return mesh.origins[0].requests[-1].all(mine)

    secure = told(connect(mesh, inner, context_of(front, back), None))
    assert secure == {"sanitize": [], "append": [f"Hash=00;SAN=spiffe://evil,{own}"], "forward": ["Hash=00;SAN=spiffe://evil"]}[how]
    assert told(mesh.client(inner)) == []
