/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/grpc_health.h"

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

enum {
	PREFIX = 5,         /* the flag, and four bytes of length */
	SERVICE_TAG = 0x0a, /* HealthCheckRequest.service: field 1, bytes */
	STATUS_FIELD = 1,   /* HealthCheckResponse.status */
};

/* Protocol buffers' wire types. */
enum wire_type {
	WIRE_VARINT = 0,
	WIRE_I64 = 1,
	WIRE_BYTES = 2,
	WIRE_I32 = 5,
};

/* ---- the request ---- */

size_t grpc_health_request(struct slice service, char out[GRPC_HEALTH_REQUEST_MOST])
{
	size_t length = PREFIX;

	CHECK(service.length <= GRPC_HEALTH_SERVICE_MOST);
	if (service.length) {
		out[length++] = SERVICE_TAG;
		if (service.length >= 0x80)
			out[length++] = (char)(0x80 | (service.length & 0x7f));
		out[length++] = (char)(service.length >= 0x80 ? service.length >> 7 : service.length);
		memcpy(out + length, service.at, service.length);
		length += service.length;
	}
	out[0] = out[1] = out[2] = 0;
	out[3] = (char)((length - PREFIX) >> 8);
	out[4] = (char)((length - PREFIX) & 0xff);
	return length;
}

/* ---- the response ---- */

static bool take_varint(struct slice *in, uint64_t *value)
{
	*value = 0;
	for (unsigned shift = 0; shift < 64 && in->length; shift += 7) {
		uint8_t byte = (uint8_t)in->at[0];

		*in = slice_from(*in, 1);
		*value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct slice *in, uint64_t length)
{
	if (length > in->length)
		return false;
	*in = slice_from(*in, (size_t)length);
	return true;
}

/* The value of a field; *value is only set for a varint. */
static bool take_value(struct slice *in, enum wire_type type, uint64_t *value)
{
	uint64_t length;

	switch (type) {
	case WIRE_VARINT:
		return take_varint(in, value);
	case WIRE_I64:
		return skip(in, 8);
	case WIRE_BYTES:
		return take_varint(in, &length) && skip(in, length);
	case WIRE_I32:
		return skip(in, 4);
	}
	return false;
}

static int read_message(struct slice in, enum grpc_health *state)
{
	uint64_t tag, value = 0;

	*state = GRPC_HEALTH_UNKNOWN;
	while (in.length) {
		if (!take_varint(&in, &tag) || !take_value(&in, (enum wire_type)(tag & 7), &value))
			return ERROR_SYNTAX;
		if (tag == (STATUS_FIELD << 3 | WIRE_VARINT))
			*state = value <= GRPC_HEALTH_SERVICE_UNKNOWN ? (enum grpc_health)value : GRPC_HEALTH_UNKNOWN;
	}
	return 0;
}

/* Takes the prefix off a body that is one whole message, uncompressed. */
static bool take_prefix(struct slice *body)
{
	const unsigned char *prefix = (const unsigned char *)body->at;

	if (body->length < PREFIX || prefix[0] != 0)
		return false;
	uint32_t length = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 | (uint32_t)prefix[3] << 8 | prefix[4];
	*body = slice_from(*body, PREFIX);
	return length == body->length;
}

int grpc_health_response(struct slice body, enum grpc_health *state)
{
	return take_prefix(&body) ? read_message(body, state) : ERROR_SYNTAX;
}

/* ---- the other end ---- */

int grpc_health_asked(struct slice body, struct slice *service)
{
	uint64_t tag, length;

	*service = SLICE("");
	if (!take_prefix(&body))
		return ERROR_SYNTAX;
	while (body.length) {
		struct slice value;

		if (!take_varint(&body, &tag))
			return ERROR_SYNTAX;
		if (tag != SERVICE_TAG) {
			if (!take_value(&body, (enum wire_type)(tag & 7), &length))
				return ERROR_SYNTAX;
			continue;
		}
		if (!take_varint(&body, &length))
			return ERROR_SYNTAX;
		value = body;
		if (!skip(&body, length))
			return ERROR_SYNTAX;
		*service = slice_make(value.at, (size_t)length);
	}
	return 0;
}

void grpc_health_answer(enum grpc_health state, char out[GRPC_HEALTH_ANSWER])
{
	const char bytes[GRPC_HEALTH_ANSWER] = { 0, 0, 0, 0, 2, STATUS_FIELD << 3 | WIRE_VARINT, (char)state };

	memcpy(out, bytes, sizeof bytes);
}

const char *grpc_health_name(enum grpc_health state)
{
	static const char *const names[] = { "UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN" };

	return names[state];
}
