# SPDX-License-Identifier: Apache-2.0
"""What the gRPC exercise sends: calls by grpcio, all of a node's over one kept connection."""

import sys

import grpc

from demo_mesh import GRPC_ROUTERS, HELLOWORLD, NODES
from traffic import TIMEOUT_S, Answer

sys.path.insert(0, str(HELLOWORLD.parent))

import helloworld_grpc as helloworld  # noqa: E402: only from its folder

OK = 200     # as Answer.status: traffic.py's words for what went well
TO_EARTH = (("l5d-dtab", "/grpc/World => /srv/world-v2;"),)


def failed(error):
    return Answer(0, f"{error.code().name}: {error.details()}")


class GrpcClients:
    """A channel to each node's outgoing router: one connection, however many calls."""

    def __init__(self):
        self.channels = {node: grpc.insecure_channel(f"{node}:{GRPC_ROUTERS['outgoing']}") for node in NODES}

    def _method(self, node, service, streaming):
        channel = self.channels[node]
        path = f"/{helloworld.PACKAGE}.{service}/{'Stream' if streaming else ''}Greeting"
        return (channel.unary_stream if streaming else channel.unary_unary)(path, helloworld.write_request, helloworld.read_response)

    def send(self, count, services=("Hello",), metadata=()):
        """Makes count calls of each service at once, spread evenly over the nodes; returns all answers."""
        calls = [self._method(NODES[turn % len(NODES)], service, False).future(None, timeout=TIMEOUT_S, metadata=metadata)
                 for turn in range(count) for service in services]
        return [self._answer(call) for call in calls]

    @staticmethod
    def _answer(call):
        try:
            return Answer(OK, call.result())
        except grpc.RpcError as error:
            return failed(error)

    def one(self, node, service="Hello", metadata=()):
        return self._answer(self._method(node, service, False).future(None, timeout=TIMEOUT_S, metadata=metadata))

    def stream(self, node, service="Hello", metadata=()):
        """All messages of one StreamGreeting, as answers; the last tells the failure if there is one."""
        answers = []
        try:
            for text in self._method(node, service, True)(None, timeout=TIMEOUT_S, metadata=metadata):
                answers.append(Answer(OK, text))
        except grpc.RpcError as error:
            answers.append(failed(error))
        return answers

    def end(self):
        for channel in self.channels.values():
            channel.close()
