# SPDX-License-Identifier: Apache-2.0
"""As much of Kubernetes' API as discovery asks for: lists in chunks, watches with bookmarks, versions that can be forgotten, tokens, TLS.
tests/cluster asks a real one; this one is there without Kubernetes, and can be stopped in an instant.

    api = KubeApi()
    api.put(endpoint_slice("hello", [origin]))
    api.stop(); api.forget(); api.start()      # an outage, after which a watch begins with 410 Gone
    api.close()
"""

import http.client
import http.server
import json
import queue
import re
import socketserver
import ssl
import threading
import urllib.parse

COLLECTIONS = {"/apis/discovery.k8s.io/v1/endpointslices": "EndpointSlice", "/api/v1/services": "Service",
               "/apis/networking.k8s.io/v1/ingresses": "Ingress", "/api/v1/namespaces/default/pods": "Pod", "/api/v1/pods": "Pod", "/api/v1/namespaces/default/configmaps": "ConfigMap"}
OLDER = {"/apis/extensions/v1beta1/ingresses": "Ingress"}
POD_PROXY = re.compile(r"/api/v1/namespaces/default/pods/([^:/]+):\d+/proxy(/.*)$")
POD = re.compile(r"/api/v1/namespaces/([^/]+)/pods/([^/]+)$")
CHUNK = 2  # objects: so that every list of a test comes in chunks


def service(name, port=80, port_name="http"):
    return {"kind": "Service", "metadata": {"name": name, "namespace": "default"},
            "spec": {"ports": [{"name": port_name, "port": port, "protocol": "TCP", "targetPort": 7777}]}}


def balanced(name, *hosts, port=80):
    """A Service with load balancers, at IP addresses or names."""
    kinds = [{"ip" if host.replace(".", "").isdigit() else "hostname": host} for host in hosts]
    return {**service(name, port), "status": {"loadBalancer": {"ingress": kinds}}}


def endpoint_slice(service_name, addresses, suffix="a", port_name="http", node="node1", zone=None, for_zones=(), **conditions):
    """Of (ip, port), all with one port and on one node."""
    place = {"nodeName": node, "zone": zone, "hints": {"forZones": [{"name": each} for each in for_zones]} if for_zones else None}
    place = {key: value for key, value in place.items() if value}
    return {"kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": f"{service_name}-{suffix}", "namespace": "default", "labels": {"kubernetes.io/service-name": service_name}},
            "ports": [{"name": port_name, "port": addresses[0][1], "protocol": "TCP"}],
            "endpoints": [{"addresses": [ip], "conditions": conditions or {"ready": True}, **place} for ip, _ in addresses]}


def config_map(name, **data):
    return {"kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}, "data": data}


def ingress(name, *rules, default=None, namespace="default", ingress_class=None, annotation=None, older=False):
    """Rules of (host, path, path type, service); networking.k8s.io/v1, or extensions/v1beta1's shape. Backends are the port `http`."""
    def backend(service_name):
        if older:
            return {"serviceName": service_name, "servicePort": "http"}
        return {"service": {"name": service_name, "port": {"name": "http"}}}
    spec = {"rules": []}
    for host, path, kind, service_name in rules:
        entry = {"backend": backend(service_name), **({"path": path} if path else {}), **({"pathType": kind} if kind else {})}
        spec["rules"].append({**({"host": host} if host else {}), "http": {"paths": [entry]}})
    if default:
        spec["backend" if older else "defaultBackend"] = backend(default)
    if ingress_class:
        spec["ingressClassName"] = ingress_class
    annotations = {"annotations": {"kubernetes.io/ingress.class": annotation}} if annotation else {}
    return {"kind": "Ingress", "metadata": {"name": name, "namespace": namespace, **annotations}, "spec": spec}


def pod(name, node, app="l5d", phase="Running", admin=9990, **metadata):
    """One of weft's; who answers for it is told to KubeApi.pods."""
    return {"kind": "Pod", "metadata": {"name": name, "namespace": "default", "labels": {"app": app}, **metadata},
            "spec": {"nodeName": node, "containers": [{"name": app, "ports": [{"name": "http", "containerPort": 4140},
                                                                            {"name": "admin", "containerPort": admin}]}]},
            "status": {"phase": phase, **({"podIP": "127.0.0.1"} if phase == "Running" else {})}}


class KubeApi:
    def __init__(self, identity=None, token=None, older=False):
        """`identity`: a certificate with 127.0.0.1 (certificates.py), for TLS. `older`: Ingresses are extensions/v1beta1."""
        self.identity, self.token = identity, token
        self.collections = dict(COLLECTIONS)
        if older:
            del self.collections["/apis/networking.k8s.io/v1/ingresses"]
            self.collections.update(OLDER)
        self.lock = threading.Lock()
        self.objects, self.version, self.oldest = {}, 100, 100
        self.history = []   # (version, event) since `oldest`
        self.watchers = []  # (kind, queue)
        self.requests = []  # paths with queries
        self.connections = 0
        self.pods = {}      # by name: the address of its admin server, to which the pod's proxy leads
        self.answers = threading.Event()  # cleared: nothing is answered
        self.answers.set()
        self.server, self.port = None, 0
        self.start()

    # ---- what tests do ----

    def put(self, thing):
        with self.lock:
            self._change("MODIFIED" if self._key(thing) in self.objects else "ADDED", thing)

    def delete(self, thing):
        with self.lock:
            self._change("DELETED", thing)

    def forget(self):
        """Watches can only begin at the newest version."""
        with self.lock:
            self.version += 1
            self.oldest, self.history = self.version, []

    def start(self):
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                super().setup()
                api.connections += 1

            def log_message(self, *_):
                pass

            def do_GET(self):  # noqa: N802
                api._answer(self)

        class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
            daemon_threads, allow_reuse_address, block_on_close = True, True, False

            def handle_error(self, *_):
                pass  # callers go away in the middle

        self.server = Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        if self.identity:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(self.identity.certificate, self.identity.key)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self):
        """Nobody listens, and every watch breaks off."""
        with self.lock:
            watchers, self.watchers = self.watchers, []
        self.answers.set()
        self.server.shutdown()
        self.server.server_close()
        for _, events in watchers:
            events.put(None)

    def close(self):
        self.stop()

    # ---- what is behind it ----

    @staticmethod
    def _key(thing):
        return thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"]

    def _change(self, kind_of_change, thing):
        self.version += 1
        thing = json.loads(json.dumps(thing))
        thing["metadata"]["resourceVersion"] = str(self.version)
        if kind_of_change == "DELETED":
            self.objects.pop(self._key(thing))
        else:
            self.objects[self._key(thing)] = thing
        event = {"type": kind_of_change, "object": thing}
        self.history.append((self.version, event))
        for kind, events in self.watchers:
            if kind == thing["kind"]:
                events.put(event)

    @staticmethod
    def _chooses(query, thing):
        """fieldSelector, by name or phase; labelSelector, by the label `app`."""
        if query.get("fieldSelector") == "status.phase=Running":
            return thing["status"]["phase"] == "Running"
        selector = re.fullmatch(r"app in \((.*)\)", query.get("labelSelector", ""))
        return query.get("fieldSelector") in (None, "metadata.name=" + thing["metadata"]["name"]) and (
            selector is None or thing["metadata"]["labels"]["app"] in selector[1].split(","))

    def _answer(self, handler):
        url = urllib.parse.urlparse(handler.path)
        query = {key: values[0] for key, values in urllib.parse.parse_qs(url.query).items()}
        self.requests.append(handler.path)
        self.answers.wait()
        if self.token and handler.headers.get("Authorization") != f"Bearer {self.token}":
            self._send(handler, 401, {"kind": "Status", "message": "Unauthorized", "code": 401})
        elif found := POD_PROXY.match(handler.path):
            self._proxy(handler, *found.groups())
        elif found := POD.match(url.path):
            self._one(handler, ("Pod", *found.groups()))
        elif url.path not in self.collections:
            self._send(handler, 404, {"kind": "Status", "message": "the server could not find the requested resource", "code": 404})
        elif "watch" in query:
            self._watch(handler, self.collections[url.path], query)
        else:
            self._list(handler, self.collections[url.path], query)

    def _proxy(self, handler, name, target):
        """What the pod answers, as it comes; a Status if it doesn't."""
        connection = http.client.HTTPConnection(*self.pods.get(name, ("127.0.0.1", 1)))
        try:
            connection.request("GET", target)
            response = connection.getresponse()
        except OSError as error:
            self._send(handler, 503, {"kind": "Status", "message": f"error trying to reach service: dial tcp: {error}", "code": 503})
            return
        handler.send_response(response.status)
        for field in ("Content-Type", "Content-Length"):
            if field in response.headers:
                handler.send_header(field, response.headers[field])
        whole = "Content-Length" in response.headers
        if not whole:
            handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while part := response.read1(65536):
            handler.wfile.write(part if whole else b"%x\r\n%s\r\n" % (len(part), part))
            handler.wfile.flush()
        if not whole:
            handler.wfile.write(b"0\r\n\r\n")
        connection.close()

    @staticmethod
    def _send(handler, status, body):
        data = json.dumps(body).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _one(self, handler, key):
        with self.lock:
            thing = self.objects.get(key)
        self._send(handler, *((200, thing) if thing else (404, {"kind": "Status", "message": f'pods "{key[2]}" not found', "code": 404})))

    def _list(self, handler, kind, query):
        begin = int(query.get("continue", 0))
        with self.lock:
            all_of_them = [thing for thing in self.objects.values() if thing["kind"] == kind and self._chooses(query, thing)]
            metadata = {"resourceVersion": str(self.version)}
        end = begin + CHUNK if "limit" in query else len(all_of_them)
        if end < len(all_of_them):
            metadata["continue"] = str(end)
        self._send(handler, 200, {"kind": f"{kind}List", "metadata": metadata, "items": all_of_them[begin:end]})

    def _watch(self, handler, kind, query):
        since, events = int(query["resourceVersion"]), queue.Queue()
        with self.lock:
            if since < self.oldest:
                events.put({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}})
            else:
                for version, event in self.history:
                    if version > since and event["object"]["kind"] == kind:
                        events.put(event)
                events.put({"type": "BOOKMARK", "object": {"kind": kind, "metadata": {"resourceVersion": str(self.version)}}})
                self.watchers.append((kind, events))
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        while (event := events.get()) is not None:
            if event["type"] not in ("ERROR", "BOOKMARK") and not self._chooses(query, event["object"]):
                continue
            data = json.dumps(event).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            handler.wfile.flush()
            if event["type"] == "ERROR":
                handler.wfile.write(b"0\r\n\r\n")
                return
        handler.close_connection = True  # broken off: without the last chunk
