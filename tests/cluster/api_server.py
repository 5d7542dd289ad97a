# SPDX-License-Identifier: Apache-2.0
"""A real Kubernetes API: etcd and kube-apiserver on loopback, each of which can be stopped, started and told to forget.

    api = ApiServer(folder, programs)
    api.start()
    api.apply({"apiVersion": "v1", "kind": "Service", ...})
    api.stop_api(); api.start_api()      # an outage
    api.compact()                        # etcd forgets all versions but the newest
    api.stop()
"""

import base64
import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import time

START = 120.0  # seconds in which a part must have started; seconds are usual
STOP = 30.0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def run(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False, timeout=START, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stderr.decode()[-2000:]}"
    return done.stdout.decode()


class Part:
    """One process with its log."""

    def __init__(self, folder, program, *arguments, env=None):
        self.log = folder / f"{program.name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(program), *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(env or {})})

    def stop(self, kill=False):
        if self.process.poll() is None:
            self.process.kill() if kill else self.process.terminate()
            try:
                self.process.wait(STOP)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class ApiServer:
    def __init__(self, folder, programs):
        self.folder, self.programs = pathlib.Path(folder), pathlib.Path(programs)
        self.etcd = self.api = self.proxy = None
        self.others = []
        self.etcd_port, self.peer_port, self.port = free_port(), free_port(), free_port()
        self.admin = self.folder / "admin.kubeconfig"

    # ---- keys ----

    def _authority(self):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=test-ca",
            "-keyout", self.folder / "ca.key", "-out", self.folder / "ca.crt", "-addext", "keyUsage=critical,keyCertSign,digitalSignature")

    def _certificate(self, name, subject, names="DNS:localhost"):
        base = self.folder / name
        extensions = self.folder / "extensions"
        extensions.write_text(f"extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName={names}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", f"{base}.key",
            "-out", f"{base}.csr")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.folder / "ca.crt", "-CAkey", self.folder / "ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", f"{base}.crt")

    def _keys(self):
        self._authority()
        self._certificate("api", "/CN=kube-apiserver", "DNS:localhost,DNS:kubernetes.default,IP:127.0.0.1")
        self._certificate("admin", "/O=system:masters/CN=admin")
        run("openssl", "genrsa", "-out", self.folder / "accounts.key", "2048")
        encoded = {name: base64.b64encode((self.folder / name).read_bytes()).decode() for name in ("ca.crt", "admin.crt", "admin.key")}
        self.admin.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"https://127.0.0.1:{self.port}",
                                                      "certificate-authority-data": encoded["ca.crt"]}}],
            "users": [{"name": "admin", "user": {"client-certificate-data": encoded["admin.crt"], "client-key-data": encoded["admin.key"]}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        }))

    # ---- life ----

    def start(self):
        self._keys()
        self.start_etcd()
        self.start_api()

    def start_etcd(self):
        client, peer = f"http://127.0.0.1:{self.etcd_port}", f"http://127.0.0.1:{self.peer_port}"
        self.etcd = Part(self.folder, self.programs / "etcd", f"--data-dir={self.folder / 'etcd'}", "--unsafe-no-fsync", "--name=etcd",
                         f"--listen-client-urls={client}", f"--advertise-client-urls={client}", f"--listen-peer-urls={peer}",
                         f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=etcd={peer}")

    def start_api(self):
        keys = self.folder
        self.api = Part(
            self.folder, self.programs / "kube-apiserver", f"--etcd-servers=http://127.0.0.1:{self.etcd_port}",
            "--bind-address=127.0.0.1", f"--secure-port={self.port}", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            "--service-cluster-ip-range=10.96.0.0/16", "--authorization-mode=RBAC", f"--tls-cert-file={keys / 'api.crt'}",
            f"--tls-private-key-file={keys / 'api.key'}", f"--client-ca-file={keys / 'ca.crt'}",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={keys / 'accounts.key'}",
            f"--service-account-signing-key-file={keys / 'accounts.key'}",
            # Compaction is the tests' to ask for; and a server that stops ends its watches at once.
            "--etcd-compaction-interval=0", "--shutdown-delay-duration=0s", "--shutdown-watch-termination-grace-period=0s")
        end = time.monotonic() + START
        while not self.ready():
            assert self.api.process.poll() is None and time.monotonic() < end, self.api.log.read_text(errors="replace")[-3000:]
            time.sleep(0.1)

    def ready(self):
        try:
            return self.kubectl("get", "--raw", "/readyz").strip() == "ok" and bool(self.kubectl("get", "namespace", "default"))
        except AssertionError:
            return False

    def stop_api(self, kill=False):
        self.api.stop(kill)

    def start_controllers(self, *names):
        """Kubernetes' own, and of them just these, as fast as they can: what comes at once makes fewer writes, of which none is too early."""
        self.others.append(Part(
            self.folder, self.programs / "kube-controller-manager", f"--kubeconfig={self.admin}", f"--controllers={','.join(names)}",
            "--leader-elect=false", "--secure-port=0", "--kube-api-qps=5000", "--kube-api-burst=5000", "--concurrent-service-endpoint-syncs=20",
            "--endpointslice-updates-batch-period=1s"))

    def start_kwok(self, addresses):
        """All nodes and all pods are kwok's: it says that they are ready, and ends them when told to. Pods get an address of these."""
        self.others.append(Part(self.folder, self.programs / "kwok", f"--kubeconfig={self.admin}", "--manage-all-nodes", f"--cidr={addresses}",
                                # Its default stages and no configuration of whoever runs this.
                                env={"HOME": str(self.folder)}))

    def stop(self):
        for part in (self.proxy, *self.others, self.api, self.etcd):
            if part:
                part.stop(kill=True)

    # ---- use ----

    def kubectl(self, *arguments, **options):
        return run(self.programs / "kubectl", "--kubeconfig", self.admin, *arguments, **options)

    def apply(self, *objects):
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "-f", "-", input=text.encode())

    def delete(self, kind, name):
        self.kubectl("delete", kind, name)

    def version(self):
        return int(json.loads(self.kubectl("get", "--raw", "/api/v1/services?limit=1"))["metadata"]["resourceVersion"])

    def compact(self):
        """etcd keeps no version before the newest. (Its gateway speaks JSON, with numbers as texts.)"""
        connection = f"http://127.0.0.1:{self.etcd_port}/v3/kv/compaction"
        run("curl", "-sf", "-X", "POST", connection, "-d", json.dumps({"revision": str(self.version()), "physical": True}))

    def account(self, name):
        """A service account that may list and watch what discovery needs: the path of its token."""
        self.apply(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": "default"}},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": [
                {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
                {"apiGroups": [""], "resources": ["services"], "verbs": ["list", "watch"]},
                {"apiGroups": ["networking.k8s.io"], "resources": ["ingresses"], "verbs": ["list", "watch"]}]},
            {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name},
             "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]})
        return self.token(name)

    def token(self, name):
        path = self.folder / f"{name}.token"
        path.write_text(self.kubectl("create", "token", name))
        return path

    def plain_proxy(self):
        """The port of `kubectl proxy`."""
        self.proxy = Part(self.folder, self.programs / "kubectl", "--kubeconfig", str(self.admin), "proxy", "--port=0")
        end = time.monotonic() + START
        while True:
            found = re.search(r"Starting to serve on 127\.0\.0\.1:(\d+)", self.proxy.log.read_text(errors="replace"))
            if found:
                return int(found[1])
            assert time.monotonic() < end and self.proxy.process.poll() is None
            time.sleep(0.05)


@contextlib.contextmanager
def outage(api, kill=False):
    api.stop_api(kill)
    try:
        yield
    finally:
        api.start_api()
