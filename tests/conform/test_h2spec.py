# SPDX-License-Identifier: Apache-2.0
"""h2spec on weft's downstream side: each of its cases is a test, with --strict, in cleartext and over TLS.

Its own numbering is kept: `http2/6.9.1/2` is the second case about section 6.9.1 of RFC 9113 (it says 7540).
"""

import re

import pytest

from judges import JUDGES, Judged, judge, missing, run
from http2 import Http2Origin  # noqa: E402: judges.py has made its folder known

SECONDS = 5           # that h2spec waits for what must come
GROUPS = {"Generic tests for HTTP/2 server": "generic", "Hypertext Transfer Protocol Version 2 (HTTP/2)": "http2",
          "HPACK: Header Compression for HTTP/2": "hpack"}


def cases():
    """h2spec's own list, as it prints it: groups, sections by number, and under each its cases counted from 1."""
    found, group, section = [], None, None
    for line in run(JUDGES / "h2spec", "--strict", "--dryrun", "--port", 1).stdout.splitlines():
        line = re.sub(r"\x1b\[[0-9;]*m", "", line).strip()
        if line in GROUPS:
            group = GROUPS[line]
        elif match := re.match(r"([\d.]+)\. \S", line):
            section = match[1]
        elif match := re.match(r"(\d+): \S", line):
            found.append(f"{group}/{section}/{match[1]}")
    return found


CASES = [] if missing("h2spec") else cases()


@pytest.fixture(scope="module", name="ports", params=["cleartext", pytest.param("tls", marks=pytest.mark.full)])
def make_ports(request, tmp_path_factory):
    with Judged(tmp_path_factory.mktemp("h2spec")) as judged:
        origin = judged.keep(Http2Origin(body=b"x" * 64))
        tls = request.param == "tls"
        yield judged.chain(origin.address, tls=tls)[1], ["--tls", "--insecure"] if tls else []


def test_there_are_cases():
    judge("h2spec")
    assert len(CASES) > 140


@pytest.mark.parametrize("case", CASES)
def test_case(ports, case):
    port, flags = ports
    done = run(judge("h2spec"), "--strict", "--timeout", SECONDS, "--port", port, *flags, case)
    assert re.search(r"^1 tests, 1 passed, 0 skipped, 0 failed$", done.stdout, re.M), done.stdout + done.stderr
