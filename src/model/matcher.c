/* SPDX-License-Identifier: Apache-2.0 */
#include "model/matcher.h"

#include "base/memory.h"
#include "model/name_parser.h"

/* A segment is a row of parts: a literal (possibly empty), then captures and literals in turn. */
struct part {
	bool capture;
	struct slice text; /* the bytes, or the capture's name */
};

struct pattern_segment {
	bool any;              /* `*` */
	uint32_t first, count; /* its parts; always an odd count, unless any */
};

struct matcher {
	struct arena arena;
	struct pattern_segment *segments;
	uint32_t segment_count;
	struct part *parts;
	uint32_t part_count, capture_count;
};

static bool name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == ':' || c == '-' || c == '_';
}

static bool name_valid(struct slice name)
{
	for (size_t i = 0; i < name.length; i++) {
		if (!name_char(name.at[i]))
			return false;
	}
	return name.length > 0;
}

static int add_part(struct matcher *m, bool capture, struct slice text, struct slice *why)
{
	if (capture && !name_valid(text)) {
		*why = SLICE("a capture is {name}, with a name of letters, digits and . : - _");
		return ERROR_SYNTAX;
	}
	if (capture && m->capture_count++ == MATCHER_VARS) {
		*why = SLICE("more than 16 captures");
		return ERROR_LIMIT;
	}
	m->parts[m->part_count++] = (struct part){ capture, text };
	m->segments[m->segment_count].count++;
	return 0;
}

/* Literal text of a segment: a label, or nothing. */
static int add_literal(struct matcher *m, struct slice text, struct slice *why)
{
	struct path label = PATH_EMPTY;
	int e = 0;
	if (text.length) {
		struct slice slashed = arena_join(&m->arena, SLICE("/"), text), reason;
		e = slashed.at ? path_parse(slashed, &m->arena, &label, &reason) : ERROR_NO_MEMORY;
		if (!e && label.count != 1)
			e = ERROR_SYNTAX;
	}
	if (e) {
		*why = SLICE("a segment is `*`, or of label characters (letters, digits, _ : . # $ % - and \\xHH) and "
			     "{captures}");
		return e;
	}
	return add_part(m, false, text.length ? label.segments[0] : SLICE(""), why);
}

/* literal {capture} literal {capture} … literal, each literal possibly empty. */
static int add_segment(struct matcher *m, struct slice text, struct slice *why)
{
	struct pattern_segment *segment = &m->segments[m->segment_count];
	int e = 0;
	segment->first = m->part_count;
	segment->any = slice_equal(text, SLICE("*"));
	while (!e && !segment->any) {
		size_t open = slice_find(text, '{');
		e = add_literal(m, slice_make(text.at, open), why);
		if (e || open == text.length)
			break;
		text = slice_from(text, open + 1);
		size_t close = slice_find(text, '}');
		if (close == text.length) {
			*why = SLICE("`{` without `}`");
			return ERROR_SYNTAX;
		}
		e = add_part(m, true, slice_make(text.at, close), why);
		text = slice_from(text, close + 1);
	}
	m->segment_count++;
	return e;
}

static int compile(struct matcher *m, struct slice pattern, struct slice *why)
{
	*why = SLICE("out of memory");
	pattern = arena_copy(&m->arena, pattern);
	size_t most = pattern.length + 2;
	m->segments = arena_zeroed(&m->arena, most * sizeof *m->segments);
	m->parts = arena_zeroed(&m->arena, 2 * most * sizeof *m->parts);
	if (!pattern.at || !m->segments || !m->parts)
		return ERROR_NO_MEMORY;
	if (!slice_starts(pattern, SLICE("/"))) {
		*why = SLICE("a pattern begins with `/`");
		return ERROR_SYNTAX;
	}
	pattern = slice_from(pattern, 1);
	if (slice_ends(pattern, SLICE("/")))
		pattern.length--;
	while (pattern.length > 0) {
		size_t end = slice_find(pattern, '/');
		if (end == 0 || end + 1 == pattern.length) {
			*why = SLICE("a segment is empty");
			return ERROR_SYNTAX;
		}
		int e = add_segment(m, slice_make(pattern.at, end), why);
		if (e)
			return e;
		pattern = slice_from(pattern, end < pattern.length ? end + 1 : end);
	}
	return 0;
}

int matcher_new(struct slice pattern, struct matcher **matcher, struct slice *why)
{
	struct matcher *m = memory_new(sizeof *m);
	arena_init(&m->arena, NULL, 0);
	int e = compile(m, pattern, why);
	if (e) {
		matcher_free(m);
		return e;
	}
	*matcher = m;
	return 0;
}

void matcher_free(struct matcher *matcher)
{
	if (!matcher)
		return;
	arena_reset(&matcher->arena);
	memory_free(matcher);
}

/* The first (or last) place of `needle` in `s`; false: there is none. */
static bool find_in(struct slice s, struct slice needle, bool last, size_t *place)
{
	bool found = false;
	for (size_t i = 0; i + needle.length <= s.length && !(found && !last); i++) {
		if (slice_starts(slice_from(s, i), needle)) {
			*place = i;
			found = true;
		}
	}
	return found;
}

static void set_var(struct matcher_vars *vars, struct slice name, struct slice value)
{
	uint32_t i = 0;
	while (i < vars->count && !slice_equal(vars->list[i].name, name))
		i++;
	if (i == vars->count)
		vars->count++;
	vars->list[i] = (struct matcher_var){ name, value };
}

/* What the regular expression L0(.*)L1(.*)L2 finds: the first literal as far left as there is one, then, so that each
 * capture takes what it can, every other literal as far right as those behind it allow. */
static bool match_captures(const struct part *parts, uint32_t count, struct slice s, struct matcher_vars *vars)
{
	size_t starts[MATCHER_VARS]; /* where the literal behind each capture begins */
	size_t begin, end = s.length, place;
	uint32_t captures = count / 2;
	if (!find_in(s, parts[0].text, false, &begin))
		return false;
	begin += parts[0].text.length;
	for (uint32_t i = captures; i-- > 0;) {
		if (!find_in(slice_make(s.at + begin, end - begin), parts[2 * i + 2].text, true, &place))
			return false;
		starts[i] = end = begin + place;
	}
	for (uint32_t i = 0; vars && i < captures; i++) {
		set_var(vars, parts[2 * i + 1].text, slice_make(s.at + begin, starts[i] - begin));
		begin = starts[i] + parts[2 * i + 2].text.length;
	}
	return true;
}

static bool match_segment(const struct matcher *m, uint32_t index, struct slice s, struct matcher_vars *vars)
{
	const struct pattern_segment *segment = &m->segments[index];
	const struct part *parts = m->parts + segment->first;
	if (segment->any)
		return true;
	if (segment->count == 1)
		return slice_equal(parts[0].text, s);
	return match_captures(parts, segment->count, s, vars);
}

bool matcher_match(const struct matcher *matcher, struct path path, struct matcher_vars *vars)
{
	if (vars)
		vars->count = 0;
	if (path.count < matcher->segment_count)
		return false;
	for (uint32_t i = 0; i < matcher->segment_count; i++) {
		if (!match_segment(matcher, i, path.segments[i], vars))
			return false;
	}
	return true;
}

static int find_var(const struct matcher_vars *vars, struct slice name, struct slice *value)
{
	for (uint32_t i = 0; i < vars->count; i++) {
		if (slice_equal(vars->list[i].name, name)) {
			*value = vars->list[i].value;
			return 0;
		}
	}
	return ERROR_NOT_FOUND;
}

int matcher_substitute(struct arena *arena, struct slice text, const struct matcher_vars *vars, struct slice *out)
{
	struct slice made = SLICE("");
	while (made.at) {
		size_t open = slice_find(text, '{');
		made = arena_join(arena, made, slice_make(text.at, open));
		text = slice_from(text, open);
		size_t close = slice_find(text, '}');
		if (close == text.length) { /* none open, or never closed: as it is */
			made = made.at && text.length ? arena_join(arena, made, text) : made;
			break;
		}
		struct slice value;
		int e = find_var(vars, slice_make(text.at + 1, close - 1), &value);
		if (e)
			return e;
		made = made.at ? arena_join(arena, made, value) : made;
		text = slice_from(text, close + 1);
	}
	*out = made;
	return made.at ? 0 : ERROR_NO_MEMORY;
}

void matcher_each_example(const struct matcher *matcher, void (*visit)(void *owner, struct slice segment), void *owner)
{
	struct text example = { 0 };

	for (uint32_t i = 0; matcher && i < matcher->segment_count; i++) {
		const struct pattern_segment *segment = &matcher->segments[i];

		if (segment->any)
			continue;
		text_clear(&example);
		for (uint32_t j = 0; j < segment->count; j++) {
			const struct part *part = &matcher->parts[segment->first + j];

			text_append(&example, part->capture ? SLICE("x") : part->text);
		}
		visit(owner, text_slice(&example));
	}
	text_free(&example);
}

bool matcher_captures(const struct matcher *matcher, struct slice name)
{
	for (uint32_t i = 0; i < matcher->part_count; i++) {
		if (matcher->parts[i].capture && slice_equal(matcher->parts[i].text, name))
			return true;
	}
	return false;
}
