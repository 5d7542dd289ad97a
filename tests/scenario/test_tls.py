# SPDX-License-Identifier: Apache-2.0
"""TLS at listeners and clients, judged by curl, OpenSSL's commands and Python's ssl."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from client import CutShort
from mesh import PATIENCE, WEFT, wait_until
from tls import Pki, TlsOrigin, connect, free_socket, openssl

NAME = "web.example"


@pytest.fixture(name="pki")
def make_pki(tmp_path):
    return Pki(tmp_path / "pki")


@pytest.fixture(name="web")
def make_web(pki):
    return pki.issue("web", f"DNS:{NAME}")


def server_tls(shown, **keys):
    return {"certPath": str(shown.cert), "keyPath": str(shown.key), **keys}


def secured(mesh, shown, threads=1, client=None, **keys):
    """A weft that speaks TLS, in front of a service `web`."""
    mesh.service("web", mesh.origin())
    return mesh.weft(mesh.config(mesh.router(server={"tls": server_tls(shown, **keys)}, client=client or {})), threads)


def s_client(weft, *arguments, send="", name=NAME):
    ip, port = weft.address()
    done = subprocess.run(["openssl", "s_client", "-connect", f"{ip}:{port}", "-servername", name, *map(str, arguments)], input=send.encode(),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout.decode(errors="replace")


REQUEST = "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n"


# ---- listeners ----

def test_curl(mesh, pki, web):
    weft = secured(mesh, web)
    ip, port = weft.address()
    for version, asked, spoken in (("1.2", "--http1.1", "1.1"), ("1.3", "--http1.1", "1.1"), ("1.2", "--http2", "2"), ("1.3", "--http2", "2")):
        done = subprocess.run(["curl", "-sS", "--cacert", pki.root.cert, "--resolve", f"{NAME}:{port}:{ip}", f"--tlsv{version}", "--tls-max", version,
                               "-H", "Host: web", "-w", " %{http_code} %{http_version}", asked, f"https://{NAME}:{port}/"],
                              stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
        assert done.stdout.decode().split()[1:] == ["200", spoken]
    assert weft.metric("tls/handshakes") == 4


def test_forwarded_tells_of_tls(mesh, pki, web):
    mesh.service("web", mesh.origin())
    named = {"by": {"kind": "static", "label": "weft"}, "for": {"kind": "ip"}}
    servers = [{"port": 0, "addForwardedHeader": named, "tls": server_tls(web)}, {"port": 0, "addForwardedHeader": named}]
    weft = mesh.weft(mesh.config(mesh.router(servers=servers)))
    over_tls = connect(mesh, weft.address("out", 0), pki.context(), NAME)
    plain = mesh.client(weft.address("out", 1))
    assert over_tls.get("web").status == 200 and plain.get("web").status == 200
    assert over_tls.get("web", target="http://web/").status == 200  # it may say what it likes
    assert [request.header("forwarded") for request in mesh.origins[0].requests] == [
        "by=_weft;for=127.0.0.1;host=web;proto=https", "by=_weft;for=127.0.0.1;host=web", "by=_weft;for=127.0.0.1;host=web;proto=https"]


def test_versions(mesh, web):
    weft = secured(mesh, web)
    assert "Protocol  : TLSv1.2" in s_client(weft, "-tls1_2", send=REQUEST)[1]
    assert "TLSv1.3" in s_client(weft, "-tls1_3", send=REQUEST)[1]
    code, told = s_client(weft, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    assert code != 0 and "Cipher is (NONE)" in told
    wait_until(lambda: weft.metric("tls/failures/nothing_in_common") == 1)


def test_protocols_and_ciphers_that_are_chosen(mesh, web):
    weft = secured(mesh, web, protocols=["TLSv1.2"], ciphers=["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"])
    assert s_client(weft, "-tls1_3")[0] != 0
    assert "ECDHE-ECDSA-AES256-GCM-SHA384" in s_client(weft, send=REQUEST)[1]
    assert s_client(weft, "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")[0] != 0


def test_alpn(mesh, pki, web):
    weft = secured(mesh, web)
    assert connect(mesh, weft, pki.context(alpn=["http/1.1", "h2"]), NAME).socket.selected_alpn_protocol() == "h2"
    client = connect(mesh, weft, pki.context(alpn=["http/1.1"]), NAME)
    assert client.socket.selected_alpn_protocol() == "http/1.1"
    assert client.get("web").status == 200
    with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
        connect(mesh, weft, pki.context(alpn=["spdy/3"]), NAME)


def test_http2_by_curl(mesh, pki, web):
    mesh.service("web", mesh.origin())
    router = mesh.router(protocol="h2", server={"tls": server_tls(web)}, client={"protocol": "http"})
    weft = mesh.weft(mesh.config(router))
    ip, port = weft.address()
    mesh.service(f"{NAME}:{port}", mesh.origins[0])
    done = subprocess.run(["curl", "-sS", "--http2", "--cacert", pki.root.cert, "--resolve", f"{NAME}:{port}:{ip}", "-w",
                           " %{http_code} %{http_version}", f"https://{NAME}:{port}/"], stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
    assert done.stdout.decode().split()[1:] == ["200", "2"]


def test_renegotiation_is_refused(mesh, web):
    weft = secured(mesh, web)
    ip, port = weft.address()
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"{ip}:{port}", "-tls1_2", "-servername", NAME], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        process.stdin.write(b"R\n")
        process.stdin.flush()
        told = process.communicate(timeout=PATIENCE)[0].decode(errors="replace")
    finally:
        process.kill()
    assert "RENEGOTIATING" in told and re.search("no renegotiation", told), told[-2000:]


def test_early_data_is_off(mesh, web):
    weft = secured(mesh, web)
    told = s_client(weft, "-tls1_3", "-ign_eof", send=REQUEST)[1]
    assert set(re.findall(r"Max Early Data: (\d+)", told)) == {"0"}, told


def test_stapling(mesh, pki, web, tmp_path):
    index, request, response = tmp_path / "index.txt", tmp_path / "request.der", tmp_path / "response.der"
    serial = openssl("x509", "-in", web.cert, "-serial", "-noout").split("=")[1].strip()
    index.write_text(f"V\t350101000000Z\t\t{serial}\tunknown\t/O=weft/CN=web\n")
    openssl("ocsp", "-issuer", pki.root.cert, "-cert", web.cert, "-no_nonce", "-reqout", request)
    openssl("ocsp", "-index", index, "-CA", pki.root.cert, "-rsigner", pki.root.cert, "-rkey", pki.root.key, "-reqin", request, "-respout", response,
            "-ndays", "3")
    weft = secured(mesh, web, ocspPath=str(response))
    told = s_client(weft, "-status", "-CAfile", pki.root.cert, send=REQUEST)[1]
    assert "OCSP Response Status: successful" in told and "Cert Status: good" in told


def test_tickets_are_taken_by_all_workers(mesh, pki, web):
    weft = secured(mesh, web, threads=4)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = pki.context(minimum=version, maximum=version)
        client = connect(mesh, weft, context, NAME)
        assert client.get("web").status == 200
        for _ in range(24):  # each on the worker that the kernel picks
            session = client.socket.session
            client.close()
            client = connect(mesh, weft, context, NAME, session=session)
            assert client.get("web").status == 200
            assert client.socket.session_reused
    assert weft.metric("tls/resumed") == 48


def test_hello_byte_by_byte(mesh, pki, web):
    weft = secured(mesh, web)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = pki.context().wrap_bio(incoming, outgoing, server_hostname=NAME)
    plain = free_socket(weft.address())
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    for byte in outgoing.read():
        plain.sendall(bytes([byte]))
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            plain.sendall(outgoing.read())
            incoming.write(plain.recv(65536))
    tls.write(REQUEST.encode())
    plain.sendall(outgoing.read())
    answer = b""
    while not answer.startswith(b"HTTP/1.1 200"):
        try:
            answer += tls.read(65536)
        except ssl.SSLWantReadError:
            incoming.write(plain.recv(65536))
    plain.close()


def test_half_open_handshakes_end(mesh, web):
    weft = secured(mesh, web)
    silent, begun = free_socket(weft.address()), free_socket(weft.address())
    begun.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    begin = time.monotonic()
    for half in (silent, begun):
        half.settimeout(PATIENCE)
        try:
            while half.recv(4096):
                pass
        except ConnectionError:
            pass
        half.close()
    assert 5 < time.monotonic() - begin < PATIENCE
    assert weft.metric("tls/failures/timeout") == 2


def test_plain_text_and_rubbish(mesh, pki, web):
    weft = secured(mesh, web)
    for bytes_ in (REQUEST.encode(), b"\x00" * 100, b"\x16\x03\x01\xff\xff"):
        plain = free_socket(weft.address())
        plain.sendall(bytes_)
        plain.settimeout(PATIENCE)
        try:
            while plain.recv(4096):
                pass
        except ConnectionError:
            pass
        plain.close()
    assert connect(mesh, weft, pki.context(), NAME).get("web").status == 200
    assert weft.metric("tls/failures/not_tls") >= 1


def test_callers_that_cut_the_connection(mesh, pki, web):
    weft = secured(mesh, web)
    client = connect(mesh, weft, pki.context(), NAME)
    assert client.get("web").status == 200
    client.socket.shutdown(socket.SHUT_WR)  # no close_notify
    wait_until(lambda: weft.metric("tls/failures/truncated") == 1)


# ---- clients' certificates ----

def test_clients_certificates(mesh, pki, web, tmp_path):
    origin = mesh.origin()
    mesh.service("web", origin)
    tls = server_tls(web, caCertPath=str(pki.root.cert), requireClientAuth=True)
    routers = [mesh.router("told", server={"tls": tls}, client={"forwardClientCert": True}), mesh.router("untold", server={"tls": tls})]
    weft = mesh.weft(mesh.config(*routers))
    shown = pki.issue("caller", "URI:spiffe://example.org/ns/a/sa/caller,DNS:caller.example,DNS:other.example")
    foreign = Pki(tmp_path / "foreign").issue("stranger", "URI:spiffe://example.org/ns/a/sa/stranger")
    hash_ = openssl("x509", "-in", shown.cert, "-fingerprint", "-sha256", "-noout").split("=")[1].strip().replace(":", "").lower()
    forged = [("X-Forwarded-Client-Cert", "Hash=0")]
    client = connect(mesh, weft.address("told"), pki.context(shown), NAME)
    assert client.request(host="web", headers=forged).status == 200
    assert origin.last.all("x-forwarded-client-cert") == [
        f'Hash={hash_};SAN=spiffe://example.org/ns/a/sa/caller;DNS=caller.example,other.example;Subject="CN=caller,O=weft"']
    client = connect(mesh, weft.address("untold"), pki.context(shown), NAME)
    assert client.request(host="web", headers=forged).status == 200
    assert origin.last.all("x-forwarded-client-cert") == []
    requests = len(origin.requests)
    for context in (pki.context(), pki.context(foreign)):
        try:
            connect(mesh, weft.address("told"), context, NAME).get("web")
            raise AssertionError("a caller that is not trusted was answered")
        except (ssl.SSLError, ConnectionError, Exception) as error:
            assert not isinstance(error, AssertionError), error
    assert len(origin.requests) == requests
    wait_until(lambda: weft.metric("tls/failures/no_certificate") == 1 and weft.metric("tls/failures/untrusted") == 1)
    lines = [line for line in weft.stderr.splitlines() if "refused a caller" in line]
    assert len(lines) == 2 and all("from 127.0.0.1:" in line and "at {}:{}".format(*weft.address("told")) in line for line in lines), lines
    assert "did not return a certificate" in lines[0] and "it is for spiffe://example.org/ns/a/sa/stranger" in lines[1], lines


def test_lines_about_refused_callers_are_few(mesh, pki, web):
    """However often they come, and others' noise takes none of the room: only so many lines a second, and how many were left out is said."""
    mesh.service("web", mesh.origin())
    weft = mesh.weft(mesh.config(mesh.router("told", server={"tls": server_tls(web, caCertPath=str(pki.root.cert), requireClientAuth=True)})))

    def come():
        with contextlib.suppress(ssl.SSLError, OSError, CutShort):
            connect(mesh, weft.address("told"), pki.context(), NAME).get("web")

    def refusals():
        return [line for line in weft.stderr.splitlines() if "refused a caller" in line]

    began = time.monotonic()
    for _ in range(60):
        come()
    wait_until(lambda: weft.metric("tls/failures/no_certificate") == 60)
    assert 20 <= len(refusals()) <= 20 * (2 + int(time.monotonic() - began))
    if len(refusals()) < 60:
        wait_until(lambda: come() or "more like this" in refusals()[-1])


# ---- short records (RFC 6066 section 4) ----

RECORD_BYTES = re.compile(r"^<<< .*RecordHeader.*\n\s+17 03 03 ([0-9a-f]{2}) ([0-9a-f]{2})$", re.M)
EXPANSION = 32  # what TLS 1.2 and 1.3 add to what is in a record, with AEAD


class SClient:
    """`openssl s_client` over a pipe, which is asked now and then, and writes down each record."""

    def __init__(self, weft, folder, *options):
        self.records, self.seen = folder / "records", 0
        ip, port = weft.address()
        self.process = subprocess.Popen(["openssl", "s_client", "-quiet", "-connect", f"{ip}:{port}", "-servername", NAME, "-msg", "-msgfile", self.records,
                                         *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def get(self, length):
        """A body of that many bytes, and the largest record that it came in."""
        self.process.stdin.write(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line.startswith(b"HTTP/1.1 200"), line
        while line != b"\r\n":
            line = self.process.stdout.readline()
            assert line
        body = self.process.stdout.read(length)
        sizes = [int(high + low, 16) for high, low in RECORD_BYTES.findall(self.records.read_text())]
        largest, self.seen = max(sizes[self.seen:]), len(sizes)
        return body, largest

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.mark.parametrize("clients", ["none", "required"])
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_records_stay_short_for_who_asked(mesh, pki, web, tmp_path, version, clients):
    """After its handshake a connection gives back what it holds of it; how long its records may be stays, also for a resumed session, and others'
    are as long as before."""
    body = bytes(range(256)) * 200
    mesh.service("web", mesh.origin(body=body))
    keys = {"caCertPath": str(pki.root.cert), "requireClientAuth": True} if clients == "required" else {}
    shown = pki.issue("caller", "URI:spiffe://example.org/ns/a/sa/caller")
    weft = mesh.weft(mesh.config(mesh.router(server={"tls": server_tls(web, **keys)})))
    options = [version, *(["-cert", str(shown.cert), "-key", str(shown.key)] if keys else [])]
    asked = [None, 512, 1024, None, 2048, 4096, 512]
    session = tmp_path / "session"

    def folder(name):
        (tmp_path / name).mkdir()
        return tmp_path / name

    found = []
    try:
        for number, length in enumerate(asked):
            more = ["-maxfraglen", str(length), "-sess_out", str(session)] if length else []
            found.append(SClient(weft, folder(f"s{number}"), *options, *more))
            found[-1].get(len(body))
        wait_until(lambda: weft.metric("pending") == 0)
        for _ in range(2):  # all of them have been idle now
            for client, length in zip(found, asked):
                got, largest = client.get(len(body))
                assert got == body
                assert largest <= length + EXPANSION if length else largest > 4096 + EXPANSION, (length, largest)
        found.append(SClient(weft, folder("resumed"), *options, "-maxfraglen", "512", "-sess_in", str(session)))
        for _ in range(2):
            got, largest = found[-1].get(len(body))
            assert got == body and largest <= 512 + EXPANSION, largest
        assert weft.metric("tls/resumed") == 1
    finally:
        for client in found:
            client.close()


# ---- endpoints ----

def client_tls(pki, **keys):
    return {"tls": {"commonName": NAME, "trustCerts": [str(pki.root.cert)], **keys}}


def test_endpoints_over_tls(mesh, pki, web):
    origin = TlsOrigin(pki.server_context(web))
    mesh.origins.append(origin)
    mesh.service("web", origin)
    weft = mesh.weft(client=client_tls(pki))
    client = mesh.client(weft)
    for _ in range(3):
        assert client.get("web").status == 200
    assert len(origin.peers) == 1
    assert origin.peers[0].socket.version() == "TLSv1.3"


def test_endpoints_that_want_a_certificate(mesh, pki, web):
    origin = TlsOrigin(pki.server_context(web, clients=True))
    mesh.origins.append(origin)
    mesh.service("web", origin)
    shown = pki.issue("proxy", "DNS:proxy.example")
    weft = mesh.weft(mesh.config(mesh.router("with", client=client_tls(pki, clientAuth=server_tls(shown))), mesh.router("without", client=client_tls(pki))))
    assert mesh.client(weft.address("with")).get("web").status == 200
    assert dict(origin.peers[0].socket.getpeercert()["subjectAltName"])["DNS"] == "proxy.example"
    assert mesh.client(weft.address("without")).get("web").status in (502, 503)
    assert 0 < weft.metric("rt/with/client/#/io.l5d.fs/web/tls/certificate_expires_in_s") <= 10 * 86400


def test_endpoints_that_are_somebody_else(mesh, pki, web, tmp_path):
    other = pki.issue("other", "DNS:other.example")
    stranger = Pki(tmp_path / "foreign").issue("web", f"DNS:{NAME}")
    for shown in (other, stranger):
        origin = TlsOrigin(pki.server_context(shown))
        mesh.origins.append(origin)
        mesh.service(shown.cert.parent.name + shown.name, origin)
    weft = mesh.weft(mesh.config(mesh.router("checked", client=client_tls(pki)), mesh.router("unchecked", client={"tls": {"disableValidation": True}})))
    for name in ("pkiother", "foreignweb"):
        assert mesh.client(weft.address("checked")).get(name).status in (502, 503)
        assert mesh.client(weft.address("unchecked")).get(name).status == 200
    assert weft.metric("tls/failures/untrusted") >= 2
    del web


def test_names_with_captures(mesh, pki):
    for name in ("one", "two"):
        origin = TlsOrigin(pki.server_context(pki.issue(name, f"DNS:{name}.example")))
        mesh.origins.append(origin)
        mesh.service(name, origin)
        mesh.service(f"not-{name}", origin)
    configs = [{"prefix": "/#/io.l5d.fs/{service}", "tls": {"commonName": "{service}.example", "trustCertsBundle": str(pki.root.cert)}}]
    weft = mesh.weft(client={"kind": "io.l5d.static", "configs": configs})
    for name in ("one", "two"):
        assert mesh.client(weft).get(name).status == 200
        assert mesh.client(weft).get(f"not-{name}").status in (502, 503)


def test_openssls_server(mesh, pki, web):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", web.cert, "-key", web.key, "-www", "-quiet"],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def listens():
            try:
                free_socket(("127.0.0.1", port)).close()
                return True
            except OSError:
                return False

        wait_until(listens)
        mesh.service("web", f"127.0.0.1 {port}")
        weft = mesh.weft(client=client_tls(pki))
        answer = mesh.client(weft).get("web")
        assert answer.status == 200 and b"New, TLSv1.3" in answer.body
    finally:
        process.kill()
        process.wait()


def test_answers_that_are_cut(mesh, pki, web):
    """An answer that ends with its connection is whole only if close_notify came before that end."""
    def cut(peer):
        peer.read_head()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of an ans")
        peer.socket.unwrap() if orderly else socket.socket.shutdown(peer.socket, socket.SHUT_RDWR)

    for orderly in (True, False):
        origin = TlsOrigin(pki.server_context(web), connected=cut)
        mesh.origins.append(origin)
        mesh.service(f"web-{orderly}".lower(), origin)
        weft = mesh.wefts[0] if mesh.wefts else mesh.weft(client=client_tls(pki))
        client = mesh.client(weft)
        client.send_request(host=f"web-{orderly}".lower())
        received = more = client.receive()
        while more and not received.endswith(b"\r\n0\r\n\r\n"):
            more = client.receive()
            received += more
        assert received.startswith(b"HTTP/1.1 200") and b"half of an ans" in received
        assert bool(more) == orderly
    assert weft.metric("tls/failures/truncated") == 1


# ---- reloading ----

def exchange_files(shown, renewed):
    """As cert-manager and people do it: one file after the other."""
    renewed.cert.rename(shown.cert)
    renewed.key.rename(shown.key)


def serial_of(mesh, weft, pki):
    client = connect(mesh, weft, pki.context(), NAME)
    serial = client.socket.getpeercert()["serialNumber"]
    assert client.get("web").status == 200
    client.close()
    return serial


def test_certificates_are_exchanged_under_load(mesh, pki, web):
    weft = secured(mesh, web, threads=2)
    first, failures, seen, stop = serial_of(mesh, weft, pki), [], set(), threading.Event()
    lasting = connect(mesh, weft, pki.context(), NAME)
    assert lasting.get("web").status == 200

    def load():
        while not stop.is_set():
            try:
                seen.add(serial_of(mesh, weft, pki))
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            before = weft.metric("certificates/reloads")
            exchange_files(web, pki.issue("web", f"DNS:{NAME}", fresh="renewed"))
            wait_until(lambda: weft.metric("certificates/reloads") == before + 1)
        wait_until(lambda: len(seen) >= 4, "all certificates")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert not failures and first in seen
    assert lasting.get("web").status == 200


def test_bad_new_certificates_are_refused(mesh, pki, web):
    weft = secured(mesh, web)
    first = serial_of(mesh, weft, pki)
    other = pki.issue("other", f"DNS:{NAME}")
    other.cert.rename(web.cert)  # and not its key
    wait_until(lambda: weft.metric("certificates/failures") >= 1)
    assert "does not belong to the certificate" in weft.stderr and "what was loaded before stays" in weft.stderr
    assert serial_of(mesh, weft, pki) == first
    other.key.rename(web.key)
    wait_until(lambda: weft.metric("certificates/reloads") == 1)
    assert serial_of(mesh, weft, pki) != first


def test_a_reload_keeps_what_is_the_same(mesh, pki, web):
    mesh.service("web", mesh.origin())
    config = mesh.config(mesh.router(server={"tls": server_tls(web)}))
    weft = mesh.weft(config)
    client = connect(mesh, weft, pki.context(), NAME)
    assert client.get("web").status == 200
    session = client.socket.session
    config["routers"][0]["dtab"] = "/x => /y; /svc => /#/io.l5d.fs"
    weft.reload(config)
    assert client.get("web").status == 200
    again = connect(mesh, weft, pki.context(), NAME)
    assert again.get("web").status == 200
    del session


# ---- the admin server ----

def test_admin_over_tls(mesh, pki):
    admin = pki.issue("admin", "DNS:admin.example")
    config = mesh.config(admin={"tls": server_tls(admin)})
    folder = mesh.folder / "admin"
    folder.mkdir()
    (folder / "weft.yaml").write_text(json.dumps(config))
    process = subprocess.Popen([WEFT, "proxy", folder / "weft.yaml", "--threads", "1"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        address = None
        while not address:
            match = re.match(rb"admin on (\S+):(\d+)", process.stdout.readline())
            address = match and (match[1].decode(), int(match[2]))
        client = connect(mesh, address, pki.context(), "admin.example")
        assert client.get("x", target="/admin/ping").status == 200
        client.close()
        done = subprocess.run(["curl", "-sS", "--cacert", pki.root.cert, "--connect-to", "::{}:{}".format(*address), "-w", " %{http_version}",
                               "https://admin.example/admin/ping"], stdout=subprocess.PIPE, timeout=PATIENCE, check=True)
        assert done.stdout == b"pong 2"
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


# ---- what is wrong ----

def test_what_validate_says(mesh, pki, web, tmp_path):
    other = pki.issue("other", "DNS:other.example")
    old = pki.issue("old", "DNS:old.example", days=-1)
    cases = [
        (server_tls(web, keyPath=str(other.key)), f"the key {other.key} does not belong to the certificate {web.cert}"),
        (server_tls(old), f"{old.cert}: the certificate of CN=old,O=weft has expired"),
        (server_tls(web, certPath="none.pem"), "there is no file none.pem"),
        (server_tls(web, ciphers=["ROT13"]), "unknown cipher `ROT13`"),
        (server_tls(web, protocols=["TLSv1.1"]), "`TLSv1.1` is not safe any more: weft speaks TLSv1.2 and TLSv1.3"),
        (server_tls(web, requireClientAuth=True), "requireClientAuth needs caCertPath"),
        ({"certPath": str(web.cert)}, "the key `keyPath` is missing"),
    ]
    path = tmp_path / "bad.yaml"
    for tls, told in cases:
        config = mesh.config(mesh.router(server={"tls": tls}))
        path.write_text(json.dumps(config, indent=1))
        done = subprocess.run([WEFT, "validate", path], stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
        assert done.returncode == 2
        assert re.match(rf"{re.escape(str(path))}:\d+:\d+: ", done.stderr.decode()) and told in done.stderr.decode(), done.stderr.decode()
    path.write_text(json.dumps(mesh.config(mesh.router(server={"tls": server_tls(web)}))))
    assert subprocess.run([WEFT, "validate", path], stdout=subprocess.DEVNULL, timeout=PATIENCE, check=False).returncode == 0


def test_a_bad_certificate_stops_the_start_and_not_a_reload(mesh, pki, web, tmp_path):
    weft = secured(mesh, web)
    other = pki.issue("other", "DNS:other.example")
    bad = mesh.config(mesh.router(server={"tls": server_tls(web, keyPath=str(other.key))}))
    weft.write(bad)
    wait_until(lambda: weft.metric("configuration/failures") == 1)
    assert connect(mesh, weft, pki.context(), NAME).get("web").status == 200
    path = tmp_path / "bad.yaml"
    path.write_text(json.dumps(bad))
    done = subprocess.run([WEFT, "proxy", path], stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and b"does not belong" in done.stderr


def test_seconds_until_a_certificate_ends(mesh, web):
    weft = secured(mesh, web)
    left = weft.metric("tls/certificate_expires_in_s")
    assert 9 * 86400 < left <= 10 * 86400
    page = weft.admin("/admin/metrics/prometheus").text
    assert re.search(r"^rt:server:tls:certificate_expires_in_s\{", page, re.M), page[:3000]
