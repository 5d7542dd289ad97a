# SPDX-License-Identifier: Apache-2.0
"""Access logs: lines as Linkerd 1.x writes them, files that are rolled, opened anew, and full."""

import datetime
import os
import re
import signal

import pytest
from grpc_service import GrpcServer, channel, unary
from mesh import wait_until

LINE = re.compile(r'(?P<host>\S+) (?P<remote>\S+) - - \[(?P<date>[^\]]+) UTC\] "(?P<method>\S+) (?P<uri>\S+) (?P<version>\S+)" '
                  r'(?P<status>\d+) (?P<length>\d+|-) "(?P<referer>[^"]*)" "(?P<agent>(?:[^"\\]|\\.)*)"')


def lines_of(path, count):
    wait_until(lambda: path.exists() and path.read_text().count("\n") >= count, f"{count} lines in {path}")
    text = path.read_text()
    assert text.endswith("\n") and text.count("\n") == count, text
    return text.splitlines()


def start(mesh, path, **keys):
    mesh.service("web", mesh.origin())
    return mesh.weft(mesh.config(mesh.router(httpAccessLog=str(path), **keys)), threads=2)


def test_lines_say_what_was_asked_and_answered(mesh, tmp_path):
    path = tmp_path / "access.log"
    weft = start(mesh, path)
    client = mesh.client(weft)
    assert client.get("web", "/a?b=c", headers={"User-Agent": 'quoted "agent" \\', "Referer": "http://from/\tx"}).status == 200
    line = LINE.fullmatch(lines_of(path, 1)[0]).groupdict()
    date = datetime.datetime.strptime(line.pop("date"), "%d/%m/%Y:%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    assert abs((datetime.datetime.now(datetime.timezone.utc) - date).total_seconds()) < 30
    length = line.pop("length")
    assert length == "-" or int(length) >= 0
    assert line == {"host": "web", "remote": "127.0.0.1", "method": "GET", "uri": "/a?b=c", "version": "HTTP/1.1", "status": "200",
                    "referer": "http://from/\\x09x", "agent": 'quoted \\"agent\\" \\\\'}
    # What weft answers itself is no response of an endpoint's.
    assert client.get("nowhere").status == 502
    assert client.get("web").status == 200
    assert LINE.fullmatch(lines_of(path, 2)[1])["agent"] == "-"


def test_lines_of_grpc(mesh, tmp_path):
    server = GrpcServer("one")
    mesh.service("test.Echo", server.address)
    path = tmp_path / "grpc.log"
    weft = mesh.weft(mesh.config({**mesh.router(identifier={"kind": "io.l5d.header.path", "segments": 1}, h2AccessLog=str(path)), "protocol": "h2"}))
    with channel(weft) as made:
        assert unary(made, "Say")(b"x", timeout=10)
    line = LINE.fullmatch(lines_of(path, 1)[0])
    assert (line["method"], line["uri"], line["version"], line["status"]) == ("POST", "/test.Echo/Say", "HTTP/2", "200")
    assert "grpc-python" in line["agent"]
    server.close()


def test_nothing_is_lost_under_load_and_when_weft_ends(mesh, tmp_path):
    path = tmp_path / "access.log"
    weft = start(mesh, path)
    clients = [mesh.client(weft) for _ in range(8)]
    for _ in range(250):
        for client in clients:
            assert client.get("web").status == 200
    for client in clients:
        client.close()
    weft.finish()
    assert all(LINE.fullmatch(line) for line in lines_of(path, 2000))


def test_files_are_rolled_by_size(mesh, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "access-of-others.log").write_text("stays\n")
    weft = start(mesh, logs / "access.log", httpAccessLogRollPolicy="1.kilobyte", httpAccessLogRotateCount=2)
    client = mesh.client(weft)
    for i in range(60):
        assert client.get("web", f"/{i}").status == 200
        if i % 10 == 9:
            wait_until(lambda: weft.metric("access_log/written") == i + 1)
    wait_until(lambda: weft.metric("access_log/rolls") >= 3)
    rolled = sorted(name for name in os.listdir(logs) if re.fullmatch(r"access-[\d-]+\.log", name))
    assert len(rolled) == 2, os.listdir(logs)
    assert all((logs / name).stat().st_size <= 1024 for name in rolled)
    assert (logs / "access-of-others.log").read_text() == "stays\n"
    assert LINE.fullmatch((logs / "access.log").read_text().splitlines()[-1])["uri"] == "/59"


def test_sighup_opens_the_file_anew(mesh, tmp_path):
    path = tmp_path / "access.log"
    weft = start(mesh, path)
    client = mesh.client(weft)
    assert client.get("web", "/before").status == 200
    lines_of(path, 1)
    path.rename(tmp_path / "access.log.1")   # as logrotate does
    weft.signal(signal.SIGHUP)
    wait_until(path.exists)
    assert client.get("web", "/after").status == 200
    assert '"GET /after ' in lines_of(path, 1)[0]
    assert '"GET /before ' in lines_of(tmp_path / "access.log.1", 1)[0]


def test_a_full_disk_stops_nothing(mesh, tmp_path):
    path = tmp_path / "access.log"
    path.symlink_to("/dev/full")
    weft = start(mesh, path)
    client = mesh.client(weft)
    for _ in range(50):
        assert client.get("web").status == 200
    wait_until(lambda: weft.metric("access_log/lost") == 50)
    assert "access.log: the disk is full" in weft.stderr
    path.unlink()                            # there is room again
    def written():
        assert client.get("web").status == 200
        return weft.metric("access_log/written") > 0
    wait_until(written)
    assert "is written to again; " in weft.stderr
    assert LINE.fullmatch(path.read_text().splitlines()[0])


def test_a_log_that_cannot_be_opened_is_refused(mesh, tmp_path):
    weft = start(mesh, tmp_path / "access.log")
    client = mesh.client(weft)
    weft.write(mesh.config(mesh.router(httpAccessLog=str(tmp_path / "nowhere" / "access.log"))))
    wait_until(lambda: weft.metric("configuration/failures") == 1)
    assert "the access log of the router `out` can't be written to" in weft.stderr
    assert client.get("web").status == 200


@pytest.mark.parametrize("append", [True, False])
def test_what_is_there_stays_or_goes(mesh, tmp_path, append):
    path = tmp_path / "access.log"
    path.write_text("before\n")
    weft = start(mesh, path, httpAccessLogAppend=append)
    assert mesh.client(weft).get("web").status == 200
    assert lines_of(path, 1 + append)[0].startswith("before" if append else "web ")
