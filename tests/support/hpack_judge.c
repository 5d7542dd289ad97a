/* SPDX-License-Identifier: Apache-2.0 */
#include "support/hpack_judge.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

enum { ROOM = 128 * 1024 };

void hpack_judge_new(struct hpack_judge *judge)
{
	*judge = (struct hpack_judge){ 0 };
	pool_init(&judge->tables, "table", hpack_table_size(), 2);
	hpack_decoder_init(&judge->decoder, &judge->tables);
	hpack_decoder_init(&judge->skipping, &judge->tables);
	CHECK(nghttp2_hd_inflate_new(&judge->other) == 0);
}

void hpack_judge_free(struct hpack_judge *judge)
{
	nghttp2_hd_inflate_del(judge->other);
	hpack_decoder_fini(&judge->decoder);
	hpack_decoder_fini(&judge->skipping);
	pool_fini(&judge->tables);
	text_free(&judge->fields);
}

/* False: it is none. */
static bool decode(struct hpack_judge *judge, struct slice block, char *room)
{
	const char *at = block.at, *end = at + block.length;
	struct hpack_field field;
	int e = hpack_begin(&judge->decoder, &at, end);

	text_clear(&judge->fields);
	while (e == 0 && at < end) {
		const char *before = at;
		char little[4];

		/* Without room nothing happens. */
		e = hpack_decode(&judge->decoder, &at, end, little, 3, &field);
		CHECK((e == ERROR_LIMIT || e == ERROR_SYNTAX) && at == before);
		e = hpack_decode(&judge->decoder, &at, end, room, ROOM, &field);
		CHECK(e != ERROR_LIMIT);
		if (e == 0)
			text_append(&judge->fields, slice_make(field.line, field.name_length + 2 + field.value_length + 2));
	}
	return e == 0;
}

/* Nobody wants every other field: what is wanted is there all the same, and the tables stay alike. */
static void skip_some(struct hpack_judge *judge, struct slice block, char *room)
{
	const char *at = block.at, *end = at + block.length;
	struct slice all = text_slice(&judge->fields);
	struct hpack_field field;
	bool skip = judge->count++ % 2;

	CHECK(hpack_begin(&judge->skipping, &at, end) == 0);
	for (; at < end; skip = !skip) {
		if (skip) {
			CHECK(hpack_skip(&judge->skipping, &at, end) == 0);
			continue;
		}
		CHECK(hpack_decode(&judge->skipping, &at, end, room, ROOM, &field) == 0);
		CHECK(memmem(all.at, all.length, field.line, field.name_length + 4u + field.value_length));
	}
	CHECK(judge->skipping.used == judge->decoder.used && judge->skipping.count == judge->decoder.count);
}

static bool decode_other(struct hpack_judge *judge, struct slice block, struct text *fields)
{
	const uint8_t *in = (const uint8_t *)block.at;
	size_t left = block.length;

	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(judge->other, &nv, &flags, in, left, 1);

		if (used < 0)
			return false;
		in += used;
		left -= (size_t)used;
		if (flags & NGHTTP2_HD_INFLATE_EMIT) {
			text_append(fields, slice_make((const char *)nv.name, nv.namelen));
			text_append(fields, SLICE(": "));
			text_append(fields, slice_make((const char *)nv.value, nv.valuelen));
			text_append(fields, SLICE("\r\n"));
		}
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0)
			return false;
	}
	nghttp2_hd_inflate_end_headers(judge->other);
	return true;
}

static _Noreturn void differ(const char *how, struct slice block, const struct text *mine, const struct text *other)
{
	fprintf(stderr, "hpack: %s\nblock:", how);
	for (size_t i = 0; i < block.length; i++)
		fprintf(stderr, " %02x", (unsigned char)block.at[i]);
	fprintf(stderr, "\nweft: %.*s\nnghttp2: %.*s\n", SLICE_ARGS(text_slice(mine)), SLICE_ARGS(text_slice(other)));
	abort();
}

/* nghttp2 itself refuses strings of 64 KiB and more, and integers that weft takes: not in blocks as short as these. */
bool hpack_judge(struct hpack_judge *judge, struct slice block)
{
	struct text other = { 0 };
	char *room = memory_new(ROOM);
	bool good = decode(judge, block, room), other_good = decode_other(judge, block, &other);

	if (good != other_good)
		differ(good ? "only weft takes it" : "only nghttp2 takes it", block, &judge->fields, &other);
	if (good && !slice_equal(text_slice(&judge->fields), text_slice(&other)))
		differ("not the same fields", block, &judge->fields, &other);
	if (good)
		skip_some(judge, block, room);
	text_free(&other);
	memory_free(room);
	return good;
}
