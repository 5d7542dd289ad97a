/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/b3.h"

enum { DIGITS = 16 };

static struct slice value_of(struct head *head, struct slice name)
{
	struct field *field = head_find_name(head, name);

	return field ? field_value(field) : (struct slice){ 0 };
}

/* ---- reading ---- */

static bool read_hex(struct slice text, uint64_t *id)
{
	*id = 0;
	for (size_t i = 0; i < text.length; i++) {
		char c = text.at[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			digit = (unsigned)((c | 32) - 'a') + 10;
		else
			return false;
		*id = *id << 4 | digit;
	}
	return text.length == DIGITS;
}

bool b3_read(struct head *head, struct trace *trace)
{
	struct slice id = value_of(head, SLICE("x-b3-traceid")), parent = value_of(head, SLICE("x-b3-parentspanid"));
	struct trace read = { .wide = id.length == 2 * DIGITS };

	if (read.wide && !read_hex(slice_make(id.at, DIGITS), &read.id_high))
		return false;
	if (!read_hex(read.wide ? slice_from(id, DIGITS) : id, &read.id) || !read_hex(value_of(head, SLICE("x-b3-spanid")), &read.span))
		return false;
	/* The root of a trace has none. */
	if (!read_hex(parent, &read.parent))
		read.parent = read.span;
	*trace = read;
	return true;
}

uint64_t b3_flags(struct head *head)
{
	struct slice sampled = value_of(head, SLICE("x-b3-sampled"));

	if (slice_equal(value_of(head, SLICE("x-b3-flags")), SLICE("1")))
		return TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED;
	if (slice_equal(sampled, SLICE("1")) || slice_equal_nocase(sampled, SLICE("true")))
		return TRACE_SAMPLING_KNOWN | TRACE_SAMPLED;
	if (slice_equal(sampled, SLICE("0")) || slice_equal_nocase(sampled, SLICE("false")))
		return TRACE_SAMPLING_KNOWN;
	return 0;
}

void b3_drop(struct head *head)
{
	for (unsigned i = 0; i < head->field_count; i++) {
		struct slice name = field_name(&head->fields[i]);

		if (!head->fields[i].dropped && name.length > 5 && slice_equal_nocase(slice_make(name.at, 5), SLICE("x-b3-")))
			head_drop(head, &head->fields[i]);
	}
}

/* ---- writing ---- */

static int add_id(struct head *head, struct arena *arena, struct slice name, const uint64_t *ids, unsigned count)
{
	char text[2 * DIGITS];

	for (unsigned i = 0; i < count; i++)
		trace_hex(ids[i], text + (size_t)i * DIGITS);
	return head_add(head, arena, FIELD_OTHER, name, slice_make(text, (size_t)count * DIGITS));
}

int b3_write(struct head *head, struct arena *arena, const struct trace *trace)
{
	const uint64_t ids[] = { trace->id_high, trace->id };
	int e = add_id(head, arena, SLICE("x-b3-traceid"), trace->wide ? ids : ids + 1, trace->wide ? 2 : 1);

	if (!e)
		e = add_id(head, arena, SLICE("x-b3-spanid"), &trace->span, 1);
	if (!e)
		e = add_id(head, arena, SLICE("x-b3-parentspanid"), &trace->parent, 1);
	if (e)
		return e;
	/* Debug implies that it is sampled. */
	if (trace->flags & TRACE_DEBUG)
		return head_add(head, arena, FIELD_OTHER, SLICE("x-b3-flags"), SLICE("1"));
	if (trace->flags & TRACE_SAMPLING_KNOWN)
		return head_add(head, arena, FIELD_OTHER, SLICE("x-b3-sampled"), trace->flags & TRACE_SAMPLED ? SLICE("1") : SLICE("0"));
	return 0;
}
