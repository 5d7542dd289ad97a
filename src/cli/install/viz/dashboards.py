# SPDX-License-Identifier: Apache-2.0
"""Grafana's dashboards of weft, as tables of panels: embed.py calls dashboards() and embeds what it returns as JSON.

Queries use the recorded names of weft-rules.yml where there is one, and else what /metrics exports.
"""

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24
OF_ROUTER = 'rt=~"$router"'
OF_SERVICE = 'rt=~"$router",service=~"$service"'
OF_INSTANCE = 'instance=~"$instance"'
SUCCESS_STEPS = [("red", None), ("orange", 0.95), ("green", 0.99)]


def target(query, legend="", instant=False):
    return {"datasource": SOURCE, "expr": query, "legendFormat": legend, "instant": instant, "range": not instant,
            "format": "table" if instant and legend == "table" else "time_series"}


def panel(kind, title, width, height, targets, unit="short", about="", steps=None, least=None, most=None, **more):
    defaults = {"unit": unit, "color": {"mode": "thresholds" if steps else "palette-classic"}}
    if steps:
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"color": color, "value": value} for color, value in steps]}
    if least is not None:
        defaults["min"] = least
    if most is not None:
        defaults["max"] = most
    return {"type": kind, "title": title, "description": about, "datasource": SOURCE, "targets": targets,
            "gridPos": {"w": width, "h": height}, "fieldConfig": {"defaults": defaults, "overrides": []}, "options": {}, **more}


def number(title, query, unit="short", about="", steps=None):
    made = panel("stat", title, 6, 4, [target(query, title)], unit, about, steps or [("text", None)])
    made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "graphMode": "area",
                       "colorMode": "value", "textMode": "value"}
    return made


def chart(title, *series, unit="short", width=12, about="", **more):
    """`series`: pairs of a query and its legend."""
    made = panel("timeseries", title, width, 8, [target(query, legend) for query, legend in series], unit, about, **more)
    made["fieldConfig"]["defaults"]["custom"] = {"lineWidth": 2, "fillOpacity": 8, "showPoints": "never"}
    made["options"] = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                       "tooltip": {"mode": "multi", "sort": "desc"}}
    return made


def table(title, by, *columns, width=WIDTH, height=10):
    """`columns`: (heading, query, unit), joined by `by`: labels and their headings. Rows are joined by all labels, so there must be no
    others: not even __name__, which is not the same in two columns."""
    joined = f"sum by ({', '.join(by)}) (%s)"
    made = panel("table", title, width, height, [target(joined % query, "table", True) for _, query, _ in columns])
    renamed = by | {f"Value #{chr(65 + at)}": heading for at, (heading, _, _) in enumerate(columns)}
    made["transformations"] = [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": True}, "renameByName": renamed,
                                       "indexByName": {name: at for at, name in enumerate(renamed)}}}]
    made["fieldConfig"]["overrides"] = [{"matcher": {"id": "byName", "options": heading},
                                         "properties": [{"id": "unit", "value": unit}]} for heading, _, unit in columns]
    return made


def row(title):
    return {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": {"w": WIDTH, "h": 1}}


def source_variable():
    return {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0, "refresh": 1,
            "multi": False, "includeAll": False, "regex": "", "options": [], "current": {}}


def variable(name, label, query, every=True):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "hide": 0, "refresh": 2,
            "query": {"query": query, "refId": f"variable-{name}"}, "sort": 1, "multi": every, "includeAll": every,
            "allValue": ".*" if every else None, "regex": "", "options": [], "current": {}}


def place(panels):
    """Numbers panels and their targets, and puts them side by side, from left to right and down."""
    x = y = lowest = 0
    for number_of, one in enumerate(panels, 1):
        at = one["gridPos"]
        if x + at["w"] > WIDTH:
            x, y = 0, lowest
        at.update(x=x, y=y)
        x, lowest = x + at["w"], max(lowest, y + at["h"])
        one["id"] = number_of
        for letter, one_target in enumerate(one.get("targets", [])):
            one_target["refId"] = chr(65 + letter)
    return panels


def dashboard(uid, title, about, variables, panels):
    return {
        "uid": uid, "title": title, "description": about, "tags": ["weft"], "schemaVersion": 39, "version": 1, "editable": True,
        "timezone": "browser", "refresh": "10s", "time": {"from": "now-30m", "to": "now"}, "graphTooltip": 1,
        "annotations": {"list": []}, "templating": {"list": [source_variable(), *variables]}, "panels": place(panels),
        "links": [{"type": "dashboards", "tags": ["weft"], "title": "weft", "asDropdown": True, "keepTime": True,
                   "includeVars": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": ""}],
    }


def per(what, *labels, over=""):
    """The rates of a family of counters, added up by labels."""
    return f"sum by ({', '.join(labels)}) (rate({what}{{{over}}}[1m]))"


def overview():
    router = variable("router", "Router", "label_values(weft_server_requests_total, rt)")
    servers = f"weft_server_%s_total{{{OF_ROUTER}}}"
    failures, requests = (f"sum(rate({servers % what}[1m]))" for what in ("failures", "requests"))
    return dashboard("weft-overview", "weft: top line", "All services behind weft, of all instances.", [router], [
        row("Top line"),
        number("Global success rate", f"1 - {failures} / ({requests} > 0)", "percentunit", "As callers see it.", SUCCESS_STEPS),
        number("Request volume", requests, "reqps", "As callers send it."),
        number("Services monitored", f"count(count by (service) (weft_service_requests_total{{{OF_ROUTER}}}))"),
        number("Instances", 'sum(up{job="weft"})', about="Those that can be scraped."),
        chart("Success rate by service", (f"1 - service:weft_failures:rate1m{{{OF_ROUTER}}} / "
                                          f"(service:weft_requests:rate1m{{{OF_ROUTER}}} > 0)", "{{service}} ({{rt}})"),
              unit="percentunit", most=1),
        chart("Request volume by service: the 20 largest",
              (f"topk(20, service:weft_requests:rate1m{{{OF_ROUTER}}})", "{{service}} ({{rt}})"), unit="reqps", least=0),
        chart("4xx by service", (f'sum by (rt, service) (service_status:weft_responses:rate1m{{{OF_ROUTER},status=~"4.."}})',
                                 "{{service}} ({{rt}})"), unit="reqps", least=0, about="What endpoints answered."),
        chart("5xx by service", (f'sum by (rt, service) (service_status:weft_responses:rate1m{{{OF_ROUTER},status=~"5.."}})',
                                 "{{service}} ({{rt}})"), unit="reqps", least=0, about="What endpoints answered, retried or not."),
        chart("p99 latency by service: the 20 slowest",
              (f"topk(20, service:weft_latency_seconds:p99_1m{{{OF_ROUTER}}})", "{{service}} ({{rt}})"), unit="s", least=0),
        chart("Responses to callers by status", (per("weft_server_responses_total", "status", over=OF_ROUTER), "{{status}}"),
              unit="reqps", least=0),
        table("Services", {"service": "Service", "rt": "Router"},
              ("Requests", f"service:weft_requests:rate1m{{{OF_ROUTER}}}", "reqps"),
              ("Success", f"1 - service:weft_failures:rate1m{{{OF_ROUTER}}} / (service:weft_requests:rate1m{{{OF_ROUTER}}} > 0)",
               "percentunit"),
              ("p50", f"service:weft_latency_seconds:p50_1m{{{OF_ROUTER}}}", "s"),
              ("p99", f"service:weft_latency_seconds:p99_1m{{{OF_ROUTER}}}", "s"),
              ("Retries", f"service:weft_retries:rate1m{{{OF_ROUTER}}}", "reqps")),
        table("Instances", {"instance": "Instance"},
              ("Requests", "instance:weft_requests:rate1m", "reqps"),
              ("Success", "1 - instance:weft_failures:rate1m / (instance:weft_requests:rate1m > 0)", "percentunit"),
              ("p99", "instance:weft_latency_seconds:p99_1m", "s"),
              ("Up for", "weft_process_uptime_seconds", "s")),
    ])


def service():
    variables = [variable("router", "Router", "label_values(weft_service_requests_total, rt)"),
                 variable("service", "Service", 'label_values(weft_service_requests_total{rt=~"$router"}, service)')]
    requests = f"sum(service:weft_requests:rate1m{{{OF_SERVICE}}})"
    quantiles = [(f"max(service:weft_latency_seconds:{name}_1m{{{OF_SERVICE}}})", name) for name in ("p50", "p95", "p99")]
    by_instance = per("weft_service_requests_total", "instance", over=OF_SERVICE)
    return dashboard("weft-service", "weft: service", "One service, or some together.", variables, [
        number("Success rate", f"1 - sum(service:weft_failures:rate1m{{{OF_SERVICE}}}) / ({requests} > 0)", "percentunit",
               "Of requests, with all attempts at them.", SUCCESS_STEPS),
        number("Request volume", requests, "reqps"),
        number("p99 latency", quantiles[2][0], "s", "Of the slowest, where several are chosen."),
        number("In progress", f"sum(weft_service_pending{{{OF_SERVICE}}})"),
        chart("Success rate", (f"1 - service:weft_failures:rate1m{{{OF_SERVICE}}} / (service:weft_requests:rate1m{{{OF_SERVICE}}} > 0)",
                               "{{service}} ({{rt}})"), unit="percentunit", most=1),
        chart("Request volume", (f"service:weft_requests:rate1m{{{OF_SERVICE}}}", "{{service}} ({{rt}})"), unit="reqps", least=0),
        chart("Latency", *quantiles, unit="s", least=0),
        chart("Responses by status", (f"sum by (status) (service_status:weft_responses:rate1m{{{OF_SERVICE}}})", "{{status}}"),
              unit="reqps", least=0, about="What endpoints answered."),
        chart("Error budget: failures of the last hour and of the last three days",
              (f"service:weft_failures:ratio_rate1h{{{OF_SERVICE}}}", "{{service}} 1 h"),
              (f"service:weft_failures:ratio_rate3d{{{OF_SERVICE}}}", "{{service}} 3 d"), unit="percentunit", least=0),
        chart("Retries", (f"service:weft_retries:rate1m{{{OF_SERVICE}}}", "{{service}} ({{rt}})"),
              (f"sum(rate(weft_service_retry_budget_exhausted_total{{{OF_SERVICE}}}[1m]))", "no budget"), unit="reqps", least=0),
        chart("Request volume by client", (per("weft_route_requests_total", "client", over=OF_SERVICE), "{{client}}"),
              unit="reqps", least=0, about="A client is what the service's name was bound to."),
        chart("Request volume by instance", (by_instance, "{{instance}}"), unit="reqps", least=0),
        chart("Success rate by instance",
              (f"1 - {per('weft_service_failures_total', 'instance', over=OF_SERVICE)} / ({by_instance} > 0)", "{{instance}}"),
              unit="percentunit", most=1),
        chart("Endpoints that may be picked", ("min by (client) (weft_client_endpoints_available)", "{{client}}"), least=0,
              about="Of all services: as the instance sees them that sees the least."),
    ])


def instance():
    variables = [variable("instance", "Instance", "label_values(weft_build_info, instance)")]
    return dashboard("weft-instance", "weft: instance", "The processes themselves.", variables, [
        number("Success rate", f"1 - sum(instance:weft_failures:rate1m{{{OF_INSTANCE}}}) / "
               f"(sum(instance:weft_requests:rate1m{{{OF_INSTANCE}}}) > 0)", "percentunit", "As callers see it.", SUCCESS_STEPS),
        number("Request volume", f"sum(instance:weft_requests:rate1m{{{OF_INSTANCE}}})", "reqps"),
        number("Connections of callers", f"sum(weft_server_connections{{{OF_INSTANCE}}})"),
        number("Memory", f"sum(weft_process_resident_memory_bytes{{{OF_INSTANCE}}})", "bytes"),
        chart("Request volume", (f"instance:weft_requests:rate1m{{{OF_INSTANCE}}}", "{{instance}}"), unit="reqps", least=0),
        chart("p99 latency", (f"instance:weft_latency_seconds:p99_1m{{{OF_INSTANCE}}}", "{{instance}}"), unit="s", least=0),
        chart("Connections to endpoints", (f"sum by (instance) (weft_client_connections{{{OF_INSTANCE}}})", "{{instance}}"), least=0),
        chart("Failures of clients by kind", (per("weft_client_failures_by_kind_total", "kind", over=OF_INSTANCE), "{{kind}}"),
              unit="reqps", least=0),
        chart("Memory", (f"weft_process_resident_memory_bytes{{{OF_INSTANCE}}}", "{{instance}}"), unit="bytes", least=0),
        chart("Open file descriptors", (f"weft_process_open_fds{{{OF_INSTANCE}}}", "{{instance}}"), least=0),
        chart("Uptime", (f"weft_process_uptime_seconds{{{OF_INSTANCE}}}", "{{instance}}"), unit="s", least=0),
        chart("Versions", (f"count by (version) (weft_build_info{{{OF_INSTANCE}}})", "{{version}}"), least=0),
    ])


def dashboards():
    """Name of the file -> the dashboard."""
    return {f"{made['uid']}.json": made for made in (overview(), service(), instance())}
