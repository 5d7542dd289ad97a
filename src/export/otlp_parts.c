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

/* What comes before a value of that length, its head included; there is room for it. */
static char *put_key(char *at, unsigned field, struct slice key, size_t value)
{
	at = protobuf_put_head(at, field, protobuf_size(KEY_VALUE_KEY, key.length) + protobuf_size(KEY_VALUE_VALUE, value));
	at = protobuf_put_bytes(at, KEY_VALUE_KEY, key);
	return protobuf_put_head(at, KEY_VALUE_VALUE, value);
}

static void write_number(struct text *out, unsigned field, struct slice key, const struct attribute *attribute)
{
	char bytes[PROTOBUF_HEAD];
	char *end = attribute->is_truth ? protobuf_put_varint(bytes, ANY_VALUE_BOOL, 1)
					: protobuf_put_varint(bytes, ANY_VALUE_INT, (uint64_t)attribute->number);
	size_t length = (size_t)(end - bytes);
	char *at = put_key(text_room(out, 4 * PROTOBUF_HEAD + key.length), field, key, length);

	memcpy(at, bytes, length);
	text_wrote(out, at + length);
}

/* Any bytes: how long they get is known when they are written. */
static void write_mended(struct text *out, unsigned field, struct slice key, struct slice text)
{
	size_t pair = protobuf_begin(out, field), value;

	protobuf_bytes(out, KEY_VALUE_KEY, key);
	value = protobuf_begin(out, KEY_VALUE_VALUE);
	otlp_string(out, ANY_VALUE_STRING, text);
	protobuf_end(out, value);
	protobuf_end(out, pair);
}

void otlp_attribute(struct text *out, unsigned field, const struct attribute *attribute)
{
	struct slice key = slice_of(attribute->key), text = attribute->text;

	if (!text.at) {
		write_number(out, field, key, attribute);
	} else if (well_formed(text) == text.length) {
		char *at = text_room(out, 4 * PROTOBUF_HEAD + key.length + text.length);

		at = put_key(at, field, key, protobuf_size(ANY_VALUE_STRING, text.length));
		text_wrote(out, protobuf_put_bytes(at, ANY_VALUE_STRING, text));
	} else {
		write_mended(out, field, key, text);
	}
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
