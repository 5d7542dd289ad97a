# SPDX-License-Identifier: Apache-2.0
"""Certificates for a run, made by the openssl program: a root, and below it a server's and a client's, all P-256."""
import subprocess
from pathlib import Path

from measure import Failure
from process import written

DAYS = "2"


def openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        raise Failure(f"openssl {arguments[0]} failed: {done.stdout.strip()[-300:]}")


class Pki:
    """Paths of PEM files in folder. Keys are PKCS #8, as Linkerd's keyPath wants them."""

    def __init__(self, folder, host, message):
        self.folder = Path(folder) / "pki"
        self.folder.mkdir()
        self.ca, self.ca_key = self._path("ca.pem"), self._path("ca.key")
        self.server, self.server_key = self._path("server.pem"), self._path("server.key")
        self.client, self.client_key = self._path("client.pem"), self._path("client.key")
        self._key(self.ca_key)
        openssl("req", "-x509", "-new", "-key", self.ca_key, "-subj", "/CN=bench root", "-days", DAYS, "-out", self.ca)
        self._issue(self.server, self.server_key, f"subjectAltName=DNS:{host}\nextendedKeyUsage=serverAuth\n")
        self._issue(self.client, self.client_key, "subjectAltName=URI:spiffe://bench/ns/default/sa/client\nextendedKeyUsage=clientAuth\n")
        # HAProxy wants certificate and key in one file.
        self.server_both = written(self.folder, "both.pem", Path(self.server).read_text() + Path(self.server_key).read_text())
        self.message = written(self.folder, "message", message)

    def _path(self, name):
        return str(self.folder / name)

    @staticmethod
    def _key(path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)

    def _issue(self, certificate, key, extensions):
        request, extra = f"{certificate}.csr", written(self.folder, "extensions", extensions)
        self._key(key)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={Path(certificate).stem}", "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days", DAYS,
                "-extfile", extra, "-out", certificate)
