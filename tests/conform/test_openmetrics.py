# SPDX-License-Identifier: Apache-2.0
"""/metrics in both of its formats, read by the strict parsers of Prometheus' Python client and judged by promtool, and compared with the
JSON page of the same numbers."""

import json
import shutil
import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from test_prometheus import HELLO, HOSTILE, program_path


def page(form):
    """(the text, the JSON page's object)"""
    done = subprocess.run([program_path(), form], stdout=subprocess.PIPE, timeout=60, check=True)
    text, _, rest = done.stdout.decode("utf-8").partition("---\n")
    return text, json.loads(rest)


def samples(families):
    found = {}
    for family in families:
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert key not in found
            found[key] = sample.value
    return found


@pytest.fixture(scope="module", name="openmetrics")
def read_openmetrics():
    text, numbers = page("openmetrics")
    assert text.endswith("# EOF\n")
    return list(parse_openmetrics(text)), numbers


def at(found, name, **labels):
    return found[name, frozenset(labels.items())]


def test_every_family_says_what_it_is(openmetrics):
    families, _ = openmetrics
    assert len({family.name for family in families}) == len(families) > 50
    for family in families:
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram", "info"), family.name
        assert family.name.startswith("weft_")
        if family.name.endswith(("_seconds", "_bytes")):
            assert family.unit == family.name.rpartition("_")[2], family.name


def test_numbers_are_those_of_the_json_page(openmetrics):
    families, numbers = openmetrics
    found = samples(families)
    for client in (HELLO, HOSTILE):
        prefix = f"rt/outgoing/client/{client}/"
        labels = {"rt": "outgoing", "client": client}
        for name, family in (("requests", "requests"), ("failures", "failures"), ("connects", "connects"),
                             ("loadbalancer/adds", "loadbalancer_adds")):
            assert at(found, f"weft_client_{family}_total", **labels) == numbers[prefix + name], name
        assert at(found, "weft_client_responses_total", status="503", **labels) == numbers[prefix + "status/503"]
        assert at(found, "weft_client_failures_by_kind_total", kind="ConnectionFailedException", **labels) == \
            numbers[prefix + "failures/com.twitter.finagle.ConnectionFailedException"]
        assert at(found, "weft_client_retry_budget", **labels) == numbers[prefix + "retries/budget"] == 3.25
        assert at(found, "weft_route_requests_total", service="svc/hello", **labels) == numbers[prefix + "service/svc/hello/requests"]
    assert at(found, "weft_server_pending", rt="outgoing", server="127.0.0.1/4140") == -1
    assert at(found, "weft_process_uptime_seconds") == 60


def test_histograms(openmetrics):
    """1 to 100 ms, from two workers each."""
    families, _ = openmetrics
    found = samples(families)
    labels = {"rt": "outgoing", "client": HELLO}
    family = "weft_client_request_latency_seconds"
    assert at(found, family + "_count", **labels) == at(found, family + "_bucket", le="+Inf", **labels) == 200
    assert at(found, family + "_sum", **labels) == pytest.approx(10.1)
    for le, below in (("0.0005", 0), ("0.001", 2), ("0.005", 10), ("0.025", 50), ("0.05", 100), ("0.25", 200)):
        assert at(found, family + "_bucket", le=le, **labels) == pytest.approx(below, abs=4), le
    buckets = [value for (name, key), value in found.items() if name == family + "_bucket" and ("client", HELLO) in key]
    assert buckets == sorted(buckets)
    assert at(found, "weft_client_requeues_per_request_bucket", le="0.0", **labels) == 1
    assert at(found, "weft_client_requeues_per_request_bucket", le="1.0", **labels) == 2


def test_both_formats_say_the_same(openmetrics):
    families, _ = openmetrics

    def plain(found):
        return {(name, frozenset((key, float(value) if key == "le" else value) for key, value in labels)): number
                for (name, labels), number in found.items() if not name.startswith("weft_process_")}  # of another process

    assert plain(samples(parse_text(page("text")[0]))) == plain(samples(families))


def test_promtool():
    if not shutil.which("promtool"):
        pytest.skip("promtool is missing (Debian's package prometheus)")
    done = subprocess.run(["promtool", "check", "metrics"], input=page("text")[0].encode(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
