#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the Linkerd exercise on this machine: three nodes of a mesh, real services, real requests.

Started by `./dev demo [grpc] [--check]`, which builds first. With grpc the services speak gRPC and the nodes have h2 routers; with
--mtls the nodes call each other by mutual TLS; with --traces URL all spans go to a collector. Without --check it shows the exercise and keeps a little traffic
going until Ctrl-C; with --check it verifies every answer, prints a line a check and exits 0 or 1.
"""

import argparse
import signal
import sys

import check
import check_mtls
import mtls
import tour
from demo_mesh import EXERCISES, Mesh
from errors import MeshError
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


def parts_of(name):
    """(what shows an exercise, what checks it). Those for gRPC need grpcio."""
    if name == "http":
        return tour.run, check.run
    try:
        import check_grpc
        import tour_grpc
    except ImportError as error:
        raise MeshError(f"{error}: apt-get install python3-grpcio, and run it with /usr/bin/python3") from None
    return tour_grpc.run, check_grpc.run


def run_check(options):
    report, capture = Report(), None
    try:
        if options.mtls:
            mtls.enter_namespace()
            capture = mtls.Capture()

        encryption = check_mtls.Encryption(capture)
        _, run = parts_of(options.exercise)
        with Mesh(options.weft, EXERCISES[options.exercise], options.mtls, options.traces) as mesh:
            if capture:
                encryption.begin(mesh)
            run(mesh, report, (encryption.check,) if capture else ())
    except MeshError as error:
        report.add("the mesh", False, "three nodes and their services, running to the end", str(error))
    finally:
        if capture:
            capture.end()
    return 0 if report.close() else 1


def run_tour(options):
    try:
        run, _ = parts_of(options.exercise)
        with Mesh(options.weft, EXERCISES[options.exercise], options.mtls, options.traces) as mesh:
            run(mesh)
    except (MeshError, CurlError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exercise", nargs="?", default="http", choices=EXERCISES, help="what the services speak [%(default)s]")
    parser.add_argument("--weft", required=True, metavar="PATH", help="the weft binary")
    parser.add_argument("--mtls", action="store_true", help="the nodes call each other by mutual TLS; --check proves it by a packet capture")
    parser.add_argument("--traces", metavar="URL", help="an OTLP collector, such as http://127.0.0.1:4318, that gets all spans and metrics")
    parser.add_argument("--check", action="store_true", help="verify every answer; exit code 0 if all is well, else 1")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)
    end_on_signals()
    try:
        return run_check(options) if options.check else run_tour(options)
    except Ended as ended:
        if options.check:
            print("interrupted: not all was checked", file=sys.stderr)
            return 128 + ended.args[0]
        print("\nended: nothing is left running and no file is left behind")
        return 0


if __name__ == "__main__":
    sys.exit(main())
