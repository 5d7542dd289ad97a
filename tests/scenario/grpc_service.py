# SPDX-License-Identifier: Apache-2.0
"""A gRPC service without protobuf: messages are bytes. grpcio at both ends, judging weft.

    server = GrpcServer("one")
    mesh.service("test.Echo", server)
    with channel(weft) as one:
        assert unary(one, "Say")(b"hello") == b"one: hello"
"""

import contextlib
import subprocess
import sys
import threading
from concurrent import futures

import grpc

DETAILS = "grpc-status-details-bin"


class GrpcServer:
    """Methods of test.Echo. `plan`: statuses to answer with first, for Say; None is OK."""

    def __init__(self, name, plan=(), ip="127.0.0.1", options=()):
        self.name, self.plan = name, list(plan)
        self.seen = []        # (method, metadata, seconds left) of each call
        self.canceled = threading.Event()
        self.lock = threading.Lock()
        self.server = grpc.server(futures.ThreadPoolExecutor(32), options=options)
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("test.Echo", {
            "Say": grpc.unary_unary_rpc_method_handler(self.say),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Gather": grpc.stream_unary_rpc_method_handler(self.gather),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "FailLate": grpc.unary_stream_rpc_method_handler(self.fail_late),
            "Hang": grpc.unary_unary_rpc_method_handler(self.hang),
            "Drip": grpc.unary_stream_rpc_method_handler(self.drip),
        })])
        self.address = (ip, self.server.add_insecure_port(f"{ip}:0"))
        self.server.start()

    def _note(self, method, context):
        with self.lock:
            self.seen.append((method, dict(context.invocation_metadata()), context.time_remaining()))
            return self.plan.pop(0) if method == "Say" and self.plan else None

    def say(self, request, context):
        status = self._note("Say", context)
        if status:
            context.abort(status, "as planned")
        metadata = dict(context.invocation_metadata())
        context.send_initial_metadata([("x-initial", "1"), ("x-initial-bin", b"\x00\xff\x01")])
        context.set_trailing_metadata([("x-trailing-bin", metadata.get("x-asked-bin", b"") + b"\x00\xfe")])
        return self.name.encode() + b": " + request

    def count(self, request, context):
        self._note("Count", context)
        for i in range(int(request)):
            yield b"%d" % i

    def gather(self, requests, context):
        self._note("Gather", context)
        return b"+".join(requests)

    def chat(self, requests, context):
        self._note("Chat", context)
        for request in requests:
            yield request.upper()

    def fail(self, request, context):
        self._note("Fail", context)
        context.set_trailing_metadata([(DETAILS, b"\x08\x05 details \xff")])
        context.abort(grpc.StatusCode(next(s.value for s in grpc.StatusCode if s.value[0] == int(request))), "no: 50% \n ä")

    def fail_late(self, request, context):
        self._note("FailLate", context)
        yield b"first"
        yield request
        context.abort(grpc.StatusCode.DATA_LOSS, "late")

    def hang(self, request, context):
        self._note("Hang", context)
        context.add_callback(self.canceled.set)
        self.canceled.wait(20)
        return request

    def drip(self, request, context):
        self._note("Drip", context)
        context.add_callback(self.canceled.set)
        while not self.canceled.wait(0.02):
            yield request

    def close(self):
        self.canceled.set()
        self.server.stop(0).wait()


@contextlib.contextmanager
def grpc_process(name):
    """The address of a GrpcServer in a process of its own: a caller of many calls at once in the same one would wait for its own threads."""
    with subprocess.Popen([sys.executable, __file__, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield "127.0.0.1", int(process.stdout.readline())
        finally:
            process.kill()


@contextlib.contextmanager
def channel(target, *options):
    """To a Weft's first server, or to (ip, port). Of an option that is given twice gRPC takes the first."""
    address = target if isinstance(target, tuple) else target.address()
    options = {"grpc.enable_retries": 0, "grpc.use_local_subchannel_pool": 1, **dict(options)}
    with grpc.insecure_channel(f"{address[0]}:{address[1]}", options=list(options.items())) as made:
        yield made


def unary(made, method):
    return made.unary_unary(f"/test.Echo/{method}")


def unary_stream(made, method):
    return made.unary_stream(f"/test.Echo/{method}")


if __name__ == "__main__":
    SERVER = GrpcServer(sys.argv[1])
    print(SERVER.address[1], flush=True)
    sys.stdin.read()    # until who started it closes it, or ends
    SERVER.close()
