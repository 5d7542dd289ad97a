/* SPDX-License-Identifier: Apache-2.0 */
/* HPACK: the examples of RFC 7541 appendix C, limits, and the same as nghttp2 says of what its encoder writes and of random bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "base/random.h"
#include "support/hpack_judge.h"

enum { ROOM = 20000 };

static size_t from_hex(const char *hex, char *out)
{
	size_t length = 0;
	unsigned byte;

	for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
		out[length++] = (char)byte;
	return length;
}

/* Blocks of one connection, and the fields that each has. */
struct example {
	const char *hex, *fields;
};

static void check_examples(const struct example *examples, size_t count)
{
	struct hpack_judge judge;
	char block[ROOM];

	hpack_judge_new(&judge);
	for (size_t i = 0; i < count; i++) {
		assert_true(hpack_judge(&judge, slice_make(block, from_hex(examples[i].hex, block))));
		assert_string_equal(examples[i].fields, judge.fields.bytes);
	}
	hpack_judge_free(&judge);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define GET ":method: GET\r\n:scheme: http\r\n:path: /\r\n:authority: www.example.com\r\n"

/* C.2, C.3 and C.4 */
static void requests_of_the_rfc(void **state)
{
	static const struct example literals[] = {
		{ "400a637573746f6d2d6b65790d637573746f6d2d686561646572", "custom-key: custom-header\r\n" },
		{ "040c2f73616d706c652f70617468", ":path: /sample/path\r\n" },
		{ "100870617373776f726406736563726574", "password: secret\r\n" },
		{ "82", ":method: GET\r\n" },
	};
	static const struct example plain[] = {
		{ "828684410f7777772e6578616d706c652e636f6d", GET },
		{ "828684be58086e6f2d6361636865", GET "cache-control: no-cache\r\n" },
		{ "828785bf400a637573746f6d2d6b65790c637573746f6d2d76616c7565",
			":method: GET\r\n:scheme: https\r\n:path: /index.html\r\n:authority: www.example.com\r\ncustom-key: "
			"custom-value\r\n" },
	};
	static const struct example huffman[] = {
		{ "828684418cf1e3c2e5f23a6ba0ab90f4ff", GET },
		{ "828684be5886a8eb10649cbf", GET "cache-control: no-cache\r\n" },
		{ "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
			":method: GET\r\n:scheme: https\r\n:path: /index.html\r\n:authority: www.example.com\r\ncustom-key: "
			"custom-value\r\n" },
	};

	(void)state;
	check_examples(literals, COUNT(literals));
	check_examples(plain, COUNT(plain));
	check_examples(huffman, COUNT(huffman));
}

#define DATE "date: Mon, 21 Oct 2013 20:13:21 GMT\r\n"
#define REST "cache-control: private\r\n" DATE "location: https://www.example.com\r\n"

/* C.6, with the table of 256 bytes that it is for: told by an update. */
static void responses_of_the_rfc(void **state)
{
	static const struct example responses[] = {
		{ "3fe101488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3",
			":status: 302\r\n" REST },
		{ "4883640effc1c0bf", ":status: 307\r\n" REST },
		{ "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab27"
		  "0fb529"
		  "1f9587316065c003ed4ee5b1063d5007",
			":status: 200\r\ncache-control: private\r\ndate: Mon, 21 Oct 2013 20:13:22 GMT\r\n"
			"location: https://www.example.com\r\ncontent-encoding: gzip\r\n"
			"set-cookie: foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1\r\n" },
	};

	(void)state;
	check_examples(responses, COUNT(responses));
}

static void refuses(const char *hex)
{
	struct hpack_judge judge;
	char block[ROOM];

	hpack_judge_new(&judge);
	assert_false(hpack_judge(&judge, slice_make(block, from_hex(hex, block))));
	hpack_judge_free(&judge);
}

/* RFC 7541 section 5.1: zeros at an integer's end are no reason, while 32 bits may need as many bytes. */
static void integers_with_zeros(void **state)
{
	struct hpack_judge judge;
	char block[ROOM];

	(void)state;
	hpack_judge_new(&judge);
	assert_true(hpack_judge(&judge, slice_make(block, from_hex("3f818080800082", block))));
	hpack_judge_free(&judge);
	refuses("3f81808080800082");
	refuses("3f808080801082"); /* 2^32 + 31 */
}

static void what_is_no_block(void **state)
{
	(void)state;
	refuses("80");                     /* index 0 */
	refuses("be");                     /* an entry that is not there */
	refuses("ff80808080808080808001"); /* an integer without end */
	refuses("400a6375");               /* cut */
	refuses("40");
	refuses("7f");
	refuses("000161");
	refuses("8220");             /* a size update behind a field */
	refuses("3fe21f");           /* a table of 4097 bytes */
	refuses("0001618100");       /* Huffman: padding of zeros */
	refuses("000161823fff");     /* of a byte and more */
	refuses("00016184ffffffff"); /* the end of a string */
}

/* What nobody has room for still follows the table; a bomb costs no copying. */
static void fields_without_room(void **state)
{
	struct pool tables;
	struct hpack_decoder decoder;
	struct hpack_field field;
	char block[ROOM], room[64];
	const char *at = block;
	size_t length = from_hex("400a637573746f6d2d6b6579", block);

	(void)state;
	pool_init(&tables, "table", hpack_table_size(), 1);
	hpack_decoder_init(&decoder, &tables);
	block[length++] = 100;
	memset(block + length, 'x', 100);
	length += 100;
	block[length++] = (char)0xbe;
	assert_int_equal(ERROR_LIMIT, hpack_decode(&decoder, &at, block + length, room, sizeof room, &field));
	assert_ptr_equal(block, at);
	assert_int_equal(0, tables.in_use);
	assert_int_equal(0, hpack_skip(&decoder, &at, block + length));
	assert_int_equal(1, tables.in_use);
	assert_int_equal(10 + 100 + 32, decoder.used);
	assert_int_equal(ERROR_LIMIT, hpack_decode(&decoder, &at, block + length, room, sizeof room, &field));
	assert_int_equal(0, hpack_skip(&decoder, &at, block + length));
	assert_ptr_equal(block + length, at);
	hpack_decoder_fini(&decoder);
	pool_fini(&tables);
}

/* Longer than the table, which it empties. */
static void a_field_that_fills_the_table(void **state)
{
	struct hpack_judge judge;
	char block[ROOM];
	size_t length = from_hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572", block);

	(void)state;
	hpack_judge_new(&judge);
	assert_true(hpack_judge(&judge, slice_make(block, length)));
	assert_int_equal(1, judge.decoder.count);
	length = from_hex("4001617f912e", block); /* 127 + 0x11 + (0x2e << 7) = 6032 */
	memset(block + length, 'y', 6032);
	assert_true(hpack_judge(&judge, slice_make(block, length + 6032)));
	assert_int_equal(0, judge.decoder.count);
	assert_int_equal(0, judge.decoder.used);
	hpack_judge_free(&judge);
}

static void without_memory_for_a_table(void **state)
{
	struct pool tables;
	struct hpack_decoder decoder;
	struct hpack_field field;
	char block[ROOM], room[64];
	const char *at = block;
	size_t length = from_hex("400a637573746f6d2d6b65790d637573746f6d2d686561646572", block);

	(void)state;
	pool_init(&tables, "table", hpack_table_size(), 1);
	void *all = pool_get(&tables);
	hpack_decoder_init(&decoder, &tables);
	assert_int_equal(ERROR_NO_MEMORY, hpack_decode(&decoder, &at, block + length, room, sizeof room, &field));
	pool_put(&tables, all);
	hpack_decoder_fini(&decoder);
	pool_fini(&tables);
}

/* Whatever nghttp2's encoder does with its tables, for thousands of blocks. */
static void what_nghttp2_writes(void **state)
{
	static const char *const names[] = { ":path", "cookie", "x-request-id", "accept", "a", "set-cookie", "authorization" };
	struct random random;
	struct hpack_judge judge;
	nghttp2_hd_deflater *deflater;
	uint8_t block[ROOM];

	(void)state;
	random_init(&random, 1);
	hpack_judge_new(&judge);
	assert_int_equal(0, nghttp2_hd_deflate_new(&deflater, 4096));
	for (unsigned i = 0; i < 3000; i++) {
		char values[8][600];
		nghttp2_nv fields[8];
		ssize_t length;

		for (unsigned j = 0; j < 8; j++) {
			const char *name = names[random_below(&random, COUNT(names))];
			size_t value_length = random_below(&random, random_below(&random, 20) ? 30 : 600);

			for (size_t k = 0; k < value_length; k++)
				values[j][k] =
					random_below(&random, 40) ? (char)('a' + random_below(&random, 4)) : (char)random_u64(&random);
			fields[j] = (nghttp2_nv){ (uint8_t *)(uintptr_t)name, (uint8_t *)values[j], strlen(name), value_length,
				random_below(&random, 10) ? 0 : NGHTTP2_NV_FLAG_NO_INDEX };
		}
		if (random_below(&random, 100) == 0)
			nghttp2_hd_deflate_change_table_size(deflater, random_below(&random, 4097));
		length = nghttp2_hd_deflate_hd(deflater, block, sizeof block, fields, 1 + random_below(&random, 8));
		assert_true(length > 0);
		assert_true(hpack_judge(&judge, slice_make((const char *)block, (size_t)length)));
	}
	nghttp2_hd_deflate_del(deflater);
	hpack_judge_free(&judge);
}

static void random_blocks(void **state)
{
	struct random random;
	unsigned good = 0;

	(void)state;
	random_init(&random, 2);
	for (unsigned i = 0; i < 100000; i++) {
		struct hpack_judge judge;
		char block[64];
		size_t length = random_below(&random, sizeof block);

		for (size_t j = 0; j < length; j++)
			block[j] = random_below(&random, 2) ? (char)random_u64(&random) : (char)random_below(&random, 16);
		hpack_judge_new(&judge);
		good += hpack_judge(&judge, slice_make(block, length));
		hpack_judge_free(&judge);
	}
	assert_true(good > 1000);
}

/* What the encoder writes is read as it was meant, by both. */
static void what_is_encoded(void **state)
{
	struct hpack_judge judge;
	char block[ROOM], *at = block, value[400];

	(void)state;
	memset(value, 'v', sizeof value);
	at = hpack_put_no_table(at);
	at = hpack_put_indexed(at, HPACK_METHOD_POST);
	at = hpack_put_field(at, HPACK_PATH, SLICE(""), SLICE("/x"), false);
	at = hpack_put_field(at, HPACK_VIA, SLICE(""), SLICE("1.1 linkerd"), false);
	at = hpack_put_field(at, HPACK_NONE, SLICE("X-Test-[Z]"), SLICE(""), true);
	at = hpack_put_field(at, HPACK_NONE, SLICE("long"), slice_make(value, 300), false);
	hpack_judge_new(&judge);
	assert_true(hpack_judge(&judge, slice_make(block, (size_t)(at - block))));
	assert_true(slice_starts(
		text_slice(&judge.fields), SLICE(":method: POST\r\n:path: /x\r\nvia: 1.1 linkerd\r\nx-test-[z]: \r\nlong: vvv")));
	assert_int_equal(0, judge.decoder.limit);
	assert_int_equal(0, judge.tables.in_use);
	hpack_judge_free(&judge);
}

/* Of each length, and with each character that a name may have next to all others. */
static void names_become_lower_case(void **state)
{
	static const char all[] = "!#$%&'*+-.0123456789@ABCDEFGHIJKLMNOPQRSTUVWXYZ[^_`abcdefghijklmnopqrstuvwxyz{|}~";

	(void)state;
	for (size_t length = 1; length <= 40; length++) {
		for (size_t i = 0; i + length < sizeof all; i++) {
			char block[64] = "", *end = hpack_put_field(block, HPACK_NONE, slice_make(all + i, length), SLICE("v"), false);

			assert_ptr_equal(block + 2 + length + 2, end);
			for (size_t j = 0; j < length; j++) {
				char c = all[i + j];

				assert_int_equal(c >= 'A' && c <= 'Z' ? c | 0x20 : c, block[2 + j]);
			}
			assert_memory_equal("\1v", block + 2 + length, 2);
			assert_int_equal(0, *end);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_of_the_rfc),
		cmocka_unit_test(responses_of_the_rfc),
		cmocka_unit_test(integers_with_zeros),
		cmocka_unit_test(what_is_no_block),
		cmocka_unit_test(fields_without_room),
		cmocka_unit_test(a_field_that_fills_the_table),
		cmocka_unit_test(without_memory_for_a_table),
		cmocka_unit_test(what_nghttp2_writes),
		cmocka_unit_test(random_blocks),
		cmocka_unit_test(what_is_encoded),
		cmocka_unit_test(names_become_lower_case),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
