/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks as heads: what RFC 9113 sections 8.2 and 8.3 allow, and what they don't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/http1.h"
#include "wire/http2.h"

enum { ROOM = 64 * 1024 };

struct fixture {
	struct pool tables, buffers, large;
	struct http2_reader reader;
	struct head head;
	struct buffer *buffer;
	char block[ROOM];
};

static void begin(struct fixture *f, const struct http2_limits *limits)
{
	memset(f, 0, offsetof(struct fixture, block));
	pool_init(&f->tables, "table", hpack_table_size(), 0);
	buffer_pool_init(&f->buffers, "buffer", 0);
	buffer_pool_init_large(&f->large, "large", 0);
	http2_reader_init(&f->reader, limits, &f->tables, &f->buffers, &f->large);
}

static void end(struct fixture *f)
{
	if (f->buffer)
		buffer_unref(f->buffer);
	http2_reader_fini(&f->reader);
	pool_fini(&f->tables);
	pool_fini(&f->buffers);
	pool_fini(&f->large);
}

/* "\\x" is the byte with that number in two hexadecimal digits. */
static struct slice unescaped(struct slice text, char *room)
{
	size_t length = 0;
	unsigned byte;

	for (size_t i = 0; i < text.length; i++) {
		if (text.at[i] == '\\' && sscanf(text.at + i + 1, "%2x", &byte) == 1) {
			room[length++] = (char)byte;
			i += 2;
		} else {
			room[length++] = text.at[i];
		}
	}
	return slice_make(room, length);
}

/* RFC 7541 section 5.2, of less than 16 KiB. */
static char *put_string(char *out, struct slice text)
{
	static char room[ROOM];
	struct slice s = unescaped(text, room);

	if (s.length < 127) {
		*out++ = (char)s.length;
	} else {
		*out++ = 127;
		*out++ = (char)(0x80 | ((s.length - 127) & 0x7f));
		*out++ = (char)((s.length - 127) >> 7);
	}
	memcpy(out, s.at, s.length);
	return out + s.length;
}

/* "name|value\n" for each field. Not hpack_put_field: it would put the names in lower case. */
static struct slice block_of(struct fixture *f, const char *text)
{
	struct slice rest = slice_of(text), line, name;
	char *out = f->block;

	while (rest.length > 0 && slice_split(&rest, '\n', &line)) {
		slice_split(&line, '|', &name);
		*out++ = 0x10;
		out = put_string(out, name);
		out = put_string(out, line);
	}
	return slice_make(f->block, (size_t)(out - f->block));
}

#define GET ":method|GET\n:scheme|http\n:path|/a?b\n:authority|example:80\n"
#define POST ":method|POST\n:scheme|http\n:path|/\n:authority|example\n"

static int read_request(struct fixture *f, const char *text, bool ends)
{
	return http2_read_request(&f->reader, block_of(f, text), ends, &f->head, &f->buffer);
}

static void refuses_request(const char *text, bool ends, const char *reason)
{
	static struct fixture f;

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(ERROR_INVALID, read_request(&f, text, ends));
	assert_string_equal(reason, f.reader.reason);
	/* The connection goes on. */
	assert_int_equal(0, read_request(&f, GET, true));
	end(&f);
}

static void requests(void **state)
{
	static struct fixture f;
	struct head *head = &f.head;

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, GET "x-test|1\nte|trailers\nexpect|100-continue\n", true));
	assert_int_equal(METHOD_GET, head->method);
	assert_int_equal(VERSION_2, head->version);
	assert_int_equal(BODY_NONE, head->body);
	assert_true(slice_equal(SLICE("/a?b"), head->target));
	assert_true(slice_equal(SLICE("example:80"), head->authority));
	assert_true(slice_equal(SLICE("http"), head->scheme));
	assert_true(head->expects_continue);
	assert_int_equal(3, head->field_count);
	assert_true(slice_equal(SLICE("1"), field_value(head_find_name(head, SLICE("X-Test")))));
	assert_memory_equal("x-test: 1\r\n", head->fields[0].line, 11);
	assert_true(head->fields[0].never_indexed);
	end(&f);

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, POST "content-length|5\n", false));
	assert_int_equal(BODY_LENGTH, head->body);
	assert_int_equal(5, head->body_length);
	end(&f);

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, POST, false));
	assert_int_equal(BODY_CHUNKED, head->body);
	end(&f);

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, ":method|OPTIONS\n:scheme|http\n:path|*\nhost|a\n", true));
	assert_true(slice_equal(SLICE("*"), head->target));
	assert_true(slice_equal(SLICE("a"), head->authority));
	end(&f);

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, ":method|CONNECT\n:authority|example:443\n", false));
	assert_int_equal(METHOD_CONNECT, head->method);
	assert_true(slice_equal(SLICE("example:443"), head->target));
	assert_int_equal(BODY_NONE, head->body);
	end(&f);
}

static void extended_connect(void **state)
{
	static struct fixture f;
	struct head *head = &f.head;
	char wanted[] = "GET /chat HTTP/1.1\r\nHost: a\r\nsec-websocket-version: 13\r\nupgrade: websocket\r\n"
			"sec-websocket-key: 12\r\nConnection: upgrade\r\n\r\n",
	     out[1000];

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0,
		read_request(&f,
			":method|CONNECT\n:protocol|websocket\n:scheme|http\n:path|/chat\n:authority|a\n"
			"sec-websocket-version|13\n",
			false));
	assert_true(head->upgrades);
	assert_true(slice_equal(SLICE("websocket"), head->protocol));
	assert_int_equal(0, http2_head_add(head, f.buffer, SLICE("sec-websocket-key"), SLICE("12")));
	assert_int_equal(sizeof wanted - 1, http1_write_request(out, sizeof out, head, HTTP1_CONNECTION_UPGRADE));
	assert_memory_equal(wanted, out, sizeof wanted - 1);
	end(&f);
	refuses_request(GET ":protocol|websocket\n", false, ":protocol without an open CONNECT");
	refuses_request(":method|CONNECT\n:protocol|websocket\n:scheme|http\n:path|/chat\n:authority|a\n", true,
		":protocol without an open CONNECT");
	refuses_request(":method|CONNECT\n:protocol|a b\n:scheme|http\n:path|/chat\n:authority|a\n", false, "bad :protocol");
}

/* Each is something that would be understood differently, or smuggled, when sent on as HTTP/1. */
static void malformed_requests(void **state)
{
	(void)state;
	refuses_request(":method|GET\n:scheme|http\n:path|/\n", true, "no authority");
	refuses_request(":method|GET\n:path|/\n:authority|a\n", true, "bad :scheme");
	refuses_request(":method|GET\n:scheme|1\n:path|/\n:authority|a\n", true, "bad :scheme");
	refuses_request(":method|GET\n:scheme|http\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|x\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|*\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|/ HTTP/1.1\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|/\\0d\\0aX: y\n:authority|a\n", true, "bad :path");
	refuses_request(":method|GET\n:scheme|http\n:path|/#f\n:authority|a\n", true, "bad :path");
	refuses_request(":scheme|http\n:path|/\n:authority|a\n", true, "bad :method");
	refuses_request(":method|GE T\n:scheme|http\n:path|/\n:authority|a\n", true, "bad :method");
	refuses_request(":method|GET / HTTP/1.1\\0d\\0a\n:scheme|http\n:path|/\n:authority|a\n", true, "bad :method");
	refuses_request(":method|GET\n:scheme|http\n:path|/\n:authority|user@a\n", true, "bad :authority");
	refuses_request(":method|GET\n:scheme|http\n:path|/\n:authority|a b\n", true, "bad :authority");
	refuses_request(GET "host|other\n", true, "Host field other than :authority");
	refuses_request(GET "host|example:80\nhost|example:80\n", true, "more than one Host field");
	refuses_request(GET "host|a/b\n", true, "bad Host field");
	refuses_request(GET ":method|GET\n", true, "a pseudo field twice");
	refuses_request(":method|GET\nx|y\n:scheme|http\n:path|/\n:authority|a\n", true, "pseudo field behind other fields");
	refuses_request(GET ":status|200\n", true, "unknown pseudo field");
	refuses_request(GET ":x|1\n", true, "unknown pseudo field");
	refuses_request(GET "connection|close\n", true, "a field of the connection");
	refuses_request(GET "keep-alive|1\n", true, "a field of the connection");
	refuses_request(GET "proxy-connection|close\n", true, "a field of the connection");
	refuses_request(POST "transfer-encoding|chunked\n", false, "a field of the connection");
	refuses_request(GET "upgrade|websocket\n", true, "a field of the connection");
	refuses_request(GET "te|gzip\n", true, "TE field other than trailers");
	refuses_request(GET "te|trailers, gzip\n", true, "TE field other than trailers");
	refuses_request(GET "X|y\n", true, "upper case in a field's name");
	refuses_request(GET "x y|z\n", true, "bad field name");
	refuses_request(GET "x:y|z\n", true, "bad field name");
	refuses_request(GET "|z\n", true, "bad field name");
	refuses_request(GET "x\\0d\\0ay|z\n", true, "bad field name");
	refuses_request(GET "x\\80|z\n", true, "bad field name");
	refuses_request(GET "x|a\\0d\\0ab: c\n", true, "control character in a field's value");
	refuses_request(GET "x|a\\00b\n", true, "control character in a field's value");
	refuses_request(GET "x|a\\0ab\n", true, "control character in a field's value");
	refuses_request(GET "x| a\n", true, "blanks around a field's value");
	refuses_request(GET "x|a\\09\n", true, "blanks around a field's value");
	refuses_request(POST "content-length|5\ncontent-length|5\n", false, "more than one Content-Length field");
	refuses_request(POST "content-length|5, 5\n", false, "bad Content-Length field");
	refuses_request(POST "content-length|-1\n", false, "bad Content-Length field");
	refuses_request(POST "content-length|5\n", true, "shorter than its Content-Length");
	refuses_request(":method|CONNECT\n:scheme|http\n:path|/\n:authority|a:1\n", false, "CONNECT with a scheme or a path");
	refuses_request(":method|CONNECT\n", false, "CONNECT without :authority");
	refuses_request(":method|CONNECT\n:authority|a\n", false, "CONNECT needs a host and a port");
	refuses_request(":method|CONNECT\n:authority|a:1\ncontent-length|1\n", false, "CONNECT with a length");
}

static void cookies_are_joined(void **state)
{
	static struct fixture f;
	struct field *field;

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, GET "cookie|a=b\nx|y\ncookie|c=d\ncookie|e=f\n", true));
	field = head_find(&f.head, FIELD_COOKIE);
	assert_true(slice_equal(SLICE("a=b; c=d; e=f"), field_value(field)));
	assert_memory_equal("cookie: a=b; c=d; e=f\r\n", field->line, field->line_length);
	assert_null(head_find_next(&f.head, field));
	end(&f);
}

/* Heads share a buffer, and each keeps its own when it is needed for longer. */
static void heads_share_buffers(void **state)
{
	static struct fixture f;
	static struct head heads[200];
	struct buffer *buffers[200];
	char text[400], name[120];

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	memset(name, 'n', sizeof name - 1);
	name[sizeof name - 1] = 0;
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text, ":method|GET\n:scheme|http\n:path|/%u\n:authority|a\n%s|%u\ncookie|1\ncookie|%u\n", i, name, i,
			i);
		assert_int_equal(0, http2_read_request(&f.reader, block_of(&f, text), true, &heads[i], &buffers[i]));
	}
	assert_in_range(f.buffers.in_use, 3, 5);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(text, sizeof text, "/%u", i);
		assert_true(slice_equal(slice_of(text), heads[i].target));
		assert_true(slice_equal(slice_of(text + 1), field_value(&heads[i].fields[0])));
		snprintf(text, sizeof text, "1; %u", i);
		assert_true(slice_equal(slice_of(text), field_value(head_find(&heads[i], FIELD_COOKIE))));
		assert_true(slice_equal(SLICE("a"), heads[i].authority));
		buffer_unref(buffers[i]);
	}
	http2_reader_rest(&f.reader);
	assert_int_equal(0, f.buffers.in_use);
	end(&f);
}

static void too_large(const struct http2_limits *limits, const char *text, unsigned status)
{
	static struct fixture f;

	begin(&f, limits);
	assert_int_equal(ERROR_LIMIT, read_request(&f, text, true));
	assert_int_equal(status, f.reader.status);
	assert_int_equal(0, read_request(&f, GET, true));
	end(&f);
}

static void limits(void **state)
{
	static char text[ROOM];
	static struct fixture f;
	size_t length;

	(void)state;
	length = (size_t)snprintf(text, sizeof text, GET "x|");
	memset(text + length, 'v', 9000);
	strcpy(text + length + 9000, "\n");
	too_large(&(struct http2_limits){ 0 }, text, 431);
	length = (size_t)snprintf(text, sizeof text, ":method|GET\n:scheme|http\n:authority|a\n:path|/");
	memset(text + length, 'v', 5000);
	strcpy(text + length + 5000, "\n");
	too_large(&(struct http2_limits){ 0 }, text, 414);
	length = (size_t)snprintf(text, sizeof text, GET);
	for (unsigned i = 0; i < 129; i++)
		length += (size_t)snprintf(text + length, sizeof text - length, "x|y\n");
	too_large(&(struct http2_limits){ 0 }, text, 431);
	too_large(&(struct http2_limits){ .max_fields = 2 }, GET "a|b\nc|d\ne|f\n", 431);

	/* A bomb: one entry of the table, of 4000 bytes, a thousand times. It is not even looked at when there is no room. */
	begin(&f, &(struct http2_limits){ .max_head_bytes = 15 * 1024 });
	char *out = f.block;
	*out++ = 0x40;
	*out++ = 1;
	*out++ = 'x';
	*out++ = 127;
	*out++ = (char)(0x80 | ((4000 - 127) & 0x7f));
	*out++ = (char)((4000 - 127) >> 7);
	memset(out, 'v', 4000);
	memset(out + 4000, 0xbe, 10000);
	assert_int_equal(
		ERROR_LIMIT, http2_read_request(&f.reader, slice_make(f.block, (size_t)(out - f.block) + 14000), true, &f.head, &f.buffer));
	assert_int_equal(431, f.reader.status);
	assert_int_equal(1, f.buffers.peak);
	assert_int_equal(0, read_request(&f, GET, true));
	end(&f);
}

/* Whose limits allow it gets a large buffer, one for each such head, and gives it back with the head. */
static void long_heads(void **state)
{
	static char text[ROOM];
	static struct fixture f;
	static const struct http2_limits most = { .max_line_bytes = 15 * 1024, .max_head_bytes = 64 * 1024 };
	size_t length = (size_t)snprintf(text, sizeof text, GET);
	struct buffer *kept;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		length += (size_t)snprintf(text + length, sizeof text - length, "x-%u|", i);
		memset(text + length, (char)('a' + i), 9000);
		length += 9000;
		text[length++] = '\n';
	}
	text[length] = '\0';
	begin(&f, &most);
	assert_int_equal(0, read_request(&f, GET, true));
	kept = f.buffer;
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(0, read_request(&f, text, true));
		assert_int_equal(1, f.large.in_use);
		assert_int_equal(6, f.head.field_count);
		assert_true(slice_equal(SLICE("example:80"), f.head.authority));
		assert_true(slice_equal(SLICE("/a?b"), f.head.target));
		for (unsigned i = 0; i < 6; i++) {
			struct slice value = field_value(&f.head.fields[i]);

			assert_int_equal(9000, value.length);
			assert_int_equal('a' + (int)i, value.at[0]);
			assert_int_equal('a' + (int)i, value.at[8999]);
		}
		assert_int_equal(0, http2_head_add(&f.head, f.buffer, SLICE("y"), SLICE("z")));
		buffer_unref(f.buffer);
		assert_int_equal(0, f.large.in_use);
	}
	assert_int_equal(1, f.large.peak);
	f.buffer = kept;
	end(&f);

	/* None is taken where no head may be so long. */
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(ERROR_LIMIT, read_request(&f, text, true));
	assert_int_equal(431, f.reader.status);
	assert_int_equal(0, f.large.peak);
	end(&f);

	begin(&f, &most);
	pool_fini(&f.large);
	buffer_pool_init_large(&f.large, "large", 1);
	kept = buffer_get(&f.large);
	assert_int_equal(ERROR_LIMIT, read_request(&f, text, true));
	assert_int_equal(503, f.reader.status);
	buffer_unref(kept);
	assert_int_equal(0, read_request(&f, text, true));
	end(&f);
}

/* Crumbs between other fields, which together are as long as a head may be. */
static void long_cookies(void **state)
{
	static char text[ROOM], wanted[9000];
	static struct fixture f;
	size_t length = (size_t)snprintf(text, sizeof text, GET), joined = 0;

	(void)state;
	for (unsigned i = 0; i < 7; i++) {
		length += (size_t)snprintf(text + length, sizeof text - length, "cookie|");
		memset(text + length, (char)('a' + i), 1100);
		length += 1100;
		length += (size_t)snprintf(text + length, sizeof text - length, "\nx|%u\n", i);
		joined += (size_t)snprintf(wanted + joined, sizeof wanted - joined, "%s", i ? "; " : "");
		memset(wanted + joined, (char)('a' + i), 1100);
		joined += 1100;
	}
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(0, read_request(&f, text, true));
	assert_true(slice_equal(slice_make(wanted, joined), field_value(head_find(&f.head, FIELD_COOKIE))));
	assert_true(slice_equal(SLICE("/a?b"), f.head.target));
	end(&f);
}

static void what_is_no_block(void **state)
{
	static struct fixture f;

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(ERROR_SYNTAX, http2_read_request(&f.reader, SLICE("\x80"), true, &f.head, &f.buffer));
	assert_int_equal(ERROR_SYNTAX, http2_skip_block(&f.reader, SLICE("\xbe")));
	end(&f);
}

static int read_response(struct fixture *f, const char *text, bool ends, enum method method)
{
	return http2_read_response(&f->reader, block_of(f, text), ends, method, &f->head, &f->buffer);
}

static void refuses_response(const char *text, bool ends, const char *reason)
{
	static struct fixture f;

	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(ERROR_INVALID, read_response(&f, text, ends, METHOD_GET));
	assert_string_equal(reason, f.reader.reason);
	end(&f);
}

static void responses(void **state)
{
	static const struct {
		const char *text;
		bool ends;
		enum method method;
		enum body body;
		uint64_t length;
	} cases[] = {
		{ ":status|200\n", false, METHOD_GET, BODY_CHUNKED, 0 },
		{ ":status|200\n", true, METHOD_GET, BODY_NONE, 0 },
		{ ":status|200\ncontent-length|7\n", false, METHOD_GET, BODY_LENGTH, 7 },
		{ ":status|200\ncontent-length|7\n", true, METHOD_HEAD, BODY_NONE, 0 },
		{ ":status|304\ncontent-length|7\n", true, METHOD_GET, BODY_NONE, 0 },
		{ ":status|204\n", true, METHOD_GET, BODY_NONE, 0 },
		{ ":status|103\n", false, METHOD_GET, BODY_NONE, 0 },
		{ ":status|200\ncontent-length|0\n", true, METHOD_GET, BODY_NONE, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		static struct fixture f;

		begin(&f, &(struct http2_limits){ 0 });
		assert_int_equal(0, read_response(&f, cases[i].text, cases[i].ends, cases[i].method));
		assert_int_equal(atoi(cases[i].text + 8), f.head.status);
		assert_int_equal(cases[i].body, f.head.body);
		assert_int_equal(cases[i].length, f.head.body_length);
		assert_true(f.head.is_response);
		end(&f);
	}
	refuses_response("x|y\n", true, "bad :status");
	refuses_response(":status|\n", true, "bad :status");
	refuses_response(":status|20\n", true, "bad :status");
	refuses_response(":status|2000\n", true, "bad :status");
	refuses_response(":status|2x0\n", true, "bad :status");
	refuses_response(":status|101\n", false, "bad :status");
	refuses_response(":status|100\n", true, "the stream ends with an informational head");
	refuses_response(":status|200\ncontent-length|7\n", true, "shorter than its Content-Length");
	refuses_response(":method|GET\n:status|200\n", true, "unknown pseudo field");
	refuses_response(":status|200\nconnection|close\n", true, "a field of the connection");
}

static void trailers(void **state)
{
	static struct fixture f;

	(void)state;
	begin(&f, &(struct http2_limits){ 0 });
	assert_int_equal(
		0, http2_read_trailers(&f.reader, block_of(&f, "grpc-status|0\ncontent-length|5\nhost|a\nx-sum|1\n"), &f.head, &f.buffer));
	assert_int_equal(2, f.head.field_count);
	assert_memory_equal("grpc-status: 0\r\n", f.head.fields[0].line, 16);
	assert_memory_equal("x-sum: 1\r\n", f.head.fields[1].line, 10);
	buffer_unref(f.buffer);
	f.buffer = NULL;
	assert_int_equal(ERROR_INVALID, http2_read_trailers(&f.reader, block_of(&f, ":status|200\n"), &f.head, &f.buffer));
	assert_int_equal(ERROR_INVALID, http2_read_trailers(&f.reader, block_of(&f, "X|1\n"), &f.head, &f.buffer));
	for (unsigned i = 0; i < 5; i++) {
		static const char *const of_connection[] = { "connection|close\n", "keep-alive|5\n", "proxy-connection|close\n",
			"transfer-encoding|chunked\n", "upgrade|h2c\n" };

		assert_int_equal(ERROR_INVALID, http2_read_trailers(&f.reader, block_of(&f, of_connection[i]), &f.head, &f.buffer));
		assert_string_equal("a field of the connection", f.reader.reason);
	}
	end(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(extended_connect),
		cmocka_unit_test(malformed_requests),
		cmocka_unit_test(cookies_are_joined),
		cmocka_unit_test(heads_share_buffers),
		cmocka_unit_test(limits),
		cmocka_unit_test(long_heads),
		cmocka_unit_test(long_cookies),
		cmocka_unit_test(what_is_no_block),
		cmocka_unit_test(responses),
		cmocka_unit_test(trailers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
