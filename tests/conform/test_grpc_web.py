# SPDX-License-Identifier: Apache-2.0
"""grpc-web in a page (tests/node/grpc-web/client.js; jsdom keeps a browser's rules), to a grpcio server behind weft."""

import json
import shutil

import pytest

from judges import Judged, judge, run

from grpc_service import GrpcServer  # from tests/scenario, which judges.py adds

PAGE, OTHER = "http://app.example.com", "http://other.example.com"
UNKNOWN, PERMISSION_DENIED, UNAVAILABLE = 2, 7, 14


@pytest.fixture(scope="module", name="setting")
def make_setting(tmp_path_factory):
    """(server, call): call(origin, method, format, ...) is what client.js tells of it."""
    folder = judge("node/grpc-web")
    node = shutil.which("node")
    if not node:
        pytest.skip("node is not installed")
    with Judged(tmp_path_factory.mktemp("grpc-web")) as judged:
        server = judged.keep(GrpcServer("one"))
        mesh = judged.mesh
        mesh.service("test.Echo", server.address)
        weft = mesh.weft(mesh.config({
            **mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1},
                          server={"grpcWeb": True, "cors": {"allowOrigins": [PAGE], "allowHeaders": ["x-mine"]}}), "protocol": "h2"}))
        url = "http://%s:%d" % weft.address()

        def call(*words):
            done = run(node, folder / "client.js", words[0], url, *words[1:])
            assert done.returncode == 0, done.stderr[-2000:]
            return json.loads(done.stdout)

        yield server, call


@pytest.mark.parametrize("form", ["text", "binary"])
def test_calls_of_a_page_that_may(setting, form):
    _, call = setting
    told = call(PAGE, "Say", form)
    assert (told["code"], told["messages"]) == (0, ["one: hello"])


def test_a_stream(setting):
    _, call = setting
    told = call(PAGE, "Count", "text")
    assert (told["code"], told["messages"]) == (0, ["0", "1", "2"])


def test_a_status_can_be_read(setting):
    _, call = setting
    told = call(PAGE, "Fail", "text")
    assert (told["code"], told["details"]) == (PERMISSION_DENIED, "no: 50% \n ä")
    assert "grpc-status-details-bin" in told["metadata"]


def test_metadata_that_is_allowed(setting):
    server, call = setting
    assert call(PAGE, "Say", "text", "x-mine=1")["code"] == 0
    assert server.seen[-1][1]["x-mine"] == "1"


def test_what_is_not_allowed_does_not_get_through(setting):
    server, call = setting
    before = len(server.seen)
    for words in ((OTHER, "Say", "text"), (PAGE, "Say", "text", "x-other=1")):
        told = call(*words)
        assert (told["code"], told["messages"]) == (UNKNOWN, [])
    assert len(server.seen) == before, "the preflight was no call"
