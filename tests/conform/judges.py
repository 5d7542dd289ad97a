# SPDX-License-Identifier: Apache-2.0
"""What the suites of others need here: where their programs are, and weft in front of what they talk to.

    with Judged(folder) as judged:
        chain = judged.chain(("127.0.0.1", 50051), proxies=2, tls_between=True)   # -> (ip, port) to call
"""

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(pathlib.Path(__file__).parent), str(ROOT / "tests" / "scenario")]

from certificates import Authority  # noqa: E402: only from its folder
from mesh import Mesh  # noqa: E402

JUDGES = pathlib.Path(os.environ.get("WEFT_JUDGES") or ROOT / "build-judges")
TRUST = "spiffe://judges/ns/default/sa"
SERVER_NAME = "judged"


def missing(name):
    """Why a judge's program is not there, or None if it is."""
    if (JUDGES / name).exists():
        return None
    return f"{name} is not in build-judges: ./dev conform builds it, with {'npm' if 'node' in name else 'Go 1.26'} or newer"


def judge(name):
    """Path of a judge's program, or the test is skipped, saying what is missing."""
    reason = missing(name)
    if reason:
        pytest.skip(reason)
    return JUDGES / name


def run(*command, timeout=120):
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout,
                          check=False)


class Server:
    """A judge's server on a port of its own. Ended by close()."""

    def __init__(self, folder, *command):
        self.log = folder / "server.txt"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


class Judged:
    """weft with routers that speak HTTP/2, before servers of others."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.mesh = Mesh(self.folder)
        self.authority = Authority(self.folder)
        self.web = self.authority.issue("web", dns=[SERVER_NAME], uri=[f"{TRUST}/web"])
        self.caller = self.authority.issue("caller", dns=["caller"], uri=[f"{TRUST}/caller"])
        self.parts = []

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.mesh.close()
        finally:
            self.mesh.stop()
            for part in reversed(self.parts):
                part.close()

    def server_tls(self, mutual=False):
        tls = {"certPath": self.web.certificate, "keyPath": self.web.key}
        return {**tls, "caCertPath": self.authority.bundle, "requireClientAuth": True} if mutual else tls

    def client_tls(self):
        return {"commonName": SERVER_NAME, "trustCertsBundle": self.authority.bundle,
                "clientAuth": {"certPath": self.caller.certificate, "keyPath": self.caller.key}}

    def before(self, address, name, server_tls=None, client_tls=None, **router):
        """A weft that sends all that it gets to address."""
        self.mesh.service(name, address)
        keys = {"protocol": "h2", "dtab": f"/svc/* => /#/io.l5d.fs/{name}", **router}
        if server_tls:
            keys["server"] = {**keys.get("server", {}), "tls": server_tls}
        if client_tls:
            keys["client"] = {**keys.get("client", {}), "tls": client_tls}
        return self.mesh.weft(**keys)

    def chain(self, address, proxies=1, tls=False):
        """The address to call: one weft, or two with mutual TLS between them, before address. `tls`: callers use TLS, too."""
        server_tls = self.server_tls() if tls else None
        if proxies == 1:
            return self.before(address, "far", server_tls).address()
        far = self.before(address, "far", self.server_tls(mutual=True))
        return self.before(far.address(), "near", server_tls, self.client_tls()).address()

    def keep(self, part):
        """Anything with close(), ended after the proxies."""
        self.parts.append(part)
        return part
