#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the Linkerd exercise on this machine: three nodes of a mesh, real services, real requests.

Started by `./dev demo [--check]`, which builds first. Without --check it shows the exercise and keeps a little traffic
going until Ctrl-C; with --check it verifies every answer, prints a line a check and exits 0 or 1.
"""

import argparse
import signal
import sys

import check
import tour
from demo_mesh import Mesh, MeshError
from report import Report
from traffic import CurlError


class Ended(BaseException):
    """A signal asked for the end."""


def end_on_signals():
    def raise_ended(number, _):
        # The way out is taken once: what follows must not be cut short.
        for other in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)
        raise Ended(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, raise_ended)


def run_check(weft):
    report = Report()
    try:
        with Mesh(weft) as mesh:
            check.run(mesh, report)
    except MeshError as error:
        report.add("the mesh", False, "three nodes and their services, running to the end", str(error))
    return 0 if report.close() else 1


def run_tour(weft):
    try:
        with Mesh(weft) as mesh:
            tour.run(mesh)
    except (MeshError, CurlError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weft", required=True, metavar="PATH", help="the weft binary")
    parser.add_argument("--check", action="store_true", help="verify every answer; exit code 0 if all is well, else 1")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    end_on_signals()
    try:
        return run_check(options.weft) if options.check else run_tour(options.weft)
    except Ended as ended:
        if options.check:
            print("interrupted: not all was checked", file=sys.stderr)
            return 128 + ended.args[0]
        print("\nended: nothing is left running and no file is left behind")
        return 0


if __name__ == "__main__":
    sys.exit(main())
