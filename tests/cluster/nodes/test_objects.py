# SPDX-License-Identifier: Apache-2.0
"""What weft install prints, as the API server, Pod Security and Helm judge it."""

import pytest
import yaml

from cluster import HELM, run, wait_until, weft


def by_name(objects):
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(objects) if each}


def test_the_server_takes_all_of_it(cluster):
    for words in (["node", "ingress"], ["node", "ingress", "--mtls", "identity", "--dtab", "/a => /b"], ["viz"]):
        said = cluster.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", given=weft("install", *words))
        assert said.count("(server dry run)") == len(said.splitlines()) >= 7


def test_all_but_the_node_proxy_is_restricted(cluster):
    """In a namespace that refuses what isn't; the node proxy's one breach is the node's network."""
    cluster.kubectl("create", "namespace", "strict")
    try:
        cluster.kubectl("label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/warn=restricted")
        objects = weft("install", "ingress", "node", "--namespace", "strict") + weft("install", "viz", "--namespace", "strict")
        said = cluster.kubectl("apply", "--dry-run=server", "-f", "-", given=objects, check=False)
        assert said.returncode == 0
        warnings = [line for line in said.stderr.splitlines() if "PodSecurity" in line]
        assert len(warnings) == 1 and "host namespaces (hostNetwork=true)" in warnings[0]
        for other in ("hostPort", "hostPath", "allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile", "volume"):
            assert other not in warnings[0]
        cluster.apply(weft("install", "ingress", "--namespace", "strict"))
        cluster.kubectl("rollout", "status", "-n", "strict", "deployment/l5d-ingress", "--timeout=90s")
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", given=weft("uninstall", "ingress", "--namespace", "strict"))
        cluster.kubectl("delete", "namespace", "strict")


@pytest.mark.parametrize("options", [[], ["--mtls", "identity", "--dtab", "/host/world => /srv/world-v1; /x => /y"],
                                     ["--ingress-class", "weft", "--mtls", "identity", "--trust-callers", "--services", "shop", "--service-type", "NodePort", "--no-handover"]])
def test_the_chart_is_the_same_objects(tmp_path, options):
    weft("install", "--helm", tmp_path / "weft", *options)
    assert "0 chart(s) failed" in run(HELM, "lint", "--strict", "--kube-version", "1.34", tmp_path / "weft")
    templated = run(HELM, "template", "weft", tmp_path / "weft", "--namespace", "default", "--kube-version", "1.34")
    assert by_name(templated) == by_name(weft("install", "node", "ingress", *options))


def test_the_chart_is_installed_and_removed(cluster, tmp_path):
    chart = tmp_path / "weft"
    weft("install", "--helm", chart, "--mtls", "identity")
    cluster.outside(HELM, "install", "weft", chart, "--set", "ingress=false,mtls=", "--wait", "--timeout", "90s", seconds=120)
    try:
        # Helm waits only for as many as an update must leave.
        cluster.rolled_out("daemonset/l5d")
        assert set(cluster.pods("l5d")) == set(cluster.nodes.values())
        assert not cluster.pods("l5d-ingress")
    finally:
        cluster.outside(HELM, "uninstall", "weft", "--wait", "--timeout", "60s", seconds=90)
    wait_until(lambda: cluster.kubectl("get", "all", "-o", "name").split() == ["service/kubernetes"], "the release is gone")
