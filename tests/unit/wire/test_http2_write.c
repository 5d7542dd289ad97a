/* SPDX-License-Identifier: Apache-2.0 */
/* Heads as header blocks, from HTTP/1 and from HTTP/2, and frames. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "support/hpack_judge.h"
#include "wire/http1.h"
#include "wire/http2.h"

enum { ROOM = 4000 };

static struct head head;
static char bytes[ROOM], block[ROOM];

static void check_block(const char *end, size_t room, const char *wanted)
{
	struct hpack_judge judge;

	assert_in_range((size_t)(end - block), 1, room);
	hpack_judge_new(&judge);
	assert_true(hpack_judge(&judge, slice_make(block, (size_t)(end - block))));
	assert_string_equal(wanted, judge.fields.bytes);
	hpack_judge_free(&judge);
}

static void parse(const char *text, bool response)
{
	struct http1_parser parser;
	size_t consumed;
	int e;

	strcpy(bytes, text);
	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	if (response)
		e = http1_parse_response(&parser, bytes, strlen(text), METHOD_GET, &head, &consumed);
	else
		e = http1_parse_request(&parser, bytes, strlen(text), &head, &consumed);
	assert_int_equal(0, e);
}

static void check_request(const char *text, bool extended, const char *wanted)
{
	parse(text, false);
	check_block(http2_write_request(block, &head, SLICE("http"), extended), http2_head_room(&head), wanted);
}

static void check_response(const char *text, enum method method, unsigned status, const char *wanted)
{
	parse(text, true);
	check_block(http2_write_response(block, &head, method, status), http2_head_room(&head), wanted);
}

static void requests(void **state)
{
	(void)state;
	check_request("GET /x?y HTTP/1.1\r\nHost: a:8\r\nX-Test:  1 \r\nUser-Agent: me\r\n\r\n", false,
		":method: GET\r\n:authority: a:8\r\n:scheme: http\r\n:path: /x?y\r\nx-test: 1\r\nuser-agent: me\r\n");
	check_request("POST https://a/ HTTP/1.1\r\nHost: b\r\nContent-Length: 12\r\nConnection: close, x\r\nKeep-Alive: 3\r\n\r\n", false,
		":method: POST\r\n:authority: a\r\n:scheme: https\r\n:path: /\r\ncontent-length: 12\r\n");
	check_request("PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: gzip, trailers\r\nExpect: 100-continue\r\n\r\n",
		false, ":method: PUT\r\n:authority: a\r\n:scheme: http\r\n:path: /\r\nexpect: 100-continue\r\nte: trailers\r\n");
	check_request("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", false, ":method: CONNECT\r\n:authority: a:443\r\n");
	check_request("GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: "
		      "k\r\nSec-WebSocket-Version: 13\r\n\r\n",
		true,
		":method: CONNECT\r\n:authority: a\r\n:scheme: http\r\n:path: /chat\r\n:protocol: websocket\r\nsec-websocket-version: "
		"13\r\n");
	check_request("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, http2-settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
		false, ":method: GET\r\n:authority: a\r\n:scheme: http\r\n:path: /\r\n");
	parse("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nX-Gone: 1\r\n\r\n", false);
	head_drop(&head, head_find(&head, FIELD_CONTENT_LENGTH));
	head_drop(&head, head_find_name(&head, SLICE("x-gone")));
	check_block(http2_write_request(block, &head, SLICE("http"), false), http2_head_room(&head),
		":method: PUT\r\n:authority: a\r\n:scheme: http\r\n:path: /\r\ncontent-length: 12\r\n");
}

static void responses(void **state)
{
	(void)state;
	check_response("HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nServer: s\r\n\r\n", METHOD_GET, 0,
		":status: 200\r\ncontent-length: 5\r\nserver: s\r\n");
	check_response("HTTP/1.1 418 x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", METHOD_GET, 0, ":status: 418\r\n");
	check_response("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", METHOD_HEAD, 0, ":status: 200\r\ncontent-length: 5\r\n");
	check_response("HTTP/1.1 304 x\r\nContent-Length: 5\r\n\r\n", METHOD_GET, 0, ":status: 304\r\ncontent-length: 5\r\n");
	check_response("HTTP/1.1 204 x\r\nContent-Length: 0\r\n\r\n", METHOD_GET, 0, ":status: 204\r\n");
	check_response("HTTP/1.1 103 x\r\nLink: y\r\n\r\n", METHOD_GET, 0, ":status: 103\r\nlink: y\r\n");
	check_response("HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: y\r\nSec-WebSocket-Protocol: "
		       "z\r\n\r\n",
		METHOD_GET, 200, ":status: 200\r\nsec-websocket-protocol: z\r\n");
}

static void trailers(void **state)
{
	struct http1_parser parser;
	struct field room[4];
	struct fields fields;
	size_t consumed;

	(void)state;
	strcpy(bytes, "Grpc-Status: 0\r\nX: y\r\n\r\n");
	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	assert_int_equal(0, http1_parse_trailers(&parser, bytes, strlen(bytes), room, 4, &fields, &consumed));
	check_block(http2_write_trailers(block, &fields), http2_trailers_room(&fields), "grpc-status: 0\r\nx: y\r\n");
}

static void frames(void **state)
{
	struct http2_frame frame;
	struct http2_settings settings;
	char *end;

	(void)state;
	end = http2_put_frame(block, 0x123456, HTTP2_DATA, HTTP2_END_STREAM, 0x7fffffff);
	assert_int_equal(HTTP2_FRAME_HEAD, end - block);
	assert_memory_equal("\x12\x34\x56\0\1\x7f\xff\xff\xff", block, 9);
	block[5] = (char)0xff;
	http2_parse_frame(block, &frame);
	assert_int_equal(0x123456, frame.length);
	assert_int_equal(0x7fffffff, frame.stream); /* the reserved bit is ignored */
	assert_int_equal(HTTP2_DATA, frame.type);
	assert_int_equal(HTTP2_END_STREAM, frame.flags);
	assert_int_equal(HTTP2_RST_STREAM_ROOM, http2_put_rst_stream(block, 5, HTTP2_CANCEL) - block);
	assert_memory_equal("\0\0\4\3\0\0\0\0\5\0\0\0\x8", block, HTTP2_RST_STREAM_ROOM);
	assert_int_equal(HTTP2_GOAWAY_ROOM, http2_put_goaway(block, 7, HTTP2_ENHANCE_YOUR_CALM) - block);
	assert_memory_equal("\0\0\x8\7\0\0\0\0\0\0\0\0\7\0\0\0\xb", block, HTTP2_GOAWAY_ROOM);
	assert_int_equal(HTTP2_PING_ROOM, http2_put_ping(block, "12345678", true) - block);
	assert_memory_equal("\0\0\x8\6\1\0\0\0\0"
			    "12345678",
		block, HTTP2_PING_ROOM);
	assert_int_equal(HTTP2_WINDOW_UPDATE_ROOM, http2_put_window_update(block, 0, 1) - block);

	http2_settings_init(&settings);
	http2_put_setting(block, HTTP2_INITIAL_WINDOW_SIZE, 0x80000000);
	assert_int_equal(HTTP2_FLOW_CONTROL_ERROR, http2_settings_apply(&settings, block, false));
	http2_put_setting(block, HTTP2_MAX_FRAME_SIZE, 16383);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, http2_settings_apply(&settings, block, false));
	http2_put_setting(block, HTTP2_ENABLE_PUSH, 1);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, http2_settings_apply(&settings, block, true));
	assert_int_equal(HTTP2_NO_ERROR, http2_settings_apply(&settings, block, false));
	http2_put_setting(block, HTTP2_MAX_CONCURRENT_STREAMS, 3);
	assert_int_equal(HTTP2_NO_ERROR, http2_settings_apply(&settings, block, true));
	assert_int_equal(3, settings.max_concurrent_streams);
	http2_put_setting(block, HTTP2_ENABLE_CONNECT_PROTOCOL, 1);
	assert_int_equal(HTTP2_NO_ERROR, http2_settings_apply(&settings, block, true));
	http2_put_setting(block, HTTP2_ENABLE_CONNECT_PROTOCOL, 0);
	assert_int_equal(HTTP2_PROTOCOL_ERROR, http2_settings_apply(&settings, block, true));
	http2_put_setting(block, 77, 9);
	assert_int_equal(HTTP2_NO_ERROR, http2_settings_apply(&settings, block, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests),
		cmocka_unit_test(responses),
		cmocka_unit_test(trailers),
		cmocka_unit_test(frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
