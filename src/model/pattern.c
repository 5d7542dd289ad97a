/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern is parsed to a tree, the tree written out as a program for Thompson's simulation: all ways through it are followed at once,
 * byte by byte (Russ Cox, "Regular Expression Matching: the Virtual Machine Approach"). */
#include "model/pattern.h"

#include <stdint.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum {
	MOST_NODES = 1024,
	MOST_DEPTH = 64,
	MOST_TIMES = 255,
	NO_NODE = UINT16_MAX,
	ENDLESS = UINT16_MAX,
	SET_WORDS = 256 / 64,
};

struct byte_set {
	uint64_t words[SET_WORDS];
};

/* ---- the tree ---- */

enum node_kind {
	NODE_EMPTY,
	NODE_SET,    /* one byte of `set` */
	NODE_CAT,    /* left, then right */
	NODE_ALT,    /* left, or right */
	NODE_REPEAT, /* left, from `least` to `most` times */
};

struct node {
	enum node_kind kind;
	uint16_t left, right, least, most; /* left of NODE_SET: which set */
};

struct parse {
	struct slice rest;
	struct node *nodes;
	struct byte_set *sets;
	unsigned count, set_count, depth;
	const char *why; /* not NULL: it failed */
	int error;
};

static uint16_t parse_alternatives(struct parse *parse);

static uint16_t parse_failed(struct parse *parse, int error, const char *why)
{
	if (!parse->why) {
		parse->why = why;
		parse->error = error;
	}
	return NO_NODE;
}

static uint16_t node_new(struct parse *parse, enum node_kind kind, uint16_t left, uint16_t right)
{
	if (parse->why)
		return NO_NODE;
	if (parse->count == MOST_NODES)
		return parse_failed(parse, ERROR_LIMIT, "the pattern is too long");
	parse->nodes[parse->count] = (struct node){ .kind = kind, .left = left, .right = right };
	return (uint16_t)parse->count++;
}

static bool next_is(const struct parse *parse, char c)
{
	return parse->rest.length && parse->rest.at[0] == c;
}

static bool take(struct parse *parse, char c)
{
	if (!next_is(parse, c))
		return false;
	parse->rest = slice_from(parse->rest, 1);
	return true;
}

static void set_add(struct byte_set *set, unsigned from, unsigned to)
{
	for (unsigned c = from; c <= to; c++)
		set->words[c / 64] |= UINT64_C(1) << c % 64;
}

static bool set_has(const struct byte_set *set, unsigned char c)
{
	return set->words[c / 64] >> c % 64 & 1;
}

static void set_turn(struct byte_set *set)
{
	for (unsigned i = 0; i < SET_WORDS; i++)
		set->words[i] = ~set->words[i];
}

static void set_unite(struct byte_set *set, const struct byte_set *other)
{
	for (unsigned i = 0; i < SET_WORDS; i++)
		set->words[i] |= other->words[i];
}

/* What stands behind a backslash; *single: it is one byte, which may begin a range. False: it failed. */
static bool parse_escape(struct parse *parse, struct byte_set *set, bool *single, unsigned char *byte)
{
	const char c = parse->rest.length ? parse->rest.at[0] : '\0';
	const char kind = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	struct byte_set found = { { 0 } };

	if (!parse->rest.length)
		return parse_failed(parse, ERROR_SYNTAX, "a backslash ends the pattern"), false;
	parse->rest = slice_from(parse->rest, 1);
	*single = false;
	if (kind == 'd') {
		set_add(&found, '0', '9');
	} else if (kind == 's') {
		set_add(&found, '\t', '\r');
		set_add(&found, ' ', ' ');
	} else if (kind == 'w') {
		set_add(&found, '0', '9');
		set_add(&found, 'a', 'z');
		set_add(&found, 'A', 'Z');
		set_add(&found, '_', '_');
	} else if ((kind >= 'a' && kind <= 'z') || (c >= '0' && c <= '9')) {
		return parse_failed(parse, ERROR_SYNTAX, "what stands behind a backslash isn't understood"), false;
	} else {
		*single = true;
		*byte = (unsigned char)c;
		set_add(&found, *byte, *byte);
	}
	if (kind != c)
		set_turn(&found);
	set_unite(set, &found);
	return true;
}

/* One byte or class inside of brackets, or the first one of a range. */
static bool parse_member(struct parse *parse, struct byte_set *set, bool *single, unsigned char *byte)
{
	if (take(parse, '\\'))
		return parse_escape(parse, set, single, byte);
	*single = true;
	*byte = (unsigned char)parse->rest.at[0];
	set_add(set, *byte, *byte);
	parse->rest = slice_from(parse->rest, 1);
	return true;
}

/* Behind the opening bracket. */
static bool parse_brackets(struct parse *parse, struct byte_set *set)
{
	bool turned = take(parse, '^'), first = true, single;
	unsigned char from, to;

	for (; first || !next_is(parse, ']'); first = false) {
		if (!parse->rest.length)
			return parse_failed(parse, ERROR_SYNTAX, "`]` is missing"), false;
		if (!parse_member(parse, set, &single, &from))
			return false;
		if (!single || !next_is(parse, '-') || (parse->rest.length > 1 && parse->rest.at[1] == ']'))
			continue;
		parse->rest = slice_from(parse->rest, 1);
		if (!parse->rest.length)
			return parse_failed(parse, ERROR_SYNTAX, "`]` is missing"), false;
		if (!parse_member(parse, set, &single, &to))
			return false;
		if (!single || to < from)
			return parse_failed(parse, ERROR_SYNTAX, "a range in brackets goes backwards"), false;
		set_add(set, from, to);
	}
	take(parse, ']');
	if (turned)
		set_turn(set);
	return true;
}

static uint16_t parse_group(struct parse *parse)
{
	uint16_t inside;

	if (take(parse, '?') && !take(parse, ':'))
		return parse_failed(parse, ERROR_SYNTAX, "of groups that begin with `(?` only `(?:` is understood");
	if (++parse->depth > MOST_DEPTH)
		return parse_failed(parse, ERROR_LIMIT, "groups are too deep");
	inside = parse_alternatives(parse);
	parse->depth--;
	return take(parse, ')') || parse->why ? inside : parse_failed(parse, ERROR_SYNTAX, "`)` is missing");
}

static uint16_t parse_atom(struct parse *parse)
{
	const unsigned char c = (unsigned char)parse->rest.at[0];
	struct byte_set set = { { 0 } };
	unsigned char byte;
	uint16_t node;
	bool single;

	parse->rest = slice_from(parse->rest, 1);
	switch (c) {
	case '(':
		return parse_group(parse);
	case '[':
		if (!parse_brackets(parse, &set))
			return NO_NODE;
		break;
	case '\\':
		if (!parse_escape(parse, &set, &single, &byte))
			return NO_NODE;
		break;
	case '.':
		set_turn(&set);
		break;
	case '*':
	case '+':
	case '?':
	case '{':
		return parse_failed(parse, ERROR_SYNTAX, "there is nothing to repeat");
	case '^':
	case '$':
		return parse_failed(parse, ERROR_SYNTAX, "`^` is understood only where the pattern begins, `$` only where it ends");
	default:
		set_add(&set, c, c);
		break;
	}
	node = node_new(parse, NODE_SET, (uint16_t)parse->set_count, NO_NODE);
	if (node != NO_NODE)
		parse->sets[parse->set_count++] = set;
	return node;
}

/* False: there is none. */
static bool parse_number(struct parse *parse, uint16_t *number)
{
	unsigned value = 0, digits = 0;

	while (parse->rest.length && parse->rest.at[0] >= '0' && parse->rest.at[0] <= '9' && value <= MOST_TIMES) {
		value = value * 10 + (unsigned)(parse->rest.at[0] - '0');
		parse->rest = slice_from(parse->rest, 1);
		digits++;
	}
	*number = (uint16_t)value;
	return digits > 0;
}

/* Behind the opening brace. */
static bool parse_times(struct parse *parse, uint16_t *least, uint16_t *most)
{
	bool whole = parse_number(parse, least);

	*most = *least;
	if (whole && take(parse, ',') && !parse_number(parse, most))
		*most = ENDLESS;
	if (!whole || !take(parse, '}') || *most < *least)
		return parse_failed(parse, ERROR_SYNTAX, "a number of times is to be `{2}`, `{2,}` or `{2,5}`"), false;
	if (*least > MOST_TIMES || (*most != ENDLESS && *most > MOST_TIMES))
		return parse_failed(parse, ERROR_LIMIT, "too many times"), false;
	return true;
}

static uint16_t parse_repeated(struct parse *parse)
{
	uint16_t node = parse_atom(parse), least, most;

	while (!parse->why) {
		if (take(parse, '*')) {
			least = 0, most = ENDLESS;
		} else if (take(parse, '+')) {
			least = 1, most = ENDLESS;
		} else if (take(parse, '?')) {
			least = 0, most = 1;
		} else if (take(parse, '{')) {
			if (!parse_times(parse, &least, &most))
				return NO_NODE;
		} else {
			return node;
		}
		/* How much of it is taken first makes no difference to whether the whole text matches. */
		if (!take(parse, '?'))
			take(parse, '+');
		node = node_new(parse, NODE_REPEAT, node, NO_NODE);
		if (node != NO_NODE) {
			parse->nodes[node].least = least;
			parse->nodes[node].most = most;
		}
	}
	return NO_NODE;
}

static uint16_t parse_sequence(struct parse *parse)
{
	uint16_t node = node_new(parse, NODE_EMPTY, NO_NODE, NO_NODE);

	while (parse->rest.length && !next_is(parse, '|') && !next_is(parse, ')') && !parse->why)
		node = node_new(parse, NODE_CAT, node, parse_repeated(parse));
	return node;
}

static uint16_t parse_alternatives(struct parse *parse)
{
	uint16_t node = parse_sequence(parse);

	while (take(parse, '|'))
		node = node_new(parse, NODE_ALT, node, parse_sequence(parse));
	return node;
}

/* ---- the program ---- */

enum op {
	OP_SET,   /* a byte of sets[a], then the next step */
	OP_SPLIT, /* at a, and at b */
	OP_JUMP,  /* at a */
	OP_MATCH,
};

struct step {
	uint8_t op;
	uint16_t a, b;
};

struct program {
	struct step steps[PATTERN_STEPS];
	unsigned count;
};

struct pattern {
	const struct step *steps; /* behind the sets */
	struct byte_set sets[];
};

static bool write_node(struct program *program, const struct node *nodes, uint16_t at);

static bool write_step(struct program *program, enum op op, unsigned a, unsigned b)
{
	if (program->count == PATTERN_STEPS)
		return false;
	program->steps[program->count++] = (struct step){ (uint8_t)op, (uint16_t)a, (uint16_t)b };
	return true;
}

/* Either `left`, or `right`; NO_NODE: nothing. */
static bool write_either(struct program *program, const struct node *nodes, uint16_t left, uint16_t right)
{
	unsigned split = program->count, jump;

	if (!write_step(program, OP_SPLIT, split + 1, 0) || !write_node(program, nodes, left))
		return false;
	jump = program->count;
	if (!write_step(program, OP_JUMP, 0, 0))
		return false;
	program->steps[split].b = (uint16_t)program->count;
	if (right != NO_NODE && !write_node(program, nodes, right))
		return false;
	program->steps[jump].a = (uint16_t)program->count;
	return true;
}

static bool write_endless(struct program *program, const struct node *nodes, uint16_t at)
{
	unsigned split = program->count;

	if (!write_step(program, OP_SPLIT, split + 1, 0) || !write_node(program, nodes, at) || !write_step(program, OP_JUMP, split, 0))
		return false;
	program->steps[split].b = (uint16_t)program->count;
	return true;
}

static bool write_repeat(struct program *program, const struct node *nodes, const struct node *node)
{
	for (unsigned i = 0; i < node->least; i++) {
		unsigned before = program->count;

		if (!write_node(program, nodes, node->left))
			return false;
		if (program->count == before) /* nothing, however often: repetitions of repetitions would never end */
			break;
	}
	if (node->most == ENDLESS)
		return write_endless(program, nodes, node->left);
	for (unsigned i = node->least; i < node->most; i++) {
		if (!write_either(program, nodes, node->left, NO_NODE))
			return false;
	}
	return true;
}

static bool write_node(struct program *program, const struct node *nodes, uint16_t at)
{
	const struct node *node = &nodes[at];

	switch (node->kind) {
	case NODE_EMPTY:
		return true;
	case NODE_SET:
		return write_step(program, OP_SET, node->left, 0);
	case NODE_CAT:
		return write_node(program, nodes, node->left) && write_node(program, nodes, node->right);
	case NODE_ALT:
		return write_either(program, nodes, node->left, node->right);
	case NODE_REPEAT:
		return write_repeat(program, nodes, node);
	}
	check_failed("a pattern's node", __FILE__, __LINE__);
}

/* `^` at the beginning and `$` at the end say nothing. */
static struct slice without_anchors(struct slice text)
{
	size_t backslashes = 0;

	if (text.length && text.at[0] == '^')
		text = slice_from(text, 1);
	if (!slice_ends(text, SLICE("$")))
		return text;
	while (backslashes + 1 < text.length && text.at[text.length - 2 - backslashes] == '\\')
		backslashes++;
	return backslashes % 2 ? text : slice_make(text.at, text.length - 1);
}

static struct pattern *assemble(const struct parse *parse, const struct program *program)
{
	size_t sets = parse->set_count * sizeof *parse->sets, steps = program->count * sizeof *program->steps;
	struct pattern *pattern = memory_new(sizeof *pattern + sets + steps);
	char *behind = (char *)(pattern->sets + parse->set_count);

	memcpy(pattern->sets, parse->sets, sets);
	memcpy(behind, program->steps, steps);
	pattern->steps = (const struct step *)(void *)behind;
	return pattern;
}

int pattern_new(struct slice text, struct pattern **out, const char **why)
{
	struct program program = { .count = 0 };
	struct parse parse = {
		.rest = without_anchors(text),
		.nodes = memory_array(MOST_NODES, sizeof *parse.nodes),
		.sets = memory_array(MOST_NODES, sizeof *parse.sets),
	};
	uint16_t root = parse_alternatives(&parse);

	if (parse.rest.length)
		parse_failed(&parse, ERROR_SYNTAX, "`)` closes no group");
	if (!parse.why && (!write_node(&program, parse.nodes, root) || !write_step(&program, OP_MATCH, 0, 0)))
		parse_failed(&parse, ERROR_LIMIT, "with its repetitions the pattern is too long");
	if (!parse.why)
		*out = assemble(&parse, &program);
	*why = parse.why;
	memory_free(parse.nodes);
	memory_free(parse.sets);
	return parse.error;
}

void pattern_free(struct pattern *pattern)
{
	memory_free(pattern);
}

/* ---- the simulation ---- */

struct places {
	uint16_t at[PATTERN_STEPS];
	unsigned count;
};

struct running {
	const struct pattern *pattern;
	uint64_t seen[PATTERN_STEPS / 64]; /* in the list that is being made */
	bool matched;
};

/* Adds a step, or those that it leads to without a byte. */
static void enter(struct running *running, struct places *places, unsigned first)
{
	uint16_t stack[PATTERN_STEPS]; /* one more for each split that is seen: at most every other step is one */
	unsigned depth = 0;

	stack[depth++] = (uint16_t)first;
	while (depth) {
		unsigned at = stack[--depth];
		const struct step *step = &running->pattern->steps[at];

		if (running->seen[at / 64] >> at % 64 & 1)
			continue;
		running->seen[at / 64] |= UINT64_C(1) << at % 64;
		switch ((enum op)step->op) {
		case OP_SET:
			places->at[places->count++] = (uint16_t)at;
			break;
		case OP_SPLIT:
			CHECK(depth + 2 <= PATTERN_STEPS);
			stack[depth++] = step->b;
			stack[depth++] = step->a;
			break;
		case OP_JUMP:
			stack[depth++] = step->a;
			break;
		case OP_MATCH:
			running->matched = true;
			break;
		}
	}
}

bool pattern_matches(const struct pattern *pattern, struct slice text)
{
	struct places lists[2] = { { .count = 0 }, { .count = 0 } };
	struct running running = { .pattern = pattern };

	enter(&running, &lists[0], 0);
	for (size_t i = 0; i < text.length; i++) {
		struct places *now = &lists[i % 2], *next = &lists[(i + 1) % 2];

		if (!now->count)
			return false;
		next->count = 0;
		running.matched = false;
		memset(running.seen, 0, sizeof running.seen);
		for (unsigned j = 0; j < now->count; j++) {
			const struct step *step = &pattern->steps[now->at[j]];

			if (set_has(&pattern->sets[step->a], (unsigned char)text.at[i]))
				enter(&running, next, now->at[j] + 1u);
		}
	}
	return running.matched;
}
