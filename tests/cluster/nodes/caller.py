# SPDX-License-Identifier: Apache-2.0
"""Runs in a pod: calls URLs in turn at a steady rate, through the proxy that `http_proxy` names, and keeps count of every outcome.

    http_proxy=node1:4140 caller.py --rate 20 --seconds 300 http://hello http://world

Nothing is tried again here. GET at :8000 answers the counts as JSON; POST ends the calls first.
"""

import argparse
import http.client
import http.server
import itertools
import json
import os
import queue
import select
import threading
import time

KEPT = 500  # failures that are told one by one
SLOW_S = 1.0


class Counts:
    def __init__(self, node):
        self.lock = threading.Lock()
        self.node = node
        self.sent = self.answered = self.failed = 0
        self.failures, self.slow, self.seconds = [], [], {}

    def add(self, url, began, failure, kept):
        took = time.time() - began
        with self.lock:
            self.sent += 1
            if failure is None:
                self.answered += 1
                second = str(int(began + took))
                self.seconds[second] = self.seconds.get(second, 0) + 1
                if took > SLOW_S:
                    self.slow = [*self.slow[1 - KEPT:], {"at": began, "took": took, "url": url}]
                return
            self.failed += 1
            if len(self.failures) < KEPT:
                self.failures.append({"at": began, "took": took, "url": url, "node": self.node, "what": failure, "kept": kept})

    def text(self):
        with self.lock:
            return json.dumps({name: value for name, value in vars(self).items() if name != "lock"})


class Caller(threading.Thread):
    """One connection to the proxy, kept as long as it can be."""

    def __init__(self, options, work, counts):
        super().__init__(daemon=True)
        self.options, self.work, self.counts, self.connection = options, work, counts, None

    def run(self):
        while (url := self.work.get()) is not None:
            began, kept = time.time(), self.connection is not None
            self.counts.add(url, began, self.call(url), kept)

    def call(self, url):
        """What went wrong, or None."""
        if self.connection and select.select([self.connection.sock], [], [], 0)[0]:   # it was closed meanwhile: looked at first, as HTTP clients do
            self.connection.close()
            self.connection = None
        if self.connection is None:
            self.connection = http.client.HTTPConnection(os.environ["http_proxy"], timeout=self.options.patience)
            try:
                self.connection.connect()
            except OSError as error:
                self.connection = None
                return f"not connected: {error!r}"
        try:
            self.connection.request(self.options.method, url, body=b"" if self.options.method == "POST" else None)
            response = self.connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            return f"broken: {error!r}"
        if response.will_close:
            self.connection.close()
            self.connection = None
        return None if response.status == 200 else f"{response.status}: {response.headers.get('l5d-err', '')} {body[:200].decode(errors='replace')}"


def pace(options, work, over):
    """Puts the calls in at their times, also when the callers are behind; what they can't take within a second is not called."""
    begin, urls = time.monotonic(), itertools.cycle(options.urls)
    for number in range(int(options.rate * options.seconds)):
        if over.wait(max(0.0, begin + number / options.rate - time.monotonic())):
            return
        if work.qsize() < options.rate:
            work.put(next(urls))


def serve(counts, end):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = counts.text().encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self):
            end()
            self.do_GET()

        def log_message(self, *_):
            """Quiet."""

    http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=20, help="calls a second")
    parser.add_argument("--seconds", type=float, default=300, help="at most so long")
    parser.add_argument("--callers", type=int, default=16, help="calls at once, at most")
    parser.add_argument("--patience", type=float, default=30, help="seconds that an answer is waited for")
    parser.add_argument("--method", default="GET")
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args()
    counts, work, over = Counts(os.environ.get("NODE_NAME", "")), queue.Queue(), threading.Event()
    callers = [Caller(options, work, counts) for _ in range(options.callers)]
    pacer = threading.Thread(target=pace, args=(options, work, over), daemon=True)

    def end():
        over.set()
        pacer.join()
        for caller in callers:
            work.put(None)
        for caller in callers:
            caller.join()

    for thread in (*callers, pacer):
        thread.start()
    serve(counts, end)


if __name__ == "__main__":
    main()
