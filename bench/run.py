#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""weft beside its peers, in one run: ./dev bench [GROUP] [--json].

Every proxy runs with one worker on one core; the origin and the load generator share another. All of them are started
first, then loaded one after the other in interleaved rounds (A B C ... A B C ...); a row holds the medians. CPU per
request is user + system time of all of a proxy's threads over the requests that the load generator got answered; the
origin's row holds the origin's own. Absolute figures drift between machines and days: compare ratios of one run.
The group memory tells what idle connections and held streams add to a proxy's resident memory; the group see what it costs weft to
be seen, beside itself with nothing on.
"""
import argparse
import json
import os
import signal
import statistics
import sys
import tempfile

import load
import memory
import see
from cases import CASES
from measure import QUIET, Failure, measure
from peers import STARTERS, Setting, start_origin
from pki import Pki
from process import CannotDo, compiled

GROUPS = (*dict.fromkeys(case.group for case in CASES), "memory", "see")
MOST_REPEATS = 3
WARM_UP_SECONDS = 1
# HAProxy costs about 1.2 times the relay; where it doesn't, the machine was too busy to tell.
COUNTS_UP_TO = 0.86
EXACT_REQUESTS = 1000
FIGURES = ("cpu_us_per_request", "requests_per_s", "p50_us", "p99_us")
NO_PEERS = ("origin", "relay", "weft")


def say(text):
    print(text, file=sys.stderr, flush=True)


def two_cores():
    """Where the load runs, and where the proxies do."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) == 1:
        say("bench: only one core: the proxies share it with the load")
    return cores[0], cores[-1]


class Run:
    """One case's processes and what was measured of them."""

    def __init__(self, case, options, folder):
        self.case, self.options, self.folder = case, options, folder
        self.load_core, self.proxy_core = two_cores()
        self.pki = Pki(folder, case.host, case.message)
        self.running = {}
        self.samples = {}
        self.sent = {}
        self.loads = {}

    def start(self):
        if self.case.load is load.handshakes:
            compiled("handshakes", self.folder, "-lssl", "-lcrypto")
        origin = self.running["origin"] = start_origin(self.case, self.load_core, self.folder)
        for name in self.options.peers:
            if name == "origin":
                continue
            try:
                peer = STARTERS[name](Setting(self.case, origin.port, self.proxy_core, self.folder, self.pki))
            except CannotDo as reason:
                say(f"bench {self.case.name}: without {name}: {reason}")
                continue
            self.running[name] = peer
            peer.wait_ready(self.case, self.pki)

    def stop(self):
        for peer in self.running.values():
            peer.stop()

    def measured(self):
        """Those that can be loaded: the origin itself only if it speaks as the proxies do."""
        direct = self.case.downstream == self.case.upstream
        return [name for name in self.options.peers if name in self.running and (name != "origin" or direct)]

    def one_load(self, name, seconds):
        got = self.case.load(self.case, self.running[name].port, seconds, self.load_core, self.folder, self.pki)
        if got["requests"] == 0:
            raise Failure(f"{name}: no request was answered")
        if got["errors"]:
            raise Failure(f"{name}: {got['errors']} of {got['requests']} requests failed")
        self.sent[name] = self.sent.get(name, 0) + got["requests"]
        self.loads[name] = self.loads.get(name, 0) + 1
        return got

    def load(self):
        for name in self.measured():
            self.one_load(name, WARM_UP_SECONDS)
            self.samples[name] = []
        for number in range(self.options.rounds):
            for name in self.measured():
                self.samples[name].append(self.sample(name, number))

    def sample(self, name, number):
        """The first quiet measurement, or the quietest of a bounded number."""
        ours = {os.getpid()} | {peer.pid for peer in self.running.values()}
        tries = []
        while len(tries) <= MOST_REPEATS and not (tries and tries[-1]["noise"] <= QUIET):
            tries.append(measure(self.running[name].pid, ours, lambda: self.one_load(name, self.options.seconds)))
        best = min(tries, key=lambda one: one["noise"])
        say(f"{self.case.name} round {number + 1} of {self.options.rounds}: {name} {best['cpu_us_per_request']:.1f} us"
            f", others used {best['noise'] * 100:.0f} % of a core" + (f", after {len(tries)} tries" if len(tries) > 1 else ""))
        return best

    def rows(self):
        rows = []
        for name in self.measured():
            row = {"group": self.case.group, "case": self.case.name, "peer": name}
            for figure in FIGURES:
                row[figure] = round(statistics.median(one[figure] for one in self.samples[name]), 2)
            row["requests_per_round"] = round(statistics.median(one["requests"] for one in self.samples[name]))
            row["rounds"] = len(self.samples[name])
            row["noisy_rounds"] = sum(one["noise"] > QUIET for one in self.samples[name])
            rows.append(row)
        costs = {row["peer"]: row["cpu_us_per_request"] for row in rows}
        best = min((cost for name, cost in costs.items() if name not in NO_PEERS), default=None)
        for row in rows:
            if row["peer"] != "origin":
                for key, other in (("per_relay", costs.get("relay")), ("per_best", best)):
                    if other:
                        row[key] = round(row["cpu_us_per_request"] / other, 3)
        return rows

    def check_counters(self):
        """weft's counters hold what was sent: the load generators leave what is in flight at their end uncounted; then an exact
        number of requests must show exactly."""
        weft = self.running.get("weft")
        if weft is None:
            return True
        server, client = weft.counters()
        least = self.sent["weft"]
        most = least + self.case.connections * self.case.streams * self.loads["weft"] + weft.probes
        fits = all(least <= counted <= most for counted in (server, client))
        load.exactly(self.case, weft.port, EXACT_REQUESTS, self.load_core, self.pki)
        server_after, client_after = weft.counters()
        exact = server_after - server == client_after - client == EXACT_REQUESTS
        say(f"weft's counters: {server} in and {client} out where the load's counts allow {least} to {most}, then "
            f"{server_after - server} in and {client_after - client} out for {EXACT_REQUESTS}: "
            + ("they agree" if fits and exact else "they DISAGREE"))
        return fits and exact


def print_table(case, rows):
    print(case.title)
    print(f"{'peer':<10}{'CPU us/request':>16}{'/ best':>9}{'/ relay':>9}{'requests/s':>13}{'p50 us':>9}{'p99 us':>9}{'noisy':>8}")
    for row in rows:
        best, relay = (f"{row[key]:.2f}" if key in row else "-" for key in ("per_best", "per_relay"))
        noisy = f"{row['noisy_rounds']}/{row['rounds']}"
        print(f"{row['peer']:<10}{row['cpu_us_per_request']:>16.1f}{best:>9}{relay:>9}{row['requests_per_s']:>13.0f}"
              f"{row['p50_us']:>9.0f}{row['p99_us']:>9.0f}{noisy:>8}")


def print_whether_it_counts(case, rows, file):
    """By the relay where it is known what HAProxy costs beside it, else by the work that others did meanwhile."""
    costs = {row["peer"]: row["cpu_us_per_request"] for row in rows}
    if case.group == "h1" and costs.get("relay") and costs.get("haproxy"):
        ratio = costs["relay"] / costs["haproxy"]
        verdict = "" if ratio <= COUNTS_UP_TO else ": this run does NOT count"
        print(f"run counts: relay ÷ HAProxy = {ratio:.2f} (at most {COUNTS_UP_TO}){verdict}\n", file=file)
    else:
        noisy, rounds = (sum(row[key] for row in rows) for key in ("noisy_rounds", "rounds"))
        verdict = "" if 4 * noisy <= rounds else ": this run does NOT count"
        print(f"run counts: {noisy} of {rounds} measurements noisy (at most a quarter){verdict}\n", file=file)


def run_case(case, options):
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        run = Run(case, options, folder)
        try:
            run.start()
            run.load()
            rows = run.rows()
            agreed = run.check_counters()
        finally:
            run.stop()
    if options.json:
        for row in rows:
            print(json.dumps(row), flush=True)
    else:
        print_table(case, rows)
    print_whether_it_counts(case, rows, sys.stderr if options.json else sys.stdout)
    return agreed


def run_memory(options):
    for case in memory.CASES:
        rows = memory.rows(case, options.peers, two_cores(), say)
        if options.json:
            for row in rows:
                print(json.dumps(row), flush=True)
        else:
            memory.print_table(case, rows)
    return True


def run_see(options):
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        rows = see.rows(options, two_cores(), folder, say)
    if options.json:
        for row in rows:
            print(json.dumps(row), flush=True)
    else:
        see.print_table(rows)
    print(see.verdict(rows), file=sys.stderr if options.json else sys.stdout)
    return True


def run_group(group, options):
    if group == "see":
        return run_see(options)
    if group == "memory":
        return run_memory(options)
    return all([run_case(case, options) for case in CASES if case.group == group])


def parse(arguments):
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    names = ["origin", *STARTERS]
    parser.add_argument("group", nargs="?", choices=GROUPS, help="what to measure (all groups)")
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
