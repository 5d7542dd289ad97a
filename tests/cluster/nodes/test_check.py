# SPDX-License-Identifier: Apache-2.0
"""weft check, before and after installing, with `kubectl proxy` as a user has it and with a token over TLS; and what it says of what is broken."""

import contextlib
import json
import os

import pytest

from cluster import HOME, KUBECTL, wait_until, weft

API = "127.0.0.1:8001"


@pytest.fixture(name="check")
def make_check(cluster):
    """Runs weft check beside the nodes: (exit code, its checks by name)."""
    def check(*words, api=API):
        done = cluster.outside(os.environ["WEFT"], "check", "--api", api, "-o", "json", *words, check=False)
        said = json.loads(done.stdout)
        assert said["ok"] == (done.returncode == 0)
        assert all("hint" in each for each in said["checks"] if each["result"] != "ok")
        return done.returncode, {each["check"]: each for each in said["checks"]}

    with cluster.beside(KUBECTL, "proxy", "--port", "8001"):
        wait_until(lambda: cluster.curl(f"http://{API}/readyz") == "ok", "kubectl proxy answers")
        yield check


@contextlib.contextmanager
def installed(cluster, *options):
    cluster.apply(weft("install", "node", *options))
    try:
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--wait", "-f", "-", given=weft("uninstall"))
        wait_until(lambda: not cluster.get("pods", "-l", "app=l5d")["items"], "the node proxies are gone")


def failed(checks):
    return {name: each["said"] for name, each in checks.items() if each["result"] == "fail"}


@pytest.mark.smoke
def test_before_and_after(cluster, check):
    code, checks = check("--pre")
    assert code == 0 and list(checks) == ["api", "version", "rights", "namespace", "ports"]
    assert checks["api"]["said"] == f"http://{API}: v1.34.4"
    code, checks = check()
    assert code == 1 and set(failed(checks)) == {"installed"} and "weft install node" in checks["installed"]["hint"]
    with installed(cluster):
        cluster.rolled_out("daemonset/l5d")
        code, checks = check()
        assert (code, failed(checks)) == (0, {})
        assert set(checks) == {"api", "version", "rights", "namespace", "ports", "installed", "proxy rights", "configuration", "nodes", "proxies"}
        assert checks["proxies"]["said"] == f"{cluster.count} proxies answer"
        lines = cluster.outside(os.environ["WEFT"], "check", "--api", API).splitlines()
        assert len(lines) == len(checks) and all(line.startswith("ok ") for line in lines)
        taken = failed(check("--pre", "--namespace", "kube-system")[1])
        assert set(taken) == {"ports"} and "9990 of node1 by default/l5d-" in taken["ports"]


def test_a_port_that_is_taken(cluster, check):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "thief"}, "spec": {"terminationGracePeriodSeconds": 0, "containers": [
        {"name": "thief", "image": "localhost/curl:1", "ports": [{"containerPort": 80, "hostPort": 4140}]}]}}
    cluster.apply(json.dumps(pod))
    try:
        node = wait_until(lambda: cluster.get("pod", "thief")["spec"].get("nodeName"), "the pod has a node")
        code, checks = check("--pre")
        assert code == 1 and failed(checks) == {"ports": f"taken: 4140 of {node} by default/thief"}
    finally:
        cluster.kubectl("delete", "pod", "thief")


def test_what_is_broken_is_named(cluster, check):
    with installed(cluster):
        cluster.rolled_out("daemonset/l5d")
        cluster.kubectl("delete", "clusterrolebinding", "l5d:default")
        wait_until(lambda: set(failed(check()[1])) == {"proxy rights"}, "the account's rights are gone")
        assert failed(check()[1])["proxy rights"].startswith("may not list endpointslices.discovery.k8s.io, watch ")
        cluster.apply(weft("install", "node"))
        broken = json.dumps({"data": {"config.yaml": "routers:\n- protocol: http\n  servers: [{prot: 4140}]\n"}})
        cluster.kubectl("patch", "configmap", "l5d-config", "--type=merge", "-p", broken)
        wait_until(lambda: set(failed(check()[1])) == {"configuration"}, "the rights are back, the configuration is wrong")
        assert "l5d-config/config.yaml:3:14: " in failed(check()[1])["configuration"] and "did you mean `port`" in failed(check()[1])["configuration"]
    with installed(cluster, "--image", "localhost/absent:1"):
        said = wait_until(lambda: "Image" in failed(check()[1]).get("nodes", "") and failed(check()[1]), "kubelet's reason is there")
        assert "node1: " in said["nodes"] and said["installed"].startswith("DaemonSet default/l5d: 0 of ")


def test_who_may_not_install_is_told_what(cluster, check, tmp_path):
    """Over TLS, by an account's token."""
    token = tmp_path / "token"
    token.write_text(cluster.kubectl("create", "token", "default"))
    code, checks = check("--pre", "--ca-file", HOME / "state/pki/ca.crt", "--token-file", token, api="192.168.77.11:6443")
    assert code == 1 and checks["api"]["said"] == "https://192.168.77.11:6443: v1.34.4"
    assert set(failed(checks)) == {"rights", "namespace", "ports"}
    assert checks["rights"]["said"].startswith("may not create serviceaccounts, create configmaps")
    assert checks["namespace"]["said"].startswith("403: ")
    token.write_text("nobody's")
    code, checks = check("--pre", "--ca-file", HOME / "state/pki/ca.crt", "--token-file", token, api="192.168.77.11:6443")
    assert code == 1 and list(checks) == ["api"] and "401" in checks["api"]["said"]
