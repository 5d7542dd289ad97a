/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "doc/protobuf.h"

static void assert_bytes(struct text *out, const char *bytes, size_t length)
{
	assert_int_equal(length, out->length);
	assert_memory_equal(bytes, out->bytes, length);
	text_free(out);
}

#define ASSERT_BYTES(out, literal) assert_bytes(out, literal, sizeof(literal) - 1)

/* The examples of protobuf.dev's page on the encoding. */
static void test_the_documents_examples(void **state)
{
	struct text out = { 0 };
	size_t inner;

	(void)state;
	protobuf_varint(&out, 1, 150);
	ASSERT_BYTES(&out, "\x08\x96\x01");
	protobuf_bytes(&out, 2, SLICE("testing"));
	ASSERT_BYTES(&out, "\x12\x07testing");
	inner = protobuf_begin(&out, 3);
	protobuf_varint(&out, 1, 150);
	protobuf_end(&out, inner);
	ASSERT_BYTES(&out, "\x1a\x03\x08\x96\x01");
}

static void test_numbers(void **state)
{
	struct text out = { 0 };
	size_t packed;

	(void)state;
	protobuf_varint(&out, 16, 0);
	ASSERT_BYTES(&out, "\x80\x01\x00");
	protobuf_varint(&out, 1, UINT64_MAX);
	ASSERT_BYTES(&out, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
	protobuf_fixed64(&out, 1, UINT64_C(0x0102030405060708));
	ASSERT_BYTES(&out, "\x09\x08\x07\x06\x05\x04\x03\x02\x01");
	protobuf_double(&out, 1, 1.0);
	ASSERT_BYTES(&out, "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f");
	packed = protobuf_begin(&out, 6);
	protobuf_packed64(&out, 1);
	protobuf_packed_double(&out, 1.0);
	protobuf_end(&out, packed);
	ASSERT_BYTES(&out, "\x32\x10\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xf0\x3f");
}

/* A length that needs more than the byte that was left for it moves what it is the length of. */
static void test_long_messages(void **state)
{
	static const size_t lengths[] = { 0, 1, 124, 125, 126, 127, 128, 16380, 20000, 2097152 };

	(void)state;
	for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct text written = { 0 }, expected = { 0 }, body = { 0 };
		size_t outer, inner;

		for (size_t n = 0; n < lengths[i]; n++)
			text_append(&body, slice_make(&"abcdefg"[n % 7], 1));
		protobuf_bytes(&expected, 2, text_slice(&body));
		outer = protobuf_begin(&written, 1);
		inner = protobuf_begin(&written, 2);
		text_append(&written, text_slice(&body));
		protobuf_end(&written, inner);
		protobuf_end(&written, outer);
		text_clear(&body);
		protobuf_bytes(&body, 1, text_slice(&expected));
		assert_true(slice_equal(text_slice(&body), text_slice(&written)));
		text_free(&written);
		text_free(&expected);
		text_free(&body);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_documents_examples),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_long_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
