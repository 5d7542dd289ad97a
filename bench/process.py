# SPDX-License-Identifier: Apache-2.0
"""The processes of a run: started on one core, waited for, asked how they are, ended with the run."""
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from measure import Failure

TOP = Path(__file__).resolve().parent.parent
START_DEADLINE = 15
STOP_DEADLINE = 10
CURL_SECONDS = "5"
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class CannotDo(Failure):
    """A peer that is not installed, or that doesn't do what the case asks for: the others are measured without it."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def written(folder, name, text):
    path = Path(folder) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def compiled(name, folder, *libraries):
    """bench/NAME.c, compiled into folder once."""
    binary = Path(folder) / name
    if binary.exists():
        return str(binary)
    command = [os.environ.get("CC", "cc"), "-O2", "-o", str(binary), str(TOP / "bench" / f"{name}.c"), *libraries]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise Failure(f"cannot compile {name}.c: {done.stdout[-400:]}")
    return str(binary)


def program(name, *places):
    """Where a program is: on the path, or in one of places."""
    found = shutil.which(name) or next((str(place) for place in places if os.access(place, os.X_OK)), None)
    if found is None:
        raise CannotDo(f"{name} is not installed")
    return found


class Process:
    """A program pinned to one core, listening on self.port. Ended by stop(), or with this process."""

    def __init__(self, name, command, port, core, folder):
        self.name, self.port, self.probes = name, port, 0
        self.log = Path(folder) / f"{name}.log"

        def prepare():
            os.sched_setaffinity(0, {core})
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
                                            preexec_fn=prepare)
        self.pid = self.process.pid

    def resident_bytes(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def wait_ready(self, case, pki):
        """Until it answers the case's request with the origin's body."""
        deadline = time.monotonic() + START_DEADLINE
        said = "nothing"
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended with {self.process.returncode}: {self.last_words()}")
            self.probes += 1
            said = self.ask(case, pki)
            if said is None:
                return
            time.sleep(0.05)
        raise Failure(f"{self.name} does not answer as the origin does, but: {said}; {self.last_words()}")

    def ask(self, case, pki):
        """One request by curl: None if it was answered as it should be, else what happened."""
        command = ["curl", "-s", "--noproxy", "*", "--max-time", CURL_SECONDS, "--connect-to", f"::127.0.0.1:{self.port}",
                   "-H", f"Host: {case.host}", "-w", "\n%{http_code}", *case.curl_flags(pki), f"{case.scheme}://{case.host}{case.path}"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
        body, _, status = done.stdout.rpartition(b"\n")
        if done.returncode:
            return f"curl's exit code {done.returncode}"
        if status != b"200" or body != case.answer:
            return f"{status.decode()} with {len(body)} bytes: {body[:200]!r}"
        return None

    def last_words(self):
        return self.log.read_text(errors="replace").strip()[-400:] or "it said nothing"

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
