/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/k8s_packed.h"

#include "base/check.h"
#include "base/text.h"
#include "doc/document.h"

void k8s_packed_put_u8(struct text *packed, uint8_t value)
{
	text_append(packed, slice_make((const char *)&value, 1));
}

void k8s_packed_put_u32(struct text *packed, uint32_t value)
{
	text_append(packed, slice_make((const char *)&value, sizeof value));
}

void k8s_packed_set_u32(struct text *packed, size_t at, uint32_t value)
{
	CHECK(at + sizeof value <= packed->length);
	memcpy(packed->bytes + at, &value, sizeof value);
}

void k8s_packed_put_text(struct text *packed, struct slice text)
{
	if (text.length > UINT8_MAX)
		text.length = 0;
	k8s_packed_put_u8(packed, (uint8_t)text.length);
	text_append(packed, text);
}

static bool put_port(struct text *packed, const struct document_node *port)
{
	struct slice protocol = SLICE("TCP"), name = SLICE("");
	int64_t number = 0;

	document_read_text(document_get(port, "protocol"), &protocol, NULL);
	document_read_text(document_get(port, "name"), &name, NULL);
	if (!slice_equal(protocol, SLICE("TCP")) || !document_read_int(document_get(port, "port"), 1, UINT16_MAX, &number, NULL))
		return false;
	k8s_packed_put_u32(packed, (uint32_t)number);
	k8s_packed_put_text(packed, name);
	return true;
}

void k8s_packed_put_ports(struct text *packed, const struct document_node *ports)
{
	uint32_t count = 0;
	size_t at = packed->length;

	k8s_packed_put_u32(packed, 0);
	for (uint32_t i = 0; document_expect(ports, DOCUMENT_SEQUENCE, NULL) && i < ports->count; i++)
		count += put_port(packed, ports->items[i]);
	k8s_packed_set_u32(packed, at, count);
}

static const char *take(struct slice *rest, size_t length)
{
	const char *at = rest->at;

	CHECK(length <= rest->length);
	*rest = slice_from(*rest, length);
	return at;
}

uint8_t k8s_packed_u8(struct slice *rest)
{
	return (uint8_t)*take(rest, 1);
}

uint32_t k8s_packed_u32(struct slice *rest)
{
	uint32_t value;

	memcpy(&value, take(rest, sizeof value), sizeof value);
	return value;
}

struct slice k8s_packed_text(struct slice *rest)
{
	size_t length = k8s_packed_u8(rest);

	return slice_make(take(rest, length), length);
}

uint16_t k8s_packed_find_port(struct slice *rest, struct slice name)
{
	uint16_t found = 0;

	for (uint32_t i = k8s_packed_u32(rest); i > 0; i--) {
		uint16_t number = (uint16_t)k8s_packed_u32(rest);

		if (slice_equal(k8s_packed_text(rest), name) && !found)
			found = number;
	}
	return found;
}

bool k8s_packed_find_number(struct slice *rest, uint16_t number, struct slice *name)
{
	bool found = false;

	for (uint32_t i = k8s_packed_u32(rest); i > 0; i--) {
		bool same = k8s_packed_u32(rest) == number;
		struct slice text = k8s_packed_text(rest);

		if (same && !found)
			*name = text;
		found |= same;
	}
	return found;
}

void k8s_packed_put_long_text(struct text *packed, struct slice text)
{
	k8s_packed_put_u32(packed, (uint32_t)text.length);
	text_append(packed, text);
}

struct slice k8s_packed_long_text(struct slice *rest)
{
	size_t length = k8s_packed_u32(rest);

	return slice_make(take(rest, length), length);
}
