#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The hello and world services of the mesh exercises: one small HTTP server with a text of its own.

    helloworld.py -addr=127.0.0.1:7778 -text=world
    http_proxy=127.0.0.1:4140 helloworld.py -addr=127.0.0.1:7777 -text=Hello -target=world
    helloworld.py -protocol=grpc -addr=127.0.0.1:7777 -text=Hello -target=127.0.0.1:4240

Any path answers the text, then what the target answers, then `!`; so hello says `Hello (ip) world (ip)!!`.
samples/README.md tells the flags, the environment and the two requests that change how an instance behaves.
"""

import argparse
import http.client
import json
import os
import random
import re
import signal
import socket
import socketserver
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

TARGET_TIMEOUT_S = 30.0
MAX_BODY_LINE = 65536
UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)")


def parse_duration(text):
    """Seconds of a duration such as 300ms, 1.5s or 1m30s; ValueError if it is none."""
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return 0.0
    seconds, at = 0.0, 0
    while at < len(unsigned):
        part = DURATION_PART.match(unsigned, at)
        if part is None:
            raise ValueError(f"not a duration: {text}")
        seconds += float(part[1]) * UNITS_S[part[2]]
        at = part.end()
    if at == 0:
        raise ValueError("empty duration")
    return -seconds if text[0] == "-" else seconds


def parse_rate(text):
    """A number from 0 to 1; ValueError with the text to answer if it is none."""
    try:
        rate = float(text)
    except ValueError:
        raise ValueError("failureRate is not a valid float") from None
    if not 0.0 <= rate <= 1.0:
        raise ValueError("failureRate must be between 0.0 and 1.0")
    return rate


def split_address(text, default_port=None):
    """(host, port) of `host:port`, `:port` or, with a default port, `host`; brackets around IPv6 are taken off."""
    host, colon, port = text.rpartition(":")
    if not colon or "]" in port:
        host, port = text, default_port
    if port is None or not 0 <= int(port) <= 65535:
        raise ValueError(f"{text}: expected host:port")
    return host.strip("[]"), int(port)


class Target:
    """The service called before answering. Keeps idle connections, as many as were needed at once."""

    def __init__(self, name, proxy):
        self.name = name
        self.url = f"http://{name}" if proxy else "/"
        self.peer = split_address(urlsplit(proxy if "//" in proxy else f"//{proxy}").netloc if proxy else name, 80)
        self.idle = []
        self.lock = threading.Lock()

    def call(self, headers):
        """The text that the target answers; InvalidResponse if not with 200, OSError or HTTPException if not at all."""
        while True:
            with self.lock:
                connection = self.idle.pop() if self.idle else None
            reused = connection is not None
            if connection is None:
                connection = http.client.HTTPConnection(*self.peer, timeout=TARGET_TIMEOUT_S)
            try:
                return self._exchange(connection, headers)
            except ConnectionError:
                connection.close()
                # A kept connection may have been closed by the other end meanwhile: not an answer yet, so ask anew.
                if not reused:
                    raise
            except (OSError, ValueError, http.client.HTTPException):
                connection.close()
                raise

    def _exchange(self, connection, headers):
        connection.putrequest("GET", self.url, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", self.name)
        connection.putheader("User-Agent", "helloworld")
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        body = response.read()
        if response.will_close:
            connection.close()
        else:
            with self.lock:
                self.idle.append(connection)
        if response.status != 200:
            raise InvalidResponse(f"invalid response {response.status}")
        return body.decode("utf-8", "replace")


class InvalidResponse(Exception):
    """The target answered, but not with 200."""


class Behaviour:
    """How an instance answers; latency_s and failure_rate may be set from any thread."""

    def __init__(self, options, environment):
        self.text = environment.get("TARGET_WORLD") or options.text
        if environment.get("POD_IP"):
            self.text += f" ({environment['POD_IP']})"
        self.latency_s = options.latency
        self.failure_rate = options.failure_rate


class Service(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """The HTTP server of an instance. With gRPC it only takes the requests that change the instance."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, address, behaviour, target=None, as_json=False):
        host, port = split_address(address)
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), Requests)
        self.behaviour = behaviour
        self.target = target
        self.json = as_json

    def handle_error(self, request, client_address):
        # A client that leaves in the middle is no event here; everything else is a defect and shows itself.
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Requests(BaseHTTPRequestHandler):
    """One connection: keep-alive, each answer in one write."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer_any(self):
        if not self._drop_body():
            self.close_connection = True
            return self._answer(400, "bad request body\n")
        url = urlsplit(self.path)
        if url.path == "/setLatency":
            return self._set(url.query, "latency")
        if url.path == "/setFailureRate":
            return self._set(url.query, "failureRate")
        return self._greet()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer_any

    def _greet(self):
        service, behaviour = self.server, self.server.behaviour
        if behaviour.latency_s > 0:
            time.sleep(behaviour.latency_s)
        if random.random() < behaviour.failure_rate:
            return self._answer(500, "\n")
        text = behaviour.text
        if service.target:
            context = [(name, value) for name, value in self.headers.items() if name.lower().startswith("l5d-ctx")]
            try:
                text += " " + service.target.call(context)
            except (InvalidResponse, OSError, ValueError, http.client.HTTPException) as error:
                return self._answer(503, f"{error}\n")
        if service.json:
            return self._answer(200, json.dumps({"api_result": text}, separators=(",", ":")))
        return self._answer(200, text + "!")

    def _set(self, query, name):
        if self.command != "POST":
            return self._answer(405, "POST required\n")
        value = parse_qs(query).get(name, [""])[0]
        if not value:
            return self._answer(400, f"missing required parameter: {name}\n")
        try:
            if name == "latency":
                self.server.behaviour.latency_s = parse_duration(value)
            else:
                self.server.behaviour.failure_rate = parse_rate(value)
        except ValueError as error:
            return self._answer(400, f"{'latency is not a valid duration' if name == 'latency' else error}\n")
        return self._answer(200, "ok")

    def _answer(self, status, text):
        body = text.encode()
        self.send_response_only(status)
        self.send_header("Date", self.date_time_string())
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _drop_body(self):
        """Reads past the request's body, so that the next request on the connection is found; False if it is cut."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._drop_chunks()
        length = self.headers.get("Content-Length", "0")
        return length.isdigit() and self._drop(int(length))

    def _drop_chunks(self):
        while True:
            size = self.rfile.readline(MAX_BODY_LINE).split(b";")[0].strip()
            if not re.fullmatch(rb"[0-9A-Fa-f]+", size):
                return False
            if int(size, 16) == 0:
                break
            if not self._drop(int(size, 16)) or self.rfile.readline(MAX_BODY_LINE) != b"\r\n":
                return False
        while True:
            trailer = self.rfile.readline(MAX_BODY_LINE)
            if trailer in (b"\r\n", b"\n", b""):
                return trailer != b""

    def _drop(self, length):
        while length > 0:
            piece = self.rfile.read(min(length, MAX_BODY_LINE))
            if not piece:
                return False
            length -= len(piece)
        return True

    def log_message(self, *_):
        """Quiet: what goes on is the mesh's to tell."""


def parse_options(arguments):
    parser = argparse.ArgumentParser(description="A service for trying a mesh: answers a text.", allow_abbrev=False)
    parser.add_argument("-addr", default=":7777", help="address to serve on (port 0: any free one) [%(default)s]")
    parser.add_argument("-protocol", default="http", choices=("http", "grpc"), help="what it speaks [%(default)s]")
    parser.add_argument("-control", default="", metavar="ADDR",
                        help="with -protocol=grpc: an HTTP address for /setLatency and /setFailureRate")
    parser.add_argument("-text", default="Hello", help="text to answer; TARGET_WORLD wins [%(default)s]")
    parser.add_argument("-target", default="", help="service to call before answering, through http_proxy if set")
    parser.add_argument("-latency", type=parse_duration, default=0.0, help="wait this long first, such as 300ms")
    parser.add_argument("-failure-rate", type=parse_rate, default=0.0, help="share of answers that are 500, 0 to 1")
    parser.add_argument("-json", action="store_true", help='answer {"api_result": text}')
    options = parser.parse_args(arguments)
    if options.protocol == "http" and options.control:
        parser.error("-control goes with -protocol=grpc: over HTTP an instance takes these requests at its own address")
    if options.protocol == "grpc" and options.json:
        parser.error("-json goes with -protocol=http")
    return options


def tell(behaviour, host, port):
    print(f"helloworld: {behaviour.text} on {f'[{host}]' if ':' in host else host}:{port}", flush=True)


def serve_http(options, behaviour):
    target = Target(options.target, os.environ.get("http_proxy", "")) if options.target else None
    service = Service(options.addr, behaviour, target, options.json)
    tell(behaviour, *service.server_address[:2])
    service.serve_forever()


def serve_grpc(options, behaviour):
    try:
        import helloworld_grpc
    except ImportError:
        sys.exit("helloworld: -protocol=grpc needs grpcio (Debian: apt-get install python3-grpcio)")
    control = Service(options.control, behaviour) if options.control else None
    host, port = split_address(options.addr)
    at = f"[{host or '::'}]" if ":" in host or not host else host
    server, port = helloworld_grpc.serve(f"{at}:{port}", behaviour, options.target)
    tell(behaviour, host, port)
    if control:
        control.serve_forever()
    server.wait_for_termination()


def main():
    # Ended at once by either: there is nothing here to keep.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    options = parse_options(sys.argv[1:])
    behaviour = Behaviour(options, os.environ)
    try:
        {"http": serve_http, "grpc": serve_grpc}[options.protocol](options, behaviour)
    except OSError as error:
        sys.exit(f"helloworld: cannot serve on {options.addr}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"helloworld: {error}")


if __name__ == "__main__":
    main()
