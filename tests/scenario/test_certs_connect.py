# SPDX-License-Identifier: Apache-2.0
"""`weft certs --connect`: what live endpoints show, against openssl s_server and weft itself."""

import contextlib
import json
import socket
import subprocess
import threading

import pytest
from mesh import PATIENCE, WEFT, wait_until
from test_mtls import BACK, FRONT, Workloads, inbound
from tls import Pki, openssl


def certs(target, *options):
    """(exit code, the one entry of its JSON or None, standard error)."""
    done = subprocess.run([WEFT, "certs", "--connect", target, *map(str, options), "-o", "json"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, check=False)
    entries = json.loads(done.stdout) if done.stdout.strip() else []
    return done.returncode, entries[0] if entries else None, done.stderr


def kinds(entry):
    return [fault["kind"] for fault in entry["faults"]]


@contextlib.contextmanager
def s_server(shown, *options):
    """openssl s_server with a certificate; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    files = ["-cert", shown.cert, "-key", shown.key]
    arguments = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", *files, "-quiet", *map(str, options)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        def listens():
            with socket.socket() as one:
                return one.connect_ex(("127.0.0.1", port)) == 0

        try:
            wait_until(listens, "s_server")
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(name="pki")
def make_pki(tmp_path):
    return Pki(tmp_path / "pki")


@pytest.mark.parametrize("flag,protocol", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_what_openssl_shows(pki, flag, protocol):
    web = pki.issue("web", "DNS:web.example,DNS:www.example,IP:127.0.0.1")
    with s_server(web, flag, "-alpn", "h2,http/1.1") as target:
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--server-name", "web.example")
    assert (code, kinds(entry), entry["verified"]) == (0, [], True)
    assert (entry["endpoint"], entry["protocol"], entry["alpn"], entry["asks_for_certificate"]) == (target, protocol, "h2", False)
    leaf = entry["certificates"][0]
    serial = openssl("x509", "-noout", "-serial", "-in", web.cert).strip().partition("=")[2]
    assert leaf["serial"].replace(":", "").upper() == serial
    assert [name["value"] for name in leaf["names"]] == ["web.example", "www.example", "127.0.0.1"]
    assert 0 < leaf["seconds_left"] <= 400 * 86400


def test_several_certificates_by_name(pki):
    """The chain that is judged is the one for the name that is asked for."""
    first, other = pki.issue("first", "DNS:first.example"), pki.issue("other", "DNS:other.example")
    with s_server(first, "-cert2", other.cert, "-key2", other.key, "-servername", "other.example") as target:
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--server-name", "other.example")
        assert code == 0 and entry["certificates"][0]["names"][0]["value"] == "other.example"
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--server-name", "third.example")
        assert code == 1 and kinds(entry) == ["wrong-name"]
        code, entry, _ = certs(target, "--ca", pki.root.cert)  # an address is no name
        assert code == 0


def test_why_it_does_not_verify(pki, tmp_path):
    web = pki.issue("web", "DNS:web.example")
    stranger = Pki(tmp_path / "stranger")
    with s_server(web) as target:
        code, entry, _ = certs(target, "--ca", stranger.root.cert)
        assert code == 1 and not entry["verified"] and kinds(entry) in (["missing-issuer"], ["wrong-ca"])
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--expires-within", "5000d")
        assert code == 1 and kinds(entry) == ["expires-soon"]
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--svid")
        assert code == 1 and "no-spiffe-id" in kinds(entry)
        assert certs(target)[0] == 0  # nothing to verify by: looked at only


@pytest.mark.parametrize("flag", ["-tls1_2", "-tls1_3"])
def test_endpoints_that_want_to_see_a_certificate(pki, tmp_path, flag):
    web, client = pki.issue("web", "DNS:web.example"), pki.issue("client", "DNS:client.example")
    stranger = Pki(tmp_path / "stranger").issue("client", None)
    with s_server(web, flag, "-Verify", 1, "-CAfile", pki.root.cert, "-verify_return_error") as target:
        code, entry, _ = certs(target, "--ca", pki.root.cert)
        assert code == 1 and entry["asks_for_certificate"] and kinds(entry) == ["refused"]
        assert len(entry["certificates"]) >= 1  # it has shown its own all the same
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--cert", stranger.cert, "--key", stranger.key)
        assert code == 1 and kinds(entry) == ["refused"]
        code, entry, _ = certs(target, "--ca", pki.root.cert, "--cert", client.cert, "--key", client.key)
        assert (code, kinds(entry)) == (0, [])


def test_weft_with_mutual_tls(mesh, tmp_path):
    workloads = Workloads(tmp_path)
    front, back = workloads.issue("front", FRONT), workloads.issue("back", BACK)
    inner = inbound(mesh, back)
    target = "{}:{}".format(*inner.address())
    ours = ("--cert", front / "svid.pem", "--key", front / "svid.pem")
    code, entry, _ = certs(target, "--ca", front / "bundle.pem", "--id", BACK, *ours)
    assert (code, kinds(entry)) == (0, [])
    assert entry["spiffe_id"] == BACK and entry["verified"] and entry["protocol"] == "TLSv1.3" and entry["asks_for_certificate"]
    assert inner.metric("tls/handshakes") == 1 and inner.metric("tls/failures/truncated") == 0
    code, entry, _ = certs(target, "--ca", front / "bundle.pem", "--id", FRONT, *ours)
    assert code == 1 and kinds(entry) == ["bad-spiffe-id"]
    code, entry, _ = certs(target, "--ca", front / "bundle.pem")
    assert code == 1 and kinds(entry) == ["refused"] and "certificate required" in entry["faults"][0]["text"]
    wait_until(lambda: inner.metric("tls/failures/no_certificate") == 1)


def test_endpoints_without_a_certificate(mesh):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed = "127.0.0.1:{}".format(nobody.getsockname()[1])
    assert certs(closed) == (2, None, f"{closed}: no certificate was seen: connection refused\n")

    def answer(server):
        with server.accept()[0] as one:
            one.recv(1000)
            one.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as plain:
        thread = threading.Thread(target=answer, args=[plain])
        thread.start()
        code, entry, said = certs("127.0.0.1:{}".format(plain.getsockname()[1]))
        thread.join(PATIENCE)
    assert (code, entry) == (2, None) and "no certificate was seen: wrong version number" in said


@pytest.mark.parametrize("words,said", [
    (["--connect", "nowhere"], "--connect takes HOST:PORT"),
    (["--connect", "h:0"], "--connect takes HOST:PORT"),
    (["--connect", "127.0.0.1:1", "file"], "either --connect HOST:PORT or files"),
    (["--server-name", "x", "file"], "belong to --connect"),
    (["--connect", "127.0.0.1:1", "--cert", "/dev/null"], "given together"),
])
def test_words_that_do_not_fit(words, said):
    done = subprocess.run([WEFT, "certs", *words], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and said in done.stderr
