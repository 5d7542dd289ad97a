#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py [BUILD]: the checks of ./dev lint. BUILD is a directory built without link-time optimisation; without it the
symbol check is skipped.

Prints "ok CHECK" or the findings of each check, and as its last line "PASSED FAILED SKIPPED" in numbers of checks.
"""
import os
import re
import shutil
import subprocess
import sys

import rooms
import symbols

MOST_LINES = 1000
MOST_FUNCTION_LINES = 100
CODE = (".c", ".h", ".py", ".sh", ".ts", ".lua", ".build")
CODE_NAMES = ("dev", "run", "meson_options.txt")
# Measured against, byte for byte, by others too: they must not change.
AS_THEY_ARE = ("bench/relay.c", "bench/origin.c")

REGISTRY = re.compile(r"\b(pypi|pythonhosted|crates|npmjs|yarnpkg|proxy\.golang|maven|debian)\.(org|io|com)\b")
MACHINE_PATH = re.compile(r"(?<![\w.$}-])/([w]ork|[r]oot|[h]ome|[o]pt/wheels|tmp/[w])/")


def listed_files():
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                           stdout=subprocess.PIPE, check=True).stdout
    return sorted({name for name in map(os.fsdecode, names.split(b"\0")) if name and os.path.isfile(name)})


def is_code(name):
    return name.endswith(CODE) or os.path.basename(name) in CODE_NAMES


def read_lines(name):
    with open(name, encoding="utf-8", errors="replace") as file:
        return file.read().splitlines()


def check_licence(files):
    for name in files:
        if is_code(name) and name not in AS_THEY_ARE:
            first = read_lines(name)[:2]
            if not any("SPDX-License-Identifier: Apache-2.0" in line for line in first):
                yield f"{name}: no SPDX-License-Identifier line at its top"


def check_file_lengths(files):
    for name in files:
        if is_code(name) and len(read_lines(name)) > MOST_LINES:
            yield f"{name}: {len(read_lines(name))} lines, at most {MOST_LINES}"


def functions(lines):
    """(name, first line, last line) of each function: its braces stand alone in the first column."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            head = start - 1
            while head > 1 and lines[head - 2].strip() and not lines[head - 2].startswith(("}", "#", "/*", " *")) \
                    and not lines[head - 2].rstrip().endswith((";", "*/")):
                head -= 1
            name = re.search(r"(\w+)\s*\(", lines[head - 1])
            yield (name.group(1) if name else "?"), head, number
            start = None


def check_function_lengths(files):
    for name in files:
        if name.endswith((".c", ".h")) and name not in AS_THEY_ARE:
            for function, first, last in functions(read_lines(name)):
                if last - first + 1 > MOST_FUNCTION_LINES:
                    yield f"{name}:{first}: {function} has {last - first + 1} lines, at most {MOST_FUNCTION_LINES}"


def check_readmes(files):
    there = {name.split("/")[1] for name in files if name.startswith("src/") and name.endswith((".c", ".h"))
             and name.count("/") >= 2}
    for room in sorted(there):
        if not os.path.isfile(f"src/{room}/README.md"):
            yield f"src/{room}/README.md is missing: what lives here, what may never, which file to read first"


def check_places(files):
    """Nothing may depend on one machine or name where packages are fetched from."""
    for name in files:
        if "/corpus/" in name or name == "LICENSE":
            continue
        for number, line in enumerate(read_lines(name), 1):
            for pattern, what in ((REGISTRY, "names a registry's host"), (MACHINE_PATH, "names a path of one machine")):
                found = pattern.search(line)
                if found:
                    yield f"{name}:{number}: {what}: {found.group(0)}"


def check_shell(files):
    # tools/dev/*.sh are parts of dev and read as such.
    scripts = [name for name in files if name in ("dev", ".ci/run")
               or name.endswith(".sh") and not name.startswith("tools/dev/")]
    done = subprocess.run(["shellcheck", "-x", "-a", *scripts], stdout=subprocess.PIPE, text=True, check=False)
    yield from done.stdout.splitlines()


def check_format(files):
    """Code stands as ./dev fmt puts it."""
    code = [name for name in files if name.endswith((".c", ".h")) and name not in AS_THEY_ARE]
    done = subprocess.run(["clang-format", "--dry-run", *code], stderr=subprocess.PIPE, text=True, check=False)
    for name in sorted({line.split(":")[0] for line in done.stderr.splitlines() if "-Wclang-format-violations" in line}):
        yield f"{name}: ./dev fmt {name} formats it"


def check_faults(files):
    """The fault patches fit the code, or the simulation's worth is no longer checked."""
    for name in files:
        if name.startswith("tests/sim/faults/") and name.endswith(".patch"):
            done = subprocess.run(["git", "apply", "--check", name], stderr=subprocess.PIPE, text=True, check=False)
            if done.returncode:
                yield f"{name} does not apply: {done.stderr.splitlines()[0] if done.stderr else 'git apply failed'}"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
    build = sys.argv[1] if len(sys.argv) > 1 else None
    files = listed_files()
    checks = [
        ("rooms", lambda: rooms.check_rooms(files)),
        ("headers", lambda: rooms.check_headers(files)),
        ("symbols", (lambda: symbols.check(build)) if build else None),
        ("licence", lambda: check_licence(files)),
        ("file lengths", lambda: check_file_lengths(files)),
        ("function lengths", lambda: check_function_lengths(files)),
        ("READMEs", lambda: check_readmes(files)),
        ("places", lambda: check_places(files)),
        ("fault patches", lambda: check_faults(files)),
        ("format", (lambda: check_format(files)) if shutil.which("clang-format") else None),
        ("shell", (lambda: check_shell(files)) if shutil.which("shellcheck") else None),
    ]
    totals = {"ok": 0, "FAILED": 0, "skipped": 0}
    for name, check in checks:
        findings = list(check()) if check else []
        result = "skipped" if check is None else "FAILED" if findings else "ok"
        totals[result] += 1
        tool = {"shell": "shellcheck", "format": "clang-format"}.get(name) if result == "skipped" else None
        print(result, name + (f": {tool} is not installed" if tool else ""))
        for finding in findings:
            print("   ", finding)
    print(*totals.values())
    return totals["FAILED"] > 0


sys.exit(main())
