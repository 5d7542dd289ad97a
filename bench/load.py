# SPDX-License-Identifier: Apache-2.0
"""The load generators. Each runs for some seconds on one core and returns what it counted:
requests, microseconds, p50_us, p99_us, errors."""
import json
import os
import re
import subprocess
from pathlib import Path

from measure import Failure

HERE = Path(__file__).resolve().parent
LATE_SECONDS = 30


def run(command, seconds, core):
    """The output of a load generator on a core."""
    load = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}))
    try:
        output, _ = load.communicate(timeout=seconds + LATE_SECONDS)
    finally:
        if load.poll() is None:
            load.kill()
            load.wait()
    return output


def report(name, output):
    for line in output.splitlines():
        if line.startswith("REPORT "):
            return json.loads(line.removeprefix("REPORT "))
    raise Failure(f"{name} failed: {output.strip()[-300:]}")


def wrk(case, port, seconds, core, _folder, _pki):
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds}s", "-H", f"Host: {case.host}", "-s", str(HERE / "report.lua"),
               f"http://127.0.0.1:{port}/"]
    return report("wrk", run(command, seconds, core))


def handshakes(case, port, seconds, core, folder, pki):
    """New connections by bench/handshakes.c, which has verified version, cipher and certificate of each."""
    program = str(Path(folder) / "handshakes")
    return report("handshakes", run([program, str(port), pki.ca, str(seconds), case.host], seconds, core))


def percentile(ordered, share):
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else 0


def h2load(case, port, seconds, core, folder, pki):
    """h2load's summary tells the counts, its log the latencies."""
    log = Path(folder) / "h2load.log"
    log.unlink(missing_ok=True)
    asked = [f"-c{case.connections}", f"-m{case.streams}", f"-D{seconds}", f"--log-file={log}"]
    succeeded, errors, output = run_h2load(case, port, asked, seconds, core, pki)
    with open(log, encoding="ascii") as lines:
        latencies = sorted(int(line.rsplit("\t", 1)[1]) for line in lines)
    took = re.search(r"^finished in ([\d.]+)(us|ms|s),", output, re.M)
    return {
        "requests": succeeded,
        "microseconds": float(took[1]) * {"us": 1, "ms": 1e3, "s": 1e6}[took[2]],
        "p50_us": percentile(latencies, 0.5),
        "p99_us": percentile(latencies, 0.99),
        "errors": errors,
    }


def exactly(case, port, requests, core, pki):
    """This many requests and none more, on one connection."""
    succeeded, errors, _ = run_h2load(case, port, [f"-n{requests}", "-c1", f"-m{case.streams}"], LATE_SECONDS, core, pki)
    if succeeded != requests or errors:
        raise Failure(f"{succeeded} of {requests} requests were answered, with {errors} errors")


def run_h2load(case, port, asked, seconds, core, pki):
    """(answered as they should be, errors, output). The bytes of all bodies must be as many as was asked for: an answer of
    status 200 may still be a failed call."""
    command = ["h2load", "-t1", *asked, "-H", f":host: {case.host}"]
    if case.downstream != "h2c":
        command += ["--h1", "--tls13-ciphers=TLS_AES_128_GCM_SHA256", "--groups=P-256"]
    if case.grpc:
        command += ["-H", "content-type: application/grpc", "-H", "te: trailers", "-d", pki.message]
    output = run([*command, f"{case.scheme}://127.0.0.1:{port}{case.path}"], seconds, core)
    counts = re.search(r"^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$", output, re.M)
    bodies = re.search(r"^traffic: .*\((\d+)\) data$", output, re.M)
    protocol = re.search(r"^TLS Protocol: (.*)$", output, re.M)
    if not counts or not bodies:
        raise Failure(f"h2load failed: {output.strip()[-300:]}")
    if case.downstream == "https" and (not protocol or protocol[1] != "TLSv1.3"):
        raise Failure(f"h2load did not get TLS 1.3 but {protocol[1] if protocol else 'nothing'}")
    done, succeeded, failed = (int(counts[group]) for group in (1, 2, 3))
    short = succeeded - int(bodies[1]) // len(case.answer)
    return succeeded, done - succeeded + failed + max(short, 0), output
