# SPDX-License-Identifier: Apache-2.0
"""What it costs to be seen: weft with each way to look at its requests, with all of them and with none, in interleaved rounds.

Each variant is a process of its own on the same core, and all that it talks to runs beside the load: a Prometheus scrape each second,
a collector of traces, and a reader of the tap. The log is rolled at 10 MB, as kubelet rolls containers' by default. A variant whose feature did nothing meanwhile is a failure, not a good figure."""
import http.client
import http.server
import json
import os
import statistics
import threading
import time

import load
import weft
from cases import Case
from measure import QUIET, Failure, measure
from peers import Setting, start_origin
from pki import Pki

CASE = Case("see", "see", "all ways to see requests against none: HTTP/1.1, 50 connections", load.wrk, 50)
WANTED = 1.05
MOST_REPEATS = 3
RATE = 0.01
SCRAPE_SECONDS = 1
PATIENCE = 15
FEATURES = ("prometheus", "traces", "tap", "access_log", "recent")
VARIANTS = {"off": (), **{name: (name,) for name in FEATURES}, "all": FEATURES}
WORDS = {
    "off": "nothing",
    "prometheus": f"a scrape each {SCRAPE_SECONDS} s",
    "traces": f"{RATE:.0%} traced, to OTLP",
    "tap": f"a tap at {RATE:.0%}",
    "access_log": "each request in a log, as JSON",
    "recent": "all among the recent requests",
    "all": "all of these",
}


class Collector(http.server.ThreadingHTTPServer):
    """Takes what is posted to it."""

    daemon_threads = True

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.server.posts += 1
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.posts = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]


class Seen:
    """A weft with some of the features, and who looks at it."""

    def __init__(self, name, setting, collector):
        self.name, self.features = name, VARIANTS[name]
        self.log = os.path.join(setting.folder, f"{name}.log")
        telemetry, keys = [], {}
        if "prometheus" in self.features:
            telemetry.append({"kind": "io.l5d.prometheus"})
        if "recent" in self.features:
            telemetry.append({"kind": "io.l5d.recentRequests", "sampleRate": 1.0, "capacity": 100})
        if "traces" in self.features:
            telemetry.append({"kind": "io.weft.otlp", "url": collector.url, "sampleRate": RATE})
        if "access_log" in self.features:
            keys = {"httpAccessLog": self.log, "httpAccessLogFormat": "json", "httpAccessLogRollPolicy": "10.megabytes",
                    "httpAccessLogRotateCount": 1}
        self.weft = weft.start_weft(setting, telemetry=telemetry, name=name, **keys)
        self.scrapes = self.tapped = 0
        self.ended = threading.Event()

    def look(self):
        if "prometheus" in self.features:
            threading.Thread(target=self._scrape, daemon=True).start()
        if "tap" in self.features:
            threading.Thread(target=self._tap, daemon=True).start()

    def _connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.weft.admin, timeout=PATIENCE)

    def _scrape(self):
        connection = self._connection()
        while not self.ended.wait(SCRAPE_SECONDS):
            connection.request("GET", "/admin/metrics/prometheus", headers={"Host": "localhost"})
            answer = connection.getresponse()
            self.scrapes += answer.status == 200 and b"rt:server:requests" in answer.read()

    def _tap(self):
        connection = self._connection()
        connection.request("GET", f"/tap.json?sample={RATE}", headers={"Host": "localhost"})
        try:
            for line in connection.getresponse():
                self.tapped += b'"path"' in line
        except (OSError, http.client.HTTPException):
            if not self.ended.is_set():
                raise

    def metrics(self):
        connection = self._connection()
        connection.request("GET", "/admin/metrics.json", headers={"Host": "localhost"})
        return json.loads(connection.getresponse().read())

    def check(self, sent):
        """What each feature has done for the requests that were sent."""
        deadline = time.monotonic() + PATIENCE
        while True:
            metrics = self.metrics()
            lines, spans = metrics.get("access_log/written", 0), metrics.get("exporter/otlp/spans", 0)
            short = [what for feature, what, did in (
                ("prometheus", "was not scraped", self.scrapes > 0),
                ("traces", f"sent {spans} spans for {sent} requests", sent * RATE < spans < sent * RATE * 3),
                ("tap", f"told {self.tapped} of {sent} requests", sent * RATE / 2 < self.tapped < sent * RATE * 2),
                ("access_log", f"wrote {lines} lines for {sent} requests", lines >= sent * 0.99),
            ) if feature in self.features and not did]
            if not short:
                return
            if time.monotonic() > deadline:
                raise Failure(f"{self.name}: {short[0]}")
            time.sleep(0.2)

    def stop(self):
        self.ended.set()
        self.weft.stop()


class See:
    def __init__(self, options, cores, folder, say):
        self.options, self.folder, self.say = options, folder, say
        self.load_core, self.proxy_core = cores
        self.pki = Pki(folder, CASE.host, CASE.message)
        self.seen, self.samples, self.sent = {}, {name: [] for name in VARIANTS}, dict.fromkeys(VARIANTS, 0)
        self.origin = None

    def start(self):
        os.sched_setaffinity(0, {self.load_core})
        self.origin = start_origin(CASE, self.load_core, self.folder)
        collector = Collector()
        for name in VARIANTS:
            one = self.seen[name] = Seen(name, Setting(CASE, self.origin.port, self.proxy_core, self.folder, self.pki), collector)
            one.weft.wait_ready(CASE, self.pki)
            one.look()

    def one_load(self, name, seconds):
        got = CASE.load(CASE, self.seen[name].weft.port, seconds, self.load_core, self.folder, self.pki)
        if got["requests"] == 0 or got["errors"]:
            raise Failure(f"{name}: {got['errors']} of {got['requests']} requests failed")
        self.sent[name] += got["requests"]
        return got

    def sample(self, name, number):
        ours = {os.getpid(), self.origin.pid} | {one.weft.pid for one in self.seen.values()}
        tries = []
        while len(tries) <= MOST_REPEATS and not (tries and tries[-1]["noise"] <= QUIET):
            tries.append(measure(self.seen[name].weft.pid, ours, lambda: self.one_load(name, self.options.seconds)))
        best = min(tries, key=lambda one: one["noise"])
        self.say(f"see round {number + 1} of {self.options.rounds}: {name} {best['cpu_us_per_request']:.2f} us, others used "
                 f"{best['noise'] * 100:.0f} % of a core")
        return best

    def load(self):
        for name in VARIANTS:
            self.one_load(name, 1)
        for number in range(self.options.rounds):
            for name in VARIANTS:
                self.samples[name].append(self.sample(name, number))
        for name, one in self.seen.items():
            one.check(self.sent[name])

    def rows(self):
        """The ratio is the median of the rounds' own: both its sides were measured in the same minute."""
        rows = []
        for name in VARIANTS:
            costs = [one["cpu_us_per_request"] for one in self.samples[name]]
            off = [one["cpu_us_per_request"] for one in self.samples["off"]]
            rows.append({
                "group": "see", "case": "see", "peer": name, "what": WORDS[name],
                "cpu_us_per_request": round(statistics.median(costs), 2),
                "per_off": round(statistics.median(cost / base for cost, base in zip(costs, off)), 3),
                "requests_per_s": round(statistics.median(one["requests_per_s"] for one in self.samples[name])),
                "rounds": len(costs),
                "noisy_rounds": sum(one["noise"] > QUIET for one in self.samples[name]),
            })
        return rows

    def stop(self):
        for one in self.seen.values():
            one.stop()
        if self.origin:
            self.origin.stop()


def rows(options, cores, folder, say):
    run = See(options, cores, folder, say)
    before = os.sched_getaffinity(0)
    try:
        run.start()
        run.load()
        return run.rows()
    finally:
        run.stop()
        os.sched_setaffinity(0, before)


def print_table(made):
    print(CASE.title)
    print(f"{'seen by':<12}{'CPU us/request':>16}{'/ off':>8}{'requests/s':>13}{'noisy':>8}  what is on")
    for row in made:
        print(f"{row['peer']:<12}{row['cpu_us_per_request']:>16.2f}{row['per_off']:>8.3f}{row['requests_per_s']:>13}"
              f"{row['noisy_rounds']:>6}/{row['rounds']}  {row['what']}")


def verdict(made):
    ratio = next(row["per_off"] for row in made if row["peer"] == "all")
    noisy, rounds = (sum(row[key] for row in made) for key in ("noisy_rounds", "rounds"))
    counts = "" if 4 * noisy <= rounds else ": this run does NOT count"
    return (f"all of them cost {ratio:.3f} of none (at most {WANTED} wanted{'' if ratio <= WANTED else ': MISSED'}); "
            f"{noisy} of {rounds} measurements noisy (at most a quarter){counts}\n")
