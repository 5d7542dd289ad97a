# SPDX-License-Identifier: Apache-2.0
"""The page of metrics, read by the parser of Prometheus' Python client, and compared with the JSON page of the same numbers."""

import json
import os
import pathlib
import re
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOSTILE = '#/io.l5d.fs/"quoted\\ \n\t{},=ä\N{REPLACEMENT CHARACTER}'
HELLO = "%/io.l5d.port/4141/#/io.l5d.fs/hello"
STAT_PARTS = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99", "p9990": "0.999", "p9999": "0.9999",
              "min": "0", "max": "1"}


def program_path():
    for build in (os.environ.get("WEFT_TEST_BUILD", ""), os.path.dirname(os.environ.get("WEFT", "")), ROOT / "build-test"):
        path = pathlib.Path(build) / "tests" / "conform" / "prometheus_page"
        if build and path.is_file():
            return path
    raise AssertionError("tests/conform/prometheus_page is not built (meson setup build-test; ninja -C build-test)")


@pytest.fixture(scope="module", name="pages")
def make_pages():
    """(Prometheus' text, the JSON page's object)"""
    done = subprocess.run([program_path()], stdout=subprocess.PIPE, timeout=60, check=True)
    text, _, page = done.stdout.decode("utf-8").partition("---\n")
    return text, json.loads(page)


@pytest.fixture(scope="module", name="samples")
def read_samples(pages):
    """{(name, {(label, value)}): number}; every line must be one sample, and none may be there twice."""
    text, _ = pages
    read = [((sample.name, frozenset(sample.labels.items())), sample.value)
            for family in text_string_to_metric_families(text) for sample in family.samples]
    assert len(read) == len(text.splitlines())
    samples = dict(read)
    assert len(samples) == len(read)
    return samples


def at(samples, name, **labels):
    return samples[name, frozenset(labels.items())]


def test_names_and_labels(samples):
    assert at(samples, "rt:client:requests", rt="outgoing", client=HELLO) == 21
    assert at(samples, "rt:client:service:requests", rt="outgoing", client=HELLO, service="svc/hello") == 21
    assert at(samples, "rt:client:status:5XX", rt="outgoing", client=HELLO) == 2
    assert at(samples, "rt:client:retries:budget", rt="outgoing", client=HELLO) == 3.25
    assert at(samples, "rt:service:retries:total", rt="outgoing", service="svc/hello") == 2
    assert at(samples, "rt:server:pending", rt="outgoing", server="127.0.0.1/4140") == -1
    assert at(samples, "jvm:uptime") == 60000


def test_hostile_label(samples):
    assert at(samples, "rt:client:requests", rt="outgoing", client=HOSTILE) == 21


def test_distributions(samples):
    labels = {"rt": "outgoing", "client": HELLO}
    assert at(samples, "rt:client:request_latency_ms_count", **labels) == 200
    assert at(samples, "rt:client:request_latency_ms_sum", **labels) == pytest.approx(10100)
    assert at(samples, "rt:client:request_latency_ms_avg", **labels) == pytest.approx(50.5)
    for quantile, expected in (("0", 1), ("0.5", 50), ("0.9", 90), ("0.99", 99), ("1", 100)):
        found = at(samples, "rt:client:request_latency_ms", quantile=quantile, **labels)
        assert found == pytest.approx(expected, rel=1 / 16)
    assert at(samples, "rt:client:failure_accrual:removed_for_ms", quantile="1", **labels) == pytest.approx(5000, rel=1 / 16)
    assert not any(name.startswith("rt:service:request_latency_ms") for name, _ in samples)  # nothing was measured


def test_same_numbers_as_json(pages, samples):
    """Each number of the JSON page about the client hello is in the text, and nothing more."""
    prefix = f"rt/outgoing/client/{HELLO}/"
    found = {}
    for key, value in pages[1].items():
        name, service = key.removeprefix(prefix), {}
        if name == key:
            continue
        stem = "rt:client:"
        if name.startswith("service/svc/hello/"):
            name, stem, service = name.removeprefix("service/svc/hello/"), "rt:client:service:", {"service": "svc/hello"}
        name, _, part = name.rpartition(".") if re.search(r"\.(count|sum|avg|min|max|p\d+)$", name) else (name, "", "")
        if part == "count" and value == 0:
            continue
        labels = {"rt": "outgoing", "client": HELLO, **service}
        if part in STAT_PARTS:
            labels["quantile"] = STAT_PARTS[part]
        elif part:
            name += "_" + part
        found[stem + re.sub("[^a-zA-Z0-9:]", "_", name.replace("/", ":")), frozenset(labels.items())] = value
    expected = {key: value for key, value in samples.items() if ("client", HELLO) in key[1]}
    assert found == pytest.approx(expected)
