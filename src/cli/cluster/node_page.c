/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cluster/node_page.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/cluster/access.h"
#include "cli/cluster/objects.h"
#include "cli/cluster/proxies.h"

/* The API doesn't answer as it should. */
static void complain(const struct node_page_where *where, struct asking *asking, const struct answer *answer)
{
	struct text why = { 0 };

	answer_tell(answer, &why);
	cli_complain("weft %s: %s: %s", where->command, asking_server(asking), why.bytes ? why.bytes : "no JSON");
	text_free(&why);
}

/* False: it is told why not. */
static bool ask(const struct node_page_where *where, struct asking *asking, const char *target, struct answer *answer)
{
	bool good;

	asking_get(asking, target, answer);
	good = answer->status == 200 && answer->document;
	if (!good)
		complain(where, asking, answer);
	return good;
}

static bool ask_list(const struct node_page_where *where, struct asking *asking, const char *target, struct answers *answers)
{
	asking_list(asking, target, answers);
	if (!answers->whole)
		complain(where, asking, &answers->last);
	return answers->whole;
}

static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.length; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-.", name.at[i]))
			return false;
	return name.length > 0;
}

/* The node's name is added to `node`. */
static bool find_node(const struct node_page_where *where, struct asking *asking, struct text *node)
{
	struct slice name = slice_of(where->pod ? where->pod : ""), namespace = SLICE("default");
	struct text target = { 0 };
	struct answer answer;
	bool good;

	if (where->node) {
		text_append(node, slice_of(where->node));
		return true;
	}
	if (slice_find(name, '/') < name.length)
		(void)slice_split(&name, '/', &namespace);
	if (!is_name(name) || !is_name(namespace)) {
		cli_complain("weft %s: --from-pod takes a pod, NAME or NAMESPACE/NAME, not `%s`", where->command, where->pod);
		return false;
	}
	text_format(&target, "/api/v1/namespaces/%.*s/pods/%.*s", SLICE_ARGS(namespace), SLICE_ARGS(name));
	good = ask(where, asking, target.bytes, &answer);
	if (good) {
		text_append(node, object_text(document_root(answer.document), "spec/nodeName"));
		good = node->length > 0;
		if (!good)
			cli_complain("weft %s: %s is on no node yet", where->command, where->pod);
	}
	answer_free(&answer);
	text_free(&target);
	return good;
}

/* The path of the page at the node proxy there; the ingress may be there, too. */
static bool find_proxy(
	const struct node_page_where *where, const struct answers *pods, struct slice node, struct slice page, struct text *target)
{
	struct text why = { 0 };
	bool found = false;

	for (unsigned i = 0; i < pods->count && !found; i++) {
		struct proxy_pod pod;

		text_clear(&why);
		found = slice_equal(object_text(pods->items[i], "metadata/labels/app"), SLICE("l5d")) &&
			proxies_read(pods->items[i], &pod, &why) && slice_equal(pod.node, node) && !why.length;
		if (found)
			proxies_page(where->access->namespace, &pod, page, target);
	}
	if (!found)
		cli_complain("weft %s: no proxy runs on the node %.*s, or none in the namespace %s: --namespace says another",
			where->command, SLICE_ARGS(node), where->access->namespace);
	text_free(&why);
	return found;
}

static bool get(const struct node_page_where *where, struct asking *asking, struct slice page, struct answer *answer)
{
	struct text node = { 0 }, list = { 0 }, target = { 0 }, why = { 0 };
	struct answers pods = { .whole = false };
	bool good = find_node(where, asking, &node);

	proxies_list(where->access->namespace, &list);
	good = good && ask_list(where, asking, list.bytes, &pods) && find_proxy(where, &pods, text_slice(&node), page, &target);
	if (good) {
		asking_get(asking, target.bytes, answer);
		/* weft's own errors are no Status. */
		good = answer->document && !slice_equal(object_text(document_root(answer->document), "kind"), SLICE("Status"));
		if (!good) {
			answer_tell(answer, &why);
			cli_complain("weft %s: the proxy of %s doesn't answer: %s", where->command, node.bytes, why.bytes);
			answer_free(answer);
		}
	}
	answers_free(&pods);
	text_free(&node);
	text_free(&list);
	text_free(&target);
	text_free(&why);
	return good;
}

bool node_page_get(const struct node_page_where *where, struct slice page, struct answer *answer)
{
	struct text why = { 0 };
	struct asking *asking = asking_new(&where->access->place, &why);
	bool good = false;

	if (asking) {
		good = get(where, asking, page, answer);
		asking_free(asking);
	} else {
		cli_complain("weft %s: %s", where->command, why.bytes);
	}
	text_free(&why);
	return good;
}
