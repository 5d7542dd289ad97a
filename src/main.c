/* SPDX-License-Identifier: Apache-2.0 */
/* weft: the table of subcommands. Each is a file in cli/. */
#include <stddef.h>

#include "cli/cli.h"

static const char *const authority_verbs[] = { "init", "issue", "rotate", "show", "serve", "agent", NULL };
static const char *const installed[] = { "node", "ingress", "viz", NULL };
static const char *const uninstalled[] = { "node", "ingress", "viz", NULL };
static const char *const shells[] = { "bash", "zsh", "fish", NULL };

#define KUBERNETES_OPTIONS \
	"  --kubernetes        the proxies of a cluster, by way of its API, in place of --admin; with it:\n" \
	"    --namespace NAME  where l5d lives: default\n" \
	"    --kubeconfig FILE or --api HOST:PORT, --ca-file FILE, --token-file FILE: where the API is, as for `weft check`\n" \
	"    --direct          pods are asked at their own addresses: for who is in the cluster's network\n"
#define SEE_OPTIONS \
	"  --admin ADDRESSES   HOST[:PORT] of admin servers, with commas between; may come several times\n" \
	"  --window TIME       how long between the two readings: 1s\n" \
	"  --router LABEL      of this router only\n" \
	"  --per-proxy         a row for each proxy, not their sum\n" \
	"  --reverse           the other way round\n" KUBERNETES_OPTIONS
#define SEE_BY \
	"  --by WHAT           with --kubernetes rows of: name, service, namespace, workload, pod (see docs/see.md)\n" \
	"  --in NAMESPACE      only what is called there, of edges also what calls from there\n"
#define SEE_OUTPUT \
	"  -o table|wide|json  wide has more columns\n" \
	"  --watch             goes on, window after window (a line of JSON each), until Ctrl-C\n"
#define SEE_GATES \
	"  --min-success 99.9  a gate: the success rate in percent that each row with requests must have\n" \
	"  --max-p99 50ms      a gate: the 99th percentile of latency that it may have\n"

static const struct command commands[] = {
	{ "proxy", "FILE.yaml [--threads N] [--supervise] [--handover SOCKET [--drain TIME] [--stay]]", "Runs the proxy of a configuration",
		"FILE.yaml is a Linkerd 1.x configuration, `-` is standard input: `weft help linkerd` lists its keys.\n"
		"The addresses that are listened on are printed. SIGHUP, or a change of the file, reloads it: a wrong\n"
		"one is refused and the old one stays. SIGTERM and SIGINT take no more requests and let the others end\n"
		"within admin.shutdownGraceMs; a second one ends at once.\n"
		"\n"
		"  --threads N         workers; by default as many as the process may use cores\n"
		"  --supervise         by a process above it, which keeps the listening sockets and starts the proxy again at once if it\n"
		"                      crashes or is killed: only what was in flight is lost, and who connects meanwhile waits, unrefused\n"
		"  --handover SOCKET   takes the listening sockets over from the proxy that runs with the same SOCKET, if one does, and\n"
		"                      gives them to the next one. No connection is refused or lost: the old process goes on until the\n"
		"                      new one accepts, then it finishes what it has and ends. If the new one fails, nothing changes.\n"
		"                      SOCKET is a path, or @NAME: a name in the network's namespace, without a file\n"
		"  --drain TIME        how long connections may stay with the old process then (5m); admin.shutdownGraceMs\n"
		"  --stay              it doesn't end by itself after that, but waits for SIGTERM, which doesn't shorten the time: for\n"
		"                      Kubernetes, which would start it again, and sends SIGTERM as soon as the new one is ready\n"
		"\n"
		"Exit code 0 when all requests could end, 1 when some were cut off, 2 when it could not start. With --supervise also that\n"
		"of a proxy that died 8 times in a row within seconds: its own, or 128 and the signal's number.",
		cli_proxy, NULL },
	{ "validate", "FILE.yaml...", "Says what is wrong with configurations, and runs nothing",
		"`-` is standard input. Exit code 0 when all are good, else 2.", cli_validate, NULL },
	{ "ca", "init | issue | rotate | show | serve | agent ...", "Identities: a trust root, and certificates for workloads",
		"  init DIR --trust-domain D [--max-ttl 24h] [--root-life 365d]\n"
		"      makes an authority; DIR must be readable by nobody else\n"
		"  serve DIR --socket PATH [--policy FILE] [--mode 0660]\n"
		"      the signing process: workloads of this machine ask it for certificates. FILE says which user may be called\n"
		"      what; without one only its own user and root may ask. It replaces the root in time. SIGHUP reads FILE again\n"
		"  agent --socket PATH --id spiffe://D/ns/NAMESPACE/sa/ACCOUNT --out DIR [--ttl 12h] [--once] [--metrics IP:PORT]\n"
		"      keeps cert.pem, key.pem, bundle.pem and svid.pem (certificate and key) in DIR fresh\n"
		"  issue DIR --id spiffe://... --out PREFIX|DIR/ [--ttl 24h] [--dns NAME]...\n"
		"      by hand: PREFIX-cert.pem, PREFIX-key.pem, PREFIX-bundle.pem\n"
		"  rotate DIR [--now]\n"
		"      the next step of replacing the root: add, switch, drop. `serve` takes those that are due by itself\n"
		"  show DIR [-o text|json|pem]\n"
		"      its roots and what is next; pem is the bundle\n"
		"\n"
		"Times are 30s, 90m, 24h or 7d. Exit code 0, 1 when it may work another time, 2 for what is wrong. See docs/identity.md.",
		cli_ca, authority_verbs },
	{ "certs",
		"FILE... | --connect HOST:PORT [--server-name N] [--cert C] [--ca BUNDLE] [--key KEY] [--id ID] [--svid] [--expires-within "
		"7d] "
		"[-o text|json]",
		"Shows certificates, and why they don't verify",
		"FILE is PEM, the leaf first, then its intermediates; `-` is standard input.\n"
		"\n"
		"  --ca BUNDLE            whom to trust: the chain must lead there\n"
		"  --key KEY              must be the leaf's private key\n"
		"  --svid                 the leaf must be an X.509-SVID; it is also judged as one when it has a SPIFFE ID\n"
		"  --id ID                ... with this SPIFFE ID\n"
		"  --expires-within TIME  an earlier end is a fault: 12h, 7d\n"
		"\n"
		"  --connect HOST:PORT    in place of files: what a live endpoint shows, and whether it takes us\n"
		"  --server-name NAME     asked for, and what the certificate must be for; usually HOST\n"
		"  --cert CERT            is shown to it, with --key KEY\n"
		"\n"
		"Exit code 0 when there is no fault, 1 when there is, 2 when a file can't be read or the endpoint shows no certificate.",
		cli_certs, NULL },
	{ "stat", "[--admin ADDRESS[,ADDRESS...] | --kubernetes] [NAME...]",
		"Rate, success and latency of each service, of one or many proxies",
		"Reads the counters of proxies' admin servers (127.0.0.1:9990 by default) twice and shows what happened in between.\n"
		"NAME is that of a service, `web` or `svc/web`, with --kubernetes also NAMESPACE/SERVICE; `*` is any run of characters.\n"
		"\n" SEE_OPTIONS SEE_BY
		"  --sort COLUMN       service, router, success, rate, p50, p95, p99, retries, endpoints, connections, ...\n"
		"\n" SEE_OUTPUT "\n" SEE_GATES "\n"
		"Exit code 0; 1 when a gate is not met, or had nothing to judge; 2 for wrong usage or a proxy that can't be asked.\n"
		"See docs/see.md.",
		cli_stat, NULL },
	{ "routes", "[--grpc] [--admin ADDRESS[,ADDRESS...] | --kubernetes] [NAME...]",
		"The same of each service and client that it went to",
		"A route is what a service's name was bound to: its client. NAME is either's.\n"
		"\n"
		"  --grpc              methods of gRPC instead\n" SEE_OPTIONS
		"  --sort COLUMN       service, client, router, success, rate, p50, p95, p99, endpoints, connections, ...\n"
		"\n" SEE_OUTPUT "\n" SEE_GATES "\n"
		"Exit codes are those of `weft stat`. See docs/see.md.",
		cli_routes, NULL },
	{ "top", "[--admin ADDRESS[,ADDRESS...] | --kubernetes] [NAME...]",
		"The table of `weft stat` that lives: sorted by any column, by keys",
		"Over a pipe it prints a table for each window.\n"
		"\n" SEE_OPTIONS SEE_BY "  --sort COLUMN       as for `weft stat`; rate by default\n"
		"  --wide              more columns\n"
		"\n"
		"Keys: < and > (or left and right) the column to sort by, r the other way round, 1 services, 2 routes, 3 methods of\n"
		"gRPC, 4 edges, w wide, p pause, up, down, Page Up and Page Down, q ends. See docs/see.md.",
		cli_top, NULL },
	{ "edges", "[--admin ADDRESS[,ADDRESS...] | --kubernetes] [NAME...]",
		"Who calls whom through proxies: rate, errors, encryption, identities",
		"A row for each listening address (callers to it) and for each client (from the router to it). SECURED is `mutual`\n"
		"(the other end has shown an identity), `tls`, `no`, or the part of connections with TLS where both are served.\n"
		"\n" SEE_OPTIONS SEE_BY
		"  --sort COLUMN       from, to, router, success, rate, errors, p50, p99, endpoints, connections, secured, ...\n"
		"\n" SEE_OUTPUT "\n" SEE_GATES "\n"
		"Exit codes are those of `weft stat`. See docs/see.md.",
		cli_edges, NULL },
	{ "tap", "[--admin ADDRESS[,ADDRESS...] | --kubernetes] [SERVICE] [--path P] [--status S] ...", "Live requests, as they end",
		"The proxies choose: what isn't wanted isn't sent. SERVICE, paths and values of headers may have `*` and `?` in them.\n"
		"\n"
		"  --admin ADDRESSES   HOST[:PORT] of admin servers, with commas between; may come several times\n"
		"  --sample 1%         looks at a part of all requests only; 100%\n"
		"  --path PATTERN      of the path, without its query\n"
		"  --method GET        of this method\n"
		"  --status 5xx        404, 5xx or 500-599\n"
		"  --header NAME:VALUE with such a field in the request; NAME alone: whatever it says\n"
		"  --min-latency 50ms  that took so long\n"
		"  --router LABEL      of this router\n"
		"  --count N           ends after so many\n"
		"  --for TIME          ends after that time\n"
		"  -o text|json        a line each; json is an object a line\n" KUBERNETES_OPTIONS
		"    --pods            callers and endpoints by their pods, which are asked for in all namespaces\n\n"
		"Exit code 0; 2 for wrong usage, or a proxy that can't be asked or has left. See docs/see.md.",
		cli_tap, NULL },
	{ "dashboard", "[--admin ADDRESS[,ADDRESS...] | --kubernetes] [--listen IP:PORT] [--interval TIME]",
		"A page of a whole mesh: services, proxies, who calls whom, over ten minutes",
		"Reads the counters of proxies' admin servers (127.0.0.1:9990 by default) again and again until Ctrl-C, and serves what "
		"they\n"
		"say together: success rate, volume and latency of all, of each service and of each proxy.\n"
		"\n"
		"  --admin ADDRESSES   HOST[:PORT] of admin servers, with commas between; may come several times\n" KUBERNETES_OPTIONS
		"  --listen IP:PORT    where the page is: 127.0.0.1:8084. Whoever reaches it may look; there is no password\n"
		"  --interval TIME     how often proxies are read, 1s to 1m: 5s; the last 120 readings are kept, in memory\n"
		"\n"
		"Exit code 0; 2 for wrong usage, or an address that can't be listened on. See docs/viz.md.",
		cli_dashboard, NULL },
	{ "explain",
		"FILE.yaml | --admin ADDRESS [--router LABEL] [--peer SPIFFE_ID] [-H 'Name: value']... [-o text|json] [METHOD] URL\n"
		"       weft explain --kubernetes --from-pod POD | --from-node NODE ... URL\n"
		"       weft explain --admin ADDRESS --id ID [-o text|json]",
		"Says where a request would go, and which line of the configuration decides it; or what became of one",
		"URL is http://HOST/PATH, or a path with -H 'Host: ...'. Nothing is sent: the request is named, looked up and bound\n"
		"by the proxy's own functions, which write down each step.\n"
		"\n"
		"  FILE.yaml          by this configuration; endpoints are asked for as a proxy would\n"
		"  --admin ADDRESS    as a running proxy sees it, with the health of its endpoints\n"
		"  --kubernetes       as the proxy of a node in a cluster sees it: of the node --from-node NODE, or of that where the\n"
		"                     pod --from-pod [NAMESPACE/]POD is; --namespace, --api and the like as for `weft stat`\n"
		"  --router LABEL     the router that gets the request; the first\n"
		"  --peer SPIFFE_ID   who calls, as its certificate says: whether the server's peerIds allow it\n"
		"  -H 'Name: value'   a field of the request, l5d-dtab for example; several times\n"
		"  --id ID            of a request that this proxy had, by its l5d-reqid or the id of its trace: each attempt with its\n"
		"                     time and outcome, who ended it, and what was not chosen and why; of the newest 4,096 a worker\n"
		"\n"
		"Exit code 0 when there are endpoints to go to, 1 when the proxy would answer by itself, 2 when it can't be told.",
		cli_explain, NULL },
	{ "diff", "OLD.yaml NEW.yaml [-o text|json]", "Says which requests two configurations treat differently",
		"One request is shown for each class of them that differs in the same way, by the same lines, as what curl would\n"
		"send it; then what OLD does with it and what NEW does, with the lines that decide. Requests are made of every\n"
		"name that either configuration has, and one that none has, and are named and looked up by the proxy's own\n"
		"functions; nothing is sent, and nobody is asked where endpoints are.\n"
		"\n"
		"Exit code 0 and no output when nothing differs, 1 when something does, 2 when it can't be told.",
		cli_diff, NULL },
	{ "install", "node | ingress | viz | --helm DIR ...",
		"Prints what a cluster of Kubernetes needs to run weft; or, for Prometheus and Grafana, to show it",
		"  weft install node | kubectl apply -f -       a proxy on every node, l5d\n"
		"  weft install ingress | kubectl apply -f -    an ingress, l5d-ingress, on port 80 of a load balancer\n"
		"  weft install --helm DIR                      both as a Helm chart; options become its values\n"
		"\n"
		"  --namespace NAME     where they live: default. With Helm, the release's\n"
		"  --image IMAGE        localhost/weft:" WEFT_VERSION ", as `./dev image` makes it\n"
		"  --services NAME      the namespace of the Services that names lead to: default\n"
		"  --dtab ENTRIES       more entries for the routers' dtabs; several times\n"
		"  --mtls SECRET        calls between proxies are secured by mutual TLS; the Secret has svid.pem and bundle.pem\n"
		"  --service-type TYPE  of the Service l5d: ClusterIP, NodePort or LoadBalancer; ClusterIP\n"
		"  --no-handover        a node's new proxy doesn't take the listening sockets over from the old one: an update leaves\n"
		"                       one node after the other without a proxy for seconds\n"
		"  --ingress-class NAME the ingress serves Kubernetes' Ingresses of this class, straight to their pods; without, it goes\n"
		"                       by host and --dtab, to the node proxies\n"
		"  --trust-callers      the ingress believes its callers' l5d- headers, such as l5d-dtab\n"
		"\n"
		"See docs/kubernetes.md. And to see numbers of all proxies, with docs/viz.md:\n"
		"\n"
		"  weft install viz | kubectl apply -f -        a Prometheus that finds the proxies, weft's own page of them all (`weft\n"
		"                                               dashboard`), and Grafana's dashboards in a ConfigMap\n"
		"\n"
		"  --namespace NAME     where it lives: default\n"
		"  --image IMAGE        Prometheus: prom/prometheus:v3.16.0\n"
		"  --weft-image IMAGE   weft, for its page: localhost/weft:" WEFT_VERSION "\n"
		"  --proxies NAMESPACE  where proxies are; several times, of which the page shows the first. Its own namespace, unless\n"
		"                       this is given\n"
		"  --only-config        the ConfigMaps, for a Prometheus that is there already\n"
		"  --dir DIR            files instead: prometheus.yml, weft-rules.yml, weft-alerts.yml, weft-targets.yml and\n"
		"                       Grafana's weft-overview.json, weft-service.json and weft-instance.json. A weft-targets.yml\n"
		"                       that is there stays as it is, unless --admin is given; the others are replaced\n"
		"  --discover HOW       how Prometheus finds instances: `file`, in weft-targets.yml, or `kubernetes`, pods with a\n"
		"                       port called admin; file with --dir, else kubernetes\n"
		"  --admin ADDRESSES    HOST[:PORT] of admin servers for weft-targets.yml, with commas between; 127.0.0.1:9990\n"
		"  --interval TIME      how often Prometheus reads them, at most 30s: 15s\n"
		"  --objective 99.9     percent of each service's requests that are to succeed; alerts are about what is left\n"
		"\n"
		"Exit code 0, 1 when a file can't be written, 2 for wrong usage. See docs/viz.md.",
		cli_install, installed },
	{ "uninstall", "[node] [ingress] [viz] [--namespace NAME] [--proxies NAMESPACE]...",
		"Prints what `weft install` made, for kubectl to delete",
		"  weft uninstall | kubectl delete --ignore-not-found -f -\n"
		"\n"
		"Of each object only its kind and name. Without words: all.\n"
		"\n"
		"  --namespace NAME     as it was for `weft install`: default\n"
		"  --proxies NAMESPACE  as it was for `weft install viz`",
		cli_uninstall, uninstalled },
	{ "check", "[--pre] [--namespace NAME] [--api HOST:PORT | --kubeconfig FILE] [-o text|json]",
		"Whether a cluster of Kubernetes can have weft, and whether it works there",
		"Asks the API: in a pod that of its cluster, elsewhere that of the file that KUBECONFIG names, and without one\n"
		"localhost:8001, where `kubectl proxy` listens. Each check is a line, with a hint if something is to be done:\n"
		"\n"
		"  api, version    the API answers, and is new enough\n"
		"  rights          you may create what `weft install` prints\n"
		"  namespace       it is there, and lets pods use their nodes' network\n"
		"  ports           no other pod has the ports of a node that the proxy needs\n"
		"  installed       the DaemonSet l5d is rolled out; the rest is about it\n"
		"  proxy rights    its account may follow Services and endpoints\n"
		"  configuration   what is in the ConfigMap l5d-config is one\n"
		"  nodes           a proxy is ready on each\n"
		"  proxies         they answer (up to 100 are asked); reload: none has refused a changed configuration; restarts: none\n"
		"                  has died and was started again\n"
		"  ingress         if there is one: it is ready; balancer: it has an address\n"
		"\n"
		"  --pre              before installing: only the first five lines of these\n"
		"  --namespace NAME   where l5d lives, or shall live: default\n"
		"  --api HOST:PORT    where the API is; with --ca-file FILE over TLS, with --token-file FILE by that token\n"
		"  --kubeconfig FILE  as this file says\n"
		"  -o text|json       json is one object: ok, and checks with check, result (ok, warn, fail), said and hint\n"
		"\n"
		"Exit code 0 when nothing failed, 1 when something did, 2 for wrong usage. See docs/kubernetes.md.",
		cli_check, NULL },
	{ "ready", "SOCKET", "Whether the proxy of this container has taken over: for a startup probe",
		"SOCKET is that of `weft proxy --handover`. Before a new process has taken over, an old one in another container of the\n"
		"node's network answers at the same ports, so that only this tells them apart: by who listens at SOCKET.\n"
		"\n"
		"Exit code 0 when it is a process of this pid namespace, 1 when it is another, or nobody, 2 for wrong usage.",
		cli_ready, NULL },
	{ "completion", "bash | zsh | fish", "Prints what completes weft's commands and options in a shell",
		"  bash   source <(weft completion bash), in ~/.bashrc\n"
		"  zsh    source <(weft completion zsh), in ~/.zshrc behind compinit\n"
		"  fish   weft completion fish | source, in ~/.config/fish/config.fish",
		cli_completion, shells },
	{ "version", "", "Prints the version", "", cli_version, NULL },
	{ "help", "[COMMAND | linkerd]", "Explains a command, or lists the keys of a configuration", "", cli_help, NULL },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};

int main(int argc, char **argv)
{
	return cli_main(commands, argc, argv);
}
