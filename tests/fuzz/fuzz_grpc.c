/* SPDX-License-Identifier: Apache-2.0 */
/* What gRPC writes into heads and bodies: timeouts, messages of statuses, frames and gRPC-Web's text come out the same however
 * they are cut, and what is written is read again. The first byte says where the rest is cut. */
#include "base/check.h"
#include "wire/grpc.h"
#include "wire/grpc_health.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

enum { MOST = 4096 };

static void check_timeout(struct slice value)
{
	char text[GRPC_TIMEOUT_TEXT];
	int64_t ns, again;

	if (grpc_timeout_parse(value, &ns))
		return;
	CHECK(ns >= 0);
	CHECK(grpc_timeout_parse(slice_make(text, grpc_timeout_format(ns, text)), &again) == 0);
	CHECK(again >= ns && (ns > 99999999 || again == ns));
}

static void check_message(struct arena *arena, struct slice message)
{
	struct slice encoded = grpc_message_encode(arena, message, message.length * 3), decoded;

	for (size_t i = 0; i < encoded.length; i++)
		CHECK(encoded.at[i] >= 0x20 && encoded.at[i] <= 0x7e);
	decoded = grpc_message_decode(arena, encoded);
	CHECK(decoded.length <= message.length && memcmp(decoded.at, message.at, decoded.length) == 0);
	for (size_t i = decoded.length; i < message.length; i++)
		CHECK(message.at[i] == ' ');
	(void)grpc_message_decode(arena, message);
}

static void check_frames(struct slice body, size_t cut)
{
	struct grpc_frames whole = { 0 }, parts = { 0 };

	grpc_frames_count(&whole, body);
	grpc_frames_count(&parts, slice_make(body.at, cut));
	grpc_frames_count(&parts, slice_from(body, cut));
	CHECK(whole.messages == parts.messages && whole.left == parts.left && whole.have == parts.have && whole.trailers == parts.trailers);
}

/* < 0: refused; the pieces are what cutting makes of it. */
static int decode(struct slice text, size_t cut, char *out, struct grpc_text *state)
{
	struct slice parts[2] = { slice_make(text.at, cut), slice_from(text, cut) };
	int length = 0;

	*state = (struct grpc_text){ 0 };
	for (unsigned i = 0; i < 2; i++) {
		while (parts[i].length) {
			int n = grpc_text_decode(state, &parts[i], out + length, MOST - (size_t)length);

			if (n < 0)
				return n;
			length += n;
		}
	}
	return length;
}

static void check_text(struct slice bytes, size_t cut)
{
	char out[MOST], again[MOST], encoded[MOST * 2];
	struct grpc_text state, other = { 0 };
	struct slice parts[2] = { slice_make(bytes.at, cut), slice_from(bytes, cut) };
	size_t length = 0;
	int whole = decode(bytes, 0, out, &state), cut_in_two = decode(bytes, cut, again, &state);

	CHECK(whole == cut_in_two && (whole < 0 || memcmp(out, again, (size_t)whole) == 0));
	for (unsigned i = 0; i < 2; i++)
		length += grpc_text_encode(&other, &parts[i], encoded + length, sizeof encoded - length);
	length += grpc_text_finish(&other, encoded + length);
	CHECK(decode(slice_make(encoded, length), 0, out, &state) == (int)bytes.length && memcmp(out, bytes.at, bytes.length) == 0);
	CHECK(!state.have && !state.padded);
}

static void check_health(struct slice bytes)
{
	char out[GRPC_HEALTH_REQUEST_MOST];
	enum grpc_health state;

	if (grpc_health_response(bytes, &state) == 0)
		CHECK(bytes.length >= 5 && grpc_health_name(state));
	/* What asks is no answer: its only field is of another type. */
	if (bytes.length <= GRPC_HEALTH_SERVICE_MOST)
		CHECK(grpc_health_response(slice_make(out, grpc_health_request(bytes, out)), &state) == 0 && state == GRPC_HEALTH_UNKNOWN);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct slice all = { (const char *)bytes, length };
	struct arena arena;

	if (length < 1 || length > MOST / 2)
		return 0;
	all = slice_from(all, 1);
	size_t cut = bytes[0] < all.length ? bytes[0] : all.length;
	arena_init(&arena, NULL, 0);
	check_timeout(all);
	check_message(&arena, all);
	check_frames(all, cut);
	check_text(all, cut);
	check_health(all);
	CHECK(grpc_kind(all) == GRPC_NOT || all.length >= 16);
	(void)grpc_status_parse(all);
	arena_reset(&arena);
	return 0;
}
