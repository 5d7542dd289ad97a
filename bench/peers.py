# SPDX-License-Identifier: Apache-2.0
"""The measured programs: each a process on the proxy's core that forwards from a port of its own to the origin."""
import json
from dataclasses import dataclass

from cases import BODY, Case
from pki import Pki
from process import TOP, CannotDo, Process, compiled, free_port, program, written
from weft import start_weft


@dataclass(frozen=True)
class Setting:
    """What a peer is started for."""

    case: Case
    origin: int       # its port
    core: int
    folder: str
    pki: Pki


def start_origin(case, core, folder):
    port = free_port()
    if case.upstream == "http":
        command = [compiled("origin", folder), str(port), str(len(BODY))]
    else:
        mode = "early" if case.early else "grpc" if case.grpc else "plain"
        command = [compiled("origin_h2", folder), str(port), str(len(BODY)), mode]
    return Process("origin", command, port, core, folder)


def start_relay(setting):
    if setting.case.downstream.replace("h2c", "h2") != setting.case.upstream.replace("h2c", "h2"):
        raise CannotDo("it passes bytes on as they are")
    port = free_port()
    return Process("relay", [compiled("relay", setting.folder), str(port), str(setting.origin)], port, setting.core, setting.folder)


HAPROXY = """
global
    nbthread 1
    maxconn 8000
defaults
    mode http
    option http-keep-alive
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend bench
    bind 127.0.0.1:{port} {downstream}
    default_backend origin
backend origin
    http-reuse always
    server origin 127.0.0.1:{origin} {upstream}
"""


def start_haproxy(setting):
    port, case, pki = free_port(), setting.case, setting.pki
    downstream = {"http": "", "h2c": "proto h2", "https": f"ssl crt {pki.server_both} alpn http/1.1"}[case.downstream]
    if case.client_certificates:
        downstream += f" verify required ca-file {pki.ca}"
    config = HAPROXY.format(port=port, origin=setting.origin, downstream=downstream, upstream="proto h2" if case.upstream == "h2c" else "")
    command = [program("haproxy", "/usr/sbin/haproxy"), "-db", "-f", written(setting.folder, "haproxy.cfg", config)]
    return Process("haproxy", command, port, setting.core, setting.folder)


NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
    access_log off;
    keepalive_timeout 60s;
    keepalive_requests 1000000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    upstream origin {{
        server 127.0.0.1:{origin};
        keepalive 128;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{port} {downstream};
        {tls}
        location / {{ {upstream} }}
    }}
}}
"""


def start_nginx(setting):
    port, case, pki = free_port(), setting.case, setting.pki
    if case.upstream == "h2c" and not case.grpc:
        raise CannotDo("it speaks HTTP/2 to its origin for gRPC only")
    tls = f"ssl_certificate {pki.server}; ssl_certificate_key {pki.server_key}; ssl_protocols TLSv1.3;"
    if case.client_certificates:
        tls += f" ssl_verify_client on; ssl_client_certificate {pki.ca};"
    config = NGINX.format(
        port=port, origin=setting.origin, downstream={"http": "", "h2c": "http2", "https": "ssl"}[case.downstream],
        tls=tls if case.downstream == "https" else "",
        upstream="grpc_pass grpc://origin;" if case.grpc else
        'proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";')
    command = [program("nginx", "/usr/sbin/nginx"), "-p", str(setting.folder), "-e", "stderr", "-c",
               written(setting.folder, "nginx.conf", config)]
    return Process("nginx", command, port, setting.core, setting.folder)


def start_h2o(setting):
    port, case, pki = free_port(), setting.case, setting.pki
    if case.upstream != "http" or case.client_certificates:
        raise CannotDo("this version speaks only HTTP/1 to its origin and asks for no client certificates")
    listen = {"host": "127.0.0.1", "port": port}
    if case.downstream == "https":
        listen["ssl"] = {"certificate-file": pki.server, "key-file": pki.server_key, "ocsp-update-interval": 0}
    config = {
        "num-threads": 1, "num-name-resolution-threads": 1, "listen": listen,
        "proxy.timeout.keepalive": 60000,
        "hosts": {"default": {"paths": {"/": {"proxy.reverse.url": f"http://127.0.0.1:{setting.origin}/"}}}},
    }
    command = [program("h2o"), "-m", "worker", "-c", written(setting.folder, "h2o.yaml", json.dumps(config))]
    return Process("h2o", command, port, setting.core, setting.folder)


def start_nghttpx(setting):
    port, case, pki = free_port(), setting.case, setting.pki
    frontend = f"127.0.0.1,{port}" + ("" if case.downstream == "https" else ";no-tls")
    backend = f"127.0.0.1,{setting.origin};;proto={'h2' if case.upstream == 'h2c' else 'http/1.1'}"
    command = [program("nghttpx", "/usr/sbin/nghttpx"), "--conf=/dev/null", "--single-process", "--workers=1", f"--frontend={frontend}",
               f"--backend={backend}", "--no-ocsp", f"--pid-file={setting.folder}/nghttpx.pid"]
    if case.client_certificates:
        command += ["--verify-client", f"--verify-client-cacert={pki.ca}"]
    if case.downstream == "https":
        command += ["--npn-list=http/1.1", pki.server_key, pki.server]
    return Process("nghttpx", command, port, setting.core, setting.folder)


def envoy_listener(setting, port):
    types, case, pki = "type.googleapis.com/envoy.extensions", setting.case, setting.pki
    router = {"name": "router", "typed_config": {"@type": f"{types}.filters.http.router.v3.Router"}}
    manager = {
        "@type": f"{types}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "bench",
        "http_filters": [router],
        "route_config": {"virtual_hosts": [
            {"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "origin"}}]}]},
    }
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    if case.downstream == "https":
        files = {"certificate_chain": {"filename": pki.server}, "private_key": {"filename": pki.server_key}}
        tls = {"tls_certificates": [files], "alpn_protocols": ["http/1.1"]}
        if case.client_certificates:
            tls["validation_context"] = {"trusted_ca": {"filename": pki.ca}}
        chain["transport_socket"] = {"name": "tls", "typed_config": {
            "@type": f"{types}.transport_sockets.tls.v3.DownstreamTlsContext", "common_tls_context": tls,
            "require_client_certificate": case.client_certificates}}
    return {"name": "bench", "address": envoy_address(port), "filter_chains": [chain]}


def envoy_address(number):
    return {"socket_address": {"address": "127.0.0.1", "port_value": number}}


def envoy_cluster(setting):
    endpoint = {"lb_endpoints": [{"endpoint": {"address": envoy_address(setting.origin)}}]}
    most = {name: 100000 for name in ("max_connections", "max_requests", "max_pending_requests")}
    cluster = {"name": "origin", "type": "STATIC", "connect_timeout": "5s", "circuit_breakers": {"thresholds": [most]},
               "load_assignment": {"cluster_name": "origin", "endpoints": [endpoint]}}
    if setting.case.upstream == "h2c":
        options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        cluster["typed_extension_protocol_options"] = {options: {
            "@type": f"type.googleapis.com/{options}", "explicit_http_config": {"http2_protocol_options": {}}}}
    return cluster


def start_envoy(setting):
    port = free_port()
    resources = {"listeners": [envoy_listener(setting, port)], "clusters": [envoy_cluster(setting)]}
    config = written(setting.folder, "envoy.json", json.dumps({"static_resources": resources}))
    places = sorted((TOP / ".venv" / "bench").glob("lib/python3*/site-packages/envoy/_bin/envoy"))
    command = [program("envoy", *places), "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "error"]
    return Process("envoy", command, port, setting.core, setting.folder)


STARTERS = {
    "relay": start_relay,
    "weft": start_weft,
    "haproxy": start_haproxy,
    "nginx": start_nginx,
    "nghttpx": start_nghttpx,
    "h2o": start_h2o,
    "envoy": start_envoy,
}
