# SPDX-License-Identifier: Apache-2.0
"""Certificates made with OpenSSL's command, and TLS at both ends of a test: `Client`s and `Origin`s of the other files, over Python's ssl.

    pki = Pki(folder)
    web = pki.issue("web", "DNS:web.example")           # web.cert, web.key, web.chain: paths
    client = connect(weft, pki.context(), "web.example")
    origin = TlsOrigin(pki.server_context(web))
"""

import socket
import ssl
import subprocess

from client import Client
from mesh import Weft
from origin import Origin


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=True,
                          **options).stdout.decode(errors="replace")


class Issued:
    def __init__(self, folder, name):
        self.name = name
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}.key"


class Pki:
    """A root, and what it issues; `days` may be negative."""

    def __init__(self, folder, name="root"):
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.root = Issued(folder, name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.root.key, "-out", self.root.cert,
                "-days", 30, "-subj", f"/O=weft/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, name, san, issuer=None, authority=False, days=10, fresh=None):
        issuer = issuer or self.root
        issued = Issued(self.folder, fresh or name)
        request, extensions = self.folder / "request.pem", self.folder / "extensions"
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", issued.key, "-out", request,
                "-subj", f"/O=weft/CN={name}")
        extensions.write_text(f"basicConstraints=critical,CA:{'TRUE' if authority else 'FALSE'}\n" + (f"subjectAltName={san}\n" if san else ""))
        openssl("x509", "-req", "-in", request, "-CA", issuer.cert, "-CAkey", issuer.key, "-CAcreateserial", "-days", days, "-extfile", extensions,
                "-out", issued.cert)
        return issued

    def context(self, shown=None, alpn=None, minimum=None, maximum=None):
        """A client's, which trusts this root."""
        context = ssl.create_default_context(cafile=self.root.cert)
        if shown:
            context.load_cert_chain(shown.cert, shown.key)
        if alpn:
            context.set_alpn_protocols(alpn)
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        return context

    def server_context(self, shown, clients=False):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(shown.cert, shown.key)
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.root.cert)
        return context


class TlsClient(Client):
    def __init__(self, address, context, name, session=None, **options):
        super().__init__(address, **options)
        self.socket = context.wrap_socket(self.socket, server_hostname=name, session=session)

    def receive(self):
        try:
            return super().receive()
        except ssl.SSLError:
            return b""


def connect(mesh, target, context, name, **options):
    client = TlsClient(target.address() if isinstance(target, Weft) else target, context, name, **options)
    mesh.clients.append(client)
    return client


class TlsOrigin(Origin):
    """As Origin; a connection whose handshake fails is noted in `refused`."""

    def __init__(self, context, *arguments, **options):
        self.context = context
        self.refused = []
        super().__init__(*arguments, **options)

    def _run(self, peer):
        try:
            peer.socket = self.context.wrap_socket(peer.socket, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.refused.append(error)
            peer.close()
            return
        super()._run(peer)


def free_socket(address):
    """A connection in plain text."""
    plain = socket.create_connection(address, timeout=20)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain
