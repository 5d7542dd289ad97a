# SPDX-License-Identifier: Apache-2.0
"""One measurement: a load of some seconds, the CPU that the measured process used for it, and how quiet it was."""
import os
import time

TICKS = os.sysconf("SC_CLK_TCK")
# Above this share of a core, other processes' work shows in the figures.
QUIET = 0.08


class Failure(Exception):
    """A peer that doesn't do what is measured; its message is for the user."""


def cpu_fields(pid):
    """user, system, and reaped children's user and system time of a process, in ticks, all threads together."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]


def cpu_seconds(pid):
    user, system, _, _ = cpu_fields(pid)
    return (user + system) / TICKS


def all_cpu(but):
    """CPU seconds of every process there is, except those in but, with what their ended children used."""
    used = {}
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in but:
            try:
                used[int(name)] = sum(cpu_fields(name)) / TICKS
            except (FileNotFoundError, ProcessLookupError):
                pass
    return used


def measure(pid, ours, load):
    """A row's figures for one load(), the CPU being that of process pid. ours: the pids of this bench."""
    others = all_cpu(ours)
    before, started = cpu_seconds(pid), time.monotonic()
    report = load()
    used, elapsed = cpu_seconds(pid) - before, time.monotonic() - started
    after = all_cpu(ours)
    noise = sum(max(after[other] - others.get(other, 0), 0) for other in after) / elapsed
    if report["requests"] == 0:
        raise Failure("no request was answered")
    return {
        "cpu_us_per_request": used * 1e6 / report["requests"],
        "requests_per_s": report["requests"] * 1e6 / report["microseconds"],
        "p50_us": report["p50_us"],
        "p99_us": report["p99_us"],
        "requests": report["requests"],
        "errors": report["errors"],
        "noise": noise,
    }
