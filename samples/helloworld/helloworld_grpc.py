# SPDX-License-Identifier: Apache-2.0
"""helloworld over gRPC: the services Hello and World of helloworld.proto, both answered by every instance.

Needs grpcio (Debian: python3-grpcio). There is no generated code: the two messages are written and read here.
"""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

PACKAGE = "helloworld"
SERVICES = ("Hello", "World")
STREAMED = 5               # greetings in the answer to StreamGreeting
TARGET_TIMEOUT_S = 30.0
WORKERS = 64
CONTEXT = "l5d-ctx"


def write_response(text):
    """SvcResponse: `message`, a string, is field 1."""
    data = text.encode()
    length, varint = len(data), bytearray()
    while length >= 128:
        varint.append(length % 128 + 128)
        length //= 128
    return b"\x0a" + bytes([*varint, length]) + data


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def read_response(data):
    """The text of a SvcResponse. Fields of others are passed over, as protobuf's rules are."""
    text, at = "", 0
    while at < len(data):
        key, at = read_varint(data, at)
        kind, size = key & 7, {1: 8, 5: 4}.get(key & 7)
        if kind == 0:
            _, at = read_varint(data, at)
            continue
        if kind == 2:
            size, at = read_varint(data, at)
        if size is None or at + size > len(data):
            raise ValueError("not a SvcResponse")
        if key == 0x0a:
            text = data[at:at + size].decode("utf-8", "replace")
        at += size
    return text


def write_request(_):
    """SvcRequest has no fields."""
    return b""


def read_request(data):
    return data


def context_of(metadata):
    """What keeps a request's routing, deadline and trace together across services."""
    return [(name, value) for name, value in metadata if name.startswith(CONTEXT)]


class Target:
    """helloworld.World at an address: in a mesh that is a proxy's."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        self.greeting = self.channel.unary_unary(f"/{PACKAGE}.World/Greeting", write_request, read_response)

    def call(self, metadata):
        return self.greeting(None, timeout=TARGET_TIMEOUT_S, metadata=metadata)


class Greeter:
    """What the methods do. `behaviour` has text, latency_s and failure_rate, which may change at any time."""

    def __init__(self, behaviour, target):
        self.behaviour = behaviour
        self.target = Target(target) if target else None

    def greet(self, context):
        if self.behaviour.latency_s > 0:
            time.sleep(self.behaviour.latency_s)
        if random.random() < self.behaviour.failure_rate:
            context.abort(grpc.StatusCode.UNKNOWN, "server error")
        text = self.behaviour.text
        if self.target:
            try:
                text += " " + self.target.call(context_of(context.invocation_metadata()))
            except grpc.RpcError as error:
                context.abort(error.code(), error.details())
        return text + "!"

    def greeting(self, _, context):
        return self.greet(context)

    def stream_greeting(self, _, context):
        for _ in range(STREAMED):
            yield self.greet(context)


def serve(address, behaviour, target):
    """(server, its port), started. OSError if the address can't be had."""
    greeter = Greeter(behaviour, target)
    methods = {
        "Greeting": grpc.unary_unary_rpc_method_handler(greeter.greeting, read_request, write_response),
        "StreamGreeting": grpc.unary_stream_rpc_method_handler(greeter.stream_greeting, read_request, write_response),
    }
    # Without SO_REUSEPORT: an address that is taken is an error, not a share of its calls.
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(tuple(grpc.method_handlers_generic_handler(f"{PACKAGE}.{name}", methods) for name in SERVICES))
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise OSError(None, "the address is in use, or is none of this machine's")
    server.start()
    return server, port
