# SPDX-License-Identifier: Apache-2.0
"""Resident memory: what idle connections and held streams add to it. One fresh process for each figure."""
import tempfile
import time

import held
from cases import Case
from measure import Failure
from peers import STARTERS, Setting, start_origin
from pki import Pki
from process import CannotDo

WARM_UP = 20
SETTLE_SECONDS = 0.3      # for what a proxy gives back after its last answer
CASES = (
    Case("idle-http", "memory", "idle HTTP/1.1 connections", None, 2000),
    Case("idle-tls", "memory", "idle TLS 1.3 connections with client certificates", None, 2000, 1, "https", client_certificates=True),
    Case("idle-h2", "memory", "idle HTTP/2 connections", None, 2000, 1, "h2c", "h2c"),
    Case("streams", "memory", "10,000 concurrent streams over 100 connections", None, 100, 100, "h2c", "h2c", early=True),
    Case("waiting", "memory", "the same, and no answer has begun", None, 100, 100, "h2c", "h2c", silent=True),
    Case("waiting-h1", "memory", "the same, each on an HTTP/1.1 connection upstream", None, 100, 100, "h2c", "http", silent=True),
)


def hold(case, port, pki, origin):
    if case.streams == 1:
        return held.idle(case, port, pki, case.connections)
    if not case.silent:
        return held.streaming(case, port, case.connections, case.streams)
    if case.upstream == "h2c":
        return held.waiting(case, port, case.connections, case.streams)
    return held.waiting_at(origin, case, port, case.connections, case.streams)


def sample(case, name, cores, folder):
    """A row for one peer, started anew."""
    pki = Pki(folder, case.host, case.message)
    asked = case.silent and case.upstream == "http"
    origin = held.Origin(case) if asked else start_origin(case, cores[0], folder)
    running, connections = [origin], []
    try:
        peer = STARTERS[name](Setting(case, origin.port, cores[-1], folder, pki))
        running.append(peer)
        peer.wait_ready(case, pki)
        for one in held.idle(case, peer.port, pki, WARM_UP):
            one.close()
        time.sleep(SETTLE_SECONDS)
        before = peer.resident_bytes()
        connections = hold(case, peer.port, pki, origin)
        time.sleep(SETTLE_SECONDS)
        added = peer.resident_bytes() - before
        if asked:
            origin.release()
        if case.streams > 1:
            finish(connections, case.streams, ended=asked)
    finally:
        for one in connections:
            one.close()
        for process in reversed(running):
            process.stop()
    return {"group": case.group, "case": case.name, "peer": name, "rss_mib": round(before / 2**20, 1), "connections": case.connections,
            "streams": case.connections * case.streams, "added_mib": round(added / 2**20, 2),
            "added_bytes_per_connection": round(added / case.connections),
            "added_bytes_per_stream": round(added / case.connections / case.streams)}


def finish(connections, streams, ended):
    """Every held stream is still one that ends well; ended: its request has."""
    for one in connections if not ended else ():
        one.end(streams)
    for one in connections:
        one.wait(streams, streams)


def rows(case, peers, cores, say):
    made = []
    for name in peers:
        if name not in STARTERS:
            continue
        with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
            try:
                made.append(sample(case, name, cores, folder))
            except CannotDo as reason:
                say(f"bench {case.name}: without {name}: {reason}")
            except OSError as error:
                raise Failure(f"{case.name}: {name}: {error}") from error
    best = min((row["added_mib"] for row in made if row["peer"] not in ("weft", "relay")), default=0)
    for row in made:
        if best > 0:
            row["per_best"] = round(row["added_mib"] / best, 3)
    return made


def print_table(case, made):
    print(f"{case.title}: {case.connections} connections")
    print(f"{'peer':<10}{'RSS before MiB':>16}{'added MiB':>12}{'/ best':>9}{'bytes/connection':>18}{'bytes/stream':>14}")
    for row in made:
        print(f"{row['peer']:<10}{row['rss_mib']:>16.1f}{row['added_mib']:>12.2f}{row.get('per_best', 0):>9.2f}"
              f"{row['added_bytes_per_connection']:>18}{row['added_bytes_per_stream']:>14}")
    print()
