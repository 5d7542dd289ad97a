# SPDX-License-Identifier: Apache-2.0
"""weft install and uninstall for Kubernetes, as far as it can be told without one: tests/cluster/nodes installs it."""

import os
import re
import subprocess

import pytest
import yaml

WEFT = os.environ["WEFT"]
PATIENCE = 30


def run(*arguments, given=None):
    done = subprocess.run([WEFT, *map(str, arguments)], input=given, capture_output=True, text=True, timeout=PATIENCE, check=False)
    return done.returncode, done.stdout, done.stderr


def objects(*arguments):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    return [each for each in yaml.safe_load_all(out) if each]


@pytest.fixture(name="identity", scope="module")
def make_identity(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identity")
    assert run("ca", "init", folder / "ca", "--trust-domain", "cluster.local")[0] == 0
    (folder / "l5d").mkdir()
    assert run("ca", "issue", folder / "ca", "--id", "spiffe://cluster.local/ns/default/sa/l5d", "--out", f"{folder}/l5d/")[0] == 0
    return folder / "l5d"


def name_of(each):
    return each["apiVersion"], each["kind"], each["metadata"]["name"], each["metadata"].get("namespace")


def config(component, *arguments):
    name = {"node": "l5d-config", "ingress": "l5d-ingress-config"}[component]
    return next(each["data"]["config.yaml"] for each in objects("install", component, *arguments) if each["metadata"]["name"] == name)


@pytest.mark.parametrize("component", ["node", "ingress"])
@pytest.mark.parametrize("options", [[], ["--dtab", "/host/world => /srv/world-v1 | /srv/world-v2; /x => /y", "--dtab", "/z => /y"],
                                     ["--services", "shop", "--trust-callers"],
                                     ["--ingress-class", "weft", "--mtls", "keys", "--dtab", "/x => /y"]])
def test_the_configuration_is_one(component, options, identity):
    text = config(component, *options).replace("/var/run/weft/identity", str(identity))
    code, out, err = run("validate", "-", given=text)
    assert (code, out, err) == (0, "-: OK\n", "")


def test_options_are_in_the_objects():
    made = objects("install", "node", "ingress", "--namespace", "mesh", "--image", "registry.example.org/weft@sha256:00", "--service-type", "NodePort",
                   "--mtls", "keys", "--dtab", "/host/world=>/srv/world-v1;")
    assert {each["metadata"].get("namespace") for each in made} == {"mesh", None}
    pods = {each["metadata"]["name"]: each["spec"]["template"]["spec"] for each in made if each["kind"] in ("DaemonSet", "Deployment")}
    for name in ("l5d", "l5d-ingress"):
        assert pods[name]["containers"][0]["image"] == "registry.example.org/weft@sha256:00"
        assert {"name": "identity", "secret": {"secretName": "keys", "defaultMode": 0o440}} in pods[name]["volumes"]
    assert next(each for each in made if each["kind"] == "Service" and each["metadata"]["name"] == "l5d")["spec"]["type"] == "NodePort"
    read = yaml.safe_load(config("node", "--mtls", "keys", "--dtab", "/host/world=>/srv/world-v1;"))
    assert read["identity"] == {"directory": "/var/run/weft/identity"}
    routers = {router["label"]: router for router in read["routers"]}
    assert {label: (router["protocol"], router["servers"][0]["port"]) for label, router in routers.items()} == {
        "outgoing": ("http", 4140), "incoming": ("http", 4141), "grpc-outgoing": ("h2", 4240), "grpc-incoming": ("h2", 4241)}
    for before in "", "grpc-":
        outgoing, incoming = routers[f"{before}outgoing"], routers[f"{before}incoming"]
        assert outgoing["client"]["mutualTls"] == incoming["servers"][0]["mutualTls"] == "strict"
        assert outgoing["interpreter"]["transformers"][0]["port"] == f"{before}incoming"
        for router in outgoing, incoming:
            assert router["dtab"].splitlines()[-1] == "/host/world => /srv/world-v1;"


def test_strangers_are_not_believed_unless_one_says_so():
    def cleared(*options):
        return yaml.safe_load(config("ingress", *options))["routers"][0]["servers"][0]["clearContext"]

    assert cleared() is True and cleared("--trust-callers") is False


def test_an_ingress_by_class_reads_ingresses_and_goes_to_pods():
    made = objects("install", "ingress", "--ingress-class", "weft")
    rules = next(each for each in made if each["kind"] == "ClusterRole")["rules"]
    assert {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list", "watch"]} in rules
    router = yaml.safe_load(config("ingress", "--ingress-class", "weft", "--mtls", "keys"))["routers"][0]
    assert router["identifier"] == {"kind": "io.l5d.ingress", "ingressClassAnnotation": "weft"}
    assert "interpreter" not in router and "mutualTls" not in router["client"]
    without = next(each for each in objects("install", "ingress") if each["kind"] == "ClusterRole")["rules"]
    assert len(without) == len(rules) - 1


def test_node_proxies_hand_over_unless_one_says_not():
    """A declared port would be one of the node's, and keep the second pod off it."""
    def daemonset(*options):
        return next(each["spec"] for each in objects("install", "node", "--namespace", "mesh", *options) if each["kind"] == "DaemonSet")

    spec = daemonset()
    container = spec["template"]["spec"]["containers"][0]
    assert spec["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert "ports" not in container and not any("hostPath" in each for each in spec["template"]["spec"]["volumes"])
    assert container["args"] == ["proxy", "/etc/weft/config.yaml", "--supervise", "--handover", "@weft-mesh-l5d", "--drain", "5m", "--stay"]
    assert container["startupProbe"]["exec"]["command"] == ["/usr/bin/weft", "ready", "@weft-mesh-l5d"]
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 300
    without = daemonset("--no-handover")
    container = without["template"]["spec"]["containers"][0]
    assert without["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
    assert [each["hostPort"] for each in container["ports"]] == [4140, 4141, 4240, 4241, 9990] and container["args"] == ["proxy", "/etc/weft/config.yaml", "--supervise"]
    assert "exec" not in container["startupProbe"] and "annotations" not in without["template"]["metadata"]


def test_uninstall_names_what_install_makes():
    made = objects("install", "node", "ingress", "--namespace", "mesh")
    removed = objects("uninstall", "--namespace", "mesh")
    assert [name_of(each) for each in removed] == [name_of(each) for each in made + objects("install", "viz", "--namespace", "mesh")]
    assert all(set(each) == {"apiVersion", "kind", "metadata"} and set(each["metadata"]) <= {"name", "namespace"} for each in removed)
    assert [name_of(each) for each in objects("uninstall", "ingress")] == [name_of(each) for each in objects("install", "ingress")]


def test_the_chart_has_the_options_as_values(tmp_path):
    code, out, _ = run("install", "--helm", tmp_path / "chart", "--image", "example.org/weft:2", "--dtab", "/a => /b; /c => /d")
    assert code == 0
    written = {line.removeprefix(f"{tmp_path}/chart/") for line in out.splitlines()}
    assert written == {"Chart.yaml", "values.yaml", "templates/node.yaml", "templates/ingress.yaml"}
    values = yaml.safe_load((tmp_path / "chart/values.yaml").read_text())
    assert values["image"] == "example.org/weft:2" and values["dtab"] == ["/a => /b", "/c => /d"] and values["mtls"] == ""
    assert yaml.safe_load((tmp_path / "chart/Chart.yaml").read_text())["version"] == run("version")[1].split()[1]
    for name in ("node", "ingress"):
        assert not re.search("@[A-Z_]+@", (tmp_path / f"chart/templates/{name}.yaml").read_text())


@pytest.mark.parametrize("arguments, told", [
    (["install"], "`weft install node`"),
    (["install", "nod"], "did you mean `node`?"),
    (["install", "node", "--helm", "x"], "weft install: what?"),
    (["install", "node", "--namespace", "My_Own"], "--namespace takes a name"),
    (["install", "node", "--image", "a b"], "--image takes a name"),
    (["install", "node", "--image", ""], "--image takes a name"),
    (["install", "node", "--dtab", "/a > /b"], "--dtab /a > /b: "),
    (["install", "node", "--service-type", "Ingress"], "`LoadBalancer`"),
    (["install", "ingress", "--ingress-class", "A"], "--ingress-class takes a name"),
    (["uninstall", "--namespace", "a b"], "--namespace takes a name"),
    (["uninstall", "grafana"], "unknown thing to install `grafana`"),
])
def test_wrong_usage(arguments, told):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and told in err
    assert len(err.splitlines()) == 1


def test_a_chart_that_cannot_be_written(tmp_path):
    code, _, err = run("install", "--helm", tmp_path / "none" / "deep")
    assert code == 1 and "cannot be made" in err
