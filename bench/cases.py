# SPDX-License-Identifier: Apache-2.0
"""What is measured: how callers speak to the proxies, how those speak to the origin, and the load."""
import struct
from dataclasses import dataclass

import load

BODY = b"x" * 1024


@dataclass(frozen=True)
class Case:
    """One table of the result. `group` is what users name on the command line."""

    name: str
    group: str
    title: str
    load: object                # load(case, port, seconds, core, folder, pki) -> figures; see load.py
    connections: int
    streams: int = 1            # at once on each connection
    downstream: str = "http"    # what the proxies take: http, h2c or https
    upstream: str = "http"      # what they speak to the origin: http or h2c
    grpc: bool = False
    client_certificates: bool = False
    early: bool = False         # the origin sends its head before the request has ended
    silent: bool = False        # the origin answers nothing before it is told to, or the request has ended
    host: str = "bench"

    @property
    def scheme(self):
        return "https" if self.downstream == "https" else "http"

    @property
    def path(self):
        # The exercise names gRPC services by package and service: the dtab turns bench.Echo into /grpc/Echo/bench.
        return "/bench.Echo/Say" if self.grpc else "/"

    @property
    def message(self):
        """A gRPC request: flag, length, and bytes that nobody reads."""
        return struct.pack(">BI", 0, len(BODY)) + BODY

    @property
    def answer(self):
        return self.message if self.grpc else BODY

    def curl_flags(self, pki):
        flags = []
        if self.downstream == "h2c":
            flags = ["--http2-prior-knowledge"]
        if self.downstream == "https":
            flags = ["--http1.1", "--cacert", pki.ca, "--cert", pki.client, "--key", pki.client_key]
        if self.grpc:
            flags += ["-H", "content-type: application/grpc", "-H", "te: trailers", "--data-binary", f"@{pki.message}"]
        return flags


CASES = (
    Case("h1", "h1", "HTTP/1.1 in and out, 50 connections", load.wrk, 50),
    Case("h2-h2", "h2", "HTTP/2 in and out, 10 connections x 10 streams", load.h2load, 10, 10, "h2c", "h2c"),
    Case("h2-h1", "h2", "HTTP/2 in, HTTP/1.1 out, 10 connections x 10 streams", load.h2load, 10, 10, "h2c", "http"),
    Case("grpc", "h2", "one gRPC connection, 100 calls at once", load.h2load, 1, 100, "h2c", "h2c", grpc=True),
    Case("tls-keepalive", "tls", "HTTP/1.1 over TLS 1.3 (P-256, AES-128-GCM), 50 kept connections", load.h2load, 50, 1, "https"),
    Case("tls-handshake", "tls", "full TLS 1.3 handshakes, each with one request", load.handshakes, 1, 1, "https"),
)
