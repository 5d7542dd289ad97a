# SPDX-License-Identifier: Apache-2.0
"""weft check where lists are long: they come in chunks, from the beginning again once their version is forgotten. All its checks are made on a real
cluster, by tests/cluster/nodes/test_check.py."""

import http.server
import json
import subprocess
import threading
import urllib.parse

import pytest

from mesh import PATIENCE, WEFT

CHUNK = 2


def pod(name, node, app="other", port=None):
    return {"metadata": {"name": name, "namespace": "default", "labels": {"app": app}},
            "spec": {"nodeName": node, "containers": [{"ports": [{"containerPort": 80, **({"hostPort": port} if port else {})}]}]},
            "status": {"phase": "Running", "podIP": "127.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]}}


LISTS = {"/api/v1/pods": [pod(f"other-{number}", "node1") for number in range(6)] + [pod("taker", "node2", port=4140)],
         "/api/v1/nodes": [{"metadata": {"name": f"node{number}"}, "status": {"nodeInfo": {"operatingSystem": "linux"}}} for number in range(5)],
         "/api/v1/namespaces/default/pods": [pod(f"l5d-{number}", f"node{number}", "l5d") for number in range(4)]}
DAEMONSET = {"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 4, "numberReady": 4, "updatedNumberScheduled": 4}}


@pytest.fixture(name="api")
def make_api():
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def send(self, status, thing):
            body = thing if isinstance(thing, bytes) else json.dumps(thing).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):  # noqa: N802
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send(201, {"status": {"allowed": True}})

        def do_GET(self):  # noqa: N802
            url = urllib.parse.urlparse(self.path)
            query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
            if url.path in LISTS:
                self.list(url.path, query)
            elif url.path == "/version":
                self.send(200, {"gitVersion": "v1.34.0", "major": "1", "minor": "34"})
            elif url.path.endswith("/daemonsets/l5d"):
                self.send(200, DAEMONSET)
            elif url.path.endswith("/admin/ping"):
                self.send(200, b"pong")
            else:
                self.send(404, {"message": "not here"})

        def list(self, path, query):
            server.asked.append((path, query.get("limit"), query.get("continue")))
            begin, whole = int(query.get("continue", 0)), LISTS[path]
            if begin == 2 * CHUNK and server.forgets:
                server.forgets -= 1
                self.send(410, {"message": "too old"})
                return
            more = {"continue": str(begin + CHUNK)} if begin + CHUNK < len(whole) else {}
            self.send(200, {"metadata": more, "items": whole[begin:begin + CHUNK]})

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.asked, server.forgets = True, [], 0
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def check(api, *arguments):
    done = subprocess.run([WEFT, "check", "--api", f"127.0.0.1:{api.server_port}", *arguments], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stderr == ""
    return {line[6:].split()[0]: line for line in done.stdout.splitlines() if line.startswith(("ok", "warn", "FAIL"))}


def test_what_is_in_the_last_chunk_counts(api):
    lines = check(api)
    assert lines["ports"].endswith("taken: 4140 of node2 by default/taker")
    assert lines["nodes"].endswith("node4: no proxy")
    assert lines["proxies"].endswith("4 proxies answer")
    assert {limit for _, limit, _ in api.asked} == {"500"}
    assert [at for path, _, at in api.asked if path == "/api/v1/pods"] == [None, "2", "4", "6"]


def test_a_version_that_is_forgotten(api):
    api.forgets = 1
    assert check(api, "--pre")["ports"].endswith("taken: 4140 of node2 by default/taker")
    assert [at for path, _, at in api.asked if path == "/api/v1/pods"] == [None, "2", "4", None, "2", "4", "6"]
    api.forgets = 99
    assert "410: too old" in check(api, "--pre")["ports"]
