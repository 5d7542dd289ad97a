#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts test cases in what test runners leave behind; prints "PASSED FAILED SKIPPED" and, on stderr, what failed.

count.py meson TESTLOG.JSON    Meson's log, one program a line, each counted by its cmocka cases
count.py junit REPORT.XML...   pytest's reports
count.py output FILE STATUS    a program that may close with "N passed, N failed, N skipped"
"""
import json
import os
import re
import sys
import xml.etree.ElementTree

CASES = re.compile(r"^\[\s+(PASSED|FAILED|SKIPPED)\s+\] (\d+) test\(s\)", re.M)
LONGEST_REPORT = 6000


def complain(name, text):
    text = text.strip()
    if len(text) > LONGEST_REPORT:
        text = text[: LONGEST_REPORT // 2] + "\n...\n" + text[-LONGEST_REPORT // 2 :]
    print(f"-- {name} failed\n{text}", file=sys.stderr)


def count_program(entry):
    """One test program: its cmocka groups' closing lines, or one test if it has none."""
    text = entry.get("stdout", "") + "\n" + entry.get("stderr", "")
    result = entry["result"]
    if result == "SKIP":
        print(f"   skipped {entry['name']}: {text.strip()[-200:]}", file=sys.stderr)
        return 0, 0, 1
    totals = {"PASSED": 0, "FAILED": 0, "SKIPPED": 0}
    for kind, number in CASES.findall(text):
        totals[kind] += int(number)
    if "[  PASSED  ]" not in text and result != "OK":
        # It died before its closing lines.
        totals["PASSED"] = len(re.findall(r"^\[\s+OK \]", text, re.M))
    if result != "OK" and totals["FAILED"] == 0:
        totals["FAILED"] = 1
    if result == "OK" and not any(totals.values()):
        totals["PASSED"] = 1
    if result == "OK" and totals["FAILED"]:
        complain(entry["name"], "it exited 0 although cases failed")
    if totals["FAILED"]:
        complain(f"{entry['name']} ({result.lower()})", text)
    return totals["PASSED"], totals["FAILED"], totals["SKIPPED"]


def count_meson(path):
    with open(path, encoding="utf-8", errors="replace") as log:
        counts = [count_program(json.loads(line)) for line in log if line.strip()]
    return [sum(column) for column in zip(*counts)] if counts else [0, 0, 0]


def count_junit(*paths):
    tests = failures = skipped = 0
    for path in paths:
        if not os.path.exists(path):
            complain(path, "pytest left no report")
            failures, tests = failures + 1, tests + 1
            continue
        for suite in xml.etree.ElementTree.parse(path).iter("testsuite"):
            tests += int(suite.get("tests", 0))
            failures += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped += int(suite.get("skipped", 0))
    return max(tests - failures - skipped, 0), failures, skipped


def count_output(path, status):
    with open(path, encoding="utf-8", errors="replace") as output:
        closing = re.findall(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$", output.read(), re.M)
    if not closing:
        return (1, 0, 0) if status == "0" else (0, 1, 0)
    passed, failed, skipped = (int(number or 0) for number in closing[-1])
    if status != "0" and not failed:
        failed = 1
    return passed, failed, skipped


READERS = {"meson": count_meson, "junit": count_junit, "output": count_output}

print(*READERS[sys.argv[1]](*sys.argv[2:]))
