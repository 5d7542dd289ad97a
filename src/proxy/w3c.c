/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/w3c.h"

enum { PARENT_LENGTH = 55 };

static const struct slice state_name = { "tracestate", sizeof "tracestate" - 1 };

/* ---- traceparent ---- */

/* Digits may be lower case only. */
static bool is_hex(struct slice text)
{
	for (size_t i = 0; i < text.length; i++)
		if (!((text.at[i] >= '0' && text.at[i] <= '9') || (text.at[i] >= 'a' && text.at[i] <= 'f')))
			return false;
	return true;
}

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* A later version may have more behind what version 00 has. */
static bool has_form(struct slice text)
{
	struct slice version, trace, parent, flags;

	if (text.length < PARENT_LENGTH || text.at[2] != '-' || text.at[35] != '-' || text.at[52] != '-')
		return false;
	version = slice_make(text.at, 2);
	trace = slice_make(text.at + 3, 32);
	parent = slice_make(text.at + 36, 16);
	flags = slice_make(text.at + 53, 2);
	if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags) || slice_equal(version, SLICE("ff")))
		return false;
	return text.length == PARENT_LENGTH || (!slice_equal(version, SLICE("00")) && text.at[PARENT_LENGTH] == '-');
}

static bool parse(struct slice text, struct trace *trace)
{
	struct trace read = { .flags = TRACE_SAMPLING_KNOWN };

	if (!has_form(text) || !trace_unhex(slice_make(text.at + 3, 16), &read.id_high) ||
		!trace_unhex(slice_make(text.at + 19, 16), &read.id) || !trace_unhex(slice_make(text.at + 36, 16), &read.span))
		return false;
	if (!(read.id_high | read.id) || !read.span)
		return false;
	if (digit(text.at[54]) & 1)
		read.flags |= TRACE_SAMPLED;
	read.parent = read.span;
	read.wide = read.id_high != 0;
	*trace = read;
	return true;
}

/* ---- tracestate ---- */

static struct field *next_state(struct head *head, const struct field *after)
{
	for (size_t i = after ? (size_t)(after - head->fields) + 1 : 0; i < head->field_count; i++) {
		struct field *field = &head->fields[i];

		if (!field->dropped && field->id == FIELD_OTHER && slice_equal_nocase(field_name(field), state_name))
			return field;
	}
	return NULL;
}

static void drop_state(struct head *head)
{
	for (struct field *f = next_state(head, NULL); f; f = next_state(head, f))
		head_drop(head, f);
}

static bool is_within_bounds(struct head *head)
{
	size_t bytes = 0, members = 0;

	for (struct field *f = next_state(head, NULL); f; f = next_state(head, f)) {
		struct slice value = field_value(f);

		bytes += value.length + (members > 0);
		members++;
		for (size_t i = 0; i < value.length; i++)
			members += value.at[i] == ',';
	}
	return bytes <= W3C_STATE_BYTES && members <= W3C_STATE_MEMBERS;
}

/* What is left of it: no long members, and of the others the first ones, which are the newest. Returns the length. */
static size_t shorten(struct head *head, char out[W3C_STATE_BYTES])
{
	size_t length = 0, members = 0;

	for (struct field *f = next_state(head, NULL); f; f = next_state(head, f)) {
		struct slice rest = field_value(f), member;

		while (slice_split(&rest, ',', &member)) {
			member = slice_trim(member);
			if (member.length == 0 || member.length > W3C_LONG_MEMBER)
				continue;
			if (members == W3C_STATE_MEMBERS || length + (length > 0) + member.length > W3C_STATE_BYTES)
				return length;
			if (length)
				out[length++] = ',';
			memcpy(out + length, member.at, member.length);
			length += member.length;
			members++;
		}
	}
	return length;
}

/* A state for which there is no memory is none. */
static void bound_state(struct head *head, struct arena *arena)
{
	char out[W3C_STATE_BYTES];
	size_t length;

	if (is_within_bounds(head))
		return;
	length = shorten(head, out);
	drop_state(head);
	if (length && head_add(head, arena, FIELD_OTHER, state_name, slice_make(out, length)))
		return;
}

/* ---- both ---- */

bool w3c_read(struct head *head, struct arena *arena, struct trace *trace)
{
	struct field *field = head_find(head, FIELD_TRACEPARENT);
	bool good = field && !head_find_next(head, field) && parse(field_value(field), trace);

	head_drop_all(head, FIELD_TRACEPARENT);
	if (good)
		bound_state(head, arena);
	else
		drop_state(head);
	return good;
}

void w3c_drop(struct head *head)
{
	head_drop_all(head, FIELD_TRACEPARENT);
	drop_state(head);
}

int w3c_write(struct head *head, struct arena *arena, const struct trace *trace)
{
	char text[PARENT_LENGTH];

	memcpy(text, "00-", 3);
	trace_hex(trace->id_high, text + 3);
	trace_hex(trace->id, text + 19);
	text[35] = '-';
	trace_hex(trace->span, text + 36);
	memcpy(text + 52, trace_is_sampled(trace) ? "-01" : "-00", 3);
	return head_add(head, arena, FIELD_TRACEPARENT, SLICE("traceparent"), slice_make(text, sizeof text));
}
