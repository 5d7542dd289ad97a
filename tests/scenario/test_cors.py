# SPDX-License-Identifier: Apache-2.0
"""CORS at a server with gRPC-Web: what a browser asks and reads, by httpx; calls by HTTP/1.1, as browsers' fetch makes them."""

import base64
import struct

import httpx
import pytest
from grpc_service import GrpcServer

APP = "https://app.example.com"


@pytest.fixture(name="weft")
def make_weft(mesh):
    server = GrpcServer("one")
    mesh.service("test.Echo", server.address)
    yield mesh.weft(mesh.config({
        **mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1},
                      server={"grpcWeb": True, "cors": {"allowOrigins": [APP], "allowHeaders": ["x-mine"]}}), "protocol": "h2"}))
    server.close()


def url(weft, method="Say", service="test.Echo"):
    return f"http://{weft.address()[0]}:{weft.address()[1]}/{service}/{method}"


def call(weft, origin, text=False, **where):
    message = b"\0" + struct.pack(">I", 5) + b"hello"
    headers = {"Origin": origin, "Content-Type": "application/grpc-web" + ("-text" if text else ""), "X-Grpc-Web": "1"}
    return httpx.post(url(weft, **where), content=base64.b64encode(message) if text else message, headers=headers, timeout=10)


def test_a_preflight(weft):
    asked = {"Origin": APP, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-grpc-web,x-mine"}
    answer = httpx.options(url(weft), headers=asked, timeout=10)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-methods"] == "POST"
    allowed = answer.headers["access-control-allow-headers"].split(", ")
    assert set(asked["Access-Control-Request-Headers"].split(",")) <= set(allowed)
    other = httpx.options(url(weft), headers={**asked, "Origin": "https://other.example.com"}, timeout=10)
    assert "access-control-allow-origin" not in other.headers


@pytest.mark.parametrize("text", [False, True], ids=["binary", "text"])
def test_a_call(weft, text):
    answer = call(weft, APP, text)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == APP
    exposed = answer.headers["access-control-expose-headers"].split(", ")
    assert {"grpc-status", "grpc-message"} <= set(exposed)
    assert answer.headers["vary"] == "origin"
    body = answer.content
    if text:
        body = b"".join(base64.b64decode(part) for part in [body])
    assert body.startswith(b"\0" + struct.pack(">I", 10) + b"one: hello" + b"\x80")
    assert b"grpc-status: 0\r\n" in body.lower() or b"grpc-status:0\r\n" in body.lower()


def test_an_answer_of_the_proxys_own(weft):
    answer = call(weft, APP, service="test.Nowhere")
    assert (answer.status_code, answer.headers["grpc-status"]) == (200, "14")
    assert answer.headers["access-control-allow-origin"] == APP
    assert "grpc-status" in answer.headers["access-control-expose-headers"]


def test_a_call_from_elsewhere(weft):
    answer = call(weft, "https://other.example.com")
    assert answer.status_code == 200
    assert "access-control-allow-origin" not in answer.headers
