# SPDX-License-Identifier: Apache-2.0
"""grpcio as a caller, through one weft and through two with mutual TLS between, to a server by grpcio."""

import threading
import time

import grpc
import pytest

from grpc_origin import DETAILS, GrpcOrigin
from judges import Judged

SECONDS = 20
MIB = 1 << 20


@pytest.fixture(scope="module", name="setting", params=[(1, False), (1, True), (2, False)], ids=["one proxy", "one proxy, TLS", "two proxies"])
def make_setting(request, tmp_path_factory):
    """(origin, channel)"""
    proxies, tls = request.param
    with Judged(tmp_path_factory.mktemp("grpcio")) as judged:
        origin = judged.keep(GrpcOrigin())
        address = "%s:%d" % judged.chain(origin.address, proxies, tls)
        options = [("grpc.max_receive_message_length", 16 * MIB)]
        if tls:
            with open(judged.authority.bundle, "rb") as bundle:
                credentials = grpc.ssl_channel_credentials(bundle.read())
            channel = grpc.secure_channel(address, credentials, options)
        else:
            channel = grpc.insecure_channel(address, options)
        with channel:
            yield origin, channel


def unary(channel, method, message, **options):
    return channel.unary_unary(f"/weft.Judge/{method}").with_call(message, **{"timeout": SECONDS, **options})


@pytest.mark.parametrize("size", [0, 1, 100, 16383, 16384, 65535, 65536, MIB, 4 * MIB])
def test_messages_of_all_sizes(setting, size):
    _, channel = setting
    message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    answer, call = unary(channel, "Echo", message)
    assert answer == message
    assert call.code() is grpc.StatusCode.OK


def test_metadata_both_ways(setting):
    origin, channel = setting
    binary = bytes(range(256))
    _, call = unary(channel, "Echo", b"", metadata=(("x-echo", "one"), ("x-echo-bin", binary), ("x-other", "two, three")))
    assert dict(call.initial_metadata())["x-echo"] == "one"
    assert dict(call.trailing_metadata())["x-echo-bin"] == binary
    assert origin.seen[-1][0]["x-other"] == "two, three"


def test_server_streaming(setting):
    _, channel = setting
    answers = list(channel.unary_stream("/weft.Judge/Count")(b"1000", timeout=SECONDS))
    assert answers == [b"%d" % number for number in range(1000)]


def test_client_streaming(setting):
    _, channel = setting
    words = [b"%d," % number for number in range(1000)]
    assert channel.stream_unary("/weft.Judge/Collect")(iter(words), timeout=SECONDS) == b"".join(words)


def test_each_message_of_a_chat_comes_back_before_the_next_is_sent(setting):
    _, channel = setting
    came = threading.Semaphore(0)

    def words():
        for number in range(50):
            yield b"%d" % number
            assert came.acquire(timeout=SECONDS)

    answers = []
    for answer in channel.stream_stream("/weft.Judge/Chat")(words(), timeout=SECONDS):
        answers.append(answer)
        came.release()
    assert answers == [b"%d" % number for number in range(50)]


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK and code is not grpc.StatusCode.UNAVAILABLE])
def test_status_and_details(setting, code):
    _, channel = setting
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Fail", b"%d" % code.value[0])
    assert caught.value.code() is code
    assert caught.value.details() == DETAILS


def test_unknown_method(setting):
    _, channel = setting
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Nothing", b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_deadline_reaches_the_server_and_ends_the_call_there(setting):
    origin, channel = setting
    message = b"deadline %d" % time.monotonic_ns()
    with pytest.raises(grpc.RpcError) as caught:
        unary(channel, "Wait", message, timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    # gRPC rounds what is left up to a millisecond.
    assert origin.seen[-1][1] <= 0.501
    assert origin.cancelled(message)


def test_cancellation_reaches_the_server(setting):
    origin, channel = setting
    message = b"cancel %d" % time.monotonic_ns()
    call = channel.unary_unary("/weft.Judge/Wait").future(message, timeout=SECONDS)
    assert origin.arrived(message)
    call.cancel()
    assert origin.cancelled(message)


def test_many_at_once(setting):
    _, channel = setting
    echo = channel.unary_unary("/weft.Judge/Echo")
    calls = [echo.future(b"%d" % number, timeout=SECONDS) for number in range(1000)]
    assert [call.result() for call in calls] == [b"%d" % number for number in range(1000)]
