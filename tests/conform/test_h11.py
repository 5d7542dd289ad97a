# SPDX-License-Identifier: Apache-2.0
"""h11 as a second opinion on the HTTP/1 codec: some thousand generated messages, half of them damaged.

Where h11 refuses, weft must refuse; where weft accepts, h11 must have understood the same. weft may be stricter: STRICTER
lists why, by weft's own reason. A failing message is printed with its seed and number and stays the same in the next run.
"""

import os
import pathlib
import random
import re
import subprocess

import h11
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COUNT = 4000

# What weft refuses although h11 doesn't, and why.
STRICTER = {
    "bad Content-Length field": "h11 takes a list of equal lengths, and any size; a proxy passes the list on to others",
    "more than one Content-Length field": "h11 takes equal ones; a proxy passes both on to others",
    "both Content-Length and Transfer-Encoding": "RFC 9112 section 6.1: ought to be handled as an error",
    "Transfer-Encoding in an HTTP/1.0 message": "RFC 9112 section 6.1: faulty framing",
    "bad Host field": "h11 leaves Host's value to its user; RFC 9112 section 3.2 asks for 400",
    "no Host field": "h11 asks for it only in 1.1, not in 1.2 and later",
    "bad request target": "h11 leaves the target to its user; RFC 9112 section 3.2",
    "bad authority in the request target": "the same; RFC 9110 section 4.2.4 for userinfo",
    "fragment in the request target": "the same",
    "CONNECT needs a host and a port": "the same; RFC 9110 section 9.3.6",
    "CONNECT with a body": "RFC 9110 section 9.3.6: a CONNECT request has no content",
    "unknown protocol version": "h11 answers any version with 1.1",
    "bare CR or LF": "h11 lets a line end in LF alone; RFC 9112 section 2.2 allows it, and forwarding it is how smuggling works",
    "field line without a colon": "an empty line that ends in LF alone",
    "bad end of the first line": "h11 leaves out blanks at the end of a status line",
    "folded field line": "h11 unfolds; RFC 9112 section 5.2 lets servers and proxies refuse",
    "bad line end in a chunked body": "h11 lets chunk lines end in LF alone",
    "bad chunk extension": "h11 leaves extensions unread, and blanks behind a size",
    "control character in a field's value": "h11 takes DEL",
    "bad status": "h11 counts no status above 599 as bad, nor blanks",
}

# What h11 refuses although weft doesn't, by what the message contains, and why.
LOOSER = {
    rb"[0-9A-Fa-f][ \t]+;": "blanks before a chunk extension: RFC 9112 section 7.1.1",
}


def judge_path():
    for build in (os.environ.get("WEFT_TEST_BUILD", ""), os.path.dirname(os.environ.get("WEFT", "")), ROOT / "build-test"):
        path = pathlib.Path(build) / "tests" / "conform" / "http1_judge"
        if build and path.is_file():
            return path
    raise AssertionError("tests/conform/http1_judge is not built (meson setup build-test; ninja -C build-test)")


class Judge:
    """weft's codec in a process of its own."""

    def __init__(self):
        self.process = subprocess.Popen([judge_path()], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, mode, message, step=0):
        """The verdict's lines."""
        self.process.stdin.write(b"%c %d %d\n" % (ord(mode), step, len(message)) + message)
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) != b".\n":
            assert line, f"the judge ended with {self.process.wait()} at {message!r}"
            lines.append(line.decode("ascii").removesuffix("\n"))
        return lines

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(20) == 0
        self.process.stdout.close()


@pytest.fixture(scope="module")
def judge():
    one = Judge()
    yield one
    one.end()


def unescape(text):
    return re.sub(rb"\\x(..)", lambda m: bytes([int(m[1], 16)]), text.encode("ascii"))


def fields_of(text):
    name, _, value = text.partition(": ")
    return unescape(name).lower(), unescape(value)


def ours(lines):
    """(messages, how it ended, why it was refused) of a verdict."""
    messages, refused = [], None
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in ("request", "response"):
            first, _, second = rest.partition(" ")
            messages.append({"kind": word, "first": unescape(first), "second": unescape(second), "fields": [],
                             "trailers": [], "data": b"", "ended": False, "scheme": None})
        elif word in ("field", "trailer"):
            messages[-1][word + "s"].append(fields_of(rest))
        elif word in ("scheme", "authority", "data", "version"):
            messages[-1][word] = unescape(rest)
        elif word == "end":
            messages[-1]["ended"] = True
        elif word == "refused":
            refused = rest.partition(" ")[2]
    return messages, lines[-1].partition(" ")[0], refused


def next_h11(connection, messages):
    """One event into messages; False when there are no more."""
    event = connection.next_event()
    if event is h11.NEED_DATA or event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
        return False
    if isinstance(event, h11.Request):
        messages.append({"first": event.method, "second": event.target, "fields": list(event.headers), "data": b"",
                         "trailers": [], "ended": False, "version": event.http_version})
    elif isinstance(event, (h11.Response, h11.InformationalResponse)):
        messages.append({"first": b"%d" % event.status_code, "second": event.reason, "fields": list(event.headers),
                         "data": b"", "trailers": [], "ended": isinstance(event, h11.InformationalResponse),
                         "version": event.http_version})
    elif isinstance(event, h11.Data):
        messages[-1]["data"] += bytes(event.data)
    elif isinstance(event, h11.EndOfMessage):
        messages[-1]["trailers"] = list(event.headers)
        messages[-1]["ended"] = True
        return False
    return True


def theirs_of_requests(message):
    """(messages, whether h11 refused)"""
    messages, rest = [], message
    try:
        while True:
            connection = h11.Connection(h11.SERVER)
            # h11 refuses empty lines before a request; RFC 9112 section 2.2 asks for patience.
            connection.receive_data(re.sub(rb"^(\r\n){0,4}(\r$)?", b"", rest))
            while next_h11(connection, messages):
                pass
            if connection.their_state is not h11.DONE:
                return messages, False
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE:
                return messages, False
            rest = connection.trailing_data[0]
    except h11.RemoteProtocolError:
        return messages, True


def theirs_of_response(message, method):
    connection, messages = h11.Connection(h11.CLIENT), []
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(message)
        while next_h11(connection, messages):
            pass
    except h11.RemoteProtocolError:
        return messages, True
    try:
        connection.receive_data(b"")
        while next_h11(connection, messages):
            pass
    except h11.RemoteProtocolError:
        # To end in the middle is to weft incomplete, not refused.
        pass
    return messages, False


# ---- generated messages ----

TOKENS = ["a", "X-Y", "Accept", "l5d-ctx-dtab", "Cookie", "User-Agent", "via", "!#$%&'*+-.^_`|~1"]
VALUES = ["", "x", "a b", "*/*", "\"q\" (c)", "a\tb", "/a => /b;", "\xe4\xff", "v" * 40, "1, 2,3", "a:b"]
TARGETS = ["/", "/a/b?c=d", "*", "http://world", "http://world/", "http://w?x", "http://w:80/x?y#", "world:80", "/\xe4",
           "/a#b", "//", "http://u@w/", "HTTP://[::1]:8/", "a", "?x", "https://w/%20", "/\"<>"]
NASTY = ["\r", "\n", "\r\n", " ", "\t", "\0", "\x0b", "\x7f", ":", ",", ";", "0", "5", "a", "\x80", "\r\n ", "\r\n\r\n", "-", "+",
         "HTTP/1.1", "chunked", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "Host: b\r\n"]


def blanks(rng):
    return rng.choice(["", " ", " ", " ", "\t", "  "])


def spelled(rng, name):
    return rng.choice([name, name.lower(), name.upper()])


def field(rng, name, value):
    return f"{spelled(rng, name)}:{blanks(rng)}{value}{rng.choice(['', '', '', ' '])}\r\n"


def generated_fields(rng, host):
    lines = [field(rng, rng.choice(TOKENS), rng.choice(VALUES)) for _ in range(rng.randrange(4))]
    if host and rng.random() < 0.95:
        lines.append(field(rng, "Host", rng.choice(["a", "a:80", "[::1]:80", "", "a.b-c_d", "a b", "u@a"])))
    if rng.random() < 0.2:
        lines.append(field(rng, "Connection", rng.choice(["close", "keep-alive", "x, close", "upgrade", ""])))
    rng.shuffle(lines)
    return lines


def generated_chunks(rng):
    out = ""
    for _ in range(rng.randrange(4)):
        size = rng.choice([1, 2, 9, 10, 17, 255])
        digits = rng.choice(["%x", "%X", "%04x"]) % size
        out += digits + rng.choice(["", "", ";a", ";a=b", " ; a = \"b\""]) + "\r\n" + "d" * size + "\r\n"
    out += rng.choice(["0", "0", "000", "0;x"]) + "\r\n"
    out += "".join(field(rng, rng.choice(["X-T", "grpc-status", "Host"]), "1") for _ in range(rng.choice([0, 0, 1, 2])))
    return out + "\r\n"


def generated_body(rng, lines, odds):
    """Adds framing fields to lines; the body."""
    kind = rng.random()
    if kind < odds:
        body = "d" * rng.randrange(12)
        lines.insert(rng.randrange(len(lines) + 1), field(rng, "Content-Length", len(body)))
    elif kind < 2 * odds:
        body = generated_chunks(rng)
        lines.insert(rng.randrange(len(lines) + 1), field(rng, "Transfer-Encoding", spelled(rng, "chunked")))
    else:
        body = ""
    if rng.random() < 0.06:
        lines.append(rng.choice(["Content-Length: 3\r\n", "Content-Length: 3, 3\r\n", "Content-Length: +3\r\n",
                                 "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n",
                                 "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, chunked\r\n"]))
    return body


def generated_request(rng):
    method = rng.choice(["GET", "GET", "POST", "OPTIONS", "CONNECT", "HEAD", "M-X", "get"])
    target = rng.choice(TARGETS[:2] * 6 + TARGETS) if method != "CONNECT" else rng.choice(["w:80", "w", "/"])
    version = rng.choice(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/0.9", "http/1.1"])
    lines = generated_fields(rng, host=True)
    body = generated_body(rng, lines, 0.3)
    return rng.choice(["", "", "", "", "\r\n"]) + f"{method} {target} {version}\r\n" + "".join(lines) + "\r\n" + body


def generated_response(rng):
    status = rng.choice(["200 OK", "200 OK", "200 ", "200", "404 Not  Found", "204 No Content", "304 N", "999 x", "599 \xe4", "20 x"])
    version = rng.choice(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/1.3", "HTTP/2.0"])
    lines = generated_fields(rng, host=False)
    body = generated_body(rng, lines, 0.4) or rng.choice(["", "until close"])
    early = rng.choice(["", "", "", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 E\r\nLink: x\r\n\r\n"])
    return early + f"{version} {status}\r\n" + "".join(lines) + "\r\n" + body


def damaged(rng, message):
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(message) + 1)
        how = rng.random()
        if how < 0.4:
            message = message[:at] + rng.choice(NASTY) + message[at:]
        elif how < 0.7:
            message = message[:at] + message[at + 1:]
        else:
            message = message[:at] + rng.choice(NASTY) + message[at + 1:]
    return message


def generated(rng, make):
    message = "".join(make(rng) for _ in range(rng.choice([1, 1, 1, 2]) if make is generated_request else 1))
    if rng.random() < 0.5:
        message = damaged(rng, message)
    return message.encode("latin-1")


# ---- comparison ----

def split_target(raw, method):
    """(scheme, authority, what goes upstream) of an accepted target."""
    match = re.fullmatch(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]*)(.*)", raw)
    if method == b"CONNECT" or not match:
        return None, None, raw
    path = match[3]
    if not path:
        path = b"*" if method == b"OPTIONS" else b"/"
    return match[1], match[2], path if path[:1] != b"?" else b"/" + path


# RFC 9110 section 6.5.1: weft leaves these out of trailers.
def kept_trailers(trailers):
    return [(name, value) for name, value in trailers if name in (b"x-t", b"grpc-status")]


def normal(fields):
    """h11 lower-cases what it knows as framing."""
    return [(bytes(name), bytes(value).lower() if name == b"transfer-encoding" else bytes(value)) for name, value in fields]


def compare_message(mine, other):
    assert mine["first"] == other["first"]
    if mine["kind"] == "request":
        scheme, authority, target = split_target(other["second"], other["first"])
        assert (mine["scheme"], mine["second"]) == (scheme, target)
        if authority is not None:
            assert mine["authority"] == authority
    else:
        assert mine["second"] == other["second"]
    # Minor versions above 1 are 1.1 to weft.
    assert mine["version"] == (b"1.0" if other["version"] == b"1.0" else b"1.1")
    assert normal(mine["fields"]) == normal(other["fields"])
    assert mine["data"] == other["data"]
    assert mine["ended"] == other["ended"]
    if mine["ended"]:
        assert kept_trailers(mine["trailers"]) == kept_trailers(other["trailers"])


def check_strictness(message, how, refused, ask_h11):
    """What h11 makes of the message, where one of the two refuses and the other must."""
    others, they_refused = ask_h11(message)
    if they_refused and how != "refused":
        raise AssertionError(f"h11 refuses, weft says {how}")
    if how == "refused" and not they_refused and refused not in STRICTER:
        # h11 looks at a head only once all of it is there.
        assert ask_h11(message + b"\r\n\r\n")[1], f"weft refuses ({refused}), h11 doesn't"
    return others, they_refused


def compare(judge, seed, number, mode, message, ask_h11):
    messages, how, refused = ours(judge.ask(mode, message))
    try:
        assert ours(judge.ask(mode, message, 1 + number % 5)) == (messages, how, refused)
        if any(re.search(pattern, message) for pattern in LOOSER):
            return "looser"
        others, they_refused = check_strictness(message, how, refused, ask_h11)
        # What comes before the place where one of them refuses is the same.
        if how == "refused" or they_refused:
            messages = [one for one in messages if one["ended"]]
        else:
            assert len(messages) == len(others)
        assert len(messages) <= len(others), f"weft has {len(messages)} messages, h11 {len(others)}"
        for mine, other in zip(messages, others):
            compare_message(mine, other)
    except AssertionError as failure:
        raise AssertionError(f"seed {seed}, number {number}, {mode}: {message!r}\n{failure}") from None
    return how


@pytest.mark.parametrize("seed", range(2))
def test_requests(judge, seed):
    rng, seen = random.Random(seed), {}
    for number in range(COUNT):
        message = generated(rng, generated_request)
        how = compare(judge, seed, number, "Q", message, theirs_of_requests)
        seen[how] = seen.get(how, 0) + 1
    # The generator must reach both sides of the line.
    assert seen["incomplete"] > COUNT / 10 and seen["refused"] > COUNT / 10, seen


@pytest.mark.parametrize("mode, method", [("R", "GET"), ("H", "HEAD")])
def test_responses(judge, mode, method):
    rng, seen = random.Random(mode), {}
    for number in range(COUNT):
        message = generated(rng, generated_response)
        how = compare(judge, mode, number, mode, message,
                      lambda message: theirs_of_response(message, method))
        seen[how] = seen.get(how, 0) + 1
    assert seen["closed"] > COUNT / 10 and seen["refused"] > COUNT / 10, seen
