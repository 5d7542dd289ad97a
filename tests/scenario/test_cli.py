# SPDX-License-Identifier: Apache-2.0
"""The command line as its users meet it: what is printed where, and exit codes."""

import json
import re
import socket
import subprocess

import pytest

from mesh import PATIENCE, ROOT, WEFT, wait_until

ROUTER = "routers:\n- protocol: http\n  servers: [{port: 0}]\n"


def run(*arguments, stdin=""):
    """(exit code, standard output, standard error)"""
    done = subprocess.run([WEFT, *arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def write(folder, text, name="weft.yaml"):
    path = folder / name
    path.write_text(text)
    return str(path)


# ---- help and version ----

@pytest.mark.parametrize("arguments", [["help"], ["--help"], ["-h"]])
def test_help_lists_the_commands(arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    assert re.findall(r"^  (\w+) ", out, re.M) == ["proxy", "validate", "ca", "certs", "stat", "routes", "top", "edges", "tap", "dashboard", "explain", "diff", "install", "uninstall", "check", "ready", "completion", "version", "help"]


def test_no_command_shows_help_and_fails():
    code, out, _ = run()
    assert code == 2
    assert out == run("help")[1]


@pytest.mark.parametrize("command", ["proxy", "validate", "ca", "certs", "stat", "routes", "top", "edges", "tap", "dashboard", "explain", "diff", "install", "uninstall", "check", "ready", "completion", "version", "help"])
def test_each_command_explains_itself(command):
    code, out, err = run("help", command)
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: weft {command}")
    assert run(command, "--help") == (code, out, err)
    assert run(command, "some", "words", "-h") == (code, out, err)


def test_help_lists_the_keys_of_a_configuration():
    code, out, err = run("help", "linkerd")
    assert (code, err) == (0, "")
    assert re.search(r"^routers +required", out, re.M)
    assert re.search(r"^  tls +the pages are served over TLS; no$", out, re.M)
    assert max(map(len, out.splitlines())) < 170


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_version(arguments):
    assert run(*arguments) == (0, "weft 0.1.0\n", "")


# ---- wrong usage ----

@pytest.mark.parametrize("arguments, told", [
    (["porxy"], "weft: unknown command `porxy`; did you mean `proxy`?\n"),
    (["xyzzy"], "weft: unknown command `xyzzy`; `weft help` lists what there is\n"),
    (["help", "validat"], "weft: unknown topic of help `validat`; did you mean `validate`?\n"),
    (["help", "linkrd"], "weft: unknown topic of help `linkrd`; did you mean `linkerd`?\n"),
    (["proxy"], "weft proxy: which file? usage: weft proxy FILE.yaml [--threads N]\n"),
    (["proxy", "a", "b"], "weft proxy: one file, not `a` and `b`\n"),
    (["proxy", "--thread", "2", "a"], "weft: unknown option `--thread`; did you mean `--threads`?\n"),
    (["proxy", "a", "--threads"], "weft proxy: --threads needs a value\n"),
    (["proxy", "a", "--threads", "0"], "weft proxy: --threads takes a number from 1 to 256, not `0`\n"),
    (["proxy", "a", "--threads=2000"], "weft proxy: --threads takes a number from 1 to 256, not `2000`\n"),
    (["proxy", "a", "--threads=two"], "weft proxy: --threads takes a number from 1 to 256, not `two`\n"),
    (["validate"], "weft validate: which file? usage: weft validate FILE.yaml...\n"),
    (["validate", "--strict", "a"], "weft: unknown option `--strict`; `weft help` lists what there is\n"),
    (["version", "x"], "weft version: what is `x` for? `weft help version`\n"),
])
def test_wrong_usage_is_told(arguments, told):
    assert run(*arguments) == (2, "", told)


# ---- validate ----

def test_good_files_are_ok(tmp_path):
    yaml, as_json = write(tmp_path, ROUTER), write(tmp_path, json.dumps({"routers": [{"protocol": "http", "servers": [{}]}]}), "b.json")
    assert run("validate", yaml, as_json) == (0, f"{yaml}: OK\n{as_json}: OK\n", "")


def test_standard_input_is_validated():
    assert run("validate", "-", stdin=ROUTER) == (0, "-: OK\n", "")
    assert run("validate", "-", stdin="routers: []\n") == (
        2, "", "<stdin>:1:10: routers: must not be empty: there is nothing to do without a router\n")


def test_the_demos_configuration_is_good(tmp_path):
    text = (ROOT / "tools" / "demo" / "node.yaml").read_text().replace("@IP@", "127.0.1.1").replace("@DISCO@", "disco")
    path = write(tmp_path, text)
    assert run("validate", path) == (0, f"{path}: OK\n", "")


def test_all_problems_are_told_in_the_order_of_the_file(tmp_path):
    path = write(tmp_path, "admin: {prot: 1}\nrouters:\n- protocol: http\n  dtab: |\n    /a => /b;\n    /c => ;\n"
                           "  client:\n    failFast: true\n  servers: [{port: 70000}]\n")
    code, out, err = run("validate", path)
    assert (code, out) == (2, "")
    assert [line.removeprefix(path) for line in err.splitlines()] == [
        ":1:9: admin.prot: unknown key; did you mean `port`?",
        ":6:11: routers[0].dtab: simple expected but ';' found",
        ":8:5: routers[0].client.failFast: not yet supported by weft (known from Linkerd 1.x)",
        ":9:20: `port` is `70000`, but must be an integer from 0 to 65535",
    ]


def test_one_bad_file_among_good_ones_fails(tmp_path):
    good, bad = write(tmp_path, ROUTER), write(tmp_path, "a: [\n", "bad.yaml")
    code, out, err = run("validate", bad, good)
    assert (code, out) == (2, f"{good}: OK\n")
    assert err.startswith(f"{bad}:2:1: ")


def test_files_that_cannot_be_read_are_told(tmp_path):
    missing = str(tmp_path / "missing.yaml")
    assert run("validate", missing) == (2, "", f"{missing}: cannot be read: not found\n")
    code, _, err = run("validate", str(tmp_path))
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(f"{tmp_path}: cannot be read: ")


def test_terminals_are_safe_from_files(tmp_path):
    code, _, err = run("validate", write(tmp_path, ROUTER + 'admin: {ip: "\\e[2J\\u009b"}\n'))
    assert code == 2
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", err)


# ---- proxy: what ends it before it begins ----

def test_a_bad_file_does_not_start(tmp_path):
    path = write(tmp_path, "routers: []\n")
    assert run("proxy", path) == (2, "", f"{path}:1:10: routers: must not be empty: there is nothing to do without a router\n")


@pytest.mark.parametrize("taken", ["router", "admin"])
def test_a_taken_address_is_told(tmp_path, taken):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        servers, admin = (port, 0) if taken == "router" else (0, port)
        path = write(tmp_path, f"admin: {{port: {admin}}}\nrouters: [{{protocol: http, servers: [{{port: {servers}}}]}}]\n")
        code, _, err = run("proxy", path)
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("weft proxy: cannot start: ")
    assert f"127.0.0.1:{port}" in err


def test_a_configuration_from_standard_input_runs(tmp_path):
    with open(tmp_path / "out", "w+", encoding="utf-8") as out:
        process = subprocess.Popen([WEFT, "proxy", "-", "--threads=1"], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL, text=True)
        try:
            process.stdin.write("admin: {port: 0}\n" + ROUTER)
            process.stdin.close()
            told = wait_until(lambda: re.search(r"\A.*^admin on \S+:\d+\n\Z", (tmp_path / "out").read_text(), re.S | re.M), "the addresses")
            assert re.fullmatch(r"listening on 127\.0\.0\.1:\d+ \(rt/http\)\nadmin on 127\.0\.0\.1:\d+\n", told[0])
            process.terminate()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
            process.wait()
