# SPDX-License-Identifier: Apache-2.0
"""weft install viz: a real Prometheus runs what it writes against proxies with traffic, and answers each panel's query; Grafana's own
model of dashboards reads them, and its own code shows what Prometheus answers."""

import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import threading
import time
import urllib.parse
import urllib.request

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from mesh import PATIENCE, WEFT, Mesh, wait_until

DASHBOARDS = ["weft-overview.json", "weft-service.json", "weft-instance.json"]
FILES = {"prometheus.yml", "weft-targets.yml", "weft-rules.yml", "weft-alerts.yml", *DASHBOARDS}
UNTIL_SEEN = 60.0  # readings, rules over them, alerts over those: some seconds each on a busy machine

GRAFANA = pathlib.Path(os.environ.get("WEFT_JUDGES") or pathlib.Path(__file__).parents[2] / "build-judges") / "node" / "grafana"

needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is missing (Debian's package prometheus)")


def install(*arguments):
    done = subprocess.run([WEFT, "install", "viz", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE,
                          check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Prometheus:
    def __init__(self, folder, config):
        self.log = folder / "prometheus.log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}",
                 "--web.listen-address=127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.base = "http://" + wait_until(self._address, "Prometheus' address", UNTIL_SEEN)
        except AssertionError:
            self.stop()
            raise

    def _address(self):
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        found = re.search(r'msg="Listening on" address=(\S+)', self.log.read_text())
        return found and "Server is ready" in self.log.read_text() and found[1]

    def get(self, path, **query):
        with urllib.request.urlopen(f"{self.base}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=PATIENCE) as response:
            answer = json.load(response)
        assert answer["status"] == "success", answer
        return answer["data"]

    def ask(self, query):
        """{labels as a frozenset: number}, without what is not a number."""
        found = {frozenset(one["metric"].items()): float(one["value"][1]) for one in self.get("query", query=query)["result"]}
        return {labels: value for labels, value in found.items() if value == value}

    def number(self, query):
        return next(iter(self.ask(query).values()), None)

    def alerts(self, name):
        return {alert["labels"].get("service"): alert["state"] for alert in self.get("alerts")["alerts"]
                if alert["labels"]["alertname"] == name}

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Traffic:
    """Requests for all services through all proxies, until it is stopped."""

    HOSTS = ("good", "flaky", "picky", "gone", "nobody")

    def __init__(self, mesh, wefts):
        self.clients, self.stopped = [mesh.client(weft) for weft in wefts], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        for client, host in itertools.cycle(itertools.product(self.clients, self.HOSTS)):
            if self.stopped:
                return
            client.get(host)
            time.sleep(0.01)

    def stop(self):
        self.stopped = True
        self.thread.join(PATIENCE)


def flaky():
    turn = itertools.count()

    def answer(call):
        call.answer(500 if next(turn) % 2 else 200)
    return answer


@pytest.fixture(scope="module", name="viz")
def start(tmp_path_factory):
    """(Prometheus, the proxies, the folder that was written), with traffic that has stopped and whose last numbers were read."""
    folder = tmp_path_factory.mktemp("viz")
    mesh, prometheus, traffic = Mesh(folder), None, None
    try:
        mesh.service("good", mesh.origin())
        mesh.service("flaky", mesh.origin(flaky()))
        mesh.service("picky", mesh.origin(status=404))
        closed = mesh.origin()
        mesh.service("gone", closed)
        closed.close()
        wefts = [mesh.weft(), mesh.weft()]
        addresses = ",".join("{}:{}".format(*weft.admin_address) for weft in wefts)
        code, _, err = install("--dir", folder / "viz", "--admin", addresses, "--interval", "1s")
        assert (code, err) == (0, "")
        prometheus = Prometheus(folder, folder / "viz" / "prometheus.yml")
        traffic = Traffic(mesh, wefts)
        wait_until(lambda: (prometheus.number('service:weft_requests:rate1m{service="svc/good"}') or 0) > 0, "a recorded rate", UNTIL_SEEN)
        time_of_traffic = time.monotonic() + 8  # what rates are taken of; a second more or less at its ends then weighs little
        wait_until(lambda: time.monotonic() > time_of_traffic)
        traffic.stop()
        wait_until(lambda: all(prometheus.number(f'sum(weft_service_requests_total{{service="svc/{host}"}})') ==
                               counted(wefts, host, "requests") for host in Traffic.HOSTS), "the last numbers", UNTIL_SEEN)
        yield prometheus, wefts, folder / "viz"
        mesh.close()
    finally:
        if traffic:
            traffic.stop()
        if prometheus:
            prometheus.stop()
        mesh.stop()


def counted(wefts, host, name):
    return sum(weft.metrics()[f"rt/out/service/svc/{host}/{name}"] for weft in wefts)


# ---- in Prometheus ----

@needs_prometheus
def test_all_targets_are_found(viz):
    prometheus, wefts, _ = viz
    targets = prometheus.get("targets")["activeTargets"]
    assert {target["labels"]["instance"] for target in targets} == {"{}:{}".format(*weft.admin_address) for weft in wefts}
    assert all(target["health"] == "up" and target["lastError"] == "" for target in targets)


@needs_prometheus
def test_recorded_numbers_are_those_of_the_proxies(viz):
    prometheus, wefts, _ = viz
    for host in Traffic.HOSTS:
        requests, failures = counted(wefts, host, "requests"), counted(wefts, host, "failures")
        labels = f'{{rt="out",service="svc/{host}"}}'
        for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d"):
            assert prometheus.number(f"service:weft_failures:ratio_rate{window}{labels}") == pytest.approx(failures / requests, abs=0.1)
        # A rate is of the growth between the first and the last reading, and a reading's time more at its ends.
        assert 0.6 * requests < prometheus.number(f"service:weft_requests:rate1m{labels}") * 60 < 1.25 * requests
    assert prometheus.number("sum(instance:weft_requests:rate1m)") == pytest.approx(
        prometheus.number("sum(service:weft_requests:rate1m)"), rel=0.2)
    assert 0 < prometheus.number('service:weft_latency_seconds:p50_1m{service="svc/good"}') <= \
        prometheus.number('service:weft_latency_seconds:p99_1m{service="svc/good"}') < 1


@needs_prometheus
def test_alerts_are_about_what_fails(viz):
    prometheus, _, _ = viz
    wait_until(lambda: {"svc/flaky", "svc/gone", "svc/nobody"} <= set(prometheus.alerts("WeftErrorBudgetBurnsFast")), "the alerts", UNTIL_SEEN)
    states = prometheus.alerts("WeftErrorBudgetBurnsFast")
    assert states["svc/flaky"] == states["svc/gone"] == "firing"
    assert "svc/good" not in states and "svc/picky" not in states
    assert prometheus.alerts("WeftInstanceDown") == {}


@needs_prometheus
def test_rules_have_no_errors(viz):
    prometheus, _, _ = viz
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert {rule["type"] for rule in rules} == {"recording", "alerting"}
    assert [(rule["name"], rule.get("lastError")) for rule in rules if rule["health"] != "ok"] == []


@needs_prometheus
@pytest.mark.parametrize("name", DASHBOARDS)
def test_each_panel_has_numbers(viz, name):
    prometheus, _, folder = viz
    made = json.loads((folder / name).read_text())
    empty = []
    for panel in made["panels"]:
        for target in panel.get("targets", []):
            query = re.sub(r"\$\w+", ".*", target["expr"])
            if not prometheus.ask(query):
                empty.append((panel["title"], query))
            for label in re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]):
                assert all(label in dict(labels) for labels in prometheus.ask(query)), (panel["title"], label)
        if panel["type"] == "table":  # its rows are joined by all labels
            answers = [prometheus.ask(re.sub(r"\$\w+", ".*", target["expr"])) for target in panel["targets"]]
            assert len({frozenset(name for name, _ in labels) for answer in answers for labels in answer}) == 1, panel["title"]
    assert not empty
    for variable in made["templating"]["list"]:
        if variable["type"] == "query":
            metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"]).groups()
            assert prometheus.get(f"label/{label}/values", **{"match[]": re.sub(r"\$\w+", ".*", metric)}), variable["name"]


@needs_prometheus
def test_promtool_approves(viz):
    _, wefts, folder = viz
    for arguments in (["config", "prometheus.yml"], ["rules", "weft-rules.yml", "weft-alerts.yml"]):
        done = subprocess.run(["promtool", "check", *arguments], cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0 and "FAILED" not in done.stdout + done.stderr, done.stderr
    page = wefts[0].admin("/metrics").body
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# By Prometheus' own arithmetic: a series for half an hour, a sample a minute; the minute in which the alert isn't there yet, and one in which it is.
@needs_prometheus
@pytest.mark.parametrize("alert, series, values, before, after", [
    ("WeftInstanceDown", 'up{job="weft"}', "1x4 0x25", 6, 8),
    ("WeftNoEndpointAvailable", 'weft_client_endpoints_available{client="c"}', "1x4 0x25", 5, 7),
    ("WeftRetryBudgetExhausted", 'weft_service_retry_budget_exhausted_total{service="s"}', "0x4 0+5x25", 8, 12),
    ("WeftConfigurationRefused", "weft_configuration_failures_total", "0x9 1x20", 9, 11),
    ("WeftKubernetesApiFails", 'weft_kubernetes_failed_requests_total{kubernetes="endpointslices"}', "0x4 0+2x25", 8, 12),
    ("WeftCertificateEnds", "weft_identity_certificate_expires_in_seconds", "3900-60x29", 9, 13),
])
def test_when_alerts_come(viz, tmp_path, alert, series, values, before, after):
    _, _, folder = viz
    there = [{"series": series, "values": values}, {"series": 'weft_client_endpoints{client="c"}', "values": "2x30"}]
    (tmp_path / "tests.json").write_text(json.dumps({
        "rule_files": [str(folder / "weft-rules.yml"), str(folder / "weft-alerts.yml")],
        "tests": [{"interval": "1m", "input_series": there, "promql_expr_test": [
            {"expr": f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})', "eval_time": f"{minute}m", "exp_samples": samples}
            for minute, samples in ((before, []), (after, [{"labels": "{}", "value": 1}]))]}]}))
    done = subprocess.run(["promtool", "test", "rules", tmp_path / "tests.json"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- in Grafana ----

def answered(prometheus, panel):
    """What Prometheus says to each query of a panel, as Grafana asks."""
    answers, now = {}, time.time()
    for target in panel.get("targets", []):
        query = re.sub(r"\$\w+", ".*", target["expr"])
        asked = {"time": now} if target["instant"] else {"start": now - 1800, "end": now, "step": 5}
        answers[target["refId"]] = prometheus.get("query" if target["instant"] else "query_range", query=query, **asked)["result"]
    return answers


@pytest.fixture(scope="module", name="shown")
def show(viz):
    """shown(file) -> {title and type of a panel: what Grafana's own code shows of it}."""
    if not (GRAFANA / "node_modules").exists() or not shutil.which("node"):
        pytest.skip("Grafana's code is not in build-judges: ./dev test all installs it, with npm")
    prometheus, _, folder = viz

    def ask(name):
        made = json.loads((folder / name).read_text())
        asked = json.dumps({"dashboard": made, "answers": {panel["id"]: answered(prometheus, panel) for panel in made["panels"]}})
        done = subprocess.run(["node", GRAFANA / "show.js"], input=asked, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        assert told["unknown"] == []
        return {(panel["title"], panel["type"]): told["panels"][str(panel["id"])] for panel in made["panels"] if panel["type"] != "row"}
    return ask


@needs_prometheus
@pytest.mark.full
@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_shows_each_panel(shown, name):
    for panel, content in shown(name).items():
        texts = [text for row in content["rows"] for text in row] if panel[1] == "table" else [one["text"] for one in content]
        assert texts and not [text for text in texts if re.search("NaN|undefined|null|Infinity", text)], panel
        if panel[1] == "stat":
            assert len(content) == 1 and content[0]["text"], panel
        if panel[1] == "timeseries":
            names = [one["name"] for one in content]
            assert len(set(names)) == len(names) and not [name for name in names if "Value" in name or "{" in name], panel


@needs_prometheus
@pytest.mark.full
def test_grafana_joins_the_rows_of_tables(viz, shown):
    _, wefts, _ = viz
    panels = shown("weft-overview.json")
    services, instances = panels["Services", "table"], panels["Instances", "table"]
    assert services["columns"] == ["Service", "Router", "Requests", "Success", "p50", "p99", "Retries"]
    rows = {row[0]: dict(zip(services["columns"], row)) for row in services["rows"]}
    assert len(rows) == len(services["rows"]) and set(rows) == {f"svc/{host}" for host in Traffic.HOSTS}
    assert (rows["svc/good"]["Success"], rows["svc/gone"]["Success"], rows["svc/good"]["Router"]) == ("100%", "0%", "out")
    assert rows["svc/good"]["Requests"].endswith("req/s") and rows["svc/good"]["p99"].endswith(("ms", "µs"))
    assert instances["columns"] == ["Instance", "Requests", "Success", "p99", "Up for"]
    assert sorted(row[0] for row in instances["rows"]) == sorted("{}:{}".format(*weft.admin_address) for weft in wefts)
    assert all(all(row) for row in instances["rows"])
    assert [one["text"] for one in panels["Instances", "stat"]] == ["2"]


# ---- what is written ----

@pytest.fixture(scope="module", autouse=True)
def know_panels():
    plugins.register_default_plugins()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_grafana_knows_every_field(tmp_path, name):
    assert install("--dir", tmp_path)[0] == 0
    made = json.loads((tmp_path / name).read_text())
    read = json.loads(JSONEncoder(sort_keys=True, indent=1).encode(Dashboard.from_json(made)))

    def compare(ours, theirs, path):
        if isinstance(ours, dict):
            for key, value in ours.items():
                assert key in theirs, f"{path}/{key} is no field of Grafana's"
                compare(value, theirs[key], f"{path}/{key}")
        elif isinstance(ours, list):
            assert len(ours) == len(theirs), path
            for at, (one, other) in enumerate(zip(ours, theirs)):
                compare(one, other, f"{path}/{at}")
        else:
            assert ours == theirs, path

    compare(made, read, "")
    assert made["uid"] == name.removesuffix(".json") and len(made["uid"]) <= 40
    assert made["templating"]["list"][0]["type"] == "datasource"
    ids = [panel["id"] for panel in made["panels"]]
    assert len(set(ids)) == len(ids)
    taken = set()
    for panel in made["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["datasource"]["uid"] == "${datasource}"


def objects(*arguments):
    code, out, err = install(*arguments)
    assert (code, err) == (0, "")
    return [each for each in yaml.safe_load_all(out) if each]


def named(made):
    return [(each["kind"], each["metadata"]["namespace"], each["metadata"]["name"]) for each in made]


def discovered(made):
    """Where the configuration in these objects looks for pods."""
    maps = next(each for each in made if each["kind"] == "ConfigMap")
    return yaml.safe_load(maps["data"]["prometheus.yml"])["scrape_configs"][0]["kubernetes_sd_configs"]


def test_the_stream_is_a_prometheus_for_kubernetes():
    made = objects()
    assert named(made) == [(kind, "default", name) for kind, name in (
        ("Role", "weft-prometheus"), ("RoleBinding", "weft-prometheus"), ("ConfigMap", "weft-prometheus"), ("ConfigMap", "weft-dashboards"),
        ("ServiceAccount", "weft-prometheus"), ("Service", "weft-prometheus"), ("Deployment", "weft-prometheus"), ("ServiceAccount", "weft-viz"),
        ("Role", "weft-viz"), ("RoleBinding", "weft-viz"), ("Service", "weft-viz"), ("Deployment", "weft-viz"))]
    assert made[0]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]
    assert discovered(made) == [{"role": "pod", "namespaces": {"names": ["default"]}}]
    container, = made[6]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "prom/prometheus:v3.16.0"


def test_the_stream_has_weft_s_own_page():
    account, role, binding, service, deployment = objects("--namespace", "monitoring", "--proxies", "mesh", "--weft-image", "example.org/weft:2")[-5:]
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == "mesh"
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["metadata"]["name"], "namespace": "monitoring"}]
    spec = deployment["spec"]["template"]["spec"]
    container, = spec["containers"]
    assert spec["serviceAccountName"] == account["metadata"]["name"] and container["image"] == "example.org/weft:2"
    assert container["args"] == ["dashboard", "--kubernetes", "--direct", "--namespace", "mesh", "--listen", "0.0.0.0:8084"]
    assert service["spec"]["ports"][0]["port"] == container["ports"][0]["containerPort"] == 8084


def test_its_options_are_in_the_objects():
    made = objects("--namespace", "monitoring", "--proxies", "mesh", "--proxies", "edge", "--image", "example.org/prometheus@sha256:00")
    rights, others = made[:4], made[4:]
    assert named(rights) == [(kind, namespace, "weft-prometheus") for namespace in ("mesh", "edge") for kind in ("Role", "RoleBinding")]
    assert {each["metadata"]["namespace"] for each in others if each["kind"] not in ("Role", "RoleBinding")} == {"monitoring"}
    # weft's own page is about the first of them.
    assert named(each for each in others if each["kind"] in ("Role", "RoleBinding")) == [("Role", "mesh", "weft-viz"), ("RoleBinding", "mesh", "weft-viz")]
    for binding in rights[1::2]:
        assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "weft-prometheus", "namespace": "monitoring"}]
    assert discovered(others) == [{"role": "pod", "namespaces": {"names": ["mesh", "edge"]}}]
    assert others[4]["spec"]["template"]["spec"]["containers"][0]["image"] == "example.org/prometheus@sha256:00"


@pytest.mark.parametrize("options", [[], ["--namespace", "monitoring", "--proxies", "mesh", "--proxies", "edge"]])
def test_uninstall_names_them(options):
    done = subprocess.run([WEFT, "uninstall", "viz", *options], capture_output=True, text=True, timeout=PATIENCE, check=True)
    removed = [each for each in yaml.safe_load_all(done.stdout) if each]
    assert named(removed) == named(objects(*options))
    assert all(set(each) == {"apiVersion", "kind", "metadata"} for each in removed)


def test_only_its_configuration_is_config_maps(tmp_path):
    prometheus, dashboards = objects("--only-config")
    assert {one["kind"] for one in (prometheus, dashboards)} == {"ConfigMap"}
    assert set(prometheus["data"]) == {"prometheus.yml", "weft-rules.yml", "weft-alerts.yml"}
    assert set(dashboards["data"]) == set(DASHBOARDS)
    assert dashboards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert sum(map(len, dashboards["data"].values())) < 900_000  # of the MiB that a ConfigMap may have
    config = yaml.safe_load(prometheus["data"]["prometheus.yml"])
    assert config["scrape_configs"][0]["kubernetes_sd_configs"] == [{"role": "pod"}]
    assert install("--dir", tmp_path, "--discover", "kubernetes")[0] == 0
    assert {name: (tmp_path / name).read_text() for name in os.listdir(tmp_path)} == prometheus["data"] | dashboards["data"]
    if shutil.which("promtool"):
        # Debian's Prometheus is built without Kubernetes: it judges all but the discovery's name.
        path = tmp_path / "prometheus.yml"
        path.write_text(path.read_text().replace("kubernetes_sd_configs:\n  - role: pod\n", "file_sd_configs:\n  - files: [weft-targets.yml]\n"))
        subprocess.run(["promtool", "check", "config", path], check=True, capture_output=True, timeout=PATIENCE)


def test_files_and_options(tmp_path):
    folder = tmp_path / "new"
    code, out, err = install("--dir", folder, "--objective", "99", "--interval", "30s", "--admin", "10.0.0.1,[::1]:99", "--admin=node-1")
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(folder / name) for name in sorted(FILES, key=out.index)] and set(os.listdir(folder)) == FILES
    assert yaml.safe_load((folder / "weft-targets.yml").read_text()) == [{"targets": ["10.0.0.1:9990", "[::1]:99", "node-1:9990"]}]
    assert yaml.safe_load((folder / "prometheus.yml").read_text())["global"]["scrape_interval"] == "30s"
    alerts = (folder / "weft-alerts.yml").read_text()
    assert "14.4 * 0.01 " in alerts and "99 %" in alerts
    for name in FILES:
        assert "@" not in (folder / name).read_text(), name


def test_targets_of_a_user_stay(tmp_path):
    mine = "- targets: ['10.1.1.1:9990']\n"
    (tmp_path / "weft-targets.yml").write_text(mine)
    (tmp_path / "weft-rules.yml").write_text("old")
    code, out, _ = install("--dir", tmp_path)
    assert code == 0 and "weft-targets.yml stays as it is" in out
    assert (tmp_path / "weft-targets.yml").read_text() == mine and (tmp_path / "weft-rules.yml").read_text() != "old"
    assert install("--dir", tmp_path, "--admin", "10.2.2.2")[0] == 0
    assert "10.2.2.2:9990" in (tmp_path / "weft-targets.yml").read_text()


@pytest.mark.parametrize("arguments, told", [
    (["--interval", "31s"], "at most 30s"),
    (["--objective", "100"], "between 0 and 100"),
    (["--objective", "0"], "between 0 and 100"),
    (["--discover", "dns"], "`file` or `kubernetes`"),
    (["--admin", "1.2.3.4"], "--discover file"),
    (["--discover", "file"], "belongs to --dir"),
    (["--dir", "x", "--proxies", "mesh"], "--discover kubernetes"),
    (["--proxies", "My_Own"], "--proxies takes a name"),
    (["--namespace", ""], "--namespace takes a name"),
    (["--image", "a b"], "--image takes a name such as prom/prometheus:"),
    (["--dir", "x", "--admin", "a'b"], "not `a'b`"),
    (["--dir", "x", "--admin", "1.2.3.4:0"], "not `1.2.3.4:0`"),
    (["here"], "what is `here` for"),
])
def test_wrong_usage(tmp_path, monkeypatch, arguments, told):
    monkeypatch.chdir(tmp_path)
    code, out, err = install(*arguments)
    assert (code, out) == (2, "") and told in err
    assert os.listdir(tmp_path) == []


def test_a_directory_that_cannot_be_made(tmp_path):
    code, _, err = install("--dir", tmp_path / "none" / "deep")
    assert code == 1 and "cannot be made" in err


def test_what_else_can_be_installed():
    done = subprocess.run([WEFT, "install", "vix"], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2 and "`viz`" in done.stderr
