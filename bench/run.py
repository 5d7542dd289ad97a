#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weft beside its peers, in one run: ./dev bench [GROUP] [--json].

Every proxy runs with one worker on one core; the origin and the load generator share another. All of them are started
first, then loaded one after the other in interleaved rounds (A B C ... A B C ...); a row holds the medians. CPU per
request is user + system time of all of a proxy's threads over the requests that the load generator got answered; the
origin's row holds the origin's own. Absolute figures drift between machines and days: compare ratios of one run.
"""
import argparse
import http.client
import json
import os
import signal
import statistics
import sys
import tempfile

from measure import QUIET, Failure, measure, one_load
from peers import STARTERS, start_origin

# What each group loads its proxies with.
GROUPS = {"h1": {"connections": 50}}
MOST_REPEATS = 3
WARM_UP_SECONDS = 1
# HAProxy costs about 1.2 times the relay; where it doesn't, the machine was too busy to tell.
COUNTS_UP_TO = 0.86
EXACT_REQUESTS = 1000
FIGURES = ("cpu_us_per_request", "requests_per_s", "p50_us", "p99_us")


def say(text):
    print(text, file=sys.stderr, flush=True)


class Run:
    """One group's processes and what was measured of them."""

    def __init__(self, group, options, folder):
        self.group, self.options, self.folder = group, options, folder
        self.connections = GROUPS[group]["connections"]
        cores = sorted(os.sched_getaffinity(0))
        self.load_core, self.proxy_core = cores[0], cores[-1]
        if len(cores) == 1:
            say("bench: only one core: the proxies share it with the load")
        self.running = {}
        self.samples = {}
        self.sent = {}
        self.loads = {}

    def start(self):
        origin = self.running["origin"] = start_origin(self.load_core, self.folder)
        origin.wait_ready()
        for name in self.options.peers:
            if name == "origin":
                continue
            try:
                peer = STARTERS[name](origin.port, self.proxy_core, self.folder)
            except Failure as missing:
                say(f"bench: without {name}: {missing}")
                continue
            self.running[name] = peer
            peer.wait_ready()

    def stop(self):
        for peer in self.running.values():
            peer.stop()

    def measured(self):
        return [name for name in self.options.peers if name in self.running]

    def load(self):
        for name in self.measured():
            warm_up = one_load(self.running[name].port, self.connections, WARM_UP_SECONDS, self.load_core)
            self.sent[name], self.loads[name], self.samples[name] = warm_up["requests"], 1, []
        for number in range(self.options.rounds):
            for name in self.measured():
                self.samples[name].append(self.sample(name, number))

    def sample(self, name, number):
        """The first quiet measurement, or the quietest of a bounded number."""
        ours = {os.getpid()} | {peer.pid for peer in self.running.values()}
        tries = []
        while len(tries) <= MOST_REPEATS and not (tries and tries[-1]["noise"] <= QUIET):
            peer = self.running[name]
            got = measure(peer.pid, ours, peer.port, self.connections, self.options.seconds, self.load_core)
            if got["errors"]:
                raise Failure(f"{name}: {got['errors']} of {got['requests']} requests failed")
            self.sent[name] += got["requests"]
            self.loads[name] += 1
            tries.append(got)
        best = min(tries, key=lambda one: one["noise"])
        say(f"round {number + 1} of {self.options.rounds}: {name} {best['cpu_us_per_request']:.1f} us"
            f", others used {best['noise'] * 100:.0f} % of a core" + (f", after {len(tries)} tries" if len(tries) > 1 else ""))
        return best

    def rows(self):
        rows = []
        for name in self.measured():
            row = {"group": self.group, "peer": name}
            for figure in FIGURES:
                row[figure] = round(statistics.median(one[figure] for one in self.samples[name]), 2)
            row["rounds"] = len(self.samples[name])
            row["noisy_rounds"] = sum(one["noise"] > QUIET for one in self.samples[name])
            rows.append(row)
        costs = {row["peer"]: row["cpu_us_per_request"] for row in rows}
        for row in rows:
            if "relay" in costs and row["peer"] != "origin":
                row["per_relay"] = round(row["cpu_us_per_request"] / costs["relay"], 3)
        return rows

    def check_counters(self):
        """weft's counters hold what was sent: wrk leaves at most one request a connection and load uncounted; then an
        exact number of requests must show exactly."""
        weft = self.running.get("weft")
        if weft is None:
            return True
        server, client = weft.counters()
        least = self.sent["weft"]
        most = least + self.connections * self.loads["weft"] + weft.probes
        fits = all(least <= counted <= most for counted in (server, client))
        connection = http.client.HTTPConnection("127.0.0.1", weft.port, timeout=5)
        for _ in range(EXACT_REQUESTS):
            connection.request("GET", "/", headers={"Host": "bench"})
            connection.getresponse().read()
        connection.close()
        server_after, client_after = weft.counters()
        exact = server_after - server == client_after - client == EXACT_REQUESTS
        say(f"weft's counters: {server} in and {client} out where wrk's counts allow {least} to {most}, then "
            f"{server_after - server} in and {client_after - client} out for {EXACT_REQUESTS}: "
            + ("they agree" if fits and exact else "they DISAGREE"))
        return fits and exact


def print_table(rows):
    print(f"{'peer':<10}{'CPU us/request':>16}{'/ relay':>10}{'requests/s':>13}{'p50 us':>9}{'p99 us':>9}{'noisy':>8}")
    for row in rows:
        ratio = f"{row['per_relay']:.2f}" if "per_relay" in row else "-"
        noisy = f"{row['noisy_rounds']}/{row['rounds']}"
        print(f"{row['peer']:<10}{row['cpu_us_per_request']:>16.1f}{ratio:>10}{row['requests_per_s']:>13.0f}"
              f"{row['p50_us']:>9.0f}{row['p99_us']:>9.0f}{noisy:>8}")


def print_whether_it_counts(rows, file):
    costs = {row["peer"]: row["cpu_us_per_request"] for row in rows}
    if costs.get("relay") and costs.get("haproxy"):
        ratio = costs["relay"] / costs["haproxy"]
        verdict = "" if ratio <= COUNTS_UP_TO else ": this run does NOT count"
        print(f"run counts: relay ÷ HAProxy = {ratio:.2f} (at most {COUNTS_UP_TO}){verdict}", file=file)


def run_group(group, options):
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        run = Run(group, options, folder)
        try:
            run.start()
            run.load()
            rows = run.rows()
            agreed = run.check_counters()
        finally:
            run.stop()
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table(rows)
    print_whether_it_counts(rows, sys.stderr if options.json else sys.stdout)
    return agreed


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["origin", *STARTERS]
    parser.add_argument("group", nargs="?", choices=list(GROUPS), help="what to measure (all groups)")
    parser.add_argument("--json", action="store_true", help="one JSON object a row instead of a table")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds (%(default)s)")
    parser.add_argument("--seconds", type=int, default=4, help="seconds of each load (%(default)s)")
    parser.add_argument("--peers", default=",".join(names), help="which, in which order (%(default)s)")
    options = parser.parse_args(arguments)
    options.peers = [name for name in options.peers.split(",") if name]
    unknown = [name for name in options.peers if name not in names]
    if unknown or options.rounds < 1 or options.seconds < 1:
        parser.error(f"unknown peers: {', '.join(unknown)}" if unknown else "rounds and seconds are at least 1")
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        agreed = [run_group(group, options) for group in ([options.group] if options.group else GROUPS)]
    except Failure as failure:
        say(f"bench: {failure}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if all(agreed) else 1


if __name__ == "__main__":
    sys.exit(main())
