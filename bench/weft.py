# SPDX-License-Identifier: Apache-2.0
"""weft as it is measured: the outgoing router of the exercise (./dev demo), everything on, with its discovery folder naming
the origin; and its own counters."""
import http.client
import json
import os

from measure import Failure
from process import TOP, Process, free_port, written

DTAB = "/srv => /#/io.l5d.fs; /host => /srv; /svc => /host; /host/world => /srv/world-v1;"
GRPC_DTAB = "/srv => /#/io.l5d.fs; /grpc => /srv; /svc => /$/io.buoyant.http.domainToPathPfx/grpc;"


def router(setting, port):
    case, pki = setting.case, setting.pki
    server = {"ip": "127.0.0.1", "port": port}
    if case.downstream == "https":
        server["tls"] = {"certPath": pki.server, "keyPath": pki.server_key, "protocols": ["TLSv1.3"]}
        if case.client_certificates:
            server["tls"] |= {"caCertPath": pki.ca, "requireClientAuth": True}
    made = {
        "protocol": "h2" if case.downstream == "h2c" else "http",
        "label": "outgoing",
        "servers": [server],
        "dtab": GRPC_DTAB if case.grpc else DTAB,
        "interpreter": {"kind": "default", "transformers": [{"kind": "io.l5d.port", "port": setting.origin}]},
        "service": {"responseClassifier": {"kind": f"io.l5d.{'h2' if case.downstream == 'h2c' else 'http'}.retryableRead5XX"}},
        "client": {
            "loadBalancer": {"kind": "ewma"},
            "failureAccrual": {"kind": "io.l5d.consecutiveFailures", "failures": 5, "backoff": {"kind": "constant", "ms": 1000}},
        },
    }
    if case.downstream == "h2c" and case.upstream == "http":
        made["client"]["protocol"] = "http"
    if case.grpc:
        made["identifier"] = {"kind": "io.l5d.header.path", "segments": 1}
        made["service"]["responseClassifier"]["kind"] = "io.l5d.h2.grpc.default"
    return made


class Weft(Process):
    """weft, which can say how many requests it has carried."""

    def __init__(self, name, command, port, admin, core, folder):
        super().__init__(name, command, port, core, folder)
        self.admin = admin

    def counters(self):
        """Requests as its server counted them, and as its clients did."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=5)
        try:
            connection.request("GET", "/admin/metrics.json", headers={"Host": "localhost"})
            answer = connection.getresponse()
            status, body = answer.status, answer.read()
        finally:
            connection.close()
        if status != 200:
            raise Failure(f"weft's /admin/metrics.json answers {status}")
        metrics = json.loads(body)

        def total(scope):
            return sum(value for key, value in metrics.items() if key.startswith(f"rt/outgoing/{scope}/")
                       and key.endswith("/requests") and "/service/" not in key.removeprefix("rt/outgoing/") and "/caller/" not in key)

        return total("server"), total("client")


TELEMETRY = ({"kind": "io.l5d.prometheus"}, {"kind": "io.l5d.recentRequests", "sampleRate": 0.25})


def start_weft(setting, telemetry=TELEMETRY, name="weft", **keys):
    """`keys`: more of the router's."""
    binary = TOP / "build" / "weft"
    if not os.access(binary, os.X_OK):
        raise Failure("build/weft is not built")
    port, admin = free_port(), free_port()
    # The exercise's domainToPathPfx turns bench.Echo into /grpc/Echo/bench: the file is Echo, `bench` is left over.
    written(setting.folder, f"disco/{'Echo' if setting.case.grpc else setting.case.host}", f"127.0.0.1 {setting.origin}\n")
    config = {
        "admin": {"ip": "127.0.0.1", "port": admin},
        "usage": {"enabled": False},
        "namers": [{"kind": "io.l5d.fs", "rootDir": f"{setting.folder}/disco"}],
        "telemetry": list(telemetry),
        "routers": [{**router(setting, port), **keys}],
    }
    file = written(setting.folder, f"{name}.json", json.dumps(config, indent=1))
    return Weft(name, [str(binary), "proxy", "--threads", "1", file], port, admin, setting.core, setting.folder)
