# SPDX-License-Identifier: Apache-2.0
"""What the nodes count, as their admin servers tell it."""

import json
import re

from demo_mesh import ADMIN_PORT, NODES, fetch

# A client's name begins with what transformed its addresses: another port on the way out, this node only on the way in.
OUTGOING_CLIENT = "rt/outgoing/client/%/io.l5d.port/4141/#/io.l5d.fs/"
INCOMING_CLIENT = "rt/incoming/client/%/io.l5d.specificHost/#/io.l5d.fs/"

PROMETHEUS_LABEL = r'[a-zA-Z_]\w*="[^"]*"'
PROMETHEUS_LINE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{{{PROMETHEUS_LABEL}(?:, {PROMETHEUS_LABEL})*\}})? (-?[0-9.eE+-]+|NaN)")


class AdminError(Exception):
    """An admin page did not answer 200 with what it should hold."""


def page(node, path):
    """The text of a page of a node's admin server; AdminError for any status but 200."""
    status, text = fetch(node, ADMIN_PORT, path)
    if status != 200:
        raise AdminError(f"http://{node}:{ADMIN_PORT}{path} answered {status}: {text[:200]}")
    return text


def json_page(node, path):
    text = page(node, path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise AdminError(f"http://{node}:{ADMIN_PORT}{path} is not JSON ({error}): {text[:200]}") from None


class Counters:
    """All nodes' metrics, read one after the other; a counter that is not there yet is 0."""

    def __init__(self):
        self.by_node = {node: json_page(node, "/admin/metrics.json") for node in NODES}

    def at(self, node, key):
        return self.by_node[node].get(key, 0)

    def each(self, key):
        return [self.at(node, key) for node in NODES]

    def total(self, key):
        return sum(self.each(key))


def parse_prometheus(text):
    """({`name{labels}`: value}, [lines that are not of the documented form])."""
    samples, wrong = {}, []
    for line in text.splitlines():
        match = PROMETHEUS_LINE.fullmatch(line)
        if match:
            samples[match[1] + (match[2] or "")] = float(match[3])
        elif line:
            wrong.append(line)
    return samples, wrong
