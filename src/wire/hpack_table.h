/* SPDX-License-Identifier: Apache-2.0 */
/* wire/hpack_table.h: the tables of HPACK, for the codec's files only (RFC 7541 sections 2.3 and 4).
 *
 * The dynamic table's entries lie one behind the other in a ring of bytes, each with its two lengths before it: that fits,
 * as RFC 7541 counts 32 bytes for what an entry takes beyond its texts.
 */
#ifndef WIRE_HPACK_TABLE_H
#define WIRE_HPACK_TABLE_H

#include "wire/hpack.h"

struct hpack_static_entry {
	struct slice name, value;
};

/* Index 1 to HPACK_STATIC_COUNT; [0] is empty. */
extern const struct hpack_static_entry hpack_static[HPACK_STATIC_COUNT + 1];

/* An entry's texts, which may go around the ring's end. */
struct hpack_entry {
	uint32_t at; /* of the name, in the ring; the value follows */
	uint16_t name_length, value_length;
};

/* `index` as it is sent, counted from HPACK_STATIC_COUNT + 1 for the newest. ERROR_SYNTAX: there is none. */
MUST_CHECK int hpack_table_find(const struct hpack_decoder *decoder, uint64_t index, struct hpack_entry *entry);
/* Bytes of the ring, copied out. */
void hpack_table_copy(const struct hpack_decoder *decoder, uint32_t at, size_t length, char *out);
/* Makes an entry the newest; the oldest make way (section 4.4). The texts must not lie in the ring. ERROR_NO_MEMORY. */
MUST_CHECK int hpack_table_add(struct hpack_decoder *decoder, struct slice name, struct slice value);
/* Until at most so much is used. */
void hpack_table_evict(struct hpack_decoder *decoder, uint32_t most);

#endif
