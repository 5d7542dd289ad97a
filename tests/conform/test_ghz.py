# SPDX-License-Identifier: Apache-2.0
"""ghz: load on a gRPC service through one weft and through two with mutual TLS between. Not one call may fail."""

import json

import pytest

from judges import ROOT, Judged, Server, judge, run
from mesh import wait_until
from test_grpc_interop import answers, free_port

CALLS = {
    "UnaryCall": (20000, {"response_size": 1024, "payload": {"body": "eA=="}}),
    "StreamingOutputCall": (2000, {"response_parameters": [{"size": 100}] * 20}),
}


@pytest.fixture(scope="module", name="entry", params=[1, 2], ids=["one proxy", "two proxies"])
def make_entry(request, tmp_path_factory):
    port, folder = free_port(), tmp_path_factory.mktemp("ghz")
    with Judged(folder) as judged:
        judged.keep(Server(folder, judge("interop-server"), "--port", port))
        wait_until(lambda: answers(port), "the interop server")
        yield "%s:%d" % judged.chain(("127.0.0.1", port), request.param)


@pytest.mark.full
@pytest.mark.parametrize("call", CALLS)
def test_load(entry, call):
    count, message = CALLS[call]
    done = run(judge("ghz"), "--insecure", "--proto", ROOT / "tests" / "conform" / "testing.proto", "--call", f"grpc.testing.TestService/{call}",
               "--data", json.dumps(message), "--total", count, "--concurrency", 50, "--connections", 5, "--timeout", "20s", "--format", "json",
               entry)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["count"] == count
    assert told["statusCodeDistribution"] == {"OK": count}
    assert not told.get("errorDistribution")
