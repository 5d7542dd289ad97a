/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "wire/client_hello.h"

/* A ClientHello as a text that grows; numbers are big-endian. */
static void put(struct text *text, uint32_t value, unsigned bytes)
{
	for (unsigned i = bytes; i-- > 0;) {
		char byte = (char)(value >> (8 * i));

		text_append(text, slice_make(&byte, 1));
	}
}

static void put_block(struct text *text, struct slice block, unsigned length_bytes)
{
	put(text, (uint32_t)block.length, length_bytes);
	text_append(text, block);
}

static void put_extension(struct text *extensions, uint16_t type, struct slice body)
{
	put(extensions, type, 2);
	put_block(extensions, body, 2);
}

static void put_name(struct text *extensions, const char *name)
{
	struct text entry = { 0 }, body = { 0 };

	put(&entry, 0, 1);
	put_block(&entry, slice_of(name), 2);
	put_block(&body, text_slice(&entry), 2);
	put_extension(extensions, 0, text_slice(&body));
	text_free(&entry);
	text_free(&body);
}

/* Key shares larger than a packet, as post-quantum ones are, and a name, ALPN and versions behind them. */
static struct text usual_extensions(void)
{
	static char share[1500];
	struct text extensions = { 0 };

	put_extension(&extensions, 51, slice_make(share, sizeof share));
	put_name(&extensions, "Web.Example");
	put_extension(&extensions, 16, SLICE("\0\x0c\x02h2\x08http/1.1"));
	put_extension(&extensions, 43, SLICE("\x06\x7a\x7a\x03\x04\x03\x03"));
	return extensions;
}

static struct text message_of(struct slice extensions)
{
	static const char random[32];
	struct text body = { 0 }, message = { 0 };

	put(&body, 0x0303, 2);
	text_append(&body, slice_make(random, sizeof random));
	put_block(&body, SLICE("0123456789abcdef0123456789abcdef"), 1);
	put_block(&body, SLICE("\x13\x01\x13\x02"), 2);
	put_block(&body, SLICE("\0"), 1);
	put_block(&body, extensions, 2);
	put(&message, 1, 1);
	put_block(&message, text_slice(&body), 3);
	text_free(&body);
	return message;
}

static void put_records(struct text *out, struct slice message, size_t most)
{
	while (message.length > 0) {
		size_t some = message.length < most ? message.length : most;

		put(out, 22, 1);
		put(out, 0x0301, 2);
		put_block(out, slice_make(message.at, some), 2);
		message = slice_from(message, some);
	}
}

static struct text hello_in_records(size_t most)
{
	struct text extensions = usual_extensions(), message = message_of(text_slice(&extensions)), out = { 0 };

	put_records(&out, text_slice(&message), most);
	text_free(&extensions);
	text_free(&message);
	return out;
}

static void check_usual(const struct client_hello *hello)
{
	assert_true(slice_equal(hello->server_name, SLICE("web.example")));
	assert_int_equal(hello->most_version, 0x0304);
	assert_true(client_hello_offers(hello, SLICE("h2")));
	assert_true(client_hello_offers(hello, SLICE("http/1.1")));
	assert_false(client_hello_offers(hello, SLICE("http/1")));
	assert_false(client_hello_offers(hello, SLICE("")));
}

static void every_split_of_the_bytes(void **state)
{
	struct text bytes = hello_in_records(16384);

	(void)state;
	assert_true(bytes.length > 1400);
	for (size_t cut = 0; cut <= bytes.length; cut++) {
		struct client_hello hello;

		client_hello_start(&hello);
		assert_int_equal(client_hello_feed(&hello, slice_make(bytes.bytes, cut)), cut < bytes.length ? ERROR_INCOMPLETE : 0);
		assert_int_equal(client_hello_feed(&hello, slice_make(bytes.bytes + cut, bytes.length - cut)), 0);
		check_usual(&hello);
	}
	text_free(&bytes);
}

static void every_size_of_records_byte_by_byte(void **state)
{
	(void)state;
	for (size_t most = 1; most < 1500; most += most < 40 ? 1 : 37) {
		struct text bytes = hello_in_records(most);
		struct client_hello hello;

		client_hello_start(&hello);
		for (size_t i = 0; i < bytes.length; i++)
			assert_int_equal(
				client_hello_feed(&hello, slice_make(bytes.bytes + i, 1)), i + 1 < bytes.length ? ERROR_INCOMPLETE : 0);
		check_usual(&hello);
		text_free(&bytes);
	}
}

static int verdict(struct slice message)
{
	struct text bytes = { 0 };
	struct client_hello hello;

	put_records(&bytes, message, 16384);
	client_hello_start(&hello);
	int e = client_hello_feed(&hello, text_slice(&bytes));
	if (e && e != ERROR_INCOMPLETE)
		assert_int_equal(client_hello_feed(&hello, SLICE("\x16\x03\x01")), e);
	text_free(&bytes);
	return e;
}

static int verdict_of_extensions(struct text *extensions)
{
	struct text message = message_of(text_slice(extensions));
	int e = verdict(text_slice(&message));

	text_free(&message);
	text_free(extensions);
	return e;
}

static void extensions_that_lie(void **state)
{
	static const struct {
		uint16_t type;
		struct slice body;
		int verdict;
	} cases[] = {
		{ 0, { "", 0 }, ERROR_SYNTAX },
		{ 0,
			{ "\0\x04\0\0\x01"
			  "a",
				6 },
			0 },
		{ 0,
			{ "\0\x04\x01\0\x01"
			  "a",
				6 },
			ERROR_SYNTAX }, /* no host name */
		{ 0,
			{ "\0\x05\0\0\x01"
			  "a",
				6 },
			ERROR_SYNTAX }, /* a list longer than the extension */
		{ 0,
			{ "\0\x04\0\0\x02"
			  "a",
				6 },
			ERROR_SYNTAX }, /* a name longer than the list */
		{ 0,
			{ "\0\x05\0\0\x01"
			  "ab",
				7 },
			ERROR_SYNTAX }, /* something behind the name */
		{ 0, { "\0\x04\0\0\x01\x7f", 6 }, ERROR_SYNTAX },
		{ 0, { "\0\x03\0\0\0", 5 }, ERROR_SYNTAX },
		{ 16, { "\0\x03\x02h2", 5 }, 0 },
		{ 16, { "\0\x03\x03h2", 5 }, ERROR_SYNTAX },
		{ 16, { "\0\x01\0", 3 }, ERROR_SYNTAX },
		{ 16, { "\0\0", 2 }, ERROR_SYNTAX },
		{ 43, { "\x02\x03\x04", 3 }, 0 },
		{ 43, { "\x03\x03\x04\x03", 4 }, ERROR_SYNTAX },
		{ 43, { "\x04\x03\x04", 3 }, ERROR_SYNTAX },
		{ 10, { "anything", 8 }, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text extensions = { 0 };

		put_extension(&extensions, cases[i].type, cases[i].body);
		assert_int_equal(verdict_of_extensions(&extensions), cases[i].verdict);
	}
}

static void names_have_a_maximum(void **state)
{
	char name[300];

	(void)state;
	memset(name, 'a', sizeof name);
	for (unsigned length = 255; length <= 256; length++) {
		struct text extensions = { 0 };

		name[length] = '\0';
		put_name(&extensions, name);
		name[length] = 'a';
		assert_int_equal(verdict_of_extensions(&extensions), length == 255 ? 0 : ERROR_LIMIT);
	}
}

static void one_extension_of_a_type(void **state)
{
	struct text extensions = { 0 };

	(void)state;
	put_name(&extensions, "a");
	put_name(&extensions, "b");
	assert_int_equal(verdict_of_extensions(&extensions), ERROR_SYNTAX);
}

static void hellos_without_extensions(void **state)
{
	static const char random[34] = "\x03\x03";
	struct text message = { 0 };
	struct client_hello hello;

	(void)state;
	put(&message, 0x16, 1);
	put(&message, 0x0300, 2);
	put(&message, 4 + 34 + 1 + 4 + 2, 2);
	put(&message, 1, 1);
	put(&message, 34 + 1 + 4 + 2, 3);
	text_append(&message, slice_make(random, sizeof random));
	put(&message, 0, 1);
	put_block(&message, SLICE("\0\x2f"), 2);
	put_block(&message, SLICE("\0"), 1);
	client_hello_start(&hello);
	assert_int_equal(client_hello_feed(&hello, text_slice(&message)), 0);
	assert_int_equal(hello.server_name.length, 0);
	assert_int_equal(hello.alpn.length, 0);
	assert_int_equal(hello.most_version, 0x0303);
	text_free(&message);
}

static int whole(struct slice bytes)
{
	struct client_hello hello;

	client_hello_start(&hello);
	return client_hello_feed(&hello, bytes);
}

static void what_is_no_hello(void **state)
{
	(void)state;
	assert_int_equal(whole(SLICE("GET / HTTP/1.1\r\n")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x17\x03\x03\0\x01\x01")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x16\x02\x03\0\x01\x01")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x16\x03\x01\0\0")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x16\x03\x01\x40\x01")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x16\x03\x01\0\x04\x02\0\0\x10")), ERROR_SYNTAX);
	assert_int_equal(whole(SLICE("\x16\x03\x01\0\x04\x01\x01\0\0")), ERROR_LIMIT);
}

/* Every message that ends before its fields do. */
static void truncated_messages(void **state)
{
	struct text extensions = usual_extensions(), message = message_of(text_slice(&extensions));

	(void)state;
	for (size_t length = 0; length + 4 < message.length; length++) {
		struct text cut = { 0 };

		put(&cut, 1, 1);
		put_block(&cut, slice_make(message.bytes + 4, length), 3);
		/* A message may end behind its compression methods. */
		assert_int_equal(verdict(text_slice(&cut)), length == 34 + 33 + 6 + 2 ? 0 : ERROR_SYNTAX);
		text_free(&cut);
	}
	text_free(&extensions);
	text_free(&message);
}

static void first_bytes(void **state)
{
	(void)state;
	assert_int_equal(client_hello_first(SLICE("")), CLIENT_HELLO_MORE);
	assert_int_equal(client_hello_first(SLICE("\x16")), CLIENT_HELLO_MORE);
	assert_int_equal(client_hello_first(SLICE("\x16\x03")), CLIENT_HELLO_TLS);
	assert_int_equal(client_hello_first(SLICE("\x16\x04")), CLIENT_HELLO_PLAIN);
	assert_int_equal(client_hello_first(SLICE("P")), CLIENT_HELLO_PLAIN);
	assert_int_equal(client_hello_first(SLICE("GET")), CLIENT_HELLO_PLAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_split_of_the_bytes),
		cmocka_unit_test(every_size_of_records_byte_by_byte),
		cmocka_unit_test(extensions_that_lie),
		cmocka_unit_test(names_have_a_maximum),
		cmocka_unit_test(one_extension_of_a_type),
		cmocka_unit_test(hellos_without_extensions),
		cmocka_unit_test(what_is_no_hello),
		cmocka_unit_test(truncated_messages),
		cmocka_unit_test(first_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
