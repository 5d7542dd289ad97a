# SPDX-License-Identifier: Apache-2.0
"""What spans and metrics are sent to: an OTLP receiver that reads with OpenTelemetry's own protobufs, and a real Zipkin server.

    collector = Otlp()          # collector.url; ends with collector.close()
    collector.status = 500      # what it answers from now on
    collector.connections       # how many it has taken
    collector.close_each = True # after each answer, without having said so
    collector.hold()            # it takes connections and answers nothing until release()
    collector.spans             # all that came: Span
    collector.metrics()         # {name: Metric of the newest report}

    zipkin = Zipkin()           # starts a JVM; None in Zipkin.lacks() says that it can
    zipkin.trace(trace_id)      # [Span], as its API tells them
"""

import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mesh import PATIENCE, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZIPKIN_JAR = ROOT / "build-judges" / "zipkin-server-exec.jar"
ZIPKIN_START_S = 180


@dataclass
class Span:
    trace: str
    id: str
    parent: str        # "" for a root
    name: str
    kind: str          # SERVER, CLIENT
    service: str
    began: float       # µs since 1970
    lasted: float      # µs
    failed: bool
    attributes: dict = field(default_factory=dict)


def value_of(value):
    return getattr(value, value.WhichOneof("value"))


def attributes_of(pairs):
    found = {pair.key: value_of(pair.value) for pair in pairs}
    assert len(found) == len(pairs), "an attribute is there twice"
    return found


def otlp_spans(body):
    spans = []
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        service = attributes_of(resource.resource.attributes)["service.name"]
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and any(span.trace_id) and len(span.span_id) == 8 and len(span.parent_span_id) in (0, 8)
                spans.append(Span(
                    trace=span.trace_id.hex(), id=span.span_id.hex(), parent=span.parent_span_id.hex(), name=span.name,
                    kind={2: "SERVER", 3: "CLIENT"}[span.kind], service=service, began=span.start_time_unix_nano / 1000,
                    lasted=(span.end_time_unix_nano - span.start_time_unix_nano) / 1000, failed=span.status.code == 2,
                    attributes=attributes_of(span.attributes)))
    return spans


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    connections = 0

    def process_request(self, request, client_address):
        self.connections += 1
        super().process_request(request, client_address)


class Collector:
    """An HTTP server that keeps what is posted to it, by path."""

    def __init__(self, tls=None):
        self.status, self.close_each = 200, False
        self.posts = []             # (path, headers, body), also of those that were refused
        self.complaints = []
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.open.wait(PATIENCE)
                try:
                    with outer.lock:
                        outer.posts.append((self.path, dict(self.headers), body))
                        if outer.status == 200:
                            outer.take(self.path, body)
                except (AssertionError, DecodeError, KeyError, ValueError) as error:
                    outer.complaints.append(repr(error))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()
                self.close_connection = outer.close_each

            def log_message(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"

    @property
    def connections(self):
        return self.server.connections

    def take(self, path, body):
        raise NotImplementedError

    def hold(self):
        self.open.clear()

    def release(self):
        self.open.set()

    def close(self):
        self.release()
        self.server.shutdown()
        self.server.server_close()
        assert not self.complaints, self.complaints


class Otlp(Collector):
    """`tls`: an ssl.SSLContext; it is then spoken to over https."""

    def __init__(self, tls=None):
        super().__init__(tls)
        self.spans, self.reports = [], []

    def take(self, path, body):
        if path == "/v1/traces":
            self.spans += otlp_spans(body)
        else:
            assert path == "/v1/metrics", path
            self.reports.append(ExportMetricsServiceRequest.FromString(body))

    def metrics(self):
        """The newest report, by the metrics' names."""
        with self.lock:
            report = self.reports[-1]
        found = {}
        for resource in report.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    assert metric.name not in found, f"{metric.name} is there twice"
                    found[metric.name] = metric
        return found


class ZipkinJson(Collector):
    """For what is only to be looked at as it was sent."""

    def __init__(self):
        super().__init__()
        self.spans = []

    def take(self, path, body):
        assert path == "/api/v2/spans", path
        self.spans += json.loads(body)


class Zipkin:
    """A Zipkin server on loopback, its storage in memory."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.log = folder / "zipkin.txt"
        command = ["java", "-Xmx192m", "-XX:TieredStopAtLevel=1", "-jar", str(ZIPKIN_JAR), f"--armeria.ports[0].port={self.port}",
                   "--armeria.ports[0].address=127.0.0.1", "--armeria.ports[0].protocols[0]=http"]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, "STORAGE_TYPE": "mem", "SELF_TRACING_ENABLED": "false"})
        try:
            wait_until(self._is_up, "Zipkin", ZIPKIN_START_S)
        except AssertionError as error:
            self.close()
            raise AssertionError(self.log.read_text(errors="replace")[-4000:]) from error

    @staticmethod
    def lacks():
        """What keeps it from being run here; None if nothing does."""
        if not shutil.which("java"):
            return "no Java"
        return None if ZIPKIN_JAR.exists() else f"no {ZIPKIN_JAR.name}: Maven is not there to fetch it"

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _is_up(self):
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-4000:]
        try:
            return self.ask("/health").get("status") == "UP"
        except (OSError, ValueError):
            return False

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.address}{path}", timeout=PATIENCE) as answer:
            return json.load(answer)

    def trace(self, trace):
        try:
            spans = self.ask(f"/api/v2/trace/{trace}")
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return []
            raise
        return [Span(trace=span["traceId"], id=span["id"], parent=span.get("parentId", ""), name=span["name"], kind=span["kind"],
                     service=span["localEndpoint"]["serviceName"], began=span["timestamp"], lasted=span["duration"],
                     failed="error" in span["tags"], attributes=span["tags"]) for span in spans]

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
