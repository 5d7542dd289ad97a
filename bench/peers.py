# SPDX-License-Identifier: Apache-2.0
"""The measured programs: each a process on the proxy's core that forwards from a port of its own to the origin."""
import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from measure import Failure

TOP = Path(__file__).resolve().parent.parent
BODY = 1024
START_DEADLINE = 15
STOP_DEADLINE = 10
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A program pinned to one core, listening on self.port. Ended by stop(), or with this process."""

    def __init__(self, name, command, port, core, folder):
        self.name, self.port, self.probes = name, port, 0
        self.log = Path(folder) / f"{name}.log"

        def prepare():
            os.sched_setaffinity(0, {core})
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                            preexec_fn=prepare)
        self.pid = self.process.pid

    def get(self, path="/", host="bench", port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def wait_ready(self):
        """Until it answers with the origin's body."""
        deadline = time.monotonic() + START_DEADLINE
        said = "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            try:
                self.probes += 1
                status, body = self.get()
                if status == 200 and body == b"x" * BODY:
                    return
                said = f"{status} with {len(body)} bytes: {body[:200]!r}"
            except (OSError, http.client.HTTPException) as error:
                said = str(error)
            time.sleep(0.05)
        raise Failure(f"{self.name} does not answer as the origin does, but: {said}; {self.last_words()}")

    def last_words(self):
        return self.log.read_text(errors="replace").strip()[-400:] or "it said nothing"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def compiled(name, folder):
    """bench/NAME.c, compiled into folder."""
    binary = Path(folder) / name
    done = subprocess.run([os.environ.get("CC", "cc"), "-O2", "-o", str(binary), str(TOP / "bench" / f"{name}.c")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Failure(f"cannot compile {name}.c: {done.stdout[-400:]}")
    return str(binary)


def program(name, *places):
    """Where a program is: on the path, or in one of places."""
    found = shutil.which(name) or next((str(place) for place in places if os.access(place, os.X_OK)), None)
    if found is None:
        raise Failure(f"{name} is not installed")
    return found


def written(folder, name, text):
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def start_origin(core, folder):
    port = free_port()
    return Process("origin", [compiled("origin", folder), str(port), str(BODY)], port, core, folder)


def start_relay(origin, core, folder):
    port = free_port()
    return Process("relay", [compiled("relay", folder), str(port), str(origin)], port, core, folder)


HAPROXY = """
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend bench
    bind 127.0.0.1:{port}
    default_backend origin
backend origin
    http-reuse always
    server origin 127.0.0.1:{origin}
"""


def start_haproxy(origin, core, folder):
    port = free_port()
    config = written(folder, "haproxy.cfg", HAPROXY.format(port=port, origin=origin))
    return Process("haproxy", [program("haproxy", "/usr/sbin/haproxy"), "-db", "-f", config], port, core, folder)


NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_timeout 60s;
    keepalive_requests 1000000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
    }}
}}
"""


def start_nginx(origin, core, folder):
    port = free_port()
    config = written(folder, "nginx.conf", NGINX.format(port=port, origin=origin))
    command = [program("nginx", "/usr/sbin/nginx"), "-p", str(folder), "-e", "stderr", "-c", config]
    return Process("nginx", command, port, core, folder)


def envoy_config(port, origin):
    def address(number):
        return {"socket_address": {"address": "127.0.0.1", "port_value": number}}

    types = "type.googleapis.com/envoy.extensions.filters"
    router = {"name": "router", "typed_config": {"@type": f"{types}.http.router.v3.Router"}}
    manager = {
        "@type": f"{types}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}]}]},
    }
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address(origin)}}]}
    return {"static_resources": {
        "listeners": [{"name": "bench", "address": address(port),
                       "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}]}],
        "clusters": [{"name": "origin", "type": "STATIC", "connect_timeout": "5s",
                      "load_assignment": {"cluster_name": "origin", "endpoints": [endpoint]}}],
    }}


def start_envoy(origin, core, folder):
    port = free_port()
    config = written(folder, "envoy.json", json.dumps(envoy_config(port, origin)))
    places = sorted((TOP / ".venv" / "bench").glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    command = [program("envoy", *places), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Process("envoy", command, port, core, folder)


# The outgoing router of the exercise (./dev demo), with its discovery folder naming the origin.
WEFT = """
admin: {{ip: 127.0.0.1, port: {admin}}}
usage: {{enabled: false}}
namers:
- kind: io.l5d.fs
  rootDir: {folder}/disco
telemetry:
- kind: io.l5d.prometheus
- kind: io.l5d.recentRequests
  sampleRate: 0.25
routers:
- protocol: http
  label: outgoing
  servers:
  - ip: 127.0.0.1
    port: {port}
  dtab: "/srv => /#/io.l5d.fs; /host => /srv; /svc => /host; /host/world => /srv/world-v1;"
  interpreter:
    kind: default
    transformers:
    - kind: io.l5d.port
      port: {origin}
  service:
    responseClassifier:
      kind: io.l5d.http.retryableRead5XX
  client:
    loadBalancer:
      kind: ewma
    failureAccrual:
      kind: io.l5d.consecutiveFailures
      failures: 5
      backoff:
        kind: constant
        ms: 1000
"""


class Weft(Process):
    """weft, which can say how many requests it has carried."""

    def __init__(self, command, port, admin, core, folder):
        super().__init__("weft", command, port, core, folder)
        self.admin = admin

    def counters(self):
        """Requests as its server counted them, and as its clients did."""
        status, body = self.get("/admin/metrics.json", host="localhost", port=self.admin)
        if status != 200:
            raise Failure(f"weft's /admin/metrics.json answers {status}")
        metrics = json.loads(body)

        def total(scope):
            return sum(value for key, value in metrics.items() if key.startswith(f"rt/outgoing/{scope}/")
                       and key.endswith("/requests") and "/service/" not in key.removeprefix("rt/outgoing/"))

        return total("server"), total("client")


def start_weft(origin, core, folder):
    binary = TOP / "build" / "weft"
    if not os.access(binary, os.X_OK):
        raise Failure("build/weft is not built")
    port, admin = free_port(), free_port()
    written(folder, "disco/bench", f"127.0.0.1 {origin}\n")
    config = written(folder, "weft.yaml", WEFT.format(port=port, admin=admin, origin=origin, folder=folder))
    return Weft([str(binary), "proxy", "--threads", "1", config], port, admin, core, folder)


STARTERS = {
    "relay": start_relay,
    "weft": start_weft,
    "haproxy": start_haproxy,
    "nginx": start_nginx,
    "envoy": start_envoy,
}
