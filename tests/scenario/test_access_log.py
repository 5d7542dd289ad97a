# SPDX-License-Identifier: Apache-2.0
"""Access logs: lines as Linkerd 1.x writes them, files that are rolled, opened anew, and full."""

import datetime
import json
import os
import re
import select
import signal
import socket
import subprocess

import pytest
from grpc_service import GrpcServer, channel, unary
from mesh import PATIENCE, WEFT, wait_until

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


class Pipe:
    """What a container's standard output is: somebody reads it, in his own time."""

    def __init__(self, path):
        os.mkfifo(path)
        self.end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.end)

    def read(self, enough):
        """Until enough(what was read)."""
        while not enough(self.seen):
            assert select.select([self.end], [], [], PATIENCE)[0], "nothing more is written"
            some = os.read(self.end, 1 << 20)
            assert some, "who writes has closed it"
            self.seen += some

    def numbers(self):
        return [json.loads(line)["url.path"].split("/")[1] for line in self.seen.splitlines()]


def numbered(client, numbers):
    for number in numbers:
        assert client.get("web", f"/{number}/{'x' * 700}").status == 200


def test_a_pipe_whose_reader_is_slow(mesh, tmp_path):
    """More than it has room for waits, whole, in the rings of both workers."""
    path = tmp_path / "log.pipe"
    with Pipe(path) as pipe:
        weft = start(mesh, path, httpAccessLogFormat="json")
        for client in (mesh.client(weft) for _ in range(4)):
            numbered(client, range(100))
        assert weft.metric("access_log/written") < 400
        pipe.read(lambda seen: seen.count(b"\n") == 400)
        assert sorted(pipe.numbers()) == sorted(4 * [str(number) for number in range(100)])
        wait_until(lambda: weft.metric("access_log/written") == 400)
        assert weft.metric("access_log/lost") == weft.metric("access_log/dropped") == 0
        # What waits at the end is written, too.
        numbered(client, range(200))
        weft.signal(signal.SIGTERM)
        pipe.read(lambda seen: seen.count(b"\n") == 600)
        weft.wait_end()
        assert pipe.numbers()[400:] == [str(number) for number in range(200)]


def test_a_pipe_that_nobody_reads(mesh, tmp_path):
    """Lines are lost that find no room in a ring, and requests go on; those that are written are whole."""
    path = tmp_path / "log.pipe"
    with Pipe(path) as pipe:
        weft = start(mesh, path, httpAccessLogFormat="json")
        client = mesh.client(weft)
        numbered(client, range(1500))
        dropped = weft.metric("access_log/dropped")
        assert dropped > 0
        pipe.read(lambda seen: seen.count(b"\n") == 1500 - dropped)
        assert pipe.numbers() == [str(number) for number in range(1500 - dropped)]
        assert len(pipe.seen) > 1 << 20, "what a ring has room for waits"
        numbered(client, [1500])
        pipe.read(lambda seen: seen.count(b"\n") == 1501 - dropped)
        assert weft.metric("access_log/lost") == 0
    assert client.get("web").status == 200
    wait_until(lambda: weft.metric("access_log/lost") == 1)
    assert "log.pipe: connection reset" in weft.stderr


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


def test_what_another_process_has_rolled_is_left_alone(mesh, tmp_path):
    """After a handover two processes write to one path for a while, and each rolls it."""
    path, theirs = tmp_path / "access.log", tmp_path / "access-20261127-120000.log"
    weft = start(mesh, path, httpAccessLogRollPolicy="1.kilobyte", httpAccessLogRotateCount=0)
    client = mesh.client(weft)
    assert client.get("web", "/before").status == 200
    lines_of(path, 1)
    path.rename(theirs)
    path.write_text("another's\n")
    for i in range(16):   # more than fits
        assert client.get("web", f"/{i}").status == 200
        wait_until(lambda: weft.metric("access_log/written") == i + 2)
    assert path.read_text().startswith("another's\n") and '"GET /15 ' in path.read_text()
    assert '"GET /before ' in theirs.read_text() and weft.metric("access_log/rolls") == 0


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


def test_a_second_process_leaves_the_log_alone(mesh, tmp_path):
    """Started by mistake, it can't have the first one's ports, and must not have emptied the log by then."""
    path = tmp_path / "access.log"
    weft = start(mesh, path, httpAccessLogAppend=False)
    client = mesh.client(weft)
    assert client.get("web").status == 200
    lines_of(path, 1)
    second = tmp_path / "second.json"
    second.write_text(json.dumps(mesh.config(mesh.router(httpAccessLog=str(path), httpAccessLogAppend=False, server={"port": weft.address()[1]}))))
    done = subprocess.run([WEFT, "proxy", second], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and "cannot start" in done.stderr
    assert client.get("web").status == 200
    lines_of(path, 2)


# ---- as JSON ----

def test_json_has_opentelemetrys_names(mesh, tmp_path):
    path = tmp_path / "access.log"
    weft = start(mesh, path, httpAccessLogFormat="json")
    client = mesh.client(weft)
    assert client.get("web", "/a%20b?c=d&e", headers={"User-Agent": 'an "agent" \\', "Referer": "http://from/\tx"}).status == 200
    line = json.loads(lines_of(path, 1)[0])
    date = datetime.datetime.strptime(line.pop("timestamp"), "%Y-%m-%dT%H:%M:%S.%f%z")
    assert abs((datetime.datetime.now(datetime.timezone.utc) - date).total_seconds()) < 30
    assert re.fullmatch("[0-9a-f]{32}", line.pop("trace_id")) and re.fullmatch("[0-9a-f]{16}", line.pop("span_id"))
    assert line.pop("trace_flags") in ("00", "01")
    assert line.pop("weft.endpoint.duration_us") > 0
    line.pop("http.response.body.size", None)
    address, port = mesh.origins[0].address
    assert line == {
        "http.request.method": "GET", "url.path": "/a%20b", "url.query": "c=d&e", "url.scheme": "http", "server.address": "web",
        "client.address": "127.0.0.1", "client.port": client.socket.getsockname()[1],
        "network.protocol.version": "1.1", "http.response.status_code": 200, "user_agent.original": 'an "agent" \\',
        "http.request.header.referer": ["http://from/\tx"], "weft.router": "out", "weft.service": "/svc/web",
        "weft.endpoint.address": address, "weft.endpoint.port": port}


def test_json_whatever_bytes_come(mesh, tmp_path):
    """Names of hosts, paths and fields are bytes; lines are JSON, and UTF-8, all the same."""
    path = tmp_path / "access.log"
    weft = start(mesh, path, httpAccessLogFormat="json")
    mesh.service("web:8080", mesh.origins[0])
    agents = [b"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", b"\xff\xfe bad \xc3( \xed\xa0\x80 \xc0\xaf \xf5", b"cut \xe2\x82", b'"\\\\"\x80"',
              b"\xf0\x9f\x98\x80" * 300, b'"' * 900, bytes(range(0x80, 0x100)) * 5]
    for number, agent in enumerate(agents):
        with socket.create_connection(weft.address(), 10) as connection:
            connection.sendall(b"GET /%d HTTP/1.1\r\nHost: web:8080\r\nConnection: close\r\nUser-Agent: %s\r\nReferer: %s\r\n\r\n"
                               % (number, agent, agent))
            while connection.recv(65536):
                pass
        wait_until(lambda: weft.metric("access_log/written") == number + 1)
    for agent, line in zip(agents, path.read_bytes().splitlines()):
        read = json.loads(line.decode("utf-8"))
        whole = agent.decode("utf-8", "replace") if len(agent) < 100 else None
        assert (read["server.address"], read["server.port"]) == ("web", 8080)
        assert read["user_agent.original"] == read["http.request.header.referer"][0] and len(line) < 4096
        if whole and "\ufffd" not in whole:
            assert read["user_agent.original"] == whole
        else:
            assert ("\ufffd" in read["user_agent.original"]) == ("\ufffd" in agent.decode("utf-8", "replace"))
    assert json.loads(path.read_text().splitlines()[4])["user_agent.original"] in "\U0001f600" * 100


def test_json_of_the_longest_request(mesh, tmp_path):
    path = tmp_path / "access.log"
    weft = start(mesh, path, httpAccessLogFormat="json", maxInitialLineKB=8)
    client = mesh.client(weft)
    assert client.get("web", "/" + "%22" * 900 + "?" + "%22" * 900, headers={"User-Agent": '"' * 900, "Referer": '"' * 900}).status == 200
    line = lines_of(path, 1)[0]
    assert len(line) < 4096 and json.loads(line)["url.path"].startswith("/%22%22")


def test_json_says_which_trace(mesh, tmp_path):
    """Two proxies in a row write the same trace's id, and each its own span."""
    inner, outer = tmp_path / "inner.log", tmp_path / "outer.log"
    mesh.service("web", mesh.origin())
    second = mesh.weft(mesh.config(mesh.router(httpAccessLog=str(inner), httpAccessLogFormat="json")))
    mesh.service("next", second.address())
    first = mesh.weft(mesh.config(mesh.router(httpAccessLog=str(outer), httpAccessLogFormat="json", dtab="/svc => /#/io.l5d.fs/next ;")))
    assert mesh.client(first).get("web").status == 200
    one, two = json.loads(lines_of(outer, 1)[0]), json.loads(lines_of(inner, 1)[0])
    assert one["trace_id"] == two["trace_id"] and one["span_id"] != two["span_id"]


def test_json_of_failures_and_retries(mesh, tmp_path):
    path = tmp_path / "access.log"
    mesh.service("web", mesh.origin(status=503))
    weft = mesh.weft(mesh.config(mesh.router(
        httpAccessLog=str(path), httpAccessLogFormat="json",
        service={"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}, "retries": {"budget": {"minRetriesPerSec": 5}}})))
    assert mesh.client(weft).get("web").status == 503
    wait_until(lambda: weft.metric("access_log/written") > 1)
    first, second = [json.loads(line) for line in path.read_text().splitlines()][:2]
    assert first["error.type"] == second["error.type"] == "503" and "http.request.resend_count" not in first
    assert second["http.request.resend_count"] == 1


@pytest.mark.parametrize("keys, told", [
    ({"httpAccessLog": "a.log", "httpAccessLogFormat": "xml"}, "neither linkerd nor json"),
    ({"httpAccessLogFormat": "json"}, "no effect without"),
    ({"httpAccessLog": "a.log", "h2AccessLogFormat": "json"}, "httpAccessLogFormat"),
])
def test_wrong_formats_are_told(mesh, tmp_path, keys, told):
    config = tmp_path / "weft.yaml"
    config.write_text(json.dumps(mesh.config(mesh.router(**keys))))
    done = subprocess.run([WEFT, "validate", config], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2 and told in done.stderr


# ---- by a format string ----

FORMAT = ('%START_TIME% %DOWNSTREAM_REMOTE_ADDRESS% "%REQ(:METHOD)% %REQ(:PATH)%" %PROTOCOL% %RESPONSE_CODE% %REQ(X-User?User-Agent)% [%RESP(Server)%]'
          ' %ROUTER% %SERVICE% %UPSTREAM_CLUSTER% %UPSTREAM_HOST% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %TRACE_ID% %REQ(:SCHEME)% 100%%')
FORMATTED = re.compile(r'(?P<time>\S+Z) (?P<caller>127\.0\.0\.1:\d+) "(?P<request>(?:[^"\\]|\\.)*)" (?P<protocol>\S+) (?P<status>\d+) (?P<user>\S+)'
                       r' \[(?P<server>[^\]]*)\] (?P<names>\S+ \S+ \S+) (?P<endpoint>\S+) (?P<attempt>\d+) (?P<trace>[0-9a-f]{32}) http 100%')


def test_a_format_says_what_a_line_has(mesh, tmp_path):
    path, answers = tmp_path / "access.log", iter([503, 200, 200])
    origin = mesh.origin(lambda call: call.answer(next(answers), headers=[("Server", "one")]))
    mesh.service("web", origin)
    retry = {"responseClassifier": {"kind": "io.l5d.http.retryableRead5XX"}}
    weft = mesh.weft(mesh.config(mesh.router(httpAccessLog=str(path), httpAccessLogFormat=FORMAT, service=retry)))
    client = mesh.client(weft)
    assert client.get("web", "/a?b=c", headers={"User-Agent": "me"}).status == 200
    assert client.get("web", "/", headers={"User-Agent": "me", "X-User": "you"}).status == 200
    first, second, third = (FORMATTED.fullmatch(line).groupdict() for line in lines_of(path, 3))
    assert abs((datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(first["time"])).total_seconds()) < 30
    assert (first["request"], first["protocol"], first["status"], first["user"], first["server"]) == ("GET /a?b=c", "HTTP/1.1", "503", "me", "one")
    assert first["names"] == "out /svc/web /#/io.l5d.fs/web" and first["endpoint"] == f"127.0.0.1:{origin.port}"
    assert (second["status"], second["attempt"], second["trace"]) == ("200", "2", first["trace"]), "a line for each attempt"
    assert third["user"] == "you" and third["trace"] != first["trace"]


def test_no_caller_forges_a_value(mesh, tmp_path):
    path = tmp_path / "access.log"
    shape = '%REQ(X-A)%|%REQ(X-A)% "%REQ(X-A)%" %REQ(X-A):20%;%REQ(X-None)%,%REQ(X-A)%'
    weft = start(mesh, path, httpAccessLogFormat=shape)
    evil = 'a|b "c" ; \\ \t,\xff end'
    assert mesh.client(weft).get("web", headers=[("X-A", evil)]).status == 200
    line, = lines_of(path, 1)
    rest, values = line, []
    for end in '| "" ;,':
        match = re.match(r"((?:[^\\%s]|\\.)*)%s" % (re.escape(end), re.escape(end)), rest)
        values.append(match[1])
        rest = rest[match.end():]
    values.append(rest)
    plain = r'a|b \"c\" ; \\ \x09,\xff end'
    assert values == [plain.replace("|", r"\x7c"), plain.replace(" ", r"\x20"), "", plain, "", values[5], "-", plain]
    assert len(values[5]) <= 20 and plain.replace(";", r"\x3b").startswith(values[5])


def test_a_format_that_is_wrong_is_refused(mesh, tmp_path):
    path = tmp_path / "weft.yaml"
    path.write_text(json.dumps(mesh.config(mesh.router(httpAccessLog="a", httpAccessLogFormat="%REQ(A)%%REQ(B)%"))))
    told = subprocess.run([WEFT, "validate", path], capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 2 and re.search(r"weft\.yaml:\d+:\d+: .*`%REQ\(A\)%` is followed by `%`: a value that callers choose needs", told.stderr)
