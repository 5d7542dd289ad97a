/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/b3.h"

enum { DIGITS = 16 };

static struct slice value_of(struct head *head, struct slice name)
{
	struct field *field = head_find_name(head, name);

	return field ? field_value(field) : (struct slice){ 0 };
}

/* ---- reading ---- */

static bool read_several(struct head *head, struct trace *trace)
{
	struct slice id = value_of(head, SLICE("x-b3-traceid")), parent = value_of(head, SLICE("x-b3-parentspanid"));
	struct trace read = { .wide = id.length == 2 * DIGITS };

	if (read.wide && !trace_unhex(slice_make(id.at, DIGITS), &read.id_high))
		return false;
	if (!trace_unhex(read.wide ? slice_from(id, DIGITS) : id, &read.id) ||
		!trace_unhex(value_of(head, SLICE("x-b3-spanid")), &read.span))
		return false;
	/* The root of a trace has none. */
	if (!trace_unhex(parent, &read.parent))
		read.parent = read.span;
	*trace = read;
	return true;
}

/* "TRACE-SPAN", "TRACE-SPAN-SAMPLED" or "TRACE-SPAN-SAMPLED-PARENT", or "SAMPLED" alone, which is no trace. */
static bool read_single(struct head *head, struct trace *trace)
{
	struct slice rest = value_of(head, SLICE("b3")), id = { 0 }, span = { 0 }, part = { 0 };
	struct trace read;

	(void)slice_split(&rest, '-', &id);
	(void)slice_split(&rest, '-', &span);
	read = (struct trace){ .wide = id.length == 2 * DIGITS };
	if (read.wide && !trace_unhex(slice_make(id.at, DIGITS), &read.id_high))
		return false;
	if (!trace_unhex(read.wide ? slice_from(id, DIGITS) : id, &read.id) || !trace_unhex(span, &read.span))
		return false;
	(void)(slice_split(&rest, '-', &part) && slice_split(&rest, '-', &part));
	if (!trace_unhex(part, &read.parent))
		read.parent = read.span;
	*trace = read;
	return true;
}

bool b3_read(struct head *head, struct trace *trace)
{
	return head_has(head, FIELD_X_B3_TRACEID) ? read_several(head, trace) : head_has(head, FIELD_B3) && read_single(head, trace);
}

static uint64_t single_flags(struct slice rest)
{
	struct slice first, part;

	(void)slice_split(&rest, '-', &first);
	/* The decision alone, or behind the two ids. */
	if (rest.at && !(slice_split(&rest, '-', &part) && slice_split(&rest, '-', &first)))
		return 0;
	if (slice_equal(first, SLICE("d")))
		return TRACE_DEBUG | TRACE_SAMPLING_KNOWN | TRACE_SAMPLED;
	if (slice_equal(first, SLICE("1")))
		return TRACE_SAMPLING_KNOWN | TRACE_SAMPLED;
	return slice_equal(first, SLICE("0")) ? TRACE_SAMPLING_KNOWN : 0;
}

uint64_t b3_flags(struct head *head)
{
	if (head_has(head, FIELD_B3) && !head_has(head, FIELD_X_B3_TRACEID))
		return single_flags(value_of(head, SLICE("b3")));
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
	head_drop_all(head, FIELD_B3);
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
	return head_add(head, arena, field_identify(name), name, slice_make(text, (size_t)count * DIGITS));
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

int b3_write_single(struct head *head, struct arena *arena, const struct trace *trace)
{
	char text[4 * DIGITS + 5], *at = text;

	if (trace->wide) {
		trace_hex(trace->id_high, at);
		at += DIGITS;
	}
	trace_hex(trace->id, at);
	at += DIGITS;
	*at++ = '-';
	trace_hex(trace->span, at);
	at += DIGITS;
	if (trace->flags & (TRACE_DEBUG | TRACE_SAMPLING_KNOWN)) {
		*at++ = '-';
		*at++ = trace->flags & TRACE_DEBUG ? 'd' : trace->flags & TRACE_SAMPLED ? '1' : '0';
		*at++ = '-';
		trace_hex(trace->parent, at);
		at += DIGITS;
	}
	return head_add(head, arena, FIELD_B3, SLICE("b3"), slice_make(text, (size_t)(at - text)));
}
