/* SPDX-License-Identifier: Apache-2.0 */
#include "export/otlp_parts.h"

#include "doc/protobuf.h"
#include "doc/utf8.h"

enum {
	RESOURCE = 1,
	RESOURCE_ATTRIBUTES = 1,
	SCOPE = 1,
	SCOPE_NAME = 1,
	SCOPE_VERSION = 2,
	KEY_VALUE_KEY = 1,
	KEY_VALUE_VALUE = 2,
	ANY_VALUE_STRING = 1,
	ANY_VALUE_BOOL = 2,
	ANY_VALUE_INT = 3,
};

/* How much of it is well-formed; eight bytes of ASCII at a time. */
static size_t well_formed(struct slice bytes)
{
	size_t at = 0;

	while (at < bytes.length) {
		uint64_t eight;

		if (bytes.length - at >= sizeof eight) {
			memcpy(&eight, bytes.at + at, sizeof eight);
			if (!(eight & UINT64_MAX / 255 * 0x80)) {
				at += sizeof eight;
				continue;
			}
		}
		unsigned length = (unsigned char)bytes.at[at] < 0x80 ? 1 : utf8_length(slice_from(bytes, at));

		if (!length)
			break;
		at += length;
	}
	return at;
}

/* Paths and the like are any bytes, and may have been cut; protobuf's strings are UTF-8, or the whole report is refused. */
static void append_mended(struct text *out, struct slice bytes)
{
	while (bytes.length) {
		size_t good = well_formed(bytes);

		text_append(out, slice_make(bytes.at, good));
		if (good == bytes.length)
			break;
		text_append(out, SLICE("\xef\xbf\xbd"));
		bytes = slice_from(bytes, good + 1);
	}
}

void otlp_string(struct text *out, unsigned field, struct slice bytes)
{
	size_t begun = protobuf_begin(out, field);

	append_mended(out, bytes);
	protobuf_end(out, begun);
}

static void write_value(struct text *out, const struct attribute *attribute)
{
	size_t value = protobuf_begin(out, KEY_VALUE_VALUE);

	if (attribute->text.at)
		otlp_string(out, ANY_VALUE_STRING, attribute->text);
	else if (attribute->is_truth)
		protobuf_varint(out, ANY_VALUE_BOOL, 1);
	else
		protobuf_varint(out, ANY_VALUE_INT, (uint64_t)attribute->number);
	protobuf_end(out, value);
}

/* Most are text that needs no mending: their lengths are known ahead. */
void otlp_attribute(struct text *out, unsigned field, const struct attribute *attribute)
{
	struct slice key = slice_of(attribute->key), text = attribute->text;

	if (text.at && well_formed(text) == text.length) {
		size_t value = protobuf_size(ANY_VALUE_STRING, text.length);
		char *at = text_room(out, 4 * PROTOBUF_HEAD + key.length + text.length);

		at = protobuf_put_head(at, field, protobuf_size(KEY_VALUE_KEY, key.length) + protobuf_size(KEY_VALUE_VALUE, value));
		at = protobuf_put_bytes(at, KEY_VALUE_KEY, key);
		at = protobuf_put_head(at, KEY_VALUE_VALUE, value);
		text_wrote(out, protobuf_put_bytes(at, ANY_VALUE_STRING, text));
		return;
	}
	size_t pair = protobuf_begin(out, field);
	protobuf_bytes(out, KEY_VALUE_KEY, key);
	write_value(out, attribute);
	protobuf_end(out, pair);
}

void otlp_resource(struct text *out, struct slice service)
{
	size_t resource = protobuf_begin(out, RESOURCE);

	otlp_attribute(out, RESOURCE_ATTRIBUTES, &(struct attribute){ .key = "service.name", .text = service });
	otlp_attribute(out, RESOURCE_ATTRIBUTES, &(struct attribute){ .key = "telemetry.sdk.name", .text = SLICE("weft") });
	otlp_attribute(out, RESOURCE_ATTRIBUTES, &(struct attribute){ .key = "telemetry.sdk.language", .text = SLICE("c") });
	otlp_attribute(out, RESOURCE_ATTRIBUTES, &(struct attribute){ .key = "telemetry.sdk.version", .text = SLICE(WEFT_VERSION) });
	protobuf_end(out, resource);
}

void otlp_scope(struct text *out)
{
	size_t scope = protobuf_begin(out, SCOPE);

	protobuf_bytes(out, SCOPE_NAME, SLICE("weft"));
	protobuf_bytes(out, SCOPE_VERSION, SLICE(WEFT_VERSION));
	protobuf_end(out, scope);
}
