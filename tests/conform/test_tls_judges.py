# SPDX-License-Identifier: Apache-2.0
"""TLS as sslyze and openssl see it, on a listener with nothing but a certificate and a key configured."""

import json
import re
import shutil
import subprocess
import sys

import pytest

from judges import SERVER_NAME, Judged, run
from http2 import Http2Origin

FORWARD_SECRET_AEAD = re.compile(r"TLS_(ECDHE_(ECDSA|RSA)_WITH_)?(AES_(128|256)_GCM|CHACHA20_POLY1305)_SHA(256|384)")
OLD = ("ssl_2_0_cipher_suites", "ssl_3_0_cipher_suites", "tls_1_0_cipher_suites", "tls_1_1_cipher_suites")


@pytest.fixture(scope="module", name="judged")
def make_judged(tmp_path_factory):
    with Judged(tmp_path_factory.mktemp("tls")) as judged:
        origin = judged.keep(Http2Origin(body=b"hello"))
        judged.port = judged.chain(origin.address, tls=True)[1]
        http = judged.before(judged.mesh.origin(body=b"hello").address, "http", judged.server_tls(), protocol="http")
        judged.http_port = http.address()[1]
        yield judged


@pytest.fixture(scope="module", name="scan")
def make_scan(judged, tmp_path_factory):
    """What sslyze found, by command."""
    report = tmp_path_factory.mktemp("sslyze") / "report.json"
    done = run(sys.executable, "-m", "sslyze", "--json_out", report, "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1", "--tlsv1_2", "--tlsv1_3",
               "--reneg", "--compression", "--heartbleed", "--openssl_ccs", "--robot", "--fallback", "--early_data", "--elliptic_curves",
               "--resum", "--certinfo", f"127.0.0.1:{judged.port}", timeout=280)
    assert report.exists(), done.stdout[-2000:] + done.stderr[-2000:]
    result = json.loads(report.read_text())["server_scan_results"][0]
    assert result["scan_status"] == "COMPLETED", done.stdout[-2000:]
    found = {name: attempt["result"] for name, attempt in result["scan_result"].items() if attempt["status"] == "COMPLETED"}
    failed = {name: attempt["error_reason"] for name, attempt in result["scan_result"].items() if attempt["status"] == "ERROR"}
    assert not failed
    return found


def accepted(found):
    return [suite["cipher_suite"]["name"] for suite in found["accepted_cipher_suites"]]


@pytest.mark.parametrize("version", OLD)
def test_old_versions_are_refused(scan, version):
    assert accepted(scan[version]) == []


@pytest.mark.parametrize("version", ["tls_1_2_cipher_suites", "tls_1_3_cipher_suites"])
def test_only_good_ciphers_are_accepted(scan, version):
    names = accepted(scan[version])
    assert names and all(FORWARD_SECRET_AEAD.fullmatch(name) for name in names), names


def test_no_renegotiation_by_clients(scan):
    assert scan["session_renegotiation"]["is_vulnerable_to_client_renegotiation_dos"] is False


def test_nothing_known_to_be_broken(scan):
    assert scan["tls_compression"]["supports_compression"] is False
    assert scan["heartbleed"]["is_vulnerable_to_heartbleed"] is False
    assert scan["openssl_ccs_injection"]["is_vulnerable_to_ccs_injection"] is False
    assert scan["robot"]["robot_result"].startswith("NOT_VULNERABLE")
    assert scan["tls_1_3_early_data"]["supports_early_data"] is False


def test_curves(scan):
    names = {curve["name"] for curve in scan["elliptic_curves"]["supported_curves"]}
    assert {"X25519", "secp256r1"} <= names
    assert not any(re.search(r"sect|160|192|224", name) for name in names), names


def test_sessions_resume(scan):
    assert scan["session_resumption"]["tls_ticket_resumption_result"] == "FULLY_SUPPORTED"


# ---- openssl ----

def s_client(judged, *flags, said="", patience=30, port=None):
    """(exit code, what `openssl s_client` prints), at the h2 router unless a port is given."""
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port or judged.port}", "-servername", SERVER_NAME,
                           "-CAfile", judged.authority.bundle, "-verify_hostname", SERVER_NAME, "-verify_return_error", *flags],
                          input=said, capture_output=True, text=True, errors="replace", timeout=patience, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("version, name", [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
def test_certificate_verifies(judged, version, name):
    code, told = s_client(judged, version, "-brief")
    assert code == 0 and f"Protocol version: {name}" in told and "Verification: OK" in told, told


@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_versions_get_an_alert(judged, version):
    code, told = s_client(judged, version, "-cipher", "DEFAULT:@SECLEVEL=0")
    assert code != 0 and re.search(r"alert protocol version", told), told


@pytest.mark.parametrize("offered, chosen", [("h2", "h2"), ("h2,http/1.1", "h2"), ("http/1.1,h2", "h2"), ("http/1.1", "http/1.1")])
def test_alpn(judged, offered, chosen):
    _, told = s_client(judged, "-alpn", offered)
    assert re.search(rf"^ALPN protocol: {chosen}$", told, re.M), told


@pytest.mark.parametrize("offered, chosen", [("http/1.1", "http/1.1"), ("http/1.1,h2", "h2")])
def test_alpn_of_an_http_router(judged, offered, chosen):
    _, told = s_client(judged, "-alpn", offered, port=judged.http_port)
    assert re.search(rf"^ALPN protocol: {chosen}$", told, re.M), told


def test_alpn_of_nothing_known_is_refused(judged):
    code, told = s_client(judged, "-alpn", "spdy/3")
    assert code != 0 and "no application protocol" in told, told


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_resumption(judged, version, tmp_path):
    session = str(tmp_path / "session")
    # A request is sent, so that a ticket that comes behind the handshake is there before the end.
    request = f"GET / HTTP/1.1\r\nHost: {SERVER_NAME}\r\nConnection: close\r\n\r\n"
    s_client(judged, version, "-ign_eof", "-sess_out", session, said=request, port=judged.http_port)
    _, told = s_client(judged, version, "-ign_eof", "-sess_in", session, said=request, port=judged.http_port)
    assert re.search(r"^Reused, ", told, re.M), told


def test_renegotiation_is_refused(judged):
    """R on a line of its own asks for it. What s_client prints differs; that the connection goes no further does not."""
    code, told = s_client(judged, "-tls1_2", said="R\n", port=judged.http_port)
    assert code != 0 or "no renegotiation" in told, told


@pytest.mark.parametrize("group", ["X25519", "P-256"])
def test_groups(judged, group):
    code, told = s_client(judged, "-tls1_3", "-groups", group, "-brief")
    assert code == 0, told


def test_client_without_a_common_cipher_gets_an_alert(judged):
    code, told = s_client(judged, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:AES128-SHA:@SECLEVEL=0")
    assert code != 0 and "handshake failure" in told, told
