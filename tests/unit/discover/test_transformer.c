/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "discover/transformer.h"

static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, NULL, 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_reset(&arena);
	return 0;
}

static struct path path_of(const char *text)
{
	struct path path;
	struct slice why;
	assert_int_equal(path_parse(slice_of(text), &arena, &path, &why), 0);
	return path;
}

static struct address address_of(const char *text)
{
	struct address address;
	assert_int_equal(address_parse_with_port(slice_of(text), &address), 0);
	return address;
}

/* Of "node1;zone=a;forZones=a,b". */
static uint32_t labels_of(struct slice text, struct label *labels)
{
	struct slice word;
	uint32_t count = 0;
	while (text.length && slice_split(&text, ';', &word)) {
		size_t at = slice_find(word, '=');
		labels[count++] = at < word.length ? (struct label){ slice_make(word.at, at), slice_from(word, at + 1) }
						   : (struct label){ SLICE("nodeName"), word };
	}
	return count;
}

/* From "127.0.1.1:80 127.0.1.2:81@node1 127.0.1.3:80@node2;zone=a". */
static struct endpoints *set_of(const char *text)
{
	struct endpoint list[8] = { 0 };
	struct label labels[8][4];
	struct slice rest = slice_of(text), word;
	uint32_t count = 0;
	while (rest.length && slice_split(&rest, ' ', &word)) {
		size_t at = slice_find(word, '@');
		if (at < word.length) {
			list[count].labels = labels[count];
			list[count].label_count = labels_of(slice_from(word, at + 1), labels[count]);
			word.length = at;
		}
		assert_int_equal(address_parse_with_port(word, &list[count].address), 0);
		list[count].weight = (double)count + 1;
		count++;
	}
	return endpoints_new(list, count, 42);
}

static void assert_set(const struct endpoints *set, const char *expected)
{
	struct text text = { 0 };
	text_append(&text, SLICE(""));
	if (set->state != ENDPOINTS_BOUND)
		text_format(&text, "%s", endpoints_state_text(set->state));
	for (uint32_t i = 0; i < set->count; i++)
		text_format(&text, "%s%.*s", i ? " " : "", SLICE_ARGS(set->list[i].id));
	assert_string_equal(text.bytes ? text.bytes : "", expected);
	assert_int_equal(set->version, 42);
	text_free(&text);
}

static void assert_id(const struct transformer *transformer, const char *id, const char *expected)
{
	struct path made;
	assert_int_equal(transformer_id(transformer, path_of(id), &arena, &made), 0);
	assert_string_equal(arena_text(&arena, path_show(&arena, made)), expected);
}

static void apply(const struct transformer *transformer, const char *from, const char *to)
{
	struct endpoints *set = set_of(from), *made = transformer_apply(transformer, set, NULL);
	assert_set(made, to);
	endpoints_unref(made);
	endpoints_unref(set);
}

static void replaces_ports(void **state)
{
	struct transformer *port = transformer_new_port(4141, PATH_EMPTY);
	(void)state;
	assert_string_equal(transformer_kind(port), "io.l5d.port");
	assert_id(port, "/#/io.l5d.fs/hello", "/%/io.l5d.port/4141/#/io.l5d.fs/hello");
	apply(port, "127.0.1.1:7777 127.0.1.2:7777", "127.0.1.1:4141 127.0.1.2:4141");
	apply(port, "127.0.1.2:7777 127.0.1.1:7778 127.0.1.1:7777 [::1]:1", "127.0.1.1:4141 127.0.1.2:4141 [::1]:4141");
	apply(port, "", ""); /* an empty set stays empty: it wasn't this that emptied it */
	transformer_free(port);
}

static void keeps_one_host(void **state)
{
	struct address host = address_of("127.0.1.2:0");
	struct transformer *specific = transformer_new_specific_host(&host, PATH_EMPTY);
	(void)state;
	assert_string_equal(transformer_kind(specific), "io.l5d.specificHost");
	assert_id(specific, "/#/io.l5d.fs/hello", "/%/io.l5d.specificHost/#/io.l5d.fs/hello");
	apply(specific, "127.0.1.1:7777 127.0.1.2:7777 127.0.1.2:7778", "127.0.1.2:7777 127.0.1.2:7778");
	apply(specific, "127.0.1.1:7777 127.0.1.3:7777", "neg");
	apply(specific, "", "");
	transformer_free(specific);
}

static void keeps_this_machine(void **state)
{
	struct address local[] = { address_of("127.0.0.1:0"), address_of("10.0.0.7:0"), address_of("[::1]:0") };
	struct transformer *localhost = transformer_new_localhost(local, 3, PATH_EMPTY);
	struct transformer *nobody = transformer_new_localhost(NULL, 0, PATH_EMPTY);
	(void)state;
	assert_id(localhost, "/#/x", "/%/io.l5d.localhost/#/x");
	apply(localhost, "10.0.0.7:80 10.0.0.8:80 127.0.0.1:9 [::1]:80 [::2]:80", "10.0.0.7:80 127.0.0.1:9 [::1]:80");
	apply(localhost, "10.0.0.8:80", "neg");
	apply(nobody, "10.0.0.8:80", "neg");
	transformer_free(localhost);
	transformer_free(nobody);
}

static void keeps_this_node(void **state)
{
	struct address own = address_of("10.1.2.3:0"), own6 = address_of("[fd00:1:2:3::4]:0");
	struct transformer *net = transformer_new_local_net(&own, PATH_EMPTY), *net6 = transformer_new_local_net(&own6, PATH_EMPTY);
	struct transformer *node = transformer_new_local_node(SLICE("node1"), path_of("/mine"));
	(void)state;
	assert_string_equal(transformer_kind(net), "io.l5d.k8s.localnode");
	assert_id(net, "/#/x", "/%/io.l5d.k8s.localnode/10.1.2.3/#/x");
	assert_id(net6, "/#/x", "/%/io.l5d.k8s.localnode/fd00:1:2:3::4/#/x");
	assert_id(node, "/#/x", "/%/mine/node1/#/x");
	apply(net, "10.1.2.200:80 10.1.3.3:80@node1 11.1.2.3:80 [fd00:1:2:3::5]:80", "10.1.2.200:80");
	apply(net6, "[fd00:1:2:3::5]:80 [fd00:1:2:4::5]:80 10.1.2.3:80", "[fd00:1:2:3::5]:80");
	apply(node, "10.1.2.200:80@node2 10.1.3.3:80@node1 10.1.2.3:80", "10.1.3.3:80");
	apply(node, "10.1.2.3:80", "neg");
	transformer_free(net);
	transformer_free(net6);
	transformer_free(node);
}

static void apply_through(const struct transformer *transformer, const char *from, const char *gateways, const char *to)
{
	struct endpoints *set = set_of(from), *through = set_of(gateways), *made;
	made = transformer_apply(transformer, set, through);
	assert_int_equal(made->version, 84);
	struct endpoints *same = transformer_apply(transformer, set, through);
	assert_true(endpoints_equal(made, same));
	endpoints_unref(same);
	struct text text = { 0 };
	text_format(&text, "%s", made->state == ENDPOINTS_BOUND ? "" : endpoints_state_text(made->state));
	for (uint32_t i = 0; i < made->count; i++) {
		struct slice node = endpoint_label(&made->list[i], SLICE("nodeName"));
		text_format(&text, "%s%.*s%s%.*s", i ? " " : "", SLICE_ARGS(made->list[i].id), node.length ? "@" : "", SLICE_ARGS(node));
	}
	assert_string_equal(text.bytes, to);
	text_free(&text);
	endpoints_unref(made);
	endpoints_unref(through);
	endpoints_unref(set);
}

static void goes_through_a_daemonset(void **state)
{
	struct transformer *net = transformer_new_daemonset(false, SLICE(""), path_of("/io.l5d.k8s.daemonset/default/incoming/l5d"));
	struct transformer *node = transformer_new_daemonset(true, SLICE(""), path_of("/d"));
	(void)state;
	assert_string_equal(transformer_kind(net), "io.l5d.k8s.daemonset");
	assert_id(net, "/#/x", "/%/io.l5d.k8s.daemonset/default/incoming/l5d/#/x");
	apply_through(net, "10.1.1.5:7777@node9 10.1.2.5:7777 10.1.1.6:7777", "10.1.1.2:4141@node1 10.1.2.2:4141@node2 10.1.3.2:4141@node3",
		"10.1.1.2:4141@node1 10.1.2.2:4141@node2");
	apply_through(node, "10.1.1.5:7777@node2 10.1.2.5:7777@node3", "10.9.1.2:4141@node1 10.9.2.2:4141@node2 10.9.3.2:4141@node3",
		"10.9.2.2:4141@node2 10.9.3.2:4141@node3");
	apply_through(node, "10.1.1.5:7777 10.1.1.6:7777@node4", "10.1.1.2:4141@node1 10.1.1.3:4141", "neg");
	apply_through(net, "10.1.1.5:7777", "", "neg");
	apply_through(net, "", "10.1.1.2:4141", "");
	transformer_free(net);
	transformer_free(node);
}

#define GATEWAYS "10.9.0.1:4141@n1;zone=a 10.9.0.2:4141@n2;zone=a 10.9.0.3:4141@n3;zone=b"

/* As kube-proxy's rules are: the node before the zone, and hints that aren't complete, or help nobody here, don't count. */
static void follows_hints(void **state)
{
	struct transformer *here = transformer_new_daemonset(true, SLICE("n1"), path_of("/d"));
	struct transformer *elsewhere = transformer_new_daemonset(true, SLICE("n9"), path_of("/d"));
	struct transformer *unknown = transformer_new_daemonset(true, SLICE(""), path_of("/d"));
	const char *zones = "10.1.1.1:80@n1;forZones=a 10.1.2.1:80@n2;forZones=b,a 10.1.3.1:80@n3;forZones=b";
	const char *nodes = "10.1.1.1:80@n1;forZones=a;forNodes=n1 10.1.2.1:80@n2;forZones=a;forNodes=n2";
	(void)state;
	apply_through(here, zones, GATEWAYS, "10.9.0.1:4141@n1 10.9.0.2:4141@n2");
	apply_through(elsewhere, zones, GATEWAYS, "10.9.0.1:4141@n1 10.9.0.2:4141@n2 10.9.0.3:4141@n3");
	apply_through(unknown, zones, GATEWAYS, "10.9.0.1:4141@n1 10.9.0.2:4141@n2 10.9.0.3:4141@n3");
	apply_through(here, zones, "10.9.0.1:4141@n1 10.9.0.3:4141@n3;zone=b", "10.9.0.1:4141@n1 10.9.0.3:4141@n3");
	apply_through(here, nodes, GATEWAYS, "10.9.0.1:4141@n1");
	apply_through(elsewhere, nodes, GATEWAYS, "10.9.0.1:4141@n1 10.9.0.2:4141@n2");
	/* None is for this node: its zone's are. */
	apply_through(here, "10.1.2.1:80@n2;forZones=a;forNodes=n2 10.1.3.1:80@n3;forZones=b;forNodes=n3", GATEWAYS, "10.9.0.2:4141@n2");
	/* One has no hint, or none is for this zone. */
	apply_through(here, "10.1.1.1:80@n1;forZones=a 10.1.3.1:80@n3", GATEWAYS, "10.9.0.1:4141@n1 10.9.0.3:4141@n3");
	apply_through(here, "10.1.2.1:80@n2;forZones=b 10.1.3.1:80@n3;forZones=c,aa", GATEWAYS, "10.9.0.2:4141@n2 10.9.0.3:4141@n3");
	/* Where there is no way to what is meant for here, other endpoints are better than none. */
	apply_through(here, "10.1.4.1:80@n4;forZones=a 10.1.3.1:80@n3;forZones=b", GATEWAYS, "10.9.0.3:4141@n3");
	transformer_free(here);
	transformer_free(elsewhere);
	transformer_free(unknown);
}

/* Without the DaemonSet's endpoints nothing is known of where to go. */
static void a_daemonset_must_be_known(void **state)
{
	struct transformer *net = transformer_new_daemonset(false, SLICE(""), path_of("/d"));
	static const enum endpoints_state states[] = { ENDPOINTS_PENDING, ENDPOINTS_NEG, ENDPOINTS_FAILED };
	struct endpoints *set = set_of("10.1.1.5:7777");
	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct endpoints *gateways = endpoints_new_state(states[i], states[i] == ENDPOINTS_FAILED ? SLICE("why") : SLICE(""), 1),
				 *made;
		made = transformer_apply(net, set, gateways);
		assert_int_equal(made->state, states[i]);
		assert_string_equal(arena_text(&arena, made->message), states[i] == ENDPOINTS_FAILED ? "why" : "");
		endpoints_unref(made);
		endpoints_unref(gateways);
	}
	endpoints_unref(set);
	transformer_free(net);
}

static void prefix_can_be_given(void **state)
{
	struct address host = address_of("127.0.1.2:0");
	struct transformer *port = transformer_new_port(80, path_of("/to/web"));
	struct transformer *specific = transformer_new_specific_host(&host, path_of("/here"));
	(void)state;
	assert_string_equal(arena_text(&arena, path_show(&arena, transformer_prefix(port))), "/%/to/web");
	assert_id(port, "/#/x", "/%/to/web/#/x");
	assert_id(specific, "/%/to/web/#/x", "/%/here/%/to/web/#/x");
	transformer_free(port);
	transformer_free(specific);
}

static void leaves_other_states_alone(void **state)
{
	struct transformer *port = transformer_new_port(80, PATH_EMPTY);
	static const enum endpoints_state states[] = { ENDPOINTS_PENDING, ENDPOINTS_NEG, ENDPOINTS_FAILED };
	(void)state;
	for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
		struct endpoints *set = endpoints_new_state(states[i], SLICE("why"), 1);
		struct endpoints *made = transformer_apply(port, set, NULL);
		assert_ptr_equal(made, set);
		endpoints_unref(made);
		endpoints_unref(set);
	}
	transformer_free(port);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replaces_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_one_host, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_this_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_this_node, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_through_a_daemonset, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_hints, setup, teardown),
		cmocka_unit_test_setup_teardown(a_daemonset_must_be_known, setup, teardown),
		cmocka_unit_test_setup_teardown(prefix_can_be_given, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_other_states_alone, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
