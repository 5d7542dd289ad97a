/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/doc/parse.h"

#include "doc/json_write.h"

/* The whole tree as JSON, for comparing. */
static void expect_tree(const char *text, const char *json)
{
	struct document *document = parse_good(text);
	struct text out = { 0 };
	struct json_writer w;
	json_write_start(&w, &out, false);
	json_write_node(&w, document_root(document));
	assert_string_equal(out.bytes, json);
	text_free(&out);
	document_free(document);
}

static void reads_what_linkerd_configurations_use(void **state)
{
	(void)state;
	expect_tree("admin:\n  port: 9990\n"
		    "routers:\n- protocol: http\n  servers: [{port: 4140, ip: 0.0.0.0}]\n  dtab: |\n    /a => /b;\n    "
		    "/c => /d;\n"
		    "usage: {enabled: false}\nx: ~\ny:\nz: 'it''s'\nf: >\n  one\n  two\n",
		"{\"admin\":{\"port\":9990},\"routers\":[{\"protocol\":\"http\",\"servers\":[{\"port\":4140,\"ip\":\"0."
		"0.0.0\"}],"
		"\"dtab\":\"/a => /b;\\n/c => /d;\\n\"}],\"usage\":{\"enabled\":false},\"x\":null,\"y\":null,"
		"\"z\":\"it's\",\"f\":\"one two\\n\"}");
	expect_tree("\xef\xbb\xbf"
		    "a: \"\xc3\xa9\\u00e9\"\n",
		"{\"a\":\"\xc3\xa9\xc3\xa9\"}");
	expect_tree("- 1_000\n- 007\n- 1.50\n- 0x10\n- \"12\"\n- yes\n- NULL\n", "[\"1_000\",\"007\",1.50,\"0x10\",\"12\",\"yes\",null]");
	expect_tree("%YAML 1.1\n---\na: b\n...\n", "{\"a\":\"b\"}");
	expect_tree("\"a\": [\n]\n\"\": {}\n", "{\"a\":[],\"\":{}}");
}

static void nodes_know_their_places(void **state)
{
	(void)state;
	struct document *document = parse_good("# c\nr:\n  - \xc3\xa9\xc3\xa9: x\n    port: 1\n  -   {a: b}\n");
	const struct document_node *r = document_get(document_root(document), "r");
	assert_int_equal(r->line, 3);
	assert_int_equal(r->column, 3);
	assert_int_equal(r->count, 2);
	assert_ptr_equal(r->items[0]->parent, r);
	assert_slice(r->key, "r");
	const struct document_node *port = document_get(r->items[0], "port");
	assert_int_equal(port->line, 4);
	assert_int_equal(port->column, 11);
	const struct document_entry *e = document_find(r->items[0], slice_of("\xc3\xa9\xc3\xa9"));
	assert_int_equal(e->key_node->column, 5);
	assert_int_equal(e->value->column, 9); /* characters, not bytes */
	assert_int_equal(document_get(r->items[1], "a")->column, 11);
	assert_slice(document_file(document), "f");
	document_free(document);
}

static void expect_place(const char *text, const char *of, int line, int column)
{
	struct document *document = parse_good(text);
	const struct document_node *node = document_get(document_root(document), "d");
	const char *found = strstr(node->text.at, of);
	int l, c;
	assert_non_null(found);
	document_text_place(node, (size_t)(found - node->text.at), &l, &c);
	document_free(document);
	assert_int_equal(l, line);
	assert_int_equal(c, column);
}

static void texts_know_where_each_byte_is_written(void **state)
{
	(void)state;
	expect_place("d: |\n    /a => /b;\n    /c => X;\n", "X", 3, 11);
	expect_place("a: \xe2\x82\xac\xe2\x82\xac\nd: |-  # note\n\n\n  one\n     \xc3\xa9 X\n", "X", 6, 8);
	expect_place("d: |2\n    two more X\n", "X", 2, 14);
	expect_place("a: 1\r\nd: |\r\n  one\r\n  X\r\n", "X", 4, 3);
	expect_place("d: /a => X\n", "X", 1, 10);
	expect_place("d:\n  \"/a => X\"\n", "X", 2, 10);
	expect_place("d: '/a => X'\n", "X", 1, 11);
	expect_place("{\"a\":1,\n \"d\" : \"/a => X\"}", "X", 2, 15);
	/* What is folded or escaped can't be told: the node's own place. */
	expect_place("d: >\n  a\n  X\n", "X", 1, 4);
	expect_place("d: \"a\\tX\"\n", "X", 1, 4);
	expect_place("d: a\n  X\n", "X", 1, 4);
	expect_place("d: &n aX\n", "X", 1, 4);
}

static void aliases_are_copies(void **state)
{
	(void)state;
	expect_tree("a: &x {p: [1, 2]}\nb: *x\nc: [*x, &x 5, *x]\n", "{\"a\":{\"p\":[1,2]},\"b\":{\"p\":[1,2]},\"c\":[{\"p\":[1,2]},5,5]}");
	struct document *document = parse_good("a: &x {p: 1}\nb: *x\n");
	const struct document_node *b = document_get(document_root(document), "b");
	assert_slice(b->key, "b");
	assert_ptr_equal(document_get(b, "p")->parent, b);
	assert_int_equal(b->line, 1);
	document_free(document);
	expect_refused("a: *x\n", "f:1:4: there is no anchor `&x` before this alias\n");
	expect_refused("a: &x [*x]\n", "f:1:8: the alias `*x` is inside what it stands for\n");
}

static void expansion_is_bounded(void **state)
{
	(void)state;
	struct text laughs = { 0 };
	text_format(&laughs, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 10; i++) {
		text_format(&laughs, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			text_format(&laughs, "%s*a%d", j ? "," : "", i - 1);
		text_append(&laughs, SLICE("]\n"));
	}
	expect_refused_within(NULL, text_slice(&laughs), ERROR_LIMIT, "f:5:38: more than 100000 values in one document\n");
	text_free(&laughs);
	expect_refused_within(&(struct document_limits){ .max_depth = 3 }, SLICE("a: &x [[1]]\nb: [[*x]]\n"), ERROR_LIMIT,
		"f:2:6: nested deeper than 3 levels\n");
}

static void limits_hold(void **state)
{
	(void)state;
	struct text deep = { 0 };
	for (int i = 0; i < 65; i++)
		text_append(&deep, SLICE("["));
	expect_refused_within(NULL, text_slice(&deep), ERROR_LIMIT, "f:1:65: nested deeper than 64 levels\n");
	text_free(&deep);
	expect_refused_within(
		&(struct document_limits){ .max_bytes = 4 }, SLICE("a: bc"), ERROR_LIMIT, "f: 5 bytes are too many; at most 4 are read\n");
	expect_refused_within(&(struct document_limits){ .max_nodes = 4 }, SLICE("a: b\nc: d\n"), ERROR_LIMIT,
		"f:2:4: more than 4 values in one document\n");
}

static void refuses_with_places(void **state)
{
	(void)state;
	expect_refused("a: 1\nb: 2\na: 3\nb: 4\na: 5\n",
		"f:3:1: duplicate key `a`; it is first at line 1, column 1\n"
		"f:4:1: duplicate key `b`; it is first at line 2, column 1\n"
		"f:5:1: duplicate key `a`; it is first at line 1, column 1\n");
	expect_refused("a: !!int 5\n", "f:1:4: YAML tags are not accepted, and there is `tag:yaml.org,2002:int`\n");
	expect_refused("a: !x {}\n", "f:1:4: YAML tags are not accepted, and there is `!x`\n");
	expect_refused("a: 1\n---\nb: 2\n", "f:2:1: a second document; only one is accepted\n");
	expect_refused("", "f:1:1: there is nothing but blanks and comments\n");
	expect_refused("# only\n\n", "f:1:1: there is nothing but blanks and comments\n");
	expect_refused("? [a]\n: b\n", "f:1:3: a key must be a text, not a sequence\n");
	expect_refused("a: \"x\\0\"\n", "f:1:4: a text must not contain NUL\n");
	expect_refused("a: b: c\n", "f:1:5: mapping values are not allowed in this context\n");
	expect_refused("a: [1, 2\nb: 3\n",
		"f:2:2: did not find expected ',' or ']' while parsing a flow sequence that begins at line 1, column "
		"4\n");
	expect_refused("a:\n\t- b\n",
		"f:2:1: found character that cannot start any token while scanning for the next token that begins at "
		"line 2, column 1\n");
	expect_refused("a: 1\nb: \xff\n", "f:2:4: invalid leading UTF-8 octet\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_linkerd_configurations_use),
		cmocka_unit_test(nodes_know_their_places),
		cmocka_unit_test(texts_know_where_each_byte_is_written),
		cmocka_unit_test(aliases_are_copies),
		cmocka_unit_test(expansion_is_bounded),
		cmocka_unit_test(limits_hold),
		cmocka_unit_test(refuses_with_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
