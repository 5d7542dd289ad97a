# SPDX-License-Identifier: Apache-2.0
"""A gRPC service by grpcio whose messages are plain bytes: what the clients of test_grpcio.py and test_grpc_js.py call.

    /weft.Judge/Echo     the message back; metadata x-echo and x-echo-bin come back, in the head and in the trailers
    /weft.Judge/Count    the message is a number: so many messages
    /weft.Judge/Collect  all messages of the caller in one
    /weft.Judge/Chat     each message back at once
    /weft.Judge/Fail     the message is a status code: that, with details that need escaping
    /weft.Judge/Wait     sends its head, then nothing until the call is cancelled; cancelled(message) then
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc

DETAILS = "100 % wrong: \N{SNOWMAN}\tand a tab"
PATIENCE = 20.0
MOST_BYTES = 16 << 20
CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcOrigin:
    def __init__(self):
        self.seen, self.waiting, self.ended, self.changed = [], set(), set(), threading.Condition()
        self.server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", MOST_BYTES)])
        handlers = {
            "Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Collect": grpc.stream_unary_rpc_method_handler(self.collect),
            "Chat": grpc.stream_stream_rpc_method_handler(self.chat),
            "Fail": grpc.unary_unary_rpc_method_handler(self.fail),
            "Wait": grpc.unary_unary_rpc_method_handler(self.wait),
        }
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("weft.Judge", handlers),))
        self.address = ("127.0.0.1", self.server.add_insecure_port("127.0.0.1:0"))
        self.server.start()

    def note(self, context):
        """Keeps what came with a call: its metadata, and the seconds that it has left."""
        self.seen.append((dict(context.invocation_metadata()), context.time_remaining()))

    def echo(self, message, context):
        self.note(context)
        echoed = [(key, value) for key, value in context.invocation_metadata() if key.startswith("x-echo")]
        context.send_initial_metadata([(key, value) for key, value in echoed if not key.endswith("-bin")])
        context.set_trailing_metadata([(key, value) for key, value in echoed if key.endswith("-bin")])
        return message

    def count(self, message, context):
        self.note(context)
        for number in range(int(message)):
            yield b"%d" % number

    def collect(self, messages, context):
        self.note(context)
        return b"".join(messages)

    def chat(self, messages, context):
        self.note(context)
        yield from messages

    def fail(self, message, context):
        self.note(context)
        context.abort(CODES[int(message)], DETAILS)

    def wait(self, message, context):
        self.note(context)
        gone = threading.Event()
        context.add_callback(gone.set)
        context.send_initial_metadata(())
        self._add(self.waiting, message)
        if gone.wait(PATIENCE):
            self._add(self.ended, message)
        return b""

    def _add(self, messages, message):
        with self.changed:
            messages.add(message)
            self.changed.notify_all()

    def _has(self, messages, message):
        with self.changed:
            return self.changed.wait_for(lambda: message in messages, PATIENCE)

    def arrived(self, message):
        """Whether a call with this message is at Wait, waiting for that."""
        return self._has(self.waiting, message)

    def cancelled(self, message):
        """Whether the call that sent this message to Wait was cancelled, waiting for that."""
        return self._has(self.ended, message)

    def close(self):
        self.server.stop(None)
