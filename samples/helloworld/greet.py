#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls a gRPC helloworld and prints what it answers, a line a message.

    greet.py 127.0.0.1:7777
    greet.py 127.0.0.1:4240 -streaming -H 'l5d-dtab: /grpc/World => /srv/world-v2'
"""

import argparse
import sys

import grpc

import helloworld_grpc as helloworld

TIMEOUT_S = 60.0


def parse_metadata(line):
    name, colon, value = line.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"expected NAME: VALUE, got {line!r}")
    return name.strip().lower(), value.strip()


def call(address, service="Hello", streaming=False, metadata=(), timeout=TIMEOUT_S):
    """The messages of one call; grpc.RpcError if it fails."""
    with grpc.insecure_channel(address) as channel:
        path = f"/{helloworld.PACKAGE}.{service}/{'Stream' if streaming else ''}Greeting"
        kind = channel.unary_stream if streaming else channel.unary_unary
        answer = kind(path, helloworld.write_request, helloworld.read_response)(None, timeout=timeout, metadata=tuple(metadata))
        yield from answer if streaming else [answer]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("address", help="host:port of the service, or of a proxy before it")
    parser.add_argument("-service", default="Hello", choices=helloworld.SERVICES, help="which service to call [%(default)s]")
    parser.add_argument("-streaming", action="store_true", help=f"StreamGreeting, which answers with {helloworld.STREAMED} messages")
    parser.add_argument("-H", dest="metadata", action="append", default=[], type=parse_metadata, metavar="'NAME: VALUE'", help="metadata to send")
    options = parser.parse_args()
    try:
        for message in call(options.address, options.service, options.streaming, options.metadata):
            print(message, flush=True)
    except grpc.RpcError as error:
        sys.exit(f"greet: {error.code().name}: {error.details()}")


if __name__ == "__main__":
    main()
