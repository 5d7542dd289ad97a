# SPDX-License-Identifier: Apache-2.0
"""Runs in a pod: threads that GET the URLs in turn over kept connections, through the proxy that `http_proxy` names, and never try again. At :8000
it tells {"answered": N, "lost": [...]}, and after POST that of the end.

    http_proxy=node1:4140 keep_calling.py http://hello http://world
"""

import http.client
import http.server
import json
import os
import select
import sys
import threading
import time

# The pause is well below the 200 ms for which an idle connection stays open when a proxy drains: with HTTP/1.1 a request may meet its end.
THREADS, PAUSE_S, PATIENCE_S = 4, 0.05, 60
told = {"answered": 0, "lost": []}
lock, stop = threading.Lock(), threading.Event()


def call(connection, url):
    """What went wrong, or None."""
    # A connection that was closed in order while it idled isn't used again: clients see that before they send.
    if connection.sock and select.select([connection.sock], [], [], 0)[0]:
        connection.close()
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        return repr(error)
    return None if response.status == 200 else f"{response.status} {response.headers.get('l5d-err')} {body[:100]}"


def keep_calling(number):
    connection = http.client.HTTPConnection(os.environ["http_proxy"], timeout=PATIENCE_S)
    while not stop.wait(PAUSE_S):
        number += 1
        url, began = sys.argv[1 + number % (len(sys.argv) - 1)], time.time()
        wrong = call(connection, url)
        with lock:
            if wrong is None:
                told["answered"] += 1
            else:
                told["lost"].append({"url": url, "at": began, "took": time.time() - began, "what": wrong})


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with lock:
            body = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        stop.set()
        for thread in threads:
            thread.join()
        self.do_GET()

    def log_message(self, *_):
        """Quiet."""


threads = [threading.Thread(target=keep_calling, args=(number,), daemon=True) for number in range(THREADS)]
for each in threads:
    each.start()
http.server.ThreadingHTTPServer(("", 8000), Answer).serve_forever()
