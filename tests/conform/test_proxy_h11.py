# SPDX-License-Identifier: Apache-2.0
"""h11 as a second opinion on the whole proxy: generated messages, half of them damaged, through a running weft.

What reaches the other side must be what h11 understands of what was sent, message for message, and nothing else: a message
that the two understand differently is one that could be smuggled past somebody. Which messages are refused is judged in
test_h11.py, on the codec alone.
"""

import pathlib
import random
import re
import sys

import pytest

sys.path[:0] = [str(pathlib.Path(__file__).parent), str(pathlib.Path(__file__).parents[1] / "scenario")]

from client import BadMessage, CutShort  # noqa: E402
from mesh import Mesh  # noqa: E402
from test_h11 import LOOSER, generated, generated_request, generated_response, split_target, theirs_of_requests, theirs_of_response  # noqa: E402

COUNT = 1500
HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"proxy-authorization",
              b"proxy-authenticate"}
WRITTEN = HOP_BY_HOP | {b"host", b"via", b"content-length"}


def kept(fields, options=()):
    """Those that a proxy must leave as they are: not framing, not named in Connection, none of weft's own."""
    return [(bytes(name).lower(), bytes(value)) for name, value in fields
            if bytes(name).lower() not in WRITTEN and bytes(name).lower() not in options and not bytes(name).lower().startswith(b"l5d-")]


def options_of(fields):
    return {option.strip().lower() for name, value in fields if bytes(name).lower() == b"connection" for option in bytes(value).split(b",")}


@pytest.fixture(name="mesh")
def make_mesh(tmp_path):
    mesh = Mesh(tmp_path)
    try:
        yield mesh
        mesh.close()
    finally:
        mesh.stop()


def compare_request(got, sent):
    _, authority, target = split_target(sent["second"], sent["first"])
    assert got.method == sent["first"]
    assert got.target == target
    if authority is not None:
        assert got.header("host").encode() == authority
    assert kept(got.head.headers) == kept(sent["fields"], options_of(sent["fields"]))
    assert got.body == sent["data"]
    assert sent["ended"]


@pytest.mark.parametrize("seed", range(2))
def test_requests(mesh, seed):
    rng, forwarded, refused = random.Random(f"proxy {seed}"), 0, 0
    origin = mesh.origin(body=b"ok")
    mesh.service("web", origin)
    weft = mesh.weft(dtab="/svc/* => /#/io.l5d.fs/web")
    for number in range(COUNT):
        message = generated(rng, generated_request)
        before = len(origin.requests)
        with mesh.client(weft) as client:
            client.send(message)
            client.half_close()
            answer = client.rest()
        mesh.clients.pop()
        got, (sent, _) = origin.requests[before:], theirs_of_requests(message)
        try:
            assert answer or not got
            if any(re.search(pattern, message) for pattern in LOOSER):
                continue
            # Some are answered by weft itself: CONNECT, those without a name. The others come in their order.
            sent = [one for one in sent if one["ended"]]
            assert len(got) <= len(sent)
            for one in got:
                while sent and (sent[0]["first"] == b"CONNECT" or one.method != sent[0]["first"] or one.body != sent[0]["data"]):
                    sent.pop(0)
                assert sent, f"{one!r} was never sent"
                compare_request(one, sent.pop(0))
        except AssertionError as failure:
            raise AssertionError(f"seed {seed}, number {number}: {message!r}\n{failure}") from None
        forwarded += len(got)
        refused += b"HTTP/1.1 4" in answer or b"HTTP/1.1 5" in answer
    assert not origin.complaints
    assert forwarded > COUNT / 10 and refused > COUNT / 10


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_responses(mesh, method):
    rng, forwarded, refused, answers = random.Random(f"proxy {method}"), 0, 0, []

    def connected(peer):
        peer.read()
        peer.send(answers[-1])

    mesh.service("web", mesh.origin(connected=connected))
    weft = mesh.weft(client={"failureAccrual": {"kind": "none"}})
    for number in range(COUNT):
        answers.append(generated(rng, generated_response))
        sent, they_refused = theirs_of_response(answers[-1], method)
        final = sent[-1] if sent and int(sent[-1]["first"]) >= 200 else None
        with mesh.client(weft) as client:
            client.send_request(method, host="web", headers={"Connection": "close"})
            try:
                got = client.response(method)
            except CutShort:
                got = None
            except BadMessage as error:
                raise AssertionError(f"number {number}: {answers[-1]!r}: weft sends what h11 refuses: {error}") from None
            rest = client.rest()
        mesh.clients.pop()
        try:
            assert rest == b""
            if any(re.search(pattern, answers[-1]) for pattern in LOOSER):
                continue
            if got and got.status == 502 and b"valid response" in got.body or got and got.header("l5d-err"):
                refused += 1
            elif got:
                assert final and not they_refused
                assert b"%d" % got.status == final["first"]
                assert got.reason == final["second"] or not final["second"]
                assert got.body == final["data"]
                assert kept(got.head.headers) == kept(final["fields"], options_of(final["fields"]))
                forwarded += 1
        except AssertionError as failure:
            raise AssertionError(f"number {number}: {answers[-1]!r}\n{got!r}\n{failure}") from None
    assert forwarded > COUNT / 10 and refused > COUNT / 10
