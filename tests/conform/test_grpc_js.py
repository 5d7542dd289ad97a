# SPDX-License-Identifier: Apache-2.0
"""@grpc/grpc-js as a caller (tests/node/grpc-js/client.js), to the same server as test_grpcio.py."""

import json
import shutil

import pytest

from grpc_origin import DETAILS, GrpcOrigin
from judges import Judged, judge, run

CANCELLED, DEADLINE_EXCEEDED = 1, 4


@pytest.fixture(scope="module", name="setting", params=[(1, False), (1, True), (2, False)], ids=["one proxy", "one proxy, TLS", "two proxies"])
def make_setting(request, tmp_path_factory):
    """(origin, call): call(name) is what client.js tells of it."""
    proxies, tls = request.param
    folder = judge("node/grpc-js")
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    with Judged(tmp_path_factory.mktemp("grpc-js")) as judged:
        origin = judged.keep(GrpcOrigin())
        address = "%s:%d" % judged.chain(origin.address, proxies, tls)

        def call(name):
            done = run(node, folder / "client.js", address, name, *([judged.authority.bundle] if tls else []))
            assert done.returncode == 0, done.stderr[-2000:]
            return json.loads(done.stdout)

        yield origin, call


@pytest.mark.parametrize("name, messages", [
    ("echo", ["hello"]), ("empty", [""]), ("large", ["x" * (1 << 20)]), ("count", ["0", "1", "2", "3", "4"]), ("collect", ["abc"]),
    ("chat", ["zero", "one", "two", "three"]),
])
def test_messages(setting, name, messages):
    _, call = setting
    told = call(name)
    assert (told["code"], told["messages"]) == (0, messages)


def test_metadata(setting):
    _, call = setting
    told = call("echo")
    assert told["head"]["x-echo"] == "a value"
    assert told["trailers"]["x-echo-bin"]["data"] == [0, 1, 254, 255]


def test_status_and_details(setting):
    _, call = setting
    told = call("fail")
    assert (told["code"], told["details"], told["messages"]) == (9, DETAILS, [])


def test_unknown_method(setting):
    _, call = setting
    assert call("unimplemented")["code"] == 12


@pytest.mark.parametrize("name, code", [("deadline", DEADLINE_EXCEEDED), ("cancel", CANCELLED)])
def test_calls_that_end_early_end_at_the_server(setting, name, code):
    origin, call = setting
    assert call(name)["code"] == code
    assert origin.cancelled(f"js {name}".encode())
    origin.ended.clear()
