/* SPDX-License-Identifier: Apache-2.0 */
/* weft check: whether a cluster can have weft, and whether what `weft install` made of it works. */
#include <string.h>

#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/cli.h"
#include "cli/cluster/access.h"
#include "cli/cluster/asking.h"
#include "cli/cluster/objects.h"
#include "doc/json_write.h"
#include "io/terminal.h"
#include "model/router.h"

/* Probes by gRPC are in 1.27; more proxies than that aren't asked one by one. */
enum { LEAST_MINOR = 27, MOST_ASKED = 100, MOST_PROBLEMS = 8 };

enum form { FORM_TEXT, FORM_JSON };

enum result { RESULT_OK, RESULT_WARN, RESULT_FAIL };

static const char *const form_names[] = { "text", "json", NULL };
static const char *const result_names[] = { "ok", "warn", "fail" };

struct check {
	struct asking *asking;
	const char *namespace;
	enum form form;
	bool failed;
	struct text json;
	struct json_writer writer;
};

/* ---- reporting ---- */

/* `hint` NULL: nothing is to be done. */
static void report(struct check *check, const char *name, enum result result, const char *hint, const struct text *said)
{
	if (result == RESULT_FAIL)
		check->failed = true;
	if (check->form == FORM_JSON) {
		json_write_object(&check->writer);
		json_write_member_text(&check->writer, "check", slice_of(name));
		json_write_member_text(&check->writer, "result", slice_of(result_names[result]));
		json_write_member_text(&check->writer, "said", text_slice(said));
		if (hint && result != RESULT_OK)
			json_write_member_text(&check->writer, "hint", slice_of(hint));
		json_write_end(&check->writer);
		return;
	}
	cli_say("%-5s %-14s %.*s", result == RESULT_FAIL ? "FAIL" : result_names[result], name, SLICE_ARGS(text_slice(said)));
	if (hint && result != RESULT_OK)
		cli_say("      %-14s %s", "", hint);
}

static void report_words(struct check *check, const char *name, enum result result, const char *hint, const char *words)
{
	struct text said = { 0 };

	text_append(&said, slice_of(words));
	report(check, name, result, hint, &said);
	text_free(&said);
}

/* ---- answers ---- */

/* In `format` $ is the namespace. */
static void append_target(const struct check *check, const char *format, struct text *target)
{
	struct slice rest = slice_of(format), part;

	for (bool first = true; slice_split(&rest, '$', &part); first = false) {
		text_append(target, slice_of(first ? "" : check->namespace));
		text_append(target, part);
	}
}

/* Under `name`, that there was no answer with 200. */
static void report_answer(struct check *check, const char *name, const struct answer *answer)
{
	struct text said = { 0 };

	if (answer->status == 200)
		text_append(&said, SLICE("the answer is no JSON, or larger than 64 MiB"));
	else
		answer_tell(answer, &said);
	report(check, name, RESULT_FAIL,
		answer->status == 403           ? "you may not see this: ask for the right to, or ask somebody who has it"
			: answer->status == 404 ? "`weft install node | kubectl apply -f -` makes it; --namespace says where"
						: "is the API server well?",
		&said);
	text_free(&said);
}

/* False: what is wrong is reported. */
static bool ask(struct check *check, const char *name, const char *format, struct answer *answer)
{
	struct text target = { 0 };
	bool good;

	append_target(check, format, &target);
	asking_get(check->asking, target.bytes, answer);
	text_free(&target);
	good = answer->status == 200 && answer->document;
	if (!good)
		report_answer(check, name, answer);
	return good;
}

/* The same, of what may be a long list. */
static bool ask_list(struct check *check, const char *name, const char *format, struct answers *answers)
{
	struct text target = { 0 };

	append_target(check, format, &target);
	asking_list(check->asking, target.bytes, answers);
	text_free(&target);
	if (!answers->whole)
		report_answer(check, name, &answers->last);
	return answers->whole;
}

/* ---- the API ---- */

static bool check_api(struct check *check)
{
	struct answer answer;
	struct text said = { 0 };
	bool good;

	asking_get(check->asking, "/version", &answer);
	good = answer.status == 200 && answer.document;
	text_format(&said, "%s: ", asking_server(check->asking));
	if (good)
		text_append(&said, object_text(document_root(answer.document), "gitVersion"));
	else
		answer_tell(&answer, &said);
	report(check, "api", good ? RESULT_OK : RESULT_FAIL,
		"outside a pod, `kubectl proxy` makes it reachable; or --api, --ca-file and --token-file", &said);
	if (good) {
		/* Some providers write "27+". */
		struct slice minor = object_text(document_root(answer.document), "minor");
		uint64_t number = 0;

		if (slice_ends(minor, SLICE("+")))
			minor.length--;
		bool new_enough = slice_to_u64(minor, INT32_MAX, &number) == 0 && number >= LEAST_MINOR;

		text_clear(&said);
		text_format(&said, "1.%.*s, at least 1.%d", SLICE_ARGS(minor), LEAST_MINOR);
		report(check, "version", new_enough ? RESULT_OK : RESULT_FAIL, "upgrade Kubernetes", &said);
	}
	text_free(&said);
	answer_free(&answer);
	return good;
}

static void check_namespace(struct check *check)
{
	struct answer answer;
	struct text said = { 0 };

	if (ask(check, "namespace", "/api/v1/namespaces/$", &answer)) {
		const struct document_node *labels = object_find(document_root(answer.document), "metadata/labels");
		const struct document_entry *level = labels ? document_find(labels, SLICE("pod-security.kubernetes.io/enforce")) : NULL;
		bool strict = level && !slice_equal(level->value->text, SLICE("privileged"));

		text_format(&said, "%s", check->namespace);
		if (strict)
			text_format(&said, " enforces Pod Security's level %.*s, which forbids the node's network",
				SLICE_ARGS(level->value->text));
		report(check, "namespace", strict ? RESULT_FAIL : RESULT_OK,
			"label it pod-security.kubernetes.io/enforce=privileged, or install the node proxy elsewhere", &said);
	}
	text_free(&said);
	answer_free(&answer);
}

/* ---- rights ---- */

struct right {
	const char *verb, *group, *resource;
	bool cluster_wide;
};

/* `user` NULL: we. */
static bool is_allowed(struct check *check, const struct right *right, const char *user, struct text *said)
{
	static const char self[] = "SelfSubjectAccessReview", other[] = "SubjectAccessReview";
	struct text target = { 0 }, object = { 0 };
	struct json_writer writer;
	struct answer answer;
	bool allowed;

	text_format(&target, "/apis/authorization.k8s.io/v1/%s", user ? "subjectaccessreviews" : "selfsubjectaccessreviews");
	json_write_start(&writer, &object, false);
	json_write_object(&writer);
	json_write_member_text(&writer, "apiVersion", SLICE("authorization.k8s.io/v1"));
	json_write_member_text(&writer, "kind", slice_of(user ? other : self));
	json_write_key(&writer, SLICE("spec"));
	json_write_object(&writer);
	if (user)
		json_write_member_text(&writer, "user", slice_of(user));
	json_write_key(&writer, SLICE("resourceAttributes"));
	json_write_object(&writer);
	if (!right->cluster_wide)
		json_write_member_text(&writer, "namespace", slice_of(check->namespace));
	json_write_member_text(&writer, "verb", slice_of(right->verb));
	json_write_member_text(&writer, "group", slice_of(right->group));
	json_write_member_text(&writer, "resource", slice_of(right->resource));
	json_write_end(&writer);
	json_write_end(&writer);
	json_write_end(&writer);
	asking_post(check->asking, target.bytes, object.bytes, &answer);
	allowed = answer.document && slice_equal(object_text(document_root(answer.document), "status/allowed"), SLICE("true"));
	if (!allowed) {
		text_format(said, "%s%s %s%s%s", said->length ? ", " : "may not ", right->verb, right->resource, *right->group ? "." : "",
			right->group);
		if (answer.status != 201) {
			text_append(said, SLICE(" ("));
			answer_tell(&answer, said);
			text_append(said, SLICE(")"));
		}
	}
	answer_free(&answer);
	text_free(&target);
	text_free(&object);
	return allowed;
}

static void check_rights(
	struct check *check, const char *name, const struct right *rights, const char *user, const char *good, const char *hint)
{
	struct text said = { 0 };
	bool all = true;

	for (; rights->verb; rights++)
		all = is_allowed(check, rights, user, &said) && all;
	if (all)
		text_append(&said, slice_of(good));
	report(check, name, all ? RESULT_OK : RESULT_FAIL, hint, &said);
	text_free(&said);
}

static void check_own_rights(struct check *check)
{
	static const struct right rights[] = {
		{ "create", "", "serviceaccounts", false },
		{ "create", "", "configmaps", false },
		{ "create", "", "services", false },
		{ "create", "apps", "daemonsets", false },
		{ "create", "apps", "deployments", false },
		{ "create", "policy", "poddisruptionbudgets", false },
		{ "create", "rbac.authorization.k8s.io", "clusterroles", true },
		{ "create", "rbac.authorization.k8s.io", "clusterrolebindings", true },
		{ NULL, NULL, NULL, false },
	};

	check_rights(check, "rights", rights, NULL, "you may install weft", "an administrator of the cluster can install it");
}

static void check_proxy_rights(struct check *check)
{
	static const struct right rights[] = {
		{ "list", "discovery.k8s.io", "endpointslices", true },
		{ "watch", "discovery.k8s.io", "endpointslices", true },
		{ "list", "", "services", true },
		{ "watch", "", "services", true },
		{ NULL, NULL, NULL, false },
	};
	struct text user = { 0 };

	text_format(&user, "system:serviceaccount:%s:l5d", check->namespace);
	check_rights(check, "proxy rights", rights, user.bytes, "the account l5d may follow Services and their endpoints",
		"`weft install node | kubectl apply -f -` gives them: ClusterRole and ClusterRoleBinding l5d-NAMESPACE");
	text_free(&user);
}

/* ---- ports ---- */

static const uint64_t wanted_ports[] = { 4140, 4141, 4240, 4241, 9990 };

static bool is_wanted(uint64_t port)
{
	for (unsigned i = 0; i < sizeof wanted_ports / sizeof *wanted_ports; i++)
		if (wanted_ports[i] == port)
			return true;
	return false;
}

static unsigned add_port(const struct document_node *pod, uint64_t port, struct text *said, unsigned found)
{
	if (!is_wanted(port) || ++found > MOST_PROBLEMS)
		return found;
	text_format(said, "%s%llu of %.*s by %.*s/%.*s", found > 1 ? ", " : "taken: ", (unsigned long long)port,
		SLICE_ARGS(object_text(pod, "spec/nodeName")), SLICE_ARGS(object_text(pod, "metadata/namespace")),
		SLICE_ARGS(object_text(pod, "metadata/name")));
	return found;
}

/* Node proxies that hand over declare no ports (install/kubernetes/node.yaml), but say this one. */
static uint64_t admin_port(const struct document_node *pod)
{
	const struct document_node *annotations = object_find(pod, "metadata/annotations");
	const struct document_entry *entry =
		annotations && annotations->kind == DOCUMENT_MAPPING ? document_find(annotations, SLICE("weft/admin-port")) : NULL;
	uint64_t port;

	return entry && entry->value->kind == DOCUMENT_SCALAR && !slice_to_u64(entry->value->text, UINT16_MAX, &port) ? port : 0;
}

/* Adds the ports of its node that a pod takes from us. */
static unsigned add_taken(const struct document_node *pod, struct text *said, unsigned found)
{
	bool host = slice_equal(object_text(pod, "spec/hostNetwork"), SLICE("true"));
	const struct document_node *containers = object_find(pod, "spec/containers");

	if (host)
		found = add_port(pod, admin_port(pod), said, found);
	for (unsigned i = 0; i < object_count(containers); i++) {
		const struct document_node *ports = object_find(containers->items[i], "ports");

		for (unsigned j = 0; j < object_count(ports); j++) {
			found = add_port(pod, object_number(ports->items[j], host ? "containerPort" : "hostPort"), said, found);
		}
	}
	return found;
}

static bool is_proxy(const struct check *check, const struct document_node *pod)
{
	return slice_equal(object_text(pod, "metadata/namespace"), slice_of(check->namespace)) &&
		slice_equal(object_text(pod, "metadata/labels/app"), SLICE("l5d"));
}

static void check_ports(struct check *check)
{
	struct text said = { 0 };
	struct answers pods;
	unsigned found = 0;

	if (ask_list(check, "ports", "/api/v1/pods?fieldSelector=status.phase!=Succeeded,status.phase!=Failed", &pods)) {
		for (unsigned i = 0; i < pods.count; i++)
			if (!is_proxy(check, pods.items[i]))
				found = add_taken(pods.items[i], &said, found);
		if (!found)
			text_append(&said, SLICE("no other pod has 4140, 4141, 4240, 4241 or 9990 of a node"));
		report(check, "ports", found ? RESULT_FAIL : RESULT_OK, "a node proxy can't start beside these", &said);
	}
	answers_free(&pods);
	text_free(&said);
}

/* ---- what is installed ---- */

static bool check_daemonset(struct check *check)
{
	struct text said = { 0 };
	struct answer answer;
	bool there = ask(check, "installed", "/apis/apps/v1/namespaces/$/daemonsets/l5d", &answer);

	if (there) {
		const struct document_node *root = document_root(answer.document);
		uint64_t wanted = object_number(root, "status/desiredNumberScheduled"), ready = object_number(root, "status/numberReady"),
			 updated = object_number(root, "status/updatedNumberScheduled");
		bool seen = object_number(root, "status/observedGeneration") == object_number(root, "metadata/generation");

		text_format(&said, "DaemonSet %s/l5d: %llu of %llu ready, %llu up to date", check->namespace, (unsigned long long)ready,
			(unsigned long long)wanted, (unsigned long long)updated);
		report(check, "installed", seen && wanted > 0 && ready == wanted && updated == wanted ? RESULT_OK : RESULT_FAIL,
			"`kubectl rollout status daemonset/l5d` waits; `kubectl describe pods -l app=l5d` says what holds them up", &said);
	}
	answer_free(&answer);
	text_free(&said);
	return there;
}

/* In an update a node may have two: the one that is ready. */
static const struct document_node *proxy_of(const struct answers *pods, struct slice node)
{
	const struct document_node *found = NULL;

	for (unsigned i = 0; i < pods->count && !(found && object_pod_is_ready(found)); i++)
		if (slice_equal(object_text(pods->items[i], "spec/nodeName"), node) &&
			!object_text(pods->items[i], "metadata/deletionTimestamp").length)
			found = pods->items[i];
	return found;
}

static void check_nodes(struct check *check, const struct answers *pods)
{
	struct text said = { 0 };
	struct answers nodes;
	unsigned bad = 0;

	if (ask_list(check, "nodes", "/api/v1/nodes", &nodes)) {
		for (unsigned i = 0; i < nodes.count; i++) {
			struct slice name = object_text(nodes.items[i], "metadata/name"),
				     os = object_text(nodes.items[i], "status/nodeInfo/operatingSystem");
			const struct document_node *pod = proxy_of(pods, name);

			if ((pod && object_pod_is_ready(pod)) || slice_equal(os, SLICE("windows")) || ++bad > MOST_PROBLEMS)
				continue;
			text_format(&said, "%s%.*s: ", bad > 1 ? ", " : "", SLICE_ARGS(name));
			if (pod)
				object_pod_reason(pod, &said);
			else
				text_append(&said, SLICE("no proxy"));
		}
		if (!bad)
			text_format(&said, "a proxy is ready on each of %u", nodes.count);
		report(check, "nodes", bad ? RESULT_FAIL : RESULT_OK,
			"`kubectl describe pods -l app=l5d` and `kubectl logs` of them say more", &said);
	}
	answers_free(&nodes);
	text_free(&said);
}

/* Asks a proxy's admin server, by way of the API server. */
static void ask_proxy(struct check *check, const struct document_node *pod, const char *page, struct answer *answer)
{
	struct text target = { 0 };

	text_format(&target, "/api/v1/namespaces/%s/pods/%.*s:9990/proxy%s", check->namespace,
		SLICE_ARGS(object_text(pod, "metadata/name")), page);
	asking_get(check->asking, target.bytes, answer);
	text_free(&target);
}

static void add_problem(struct text *said, const struct document_node *pod, unsigned number, const char *before)
{
	if (number <= MOST_PROBLEMS)
		text_format(said, "%s%.*s", number > 1 ? ", " : before, SLICE_ARGS(object_text(pod, "metadata/name")));
}

/* What is found by asking proxies. */
struct findings {
	struct text silent, refused, restarted;
	unsigned asked, silences, refusals, restarts;
};

static void ask_whether_it_answers(struct check *check, const struct document_node *pod, struct findings *found)
{
	struct answer answer;

	ask_proxy(check, pod, "/admin/ping", &answer);
	if (answer.status != 200 || !slice_equal(text_slice(&answer.body), SLICE("pong"))) {
		add_problem(&found->silent, pod, ++found->silences, "no pong from ");
		if (found->silences == 1) {
			text_append(&found->silent, SLICE(" ("));
			answer_tell(&answer, &found->silent);
			text_append(&found->silent, SLICE(")"));
		}
	}
	answer_free(&answer);
}

static void ask_how_it_went(struct check *check, const struct document_node *pod, struct findings *found)
{
	struct answer answer;

	ask_proxy(check, pod, "/admin/metrics.json?q=configuration", &answer);
	if (answer.document && object_number(document_root(answer.document), "failures") > 0)
		add_problem(&found->refused, pod, ++found->refusals, "refused by ");
	answer_free(&answer);
	ask_proxy(check, pod, "/admin/metrics.json?q=process", &answer);
	if (answer.document && object_number(document_root(answer.document), "restarts") > 0)
		add_problem(&found->restarted, pod, ++found->restarts, "died, and were started again: ");
	answer_free(&answer);
}

static void check_answers(struct check *check, const struct answers *pods)
{
	struct findings found = { 0 };

	for (unsigned i = 0; i < pods->count && found.asked < MOST_ASKED; i++) {
		if (!object_pod_is_ready(pods->items[i]))
			continue;
		found.asked++;
		ask_whether_it_answers(check, pods->items[i], &found);
		ask_how_it_went(check, pods->items[i], &found);
	}
	if (!found.silences)
		text_format(&found.silent, "%u proxies answer", found.asked);
	report(check, "proxies", found.silences || !found.asked ? RESULT_FAIL : RESULT_OK,
		"`kubectl logs` of these pods; your account needs pods/proxy", &found.silent);
	if (found.refusals)
		report(check, "reload", RESULT_WARN,
			"a changed configuration was refused since the start: `kubectl logs` of these pods say why", &found.refused);
	if (found.restarts)
		report(check, "restarts", RESULT_WARN,
			"what was in flight was lost: `kubectl logs` of these pods say by which signal, or why", &found.restarted);
	text_free(&found.silent);
	text_free(&found.refused);
	text_free(&found.restarted);
}

static void check_config(struct check *check)
{
	struct text why = { 0 };
	struct answer answer;

	if (ask(check, "configuration", "/api/v1/namespaces/$/configmaps/l5d-config", &answer)) {
		const struct document_node *data = object_find(document_root(answer.document), "data");
		const struct document_entry *entry = data ? document_find(data, SLICE("config.yaml")) : NULL;
		struct snapshot *snapshot = NULL;

		if (entry)
			snapshot = cli_parse("l5d-config/config.yaml", entry->value->text, &why);
		else
			text_append(&why, SLICE("ConfigMap l5d-config has no config.yaml"));
		if (snapshot)
			text_append(&why, SLICE("ConfigMap l5d-config is valid"));
		text_join_lines(&why);
		report(check, "configuration", snapshot ? RESULT_OK : RESULT_FAIL,
			"`kubectl edit configmap l5d-config`; until then proxies keep what they had", &why);
		snapshot_unref(snapshot);
	}
	answer_free(&answer);
	text_free(&why);
}

/* Only if there is one. */
static void check_ingress(struct check *check)
{
	struct text target = { 0 }, said = { 0 };
	struct answer answer;

	text_format(&target, "/apis/apps/v1/namespaces/%s/deployments/l5d-ingress", check->namespace);
	asking_get(check->asking, target.bytes, &answer);
	if (answer.status == 200 && answer.document) {
		uint64_t wanted = object_number(document_root(answer.document), "spec/replicas"),
			 ready = object_number(document_root(answer.document), "status/readyReplicas");

		text_format(&said, "Deployment %s/l5d-ingress: %llu of %llu ready", check->namespace, (unsigned long long)ready,
			(unsigned long long)wanted);
		report(check, "ingress", ready == wanted ? RESULT_OK : RESULT_FAIL,
			"`kubectl describe pods -l app=l5d-ingress` says what holds them up", &said);
		answer_free(&answer);
		text_clear(&said);
		text_clear(&target);
		text_format(&target, "/api/v1/namespaces/%s/services/l5d-ingress", check->namespace);
		asking_get(check->asking, target.bytes, &answer);
		if (answer.document && !object_count(object_find(document_root(answer.document), "status/loadBalancer/ingress")))
			report_words(check, "balancer", RESULT_WARN,
				"who gives load balancers here? A node port, or the Service's address, lead there, too",
				"Service l5d-ingress has no address from a load balancer yet");
	}
	answer_free(&answer);
	text_free(&target);
	text_free(&said);
}

static void check_installed(struct check *check)
{
	struct answers pods;

	if (!check_daemonset(check))
		return;
	check_proxy_rights(check);
	check_config(check);
	if (ask_list(check, "nodes", "/api/v1/namespaces/$/pods?labelSelector=app%3Dl5d", &pods)) {
		check_nodes(check, &pods);
		check_answers(check, &pods);
	}
	answers_free(&pods);
	check_ingress(check);
}

/* ---- all ---- */

static int run_checks(struct check *check, bool before)
{
	struct text out = { 0 };

	json_write_start(&check->writer, &check->json, false);
	json_write_array(&check->writer);
	if (check_api(check)) {
		check_own_rights(check);
		check_namespace(check);
		check_ports(check);
		if (!before)
			check_installed(check);
	}
	json_write_end(&check->writer);
	if (check->form == FORM_JSON) {
		text_format(&out, "{\"ok\":%s,\"checks\":", check->failed ? "false" : "true");
		text_append(&out, text_slice(&check->json));
		text_append(&out, SLICE("}\n"));
		(void)terminal_print(text_slice(&out));
	}
	text_free(&out);
	text_free(&check->json);
	return check->failed ? 1 : 0;
}

int cli_check(int count, char **arguments)
{
	static struct access access;
	struct check check = { .form = FORM_TEXT };
	const char *form = NULL;
	bool before = false;
	const struct argument table[] = {
		{ "--pre", .flag = &before },
		ACCESS_ARGUMENTS(access),
		{ "-o", .value = &form, .choices = form_names },
		{ .name = NULL },
	};
	struct text why = { 0 };
	int index = FORM_TEXT, code = 2;

	if (!arguments_read("check", count, arguments, table, NULL, 0, 0) || !arguments_choice("check", "-o", form, form_names, &index) ||
		!access_read("check", &access))
		return 2;
	check.namespace = access.namespace;
	check.form = (enum form)index;
	check.asking = asking_new(&access.place, &why);
	if (check.asking) {
		code = run_checks(&check, before);
		asking_free(check.asking);
	} else {
		cli_complain("weft check: %s", why.bytes);
	}
	text_free(&why);
	return code;
}
