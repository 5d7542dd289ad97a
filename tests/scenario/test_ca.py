# SPDX-License-Identifier: Apache-2.0
"""weft ca and weft certs, judged by OpenSSL's own commands and by SPIFFE's library for Go (tests/go/spiffe)."""

import contextlib
import datetime
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from prometheus_client.parser import text_string_to_metric_families

from mesh import PATIENCE, ROOT, WEFT, sanitized, wait_until

DOMAIN = "example.org"
ID = f"spiffe://{DOMAIN}/ns/web/sa/front"
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def run(*arguments, user=None, stdin=""):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([str(argument) for argument in arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE,
                          check=False, user=user)
    return done.returncode, done.stdout, done.stderr


def weft(*arguments, **options):
    return run(WEFT, *arguments, **options)


def good(*arguments, **options):
    code, out, err = run(*arguments, **options)
    assert code == 0, (arguments, code, out, err)
    return out


@pytest.fixture(name="folder")
def make_folder():
    """One that other users may enter, with a path short enough for a socket."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="weft-ca-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(name="ca")
def make_ca(folder):
    good(WEFT, "ca", "init", folder / "ca", "--trust-domain", DOMAIN)
    return folder / "ca"


@contextlib.contextmanager
def running(*arguments, until):
    """A process that has printed `until`, and its lines."""
    with subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        try:
            line = process.stdout.readline()
            assert until in line, (line, process.stderr.read() if not line else "")
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(PATIENCE)


@contextlib.contextmanager
def serving(ca, *options):
    path = ca.parent / "ca.sock"
    with running(WEFT, "ca", "serve", ca, "--socket", path, *options, until=f"listening on {path}") as process:
        process.socket = path
        yield process
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.log = process.stderr.read()
        assert "Sanitizer" not in process.log


def agent(socket_path, out, *options):
    return WEFT, "ca", "agent", "--socket", socket_path, "--id", ID, "--out", out, *options


def issue(ca, prefix, *options, name=ID):
    return good(WEFT, "ca", "issue", ca, "--id", name, "--out", ca.parent / prefix, *options)


def call(path, target, body=None, user=None):
    """(status, JSON) of curl over the Unix socket."""
    extra = ["--json", json.dumps(body)] if body is not None else []
    out = good("curl", "-sS", "--unix-socket", path, "-w", "\n%{http_code}", *extra, f"http://ca{target}", user=user)
    text, _, status = out.rpartition("\n")
    return int(status), json.loads(text)


def make_csr(folder, name=ID, key="ec:P-256"):
    kind, _, size = key.partition(":")
    option = f"ec_paramgen_curve:{size}" if kind == "ec" else f"rsa_keygen_bits:{size}"
    good("openssl", "req", "-new", "-newkey", kind, "-pkeyopt", option, "-nodes", "-keyout", folder / "csr.key", "-subj", "/",
         "-addext", f"subjectAltName=URI:{name}", "-out", folder / "csr.pem")
    return (folder / "csr.pem").read_text()


# ---- what is issued, judged by others ----

def test_openssl_agrees_with_what_is_issued(ca):
    issue(ca, "front", "--ttl", "2h", "--dns", "front.web.example")
    folder = ca.parent
    assert good("openssl", "verify", "-x509_strict", "-CAfile", folder / "front-bundle.pem", folder / "front-cert.pem").endswith(": OK\n")
    shown = good("openssl", "x509", "-in", folder / "front-cert.pem", "-noout", "-text")
    assert re.search(r"Alternative Name: critical\s+URI:spiffe://example.org/ns/web/sa/front, DNS:front.web.example\n", shown)
    assert re.search(r"Key Usage: critical\s+Digital Signature\n", shown)
    assert re.search(r"Extended Key Usage: \s+TLS Web Server Authentication, TLS Web Client Authentication\n", shown)
    assert re.search(r"Basic Constraints: critical\s+CA:FALSE", shown)
    leaf = x509.load_pem_x509_certificate((folder / "front-cert.pem").read_bytes())
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert life == datetime.timedelta(hours=2, minutes=2)
    assert leaf.serial_number.bit_length() > 100
    root = x509.load_pem_x509_certificate((folder / "front-bundle.pem").read_bytes())
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical and [name.value for name in constraints.value.permitted_subtrees] == [DOMAIN]
    assert os.stat(folder / "front-key.pem").st_mode & 0o777 == 0o600
    assert os.stat(ca / "authority.json").st_mode & 0o777 == 0o600
    assert os.stat(ca).st_mode & 0o777 == 0o700


@contextlib.contextmanager
def s_server(folder, prefix, bundle):
    """openssl s_server that wants a client's certificate; its port."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    with running("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", folder / f"{prefix}-cert.pem", "-key",
                 folder / f"{prefix}-key.pem", "-CAfile", bundle, "-Verify", "2", "-verify_return_error", "-www",
                 until="Using default temp DH") as process:
        def is_open():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_until(is_open, "s_server listens")
        yield port
        process.kill()


def s_client(folder, prefix, bundle, port):
    code, out, _ = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-cert", folder / f"{prefix}-cert.pem", "-key",
                       folder / f"{prefix}-key.pem", "-CAfile", bundle, "-verify_return_error", "-brief", "-ign_eof",
                       stdin="GET / HTTP/1.0\r\n\r\n")
    return code, out


def test_two_workloads_talk_mutual_tls(ca):
    folder = ca.parent
    issue(ca, "front")
    issue(ca, "back", name=f"spiffe://{DOMAIN}/ns/web/sa/back")
    good(WEFT, "ca", "init", folder / "other", "--trust-domain", DOMAIN)
    issue(folder / "other", "stranger")
    with s_server(folder, "back", folder / "back-bundle.pem") as port:
        code, out = s_client(folder, "front", folder / "front-bundle.pem", port)
        assert code == 0 and "HTTP/1.0 200 ok" in out
        code, out = s_client(folder, "stranger", folder / "front-bundle.pem", port)
        assert "HTTP/1.0 200 ok" not in out
        code, out = s_client(folder, "front", folder / "stranger-bundle.pem", port)
        assert code != 0 and "HTTP/1.0 200 ok" not in out


@pytest.fixture(name="spiffe", scope="module")
def make_spiffe(tmp_path_factory):
    """SPIFFE's own library, as a program."""
    if not shutil.which("go"):
        pytest.skip("Go is not installed")
    program = tmp_path_factory.mktemp("go") / "spiffe"
    done = subprocess.run(["go", "build", "-o", program, "."], cwd=ROOT / "tests" / "go" / "spiffe", capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return program


def test_go_spiffe_agrees(ca, spiffe):
    folder = ca.parent
    issue(ca, "front")
    files = [folder / "front-cert.pem", folder / "front-key.pem", folder / "front-bundle.pem", DOMAIN]
    assert good(spiffe, "parse", *files) == f"{ID} 1\n"
    assert good(spiffe, "mtls", *files, ID) == "hello\n"
    code, _, err = run(spiffe, "mtls", *files, ID + "2")
    assert code == 1 and "unexpected ID" in err
    good(WEFT, "ca", "rotate", ca)
    issue(ca, "front")
    assert good(spiffe, "bundle", folder / "front-bundle.pem", DOMAIN) == "2\n"
    assert good(spiffe, "parse", *files) == f"{ID} 1\n"


@pytest.mark.parametrize("domain", ["a", "cluster.local", "a_b.example", "1.2.3.4", "x.7"])
def test_unusual_trust_domains(folder, spiffe, domain):
    name = f"spiffe://{domain}/ns/a/sa/b"
    good(WEFT, "ca", "init", folder / "ca", "--trust-domain", domain)
    issue(folder / "ca", "b", name=name)
    files = [folder / "b-cert.pem", folder / "b-key.pem", folder / "b-bundle.pem"]
    assert good(spiffe, "mtls", *files, domain, name) == "hello\n"
    good("openssl", "verify", "-CAfile", files[2], files[0])
    good(WEFT, "certs", files[0], "--ca", files[2], "--key", files[1], "--svid")


# ---- weft certs, beside openssl verify ----

class Maker:
    """Certificates with one thing wrong."""

    def __init__(self, name, issuer=None, key=None, **facts):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer or self
        ca = facts.get("ca", True)
        start = facts.get("start", NOW - DAY)
        builder = (x509.CertificateBuilder().subject_name(self.name).issuer_name(signer.name).public_key(self.key.public_key())
                   .serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(facts.get("end", NOW + DAY))
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False)
                   .add_extension(x509.BasicConstraints(ca, facts.get("path_length")), True)
                   .add_extension(x509.KeyUsage(True, False, False, False, False, facts.get("may_sign", ca), False, False, False), True))
        if issuer and facts.get("key_id", True):
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), False)
        if not ca:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage(facts.get("uses", [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])), False)
        if facts.get("uris"):
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in facts["uris"]]), False)
        if facts.get("permitted"):
            builder = builder.add_extension(
                x509.NameConstraints([x509.UniformResourceIdentifier(facts["permitted"])], None), True)
        self.certificate = builder.sign(facts.get("signed_by", signer.key), hashes.SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption()).decode()


def leaf_of(issuer, name="front", **facts):
    return Maker(name, issuer, ca=False, **{"uris": [ID], **facts})


def case_good():
    root = Maker("root")
    return [leaf_of(root)], [root], []


def case_good_with_intermediate():
    root = Maker("root")
    middle = Maker("middle", root)
    return [leaf_of(middle), middle], [root], []


def case_expired():
    root = Maker("root")
    return [leaf_of(root, end=NOW - DAY / 2)], [root], ["expired"]


def case_not_yet_valid():
    root = Maker("root")
    return [leaf_of(root, start=NOW + DAY / 2)], [root], ["not-yet-valid"]


def case_expired_intermediate():
    root = Maker("root")
    middle = Maker("middle", root, end=NOW - DAY / 2)
    return [leaf_of(middle), middle], [root], ["expired"]


def case_expired_root():
    root = Maker("root", end=NOW - DAY / 2)
    return [leaf_of(root)], [root], ["expired"]


def case_missing_intermediate():
    root = Maker("root")
    return [leaf_of(Maker("middle", root))], [root], ["missing-issuer"]


def case_missing_upper_intermediate():
    root = Maker("root")
    middle = Maker("middle", Maker("upper", root))
    return [leaf_of(middle), middle], [root], ["missing-issuer"]


def case_other_authority_of_the_same_name():
    return [leaf_of(Maker("root"))], [Maker("root")], ["wrong-ca"]


def case_other_authority_of_the_same_name_without_key_ids():
    return [leaf_of(Maker("root"), key_id=False)], [Maker("root")], ["wrong-ca"]


def case_own_root_that_is_not_trusted():
    root = Maker("root")
    return [leaf_of(root), root], [Maker("other")], ["wrong-ca"]


def case_self_signed():
    return [Maker("front", ca=False, uris=[ID])], [Maker("root")], ["wrong-ca"]


def case_name_constraint():
    root = Maker("root", permitted="example.com")
    return [leaf_of(root)], [root], ["name-constraint"]


def case_intermediate_that_is_no_authority():
    root = Maker("root")
    middle = Maker("middle", root, ca=False, may_sign=True)
    return [leaf_of(middle), middle], [root], ["ca-flag"]


def case_intermediate_that_may_not_sign():
    root = Maker("root")
    middle = Maker("middle", root, may_sign=False)
    return [leaf_of(middle), middle], [root], ["key-usage"]


def case_path_too_long():
    root = Maker("root", path_length=0)
    middle = Maker("middle", root)
    return [leaf_of(middle), middle], [root], ["path-length"]


def case_forged():
    root = Maker("root")
    middle = Maker("middle", root)
    return [leaf_of(middle, signed_by=ec.generate_private_key(ec.SECP256R1())), middle], [root], ["bad-signature"]


def case_weak_key():
    root = Maker("root")
    return [leaf_of(root, key=rsa.generate_private_key(65537, 1024))], [root], ["weak-key"]


CASES = {name[5:]: value for name, value in list(globals().items()) if name.startswith("case_")}


@pytest.mark.parametrize("name", CASES)
def test_certs_says_what_openssl_says(tmp_path, name):
    chain, bundle, expected = CASES[name]()
    leaf, rest, roots, key, whole = (tmp_path / file for file in ("leaf", "rest", "roots", "key", "whole"))
    leaf.write_text(chain[0].pem)
    rest.write_text("".join(one.pem for one in chain[1:]))
    roots.write_text("".join(one.pem for one in bundle))
    key.write_text(chain[0].key_pem)
    whole.write_text("".join(one.pem for one in chain))
    more = ["-untrusted", rest] if len(chain) > 1 else []
    theirs, out, err = run("openssl", "verify", "-auth_level", "2", "-CAfile", roots, *more, leaf)
    code, out, _ = weft("certs", whole, "--ca", roots, "--key", key, "-o", "json")
    found = json.loads(out)[0]
    assert [fault["kind"] for fault in found["faults"]] == expected
    assert (code == 0) == (theirs == 0) == found["verified"] == (not expected), (out, err)


def test_the_missing_issuer_is_named(tmp_path):
    chain, bundle, _ = case_missing_upper_intermediate()
    (tmp_path / "chain").write_text("".join(one.pem for one in chain))
    (tmp_path / "roots").write_text(bundle[0].pem)
    code, out, _ = weft("certs", tmp_path / "chain", "--ca", tmp_path / "roots")
    assert code == 1
    assert "FAULT missing-issuer: certificate 2, `CN=middle`, is signed by `CN=upper`, which is neither in the file nor in the bundle" in out


# What OpenSSL has no opinion on; SPIFFE's library has (see the test below).
SVID_CASES = {
    "good": ({}, [], []),
    "none": ({"uris": []}, ["--svid"], ["no-spiffe-id"]),
    "two": ({"uris": [ID, ID + "2"]}, [], ["many-uris"]),
    "other": ({}, ["--id", ID + "2"], ["bad-spiffe-id"]),
    "invalid": ({"uris": ["spiffe://Example.org/a"]}, [], ["bad-spiffe-id"]),
    "no scheme": ({"uris": ["https://example.org/a"]}, ["--svid"], ["bad-spiffe-id"]),
    "may sign": ({"may_sign": True}, [], ["key-usage"]),
    "client only": ({"uses": [ExtendedKeyUsageOID.CLIENT_AUTH]}, [], ["key-usage"]),
    "authority": ({"ca": True}, ["--svid"], ["ca-flag", "key-usage"]),
}
# The standard asks for both uses where any is named (section 4.4); the library doesn't look.
LIBRARY_IS_LENIENT = {"client only", "other"}


@pytest.mark.parametrize("name", SVID_CASES)
def test_certs_judges_svids_as_spiffe_does(tmp_path, spiffe, name):
    facts, options, expected = SVID_CASES[name]
    root = Maker("root")
    leaf = Maker("front", root, **{"ca": False, "uris": [ID], **facts})
    cert, key, roots = (tmp_path / file for file in ("cert", "key", "roots"))
    cert.write_text(leaf.pem)
    key.write_text(leaf.key_pem)
    roots.write_text(root.pem)
    code, out, _ = weft("certs", cert, "--ca", roots, "--key", key, "-o", "json", *options)
    assert [fault["kind"] for fault in json.loads(out)[0]["faults"]] == expected
    assert code == (1 if expected else 0)
    theirs = run(spiffe, "parse", cert, key, roots, DOMAIN)[0]
    assert name in LIBRARY_IS_LENIENT or theirs == code


def test_certs_finds_the_wrong_key(tmp_path):
    root = Maker("root")
    (tmp_path / "cert").write_text(leaf_of(root).pem)
    (tmp_path / "key").write_text(root.key_pem)
    code, out, _ = weft("certs", tmp_path / "cert", "--key", tmp_path / "key")
    assert code == 1 and "FAULT key-mismatch: certificate 1, `CN=front`, belongs to another private key than the one given" in out


def test_certs_warns_of_an_end_that_is_near(ca):
    issue(ca, "front", "--ttl", "1h")
    path = ca.parent / "front-cert.pem"
    assert weft("certs", path, "--expires-within", "30m")[0] == 0
    code, out, _ = weft("certs", path, "--expires-within", "2h")
    assert code == 1 and re.search("FAULT expires-soon: (59 m|1 h 0 m)", out)


@pytest.mark.parametrize("content,reason", [
    ("", "the certificate cannot be used: no certificate in it"),
    ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "the certificate cannot be used: certificate 1 cannot be read: "),
])
def test_certs_says_what_it_can_not_read(tmp_path, content, reason):
    path = tmp_path / "cert"
    path.write_text(content)
    code, out, err = weft("certs", path)
    assert (code, out) == (2, "") and err.startswith(f"{path}: {reason}")


def test_certs_reads_no_encrypted_key(tmp_path):
    root = Maker("root")
    (tmp_path / "cert").write_text(root.pem)
    good("openssl", "ecparam", "-genkey", "-name", "prime256v1", "-noout", "-out", tmp_path / "plain")
    good("openssl", "pkcs8", "-topk8", "-in", tmp_path / "plain", "-passout", "pass:secret", "-out", tmp_path / "key")
    code, _, err = weft("certs", tmp_path / "cert", "--key", tmp_path / "key")
    assert code == 2 and "the private key is encrypted" in err


# ---- the signing process ----

def test_what_the_signer_counts(ca):
    folder = ca.parent

    def counted():
        page = good("curl", "-sS", "--unix-socket", signer.socket, "http://ca/v1/metrics")
        return {line.split()[0]: float(line.split()[1]) for line in page.splitlines()}

    with serving(ca) as signer:
        before = counted()
        assert [before[f"ca:{name}"] for name in ("issued", "refused", "errors", "rotations", "generation", "connections")] == [0, 0, 0, 0, 1, 1]
        assert 364 * 86400 < before["ca:root_expires_in_s"] <= 365 * 86400
        assert call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder)})[0] == 200
        assert call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder)})[0] == 200
        assert call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder, name=ID + "2")})[0] == 403
        assert call(signer.socket, "/v1/svid", {"id": ID, "csr": "none"})[0] == 400
        assert call(signer.socket, "/v1/metrics", {})[0] == 405
        good(WEFT, "ca", "rotate", ca)
        wait_until(lambda: counted()["ca:generation"] == 2)
        after = counted()
        assert [after[f"ca:{name}"] for name in ("issued", "refused", "errors")] == [2, 1, 1]


def test_anybody_can_ask_with_curl_and_openssl(ca):
    folder = ca.parent
    with serving(ca) as signer:
        status, answer = call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder), "ttl": 3600})
        assert status == 200 and answer["id"] == ID and answer["generation"] == 1
        (folder / "cert").write_text(answer["chain"])
        (folder / "roots").write_text(answer["bundle"])
        good("openssl", "verify", "-CAfile", folder / "roots", folder / "cert")
        good(WEFT, "certs", folder / "cert", "--ca", folder / "roots", "--key", folder / "csr.key", "--id", ID)
        status, bundle = call(signer.socket, "/v1/bundle")
        assert (status, bundle) == (200, {"trust_domain": DOMAIN, "generation": 1, "bundle": answer["bundle"]})
        # RSA is signed too, a weak key is not.
        assert call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder, key="rsa:2048")})[0] == 200
        status, answer = call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder, key="rsa:1024")})
        assert status == 400 and "(RSA 1024) are not signed" in answer["error"]
        status, answer = call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder, name=ID + "2")})
        assert status == 403 and f"is for `{ID}2`, not for `{ID}`" in answer["error"]
        status, answer = call(signer.socket, "/v1/svid", {"id": ID, "csr": make_csr(folder), "ttl": 86401})
        assert status == 400 and "at most 86400 s" in answer["error"]
    assert re.search(f"INFO control: issued [0-9a-f:]{{40,}} to user {os.geteuid()}, process [0-9]+: {ID}\n", signer.log)
    assert "PRIVATE KEY" not in signer.log


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")
def test_the_policy_knows_users(ca):
    folder = ca.parent
    policy = folder / "policy.yaml"
    policy.write_text(f"allow:\n- uid: 1234\n  ids: ['{ID}']\n")
    request = {"id": ID, "csr": make_csr(folder)}
    with serving(ca, "--policy", policy) as signer:
        assert call(signer.socket, "/v1/svid", request, user=1234)[0] == 200
        status, answer = call(signer.socket, "/v1/svid", request, user=1235)
        assert status == 403 and answer["error"].startswith(f"user 1235 may not be `{ID}`")
        policy.write_text(f"allow:\n- uid: 1235\n  ids: ['spiffe://{DOMAIN}/ns/web/sa/*']\n")
        signer.send_signal(signal.SIGHUP)
        wait_until(lambda: call(signer.socket, "/v1/svid", request, user=1235)[0] == 200)
        assert call(signer.socket, "/v1/svid", request, user=1234)[0] == 403
    with serving(ca) as signer:  # without a policy others can't even connect
        assert run("curl", "-sS", "--unix-socket", signer.socket, "http://ca/v1/bundle", user=1234)[0] != 0


def test_one_signer_for_a_socket(ca):
    with serving(ca) as signer:
        code, _, err = weft("ca", "serve", ca, "--socket", signer.socket)
        assert code == 2 and "somebody else listens there" in err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become other users")
def test_nobody_of_the_same_user_reads_the_keys(ca):
    for path in [ca, *ca.iterdir()]:
        os.chown(path, 1234, 1234)
    os.chown(ca.parent, 1234, 1234)
    with running("setpriv", "--reuid", "1234", "--clear-groups", WEFT, "ca", "serve", ca, "--socket", ca.parent / "ca.sock",
                 until="listening") as signer:
        code, _, err = run("cat", f"/proc/{signer.pid}/environ", user=1234)
        assert sanitized() or (code == 1 and "Permission denied" in err)


def read_ends(path):
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None


def check_files(out):
    """What the agent wrote is a good SVID at this moment."""
    good(WEFT, "certs", out / "svid.pem", "--key", out / "svid.pem", "--ca", out / "bundle.pem", "--id", ID)


def test_the_agent_renews_and_follows_the_root(ca):
    folder, out = ca.parent, ca.parent / "out"
    with serving(ca) as signer, running(*agent(signer.socket, out, "--ttl", "6s"), until=f"{ID} until"):
        check_files(out)
        good("openssl", "verify", "-CAfile", out / "bundle.pem", out / "cert.pem")
        first = read_ends(out / "cert.pem")
        wait_until(lambda: read_ends(out / "cert.pem").serial_number != first.serial_number, "a renewal")
        second = read_ends(out / "cert.pem")
        assert second.not_valid_before_utc + datetime.timedelta(seconds=120) < first.not_valid_after_utc
        wait_until(lambda: read_ends(out / "svid.pem").serial_number == read_ends(out / "cert.pem").serial_number)
        check_files(out)
        good(WEFT, "ca", "rotate", ca)
        wait_until(lambda: (out / "bundle.pem").read_text().count("BEGIN") == 2, "both roots")
        good(WEFT, "ca", "rotate", ca, "--now")
        good(WEFT, "ca", "rotate", ca, "--now")
        new_root = good(WEFT, "ca", "show", ca, "-o", "pem")
        wait_until(lambda: (out / "bundle.pem").read_text() == new_root, "the new root alone")
        (folder / "new").write_text(new_root)
        wait_until(lambda: run("openssl", "verify", "-CAfile", folder / "new", out / "cert.pem")[0] == 0, "a certificate of the new root")
        assert os.stat(out / "key.pem").st_mode & 0o777 == os.stat(out / "svid.pem").st_mode & 0o777 == 0o600


def fetch(address, path):
    connection = http.client.HTTPConnection(address, timeout=PATIENCE)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_the_agent_tells_of_itself(ca):
    """Before there is a certificate, with one, while the signer is gone, and when the last one is over."""
    out = ca.parent / "out"

    def metric(name):
        text = fetch(address, "/metrics")[1]
        return next(s.value for f in text_string_to_metric_families(text) for s in f.samples if s.name == f"identity:{name}")

    process = subprocess.Popen([str(word) for word in agent(ca.parent / "ca.sock", out, "--ttl", "6s", "--metrics", "127.0.0.1:0")],
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = process.stdout.readline().removeprefix("metrics on ").strip()
        assert fetch(address, "/ready") == (503, "no valid certificate\n")
        wait_until(lambda: metric("failures") >= 1)
        with serving(ca):
            wait_until(lambda: fetch(address, "/ready")[0] == 200, "the first certificate")
            assert 0 < metric("certificate_expires_in_s") <= 6 and metric("generation") == 1
            wait_until(lambda: metric("renewals") >= 2, "a renewal")
        failures = metric("failures")
        wait_until(lambda: fetch(address, "/ready")[0] == 503, "the end of the last certificate")
        assert metric("failures") > failures and metric("certificate_expires_in_s") <= 0
        assert fetch(address, "/")[0] == 404
    finally:
        process.terminate()
        assert process.wait(PATIENCE) == 0
        process.stdout.close()


def test_a_signer_that_is_killed_is_missed_by_nobody(ca):
    out = ca.parent / "out"
    path = ca.parent / "ca.sock"
    for _ in range(3):
        with running(WEFT, "ca", "serve", ca, "--socket", path, until="listening") as signer:
            good(*agent(path, out, "--once"))
            check_files(out)
            signer.kill()
            signer.wait(PATIENCE)
        assert path.exists()  # left behind, and replaced by the next
    code, _, err = run(*agent(path, out, "--once"))
    assert code == 1 and f"{path}: connection refused" in err
    check_files(out)  # the last good one stays


# ---- the command line ----

@pytest.mark.parametrize("arguments,message", [
    (["ca"], "weft ca: init, issue, rotate, show, serve or agent?"),
    (["ca", "isue"], "did you mean `issue`?"),
    (["ca", "init", "x"], "which trust domain?"),
    (["ca", "init", "x", "--trust-domain", "Example.org"], "`Example.org` can be no trust domain: a trust domain has only lower-case"),
    (["ca", "init", "x", "--trust-domain", "a..b"], "`a..b` can be no trust domain: nothing stands before or behind one of its dots"),
    (["ca", "init", "x", "--trust-domain", "a", "--max-ttl", "1y"], "--max-ttl takes a time such as 30s, 90m, 24h or 7d, not `1y`"),
    (["ca", "init", "x", "--trust-domain", "a", "--root-life", "2d"], "a root must live for at least 4 times as long"),
    (["ca", "issue", "x", "--id", "a", "--out", "b"], "x: there is no authority; `weft ca init` makes one"),
    (["ca", "show", "x", "-o", "xml"], "-o takes `text` or `json` or `pem`, not `xml`"),
    (["ca", "serve", "x"], "on which socket?"),
    (["ca", "serve", "x", "--socket", "y", "--mode", "999"], "--mode takes who may connect"),
    (["ca", "agent", "--socket", "x", "--out", "y"], "for whom?"),
    (["ca", "agent", "--socket", "x", "--out", "/tmp", "--id", "z", "--metrics", "nowhere"], "--metrics takes IP:PORT, not `nowhere`"),
    (["ca", "agent", "--socket", "x", "--out", "y", "--id", "z"], "--id takes a SPIFFE ID"),
    (["certs"], "weft certs: something is missing"),
    (["certs", "--cA", "x", "y"], "unknown option `--cA`; did you mean `--ca`?"),
])
def test_mistakes_are_told(tmp_path, arguments, message):
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_wrong_id_or_a_second_authority(ca):
    code, _, err = weft("ca", "issue", ca, "--id", "spiffe://example.com/x", "--out", ca.parent / "x")
    assert code == 2 and "is not of this authority's trust domain, `example.org`" in err
    code, _, err = weft("ca", "init", ca, "--trust-domain", DOMAIN)
    assert code == 2 and "there is an authority already" in err


def test_rotation_takes_its_time(ca):
    assert good(WEFT, "ca", "rotate", ca).startswith(f"{ca}: add: ")
    code, _, err = weft("ca", "rotate", ca)
    assert code == 1 and "is safe from" in err
    shown = json.loads(good(WEFT, "ca", "show", ca, "-o", "json"))
    assert [root["role"] for root in shown["roots"]] == ["signing", "next"] and shown["next"] == "switch"
