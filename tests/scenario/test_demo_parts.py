# SPDX-License-Identifier: Apache-2.0
"""tools/demo's own judgement, without a mesh: what it takes for right and wrong. The real run is its --check."""

import pathlib
import subprocess
import sys

import pytest

DEMO = pathlib.Path(__file__).resolve().parents[2] / "tools" / "demo"
sys.path.insert(0, str(DEMO))

import check  # noqa: E402: only from its folder
from metrics import parse_prometheus  # noqa: E402
from report import Report  # noqa: E402
from traffic import Answer, CurlError, run_curl  # noqa: E402


@pytest.mark.parametrize("line", [
    'rt:server:requests{rt="outgoing", server="127.0.1.1/4140"} 5',
    'rt:client:requests{rt="outgoing", client="%/io.l5d.port/4141/#/io.l5d.fs/hello"} 5',
    'rt:service:request_latency_ms{rt="outgoing", service="svc/hello", quantile="0.5"} 1.25',
    "jvm:uptime 12.0",
])
def test_documented_prometheus_lines_are_taken(line):
    name, _, value = line.rpartition(" ")
    assert parse_prometheus(line + "\n") == ({name: float(value)}, [])


@pytest.mark.parametrize("line", [
    "# TYPE rt:server:requests counter", 'rt:server:requests{rt="outgoing",server="x"} 5', "rt/server/requests 5",
    'rt:server:requests{rt="outgoing"}5', "rt:server:requests five",
])
def test_other_prometheus_lines_are_told(line):
    assert parse_prometheus(line + "\n") == ({}, [line])


@pytest.mark.parametrize("text, hello, world", [
    ("Hello (127.0.1.1) world (127.0.3.1)!!", "127.0.1.1", "127.0.3.1"),
    ("Hello (127.0.1.1) earth (127.0.2.1)!!", "127.0.1.1", "127.0.2.1"),
    ("world (127.0.2.1)!", None, "127.0.2.1"),
    ("Hello (127.0.1.1) world (127.0.3.1)!", None, None),
    ("Hello (127.0.4.1) world (127.0.3.1)!!", None, None),
    ("invalid response 500\n", None, None),
])
def test_who_answered(text, hello, world):
    answer = Answer(200, text)
    assert (answer.hello, answer.world) == (hello, world)


@pytest.mark.parametrize("text", [
    "Hello (127.0.1.1) world (127.0.3.1)!!\n", "Hello (127.0.1.1) earth (127.0.3.1)!!", "",
])
def test_wrong_greetings_do_not_pass(text, capsys):
    report = Report()
    assert report.match("greeting", check.WORLD_GREETING, text) is None
    assert not report.close()
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed, 0 skipped"


def test_nothing_checked_is_no_success(capsys):
    assert not Report().close()
    assert capsys.readouterr().out == "0 passed, 0 failed, 0 skipped\n"


def test_response_with_its_headers_is_split():
    text = "HTTP/1.1 502 Bad Gateway\r\nVia: 1.1 linkerd\r\nVIA: 1.1 linkerd\r\nl5d-err: a:b\r\n\r\nbody\r\n\r\nmore"
    headers = {"via": "1.1 linkerd, 1.1 linkerd", "l5d-err": "a:b"}
    assert check.split_response(text) == (502, headers, "body\r\n\r\nmore")


def test_curl_that_fails_is_told():
    with pytest.raises(CurlError, match="exit code"):
        run_curl("http_proxy=127.0.0.1:1 curl -s http://hello")


@pytest.mark.parametrize("flags, code", [([], 2), (["--check"], 1)])
def test_missing_binary_is_told_in_one_line(tmp_path, flags, code):
    done = subprocess.run([sys.executable, DEMO / "demo.py", "--weft", tmp_path / "weft", *flags],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert f"{tmp_path / 'weft'} is not there: build it first" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
