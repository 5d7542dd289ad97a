/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "wire/grpc.h"

static void assert_slice(struct slice s, const char *expected)
{
	assert_non_null(s.at);
	assert_int_equal(s.length, strlen(expected));
	assert_memory_equal(s.at, expected, s.length);
}

static void content_types_are_told_apart(void **state)
{
	static const struct {
		const char *type;
		enum grpc_kind kind;
		const char *behind;
	} table[] = {
		{ "application/grpc", GRPC_PLAIN, "" },
		{ "Application/GRPC+proto", GRPC_PLAIN, "+proto" },
		{ "application/grpc; charset=x", GRPC_PLAIN, "; charset=x" },
		{ "application/grpc-web", GRPC_WEB, "" },
		{ "application/grpc-web+proto", GRPC_WEB, "+proto" },
		{ "application/grpc-web-text", GRPC_WEB_TEXT, "" },
		{ "application/grpc-web-text+thrift", GRPC_WEB_TEXT, "+thrift" },
		{ "application/grpc-webs", GRPC_NOT, NULL },
		{ "application/grpcx", GRPC_NOT, NULL },
		{ "application/grp", GRPC_NOT, NULL },
		{ "text/plain", GRPC_NOT, NULL },
		{ "", GRPC_NOT, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		assert_int_equal(table[i].kind, grpc_kind(slice_of(table[i].type)));
		if (table[i].behind)
			assert_slice(grpc_subtype(slice_of(table[i].type)), table[i].behind);
	}
}

static void statuses_are_numbers_up_to_sixteen(void **state)
{
	(void)state;
	assert_int_equal(GRPC_OK, grpc_status_parse(SLICE("0")));
	assert_int_equal(GRPC_UNAVAILABLE, grpc_status_parse(SLICE("14")));
	assert_int_equal(GRPC_UNAUTHENTICATED, grpc_status_parse(SLICE("16")));
	assert_int_equal(GRPC_UNKNOWN, grpc_status_parse(SLICE("17")));
	assert_int_equal(GRPC_UNKNOWN, grpc_status_parse(SLICE("-1")));
	assert_int_equal(GRPC_UNKNOWN, grpc_status_parse(SLICE("")));
	assert_int_equal(GRPC_UNKNOWN, grpc_status_parse(SLICE("14 ")));
	assert_string_equal("UNAVAILABLE", grpc_status_name(GRPC_UNAVAILABLE));
	assert_string_equal("none", grpc_status_name(GRPC_NONE));
}

/* http-grpc-status-mapping.md of the gRPC project. */
static void http_statuses_have_their_meaning(void **state)
{
	static const struct {
		unsigned http;
		enum grpc_status grpc;
	} mapping[] = {
		{ 400, GRPC_INTERNAL },
		{ 401, GRPC_UNAUTHENTICATED },
		{ 403, GRPC_PERMISSION_DENIED },
		{ 404, GRPC_UNIMPLEMENTED },
		{ 429, GRPC_UNAVAILABLE },
		{ 502, GRPC_UNAVAILABLE },
		{ 503, GRPC_UNAVAILABLE },
		{ 504, GRPC_UNAVAILABLE },
		{ 200, GRPC_UNKNOWN },
		{ 500, GRPC_UNKNOWN },
		{ 302, GRPC_UNKNOWN },
		{ 418, GRPC_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < sizeof mapping / sizeof *mapping; i++)
		assert_int_equal(mapping[i].grpc, grpc_status_of_http(mapping[i].http));
}

static void timeouts_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ns; /* -1: no timeout */
	} table[] = {
		{ "1n", 1 },
		{ "0n", 0 },
		{ "99999999u", 99999999000 },
		{ "100m", 100000000 },
		{ "10S", 10000000000 },
		{ "2M", 120000000000 },
		{ "1H", 3600000000000 },
		{ "99999999H", INT64_MAX },
		{ "00000001S", 1000000000 },
		{ "100000000S", -1 }, /* nine digits */
		{ "S", -1 },
		{ "1", -1 },
		{ "1s", -1 },
		{ "-1S", -1 },
		{ "1 S", -1 },
		{ " 1S", -1 },
		{ "1.5S", -1 },
		{ "", -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int64_t ns = -1;

		assert_int_equal(table[i].ns < 0 ? ERROR_SYNTAX : 0, grpc_timeout_parse(slice_of(table[i].text), &ns));
		assert_int_equal(table[i].ns, ns);
	}
}

static void timeouts_are_written_rounded_up(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} table[] = {
		{ -5, "0n" },
		{ 0, "0n" },
		{ 99999999, "99999999n" },
		{ 100000000, "100000u" },
		{ 100000001, "100001u" },
		{ 1000000000, "1000000u" },
		{ 99999999000, "99999999u" },
		{ 99999999001, "100000m" },
		{ INT64_MAX, "2562048H" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		char text[GRPC_TIMEOUT_TEXT];

		assert_slice(slice_make(text, grpc_timeout_format(table[i].ns, text)), table[i].text);
	}
}

static void messages_are_escaped(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, NULL, 0);
	assert_slice(grpc_message_encode(&arena, SLICE("plain: text & more"), 100), "plain: text & more");
	assert_slice(grpc_message_encode(&arena, SLICE("50%\nd\xc3\xa4"), 100), "50%25%0Ad%C3%A4");
	assert_slice(grpc_message_encode(&arena, SLICE("ab\ncd"), 4), "ab");
	assert_slice(grpc_message_encode(&arena, SLICE("ab\ncd"), 6), "ab%0Ac");
	assert_slice(grpc_message_encode(&arena, SLICE("word and"), 5), "word");
	assert_slice(grpc_message_encode(&arena, SLICE(""), 6), "");
	assert_slice(grpc_message_decode(&arena, SLICE("50%25%0ad%C3%A4")), "50%\nd\xc3\xa4");
	assert_slice(grpc_message_decode(&arena, SLICE("100% %zz %4")), "100% %zz %4");
	arena_reset(&arena);
}

static void messages_are_counted_however_they_come(void **state)
{
	static const char body[] = "\0\0\0\0\3abc\1\0\0\0\0\0\0\0\1\2"
				   "0123456789";
	struct slice all = slice_make(body, 8 + 5 + 5 + 10);

	(void)state;
	for (size_t cut = 0; cut <= all.length; cut++) {
		struct grpc_frames frames = { 0 };

		grpc_frames_count(&frames, slice_make(all.at, cut));
		assert_int_equal(frames.messages, (cut >= 5) + (cut >= 13) + (cut >= 18));
		assert_int_equal(grpc_frames_whole(&frames), cut == 0 || cut == 8 || cut == 13);
		grpc_frames_count(&frames, slice_from(all, cut));
		assert_int_equal(frames.messages, 3);
		assert_int_equal(frames.left, 258 - 10);
	}
}

static void trailers_become_a_frame(void **state)
{
	struct field fields[] = {
		{ .line = "Grpc-Status: 0\r\n", .line_length = 16, .name_length = 11, .value_offset = 13, .value_length = 1 },
		{ .line = "x: y\r\n", .line_length = 6, .name_length = 1, .value_offset = 3, .value_length = 1, .dropped = 1 },
		{ .line = "grpc-message:   hi \r\n", .line_length = 21, .name_length = 12, .value_offset = 16, .value_length = 2 },
	};
	struct fields trailers = { 3, fields };
	struct grpc_frames frames = { 0 };
	struct arena arena;
	struct slice frame;

	(void)state;
	arena_init(&arena, NULL, 0);
	frame = grpc_web_trailers(&arena, &trailers);
	assert_int_equal(frame.length, 5 + 34);
	assert_memory_equal(frame.at,
		"\x80\0\0\0\x22"
		"grpc-status: 0\r\ngrpc-message: hi\r\n",
		frame.length);
	grpc_frames_count(&frames, frame);
	assert_true(grpc_frames_whole(&frames) && frames.trailers);
	assert_int_equal(frames.messages, 0);
	arena_reset(&arena);
}

/* In pieces of `step` bytes, with as little room as there may be. */
static int decode(const char *in, size_t step, char *out)
{
	struct grpc_text text = { 0 };
	struct slice all = slice_of(in);
	int length = 0;

	while (all.length) {
		struct slice piece = slice_make(all.at, step < all.length ? step : all.length);

		all = slice_from(all, piece.length);
		while (piece.length) {
			int n = grpc_text_decode(&text, &piece, out + length, 4);

			if (n < 0)
				return n;
			length += n;
		}
	}
	return text.have || text.padded ? ERROR_INCOMPLETE : length;
}

static void texts_are_decoded_in_pieces(void **state)
{
	static const struct {
		const char *in, *out; /* no out: refused */
	} table[] = {
		{ "", "" },
		{ "Zm9vYmFy", "foobar" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zg==Zm8=Zm9v", "ffofoo" }, /* each encoded alone */
		{ "+/+/", "\xfb\xff\xbf" },
		{ "Zg=", NULL },
		{ "Zg", NULL },
		{ "Z===", NULL },
		{ "Zg=x", NULL },
		{ "Zm=9", NULL },
		{ "Zm9v=", NULL },
		{ "Zm 9", NULL },
		{ "Zm-_", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t step = 1; step < 10; step++) {
			char out[64];
			int length = decode(table[i].in, step, out);

			if (table[i].out)
				assert_slice(slice_make(out, (size_t)length), table[i].out);
			else
				assert_true(length < 0);
		}
	}
}

static void texts_are_encoded_in_pieces(void **state)
{
	static const char *const table[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
		{ "foobar", "Zm9vYmFy" } };

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		for (size_t step = 1; step < 7; step++) {
			struct grpc_text text = { 0 };
			struct slice all = slice_of(table[i][0]);
			char out[64];
			size_t length = 0;

			while (all.length) {
				struct slice piece = slice_make(all.at, step < all.length ? step : all.length);

				all = slice_from(all, piece.length);
				length += grpc_text_encode(&text, &piece, out + length, 32);
				assert_int_equal(piece.length, 0);
			}
			length += grpc_text_finish(&text, out + length);
			assert_slice(slice_make(out, length), table[i][1]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(content_types_are_told_apart),
		cmocka_unit_test(statuses_are_numbers_up_to_sixteen),
		cmocka_unit_test(http_statuses_have_their_meaning),
		cmocka_unit_test(timeouts_are_read),
		cmocka_unit_test(timeouts_are_written_rounded_up),
		cmocka_unit_test(messages_are_escaped),
		cmocka_unit_test(messages_are_counted_however_they_come),
		cmocka_unit_test(trailers_become_a_frame),
		cmocka_unit_test(texts_are_decoded_in_pieces),
		cmocka_unit_test(texts_are_encoded_in_pieces),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
