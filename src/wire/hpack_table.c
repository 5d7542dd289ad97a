/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/hpack_table.h"

#include "base/check.h"

enum {
	PLACES = HPACK_TABLE_MOST / HPACK_ENTRY_OVERHEAD,
	LENGTHS = 2 * sizeof(uint16_t), /* before an entry's texts */
};

struct hpack_table {
	uint16_t starts[PLACES]; /* where each entry begins, a ring of its own */
	char bytes[HPACK_TABLE_MOST];
};

_Static_assert((PLACES & (PLACES - 1)) == 0 && (HPACK_TABLE_MOST & (HPACK_TABLE_MOST - 1)) == 0, "rings go around by a mask");

#define ENTRY(name, value) \
	{ \
		{ name, sizeof(name) - 1 }, \
		{ \
			value, sizeof(value) - 1 \
		} \
	}

/* RFC 7541 appendix A */
const struct hpack_static_entry hpack_static[HPACK_STATIC_COUNT + 1] = {
	ENTRY("", ""),
	ENTRY(":authority", ""),
	ENTRY(":method", "GET"),
	ENTRY(":method", "POST"),
	ENTRY(":path", "/"),
	ENTRY(":path", "/index.html"),
	ENTRY(":scheme", "http"),
	ENTRY(":scheme", "https"),
	ENTRY(":status", "200"),
	ENTRY(":status", "204"),
	ENTRY(":status", "206"),
	ENTRY(":status", "304"),
	ENTRY(":status", "400"),
	ENTRY(":status", "404"),
	ENTRY(":status", "500"),
	ENTRY("accept-charset", ""),
	ENTRY("accept-encoding", "gzip, deflate"),
	ENTRY("accept-language", ""),
	ENTRY("accept-ranges", ""),
	ENTRY("accept", ""),
	ENTRY("access-control-allow-origin", ""),
	ENTRY("age", ""),
	ENTRY("allow", ""),
	ENTRY("authorization", ""),
	ENTRY("cache-control", ""),
	ENTRY("content-disposition", ""),
	ENTRY("content-encoding", ""),
	ENTRY("content-language", ""),
	ENTRY("content-length", ""),
	ENTRY("content-location", ""),
	ENTRY("content-range", ""),
	ENTRY("content-type", ""),
	ENTRY("cookie", ""),
	ENTRY("date", ""),
	ENTRY("etag", ""),
	ENTRY("expect", ""),
	ENTRY("expires", ""),
	ENTRY("from", ""),
	ENTRY("host", ""),
	ENTRY("if-match", ""),
	ENTRY("if-modified-since", ""),
	ENTRY("if-none-match", ""),
	ENTRY("if-range", ""),
	ENTRY("if-unmodified-since", ""),
	ENTRY("last-modified", ""),
	ENTRY("link", ""),
	ENTRY("location", ""),
	ENTRY("max-forwards", ""),
	ENTRY("proxy-authenticate", ""),
	ENTRY("proxy-authorization", ""),
	ENTRY("range", ""),
	ENTRY("referer", ""),
	ENTRY("refresh", ""),
	ENTRY("retry-after", ""),
	ENTRY("server", ""),
	ENTRY("set-cookie", ""),
	ENTRY("strict-transport-security", ""),
	ENTRY("transfer-encoding", ""),
	ENTRY("user-agent", ""),
	ENTRY("vary", ""),
	ENTRY("via", ""),
	ENTRY("www-authenticate", ""),
};

size_t hpack_table_size(void)
{
	return sizeof(struct hpack_table);
}

void hpack_decoder_init(struct hpack_decoder *decoder, struct pool *tables)
{
	*decoder = (struct hpack_decoder){ .tables = tables, .limit = HPACK_TABLE_MOST };
}

void hpack_decoder_fini(struct hpack_decoder *decoder)
{
	if (decoder->table)
		pool_put(decoder->tables, decoder->table);
	decoder->table = NULL;
	decoder->count = 0;
	decoder->used = 0;
}

void hpack_table_copy(const struct hpack_decoder *decoder, uint32_t at, size_t length, char *out)
{
	const char *bytes = decoder->table->bytes;
	size_t first = HPACK_TABLE_MOST - at;

	if (first > length)
		first = length;
	memcpy(out, bytes + at, first);
	if (length > first)
		memcpy(out + first, bytes, length - first);
}

/* At the place of the next entry. */
static void put(struct hpack_decoder *decoder, const char *from, size_t length)
{
	char *bytes = decoder->table->bytes;
	size_t first = HPACK_TABLE_MOST - decoder->at;

	if (length == 0)
		return;
	if (first > length)
		first = length;
	memcpy(bytes + decoder->at, from, first);
	if (length > first)
		memcpy(bytes, from + first, length - first);
	decoder->at = (uint32_t)(decoder->at + length) & (HPACK_TABLE_MOST - 1);
}

/* `age`: 0 for the newest */
static void entry_of_age(const struct hpack_decoder *decoder, unsigned age, struct hpack_entry *entry)
{
	uint32_t start = decoder->table->starts[(decoder->next - 1u - age) & (PLACES - 1)];
	uint16_t lengths[2];

	hpack_table_copy(decoder, start, LENGTHS, (char *)lengths);
	entry->at = (start + LENGTHS) & (HPACK_TABLE_MOST - 1);
	entry->name_length = lengths[0];
	entry->value_length = lengths[1];
}

int hpack_table_find(const struct hpack_decoder *decoder, uint64_t index, struct hpack_entry *entry)
{
	uint64_t age = index - HPACK_STATIC_COUNT - 1;

	if (age >= decoder->count)
		return ERROR_SYNTAX;
	entry_of_age(decoder, (unsigned)age, entry);
	return 0;
}

void hpack_table_evict(struct hpack_decoder *decoder, uint32_t most)
{
	struct hpack_entry oldest;

	while (decoder->used > most) {
		CHECK(decoder->count > 0);
		entry_of_age(decoder, --decoder->count, &oldest);
		decoder->used -= (uint32_t)oldest.name_length + oldest.value_length + HPACK_ENTRY_OVERHEAD;
	}
}

int hpack_table_add(struct hpack_decoder *decoder, struct slice name, struct slice value)
{
	size_t size = name.length + value.length + HPACK_ENTRY_OVERHEAD;
	uint16_t lengths[2];

	if (size > decoder->limit) {
		hpack_table_evict(decoder, 0);
		return 0;
	}
	if (!decoder->table) {
		decoder->table = pool_get(decoder->tables);
		if (!decoder->table)
			return ERROR_NO_MEMORY;
	}
	hpack_table_evict(decoder, decoder->limit - (uint32_t)size);
	decoder->table->starts[decoder->next++ & (PLACES - 1)] = (uint16_t)decoder->at;
	lengths[0] = (uint16_t)name.length;
	lengths[1] = (uint16_t)value.length;
	put(decoder, (const char *)lengths, LENGTHS);
	put(decoder, name.at, name.length);
	put(decoder, value.at, value.length);
	decoder->used += (uint32_t)size;
	decoder->count++;
	return 0;
}
