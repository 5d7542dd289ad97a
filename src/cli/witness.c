/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/witness.h"

#include "base/memory.h"
#include "base/text.h"
#include "model/dtab.h"
#include "model/matcher.h"

enum { MOST_WORDS = 4096, MOST_DEPTH = 3, DEFAULT_DEPTH = 2 };

/* What no configuration names. */
static const char unnamed[] = "weft-unnamed";

struct words {
	struct slice at[MOST_WORDS];
	unsigned count;
};

struct space {
	struct arena arena;
	struct words *words, *hosts, *targets, *methods;
	void (*visit)(void *owner, const struct witness *witness);
	void *owner;
	unsigned visited;
	bool cut;
};

static void add(struct space *space, struct words *words, struct slice word)
{
	for (unsigned i = 0; i < words->count; i++)
		if (slice_equal(words->at[i], word))
			return;
	if (words->count < MOST_WORDS)
		words->at[words->count++] = word;
	else
		space->cut = true;
}

static bool fits_a_host(struct slice word)
{
	for (size_t i = 0; i < word.length; i++) {
		char c = word.at[i];

		if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '.' || c == '-' || c == '_' ||
			    c == ':'))
			return false;
	}
	return word.length > 0;
}

/* ---- words ---- */

static void add_word(void *owner, struct slice word)
{
	struct space *space = owner;

	if (fits_a_host(word))
		add(space, space->words, arena_copy(&space->arena, word));
}

static void add_path(struct space *space, struct path path)
{
	for (uint32_t i = 0; i < path.count; i++)
		add_word(space, path.segments[i]);
}

static void add_tree(struct space *space, const struct name_tree *tree)
{
	if (tree->kind == NAME_TREE_LEAF)
		add_path(space, tree->path);
	for (uint32_t i = 0; i < tree->count; i++)
		add_tree(space, tree->branches[i].tree);
}

static void add_router(struct space *space, const struct router *router)
{
	for (uint32_t i = 0; i < router->dtab->count; i++) {
		add_path(space, router->dtab->entries[i].prefix);
		add_tree(space, router->dtab->entries[i].tree);
	}
	for (unsigned i = 0; i < router->service_rule_count; i++)
		matcher_each_example(router->service_rules[i].matcher, add_word, space);
	for (unsigned i = 0; i < router->client_rule_count; i++)
		matcher_each_example(router->client_rules[i].matcher, add_word, space);
	for (unsigned i = 0; i < router->identifier_count; i++)
		if (router->identifiers[i].kind == IDENTIFIER_STATIC)
			add_path(space, *router->identifiers[i].path);
}

/* ---- hosts ---- */

static bool is_number(struct slice word)
{
	uint64_t number;

	return slice_to_u64(word, 65535, &number) == 0;
}

/* Besides the words themselves: what stands before a domain, a port behind, and domains of two labels (discover/system.h). */
static void make_hosts(struct space *space)
{
	const struct words *words = space->words;
	bool domains = false, ports = false;

	for (unsigned i = 0; i < words->count; i++) {
		domains = domains || slice_starts(words->at[i], SLICE("io.buoyant.http.domainToPath"));
		ports = ports || slice_starts(words->at[i], SLICE("io.buoyant.hostportPfx")) ||
			slice_starts(words->at[i], SLICE("io.buoyant.porthostPfx"));
		add(space, space->hosts, words->at[i]);
	}
	for (unsigned i = 0; i < words->count; i++) {
		struct slice word = words->at[i];

		if (slice_find(word, '.') < word.length)
			add(space, space->hosts, arena_format(&space->arena, "%s.%.*s", unnamed, SLICE_ARGS(word)));
		for (unsigned j = 0; j < words->count && (domains || (ports && is_number(word))); j++)
			add(space, space->hosts,
				arena_format(
					&space->arena, domains ? "%.*s.%.*s" : "%.*s:%.*s", SLICE_ARGS(words->at[j]), SLICE_ARGS(word)));
	}
}

/* ---- paths and methods ---- */

/* "/", "/a", "/a/b", … of at most `depth` words. */
static void make_paths(struct space *space, struct words *paths, unsigned depth)
{
	unsigned from = 0;

	add(space, paths, SLICE("/"));
	for (unsigned level = 0; level < depth && !space->cut; level++) {
		unsigned end = paths->count;

		for (; from < end && !space->cut; from++)
			for (unsigned i = 0; i < space->words->count && !space->cut; i++)
				add(space, paths,
					arena_format(&space->arena, "%.*s/%.*s", SLICE_ARGS(from ? paths->at[from] : SLICE("")),
						SLICE_ARGS(space->words->at[i])));
	}
}

static unsigned depth_of(const struct identifier *identifier)
{
	unsigned depth = identifier->segments ? identifier->segments : DEFAULT_DEPTH;

	return depth < MOST_DEPTH ? depth : MOST_DEPTH;
}

static bool is_method(struct slice word)
{
	for (size_t i = 0; i < word.length; i++)
		if (word.at[i] < 'A' || word.at[i] > 'Z')
			return false;
	return word.length > 0;
}

static void make_methods(struct space *space)
{
	add(space, space->methods, SLICE("GET"));
	add(space, space->methods, SLICE("POST"));
	for (unsigned i = 0; i < space->words->count; i++)
		if (is_method(space->words->at[i]))
			add(space, space->methods, space->words->at[i]);
}

static void look_at_identifiers(const struct router *router, unsigned *depth, bool *methods)
{
	for (unsigned i = 0; i < router->identifier_count; i++) {
		const struct identifier *identifier = &router->identifiers[i];
		bool by_path = identifier->kind == IDENTIFIER_PATH || slice_equal(identifier->header, SLICE(":path"));
		unsigned wanted = by_path ? depth_of(identifier) : identifier->with_uri ? DEFAULT_DEPTH : 0;

		*methods = *methods || identifier->kind == IDENTIFIER_METHOD_AND_HOST;
		*depth = wanted > *depth ? wanted : *depth;
	}
}

/* ---- all of them ---- */

static void visit(struct space *space, const struct witness *witness)
{
	if (space->visited++ < WITNESS_MOST)
		space->visit(space->owner, witness);
	else
		space->cut = true;
}

static void visit_plain(struct space *space)
{
	for (unsigned m = 0; m < space->methods->count; m++)
		for (unsigned t = 0; t < space->targets->count; t++)
			for (unsigned h = 0; h < space->hosts->count && !space->cut; h++)
				visit(space,
					&(struct witness){ .method = space->methods->at[m],
						.target = space->targets->at[t],
						.host = space->hosts->at[h] });
	visit(space, &(struct witness){ .method = SLICE("GET"), .target = SLICE("/") });
	visit(space,
		&(struct witness){ .method = SLICE("CONNECT"), .target = SLICE("weft-unnamed:443"), .host = SLICE("weft-unnamed:443") });
}

/* Where an identifier looks into a field of its own: each value that it could have, with and without a host. */
static void visit_header(struct space *space, const struct identifier *identifier)
{
	struct words *values = memory_new(sizeof *values);

	if (identifier->kind == IDENTIFIER_HEADER_TOKEN)
		*values = *space->words;
	else
		make_paths(space, values, identifier->kind == IDENTIFIER_HEADER ? DEFAULT_DEPTH : depth_of(identifier));
	for (unsigned i = 0; i < values->count && !space->cut; i++) {
		struct witness witness = { SLICE("GET"), SLICE("/"), SLICE(""), identifier->header, values->at[i] };

		visit(space, &witness);
		witness.host = space->hosts->at[0];
		visit(space, &witness);
	}
	memory_free(values);
}

static bool has_own_field(const struct identifier *identifier)
{
	return identifier->header.length && identifier->header.at[0] != ':' && !slice_equal(identifier->header, SLICE("host"));
}

/* What a listener's own settings decide: whether callers are trusted, and how many proxies they may have come through. */
static void visit_door(struct space *space, const struct door *door)
{
	struct witness witness = { SLICE("GET"), SLICE("/"), space->hosts->at[0], SLICE("l5d-dtab"), { 0 } };
	struct text via = { 0 };

	witness.value = arena_format(
		&space->arena, "%.*s => /$/io.buoyant.http.status/418", SLICE_ARGS(path_show(&space->arena, *door->router->dst_prefix)));
	visit(space, &witness);
	for (unsigned i = 0; i <= door->listener->max_call_depth && via.length < door->router->max_line_bytes / 2; i++)
		text_append(&via, i ? SLICE(",1 p") : SLICE("1 p"));
	witness.header = SLICE("via");
	witness.value = text_slice(&via);
	visit(space, &witness);
	text_free(&via);
}

bool witness_each(
	const struct door *old, const struct door *new, void (*visit_one)(void *owner, const struct witness *witness), void *owner)
{
	const struct door *const doors[] = { old, new };
	struct space space = { .visit = visit_one, .owner = owner };
	struct words *lists = memory_array(4, sizeof *lists);
	unsigned depth = 0;
	bool methods = false;

	arena_init(&space.arena, NULL, 0);
	space.words = &lists[0];
	space.hosts = &lists[1];
	space.targets = &lists[2];
	space.methods = &lists[3];
	for (unsigned i = 0; i < 2; i++) {
		add_router(&space, doors[i]->router);
		look_at_identifiers(doors[i]->router, &depth, &methods);
	}
	add(&space, space.words, slice_of(unnamed));
	make_hosts(&space);
	make_paths(&space, space.targets, depth);
	if (methods)
		make_methods(&space);
	else
		add(&space, space.methods, SLICE("GET"));
	visit_plain(&space);
	for (unsigned i = 0; i < 2; i++) {
		const struct router *router = doors[i]->router;

		for (unsigned j = 0; j < router->identifier_count; j++)
			if (has_own_field(&router->identifiers[j]))
				visit_header(&space, &router->identifiers[j]);
		visit_door(&space, doors[i]);
	}
	arena_reset(&space.arena);
	memory_free(lists);
	return !space.cut;
}
