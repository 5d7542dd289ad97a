/* SPDX-License-Identifier: Apache-2.0 */
/* Request heads: what RFC 9112 allows is understood, everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/wire/feed.h"

#define H "Host: a\r\n"
#define E "\r\n"

static void test_accepts_request_lines(void **state)
{
	static const struct feed_case cases[] = {
		{ "GET / HTTP/1.1\r\n" H E, "request GET /|version 1.1|authority a|flags persistent|body none|end" },
		{ "GET /a/b?c=d&e=%20 HTTP/1.1\r\n" H E, "request GET /a/b?c=d&e=%20" },
		{ "GET /?\"<>[]^`{|}\\ HTTP/1.1\r\n" H E, "body none|end" },
		{ "GET // HTTP/1.1\r\n" H E, "request GET //" },
		{ "G / HTTP/1.1\r\n" H E, "request G /" },
		{ "get / HTTP/1.1\r\n" H E, "request get /" },
		{ "M-SEARCH!#$%&'*+.^_`|~ / HTTP/1.1\r\n" H E, "authority a|end" },
		{ "PATCH /x HTTP/1.1\r\n" H E, "request PATCH /x" },
		{ "GET / HTTP/1.0\r\n" E, "request GET /|version 1.0|authority |flags" },
		{ "GET / HTTP/1.2\r\n" H E, "version 1.1|flags persistent" },
		{ "GET / HTTP/1.9\r\n" H E, "version 1.1" },
		{ "\r\nGET / HTTP/1.1\r\n" H E, "request GET /" },
		{ "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H E, "request GET /" },
		{ "OPTIONS * HTTP/1.1\r\n" H E, "request OPTIONS *|authority a" },
		{ "OPTIONS /x HTTP/1.1\r\n" H E, "request OPTIONS /x" },
		{ "GET / HTTP/1.1\r\n" H E "GET /2 HTTP/1.1\r\nHost: b\r\n" E, "request GET /|request GET /2|authority b|incomplete" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_refuses_request_lines(void **state)
{
	static const struct feed_case cases[] = {
		{ "GET / HTTP/1.1\n" H E, "refused 400 bare CR or LF" },
		{ "GET / HTTP/1.1\r" H E, "refused 400 bare CR or LF" },
		{ "GET /\r\n", "refused 400 bad request target" },
		{ "GET\r\n", "refused 400 bad method" },
		{ "GET \r\n", "refused 400 bad request target" },
		{ " GET / HTTP/1.1\r\n" H E, "refused 400 bad method" },
		{ "\nGET / HTTP/1.1\r\n" H E, "refused 400 bad method" },
		{ "\rGET / HTTP/1.1\r\n" H E, "refused 400 bad empty line before the request" },
		{ "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\n" H E, "refused 400 bad empty line before the request" },
		{ "GET  / HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET\t/ HTTP/1.1\r\n" H E, "refused 400 bad method" },
		{ "GET /\tHTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET /  HTTP/1.1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTP/1.1 \r\n" H E, "refused 400 bad end of the first line" },
		{ "GET /a b HTTP/1.1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / http/1.1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTP/1.1x\r\n" H E, "refused 400 bad end of the first line" },
		{ "GET / HTTP/1.10\r\n" H E, "refused 400 bad end of the first line" },
		{ "GET / HTTP/11\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTP/1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTP/a.1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTPS/1.1\r\n" H E, "refused 400 bad protocol version" },
		{ "GET / HTTP/0.9\r\n" H E, "refused 505 unknown protocol version" },
		{ "GET / HTTP/2.0\r\n" H E, "refused 505 unknown protocol version" },
		{ "GET / HTTP/3.1\r\n" H E, "refused 505 unknown protocol version" },
		{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "refused 505 unknown protocol version" },
		{ "G(T / HTTP/1.1\r\n" H E, "refused 400 bad method" },
		{ "G\xc3\xa4T / HTTP/1.1\r\n" H E, "refused 400 bad method" },
		{ "\x16\x03\x01", "refused 400 bad method" },
		{ "GET /\x7f HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET /\xc3\xa4 HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET /\x01 HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET /a#b HTTP/1.1\r\n" H E, "refused 400 fragment in the request target" },
		{ "GET http://a/#b HTTP/1.1\r\n" H E, "refused 400 fragment in the request target" },
		{ "GET a HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET a/b HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET ?a HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET * HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "OPTIONS ** HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET / HTTP/1.1", "incomplete|!end" },
		{ "GET / HTTP/1.1\r\n" H, "incomplete|!end" },
		{ "\r\n", "incomplete" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_absolute_form(void **state)
{
	static const struct feed_case cases[] = {
		{ "GET http://world HTTP/1.1\r\n" H E, "request GET /|scheme http|authority world|field Host: a" },
		{ "GET http://world/ HTTP/1.1\r\n" H E, "request GET /|authority world" },
		{ "GET http://world/x?y HTTP/1.1\r\n" H E, "request GET /x?y|authority world" },
		{ "GET http://world?x=1 HTTP/1.1\r\n" H E, "request GET /?x=1|scheme http|authority world" },
		{ "GET http://w? HTTP/1.1\r\n" H E, "request GET /?|authority w" },
		{ "GET HTTP://World:80/ HTTP/1.1\r\n" H E, "scheme HTTP|authority World:80" },
		{ "GET https://world:8443/ HTTP/1.1\r\n" H E, "scheme https|authority world:8443" },
		{ "GET http://[::1]:80/ HTTP/1.1\r\n" H E, "authority [::1]:80" },
		{ "GET http://[::1]?q HTTP/1.1\r\n" H E, "authority [::1]|request GET /?q" },
		{ "GET http://1.2.3.4/ HTTP/1.1\r\n" H E, "authority 1.2.3.4" },
		{ "GET http://w%41/ HTTP/1.1\r\n" H E, "authority w%41" },
		{ "GET http://w:/ HTTP/1.1\r\n" H E, "authority w:" },
		{ "GET ws+x-1.2://w/ HTTP/1.1\r\n" H E, "scheme ws+x-1.2" },
		{ "GET http://w/ HTTP/1.0\r\n" E, "authority w|version 1.0" },
		{ "GET http://w/ HTTP/1.0\r\nConnection: keep-alive\r\n" E, "authority w|flags|closed 0" },
		{ "OPTIONS http://w HTTP/1.1\r\n" H E, "request OPTIONS *|authority w" },
		{ "OPTIONS http://w/ HTTP/1.1\r\n" H E, "request OPTIONS /|authority w" },
		{ "OPTIONS http://w?x HTTP/1.1\r\n" H E, "request OPTIONS /?x|authority w" },
		{ "GET http://w/http://v/ HTTP/1.1\r\n" H E, "request GET /http://v/|authority w" },
		{ "GET http:// HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http:///x HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://:80/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://?x HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://u@w/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://u:p@w/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://w:80:81/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://w:x/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://w:65536/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://w\\x/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://[::1/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http://w%4/ HTTP/1.1\r\n" H E, "refused 400 bad authority in the request target" },
		{ "GET http:/w/ HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET http:w HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET mailto:a@b HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET ://w/ HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET 1a://w/ HTTP/1.1\r\n" H E, "refused 400 bad request target" },
		{ "GET http://w/ HTTP/1.1\r\n" E, "refused 400 no Host field" },
		{ "GET http://w/ HTTP/1.1\r\nHost: a@b\r\n" E, "refused 400 bad Host field" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_connect(void **state)
{
	static const struct feed_case cases[] = {
		{ "CONNECT w:443 HTTP/1.1\r\n" H E "xyz", "request CONNECT w:443|authority w:443|tunnel 3" },
		{ "CONNECT [::1]:443 HTTP/1.1\r\n" H E, "authority [::1]:443" },
		{ "CONNECT w:443 HTTP/1.1\r\n" H "Content-Length: 0\r\n" E, "body none" },
		{ "CONNECT w HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT w: HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT :443 HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT w:0 HTTP/1.1\r\n" H E, "refused 400 bad port" },
		{ "CONNECT w:99999 HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT http://w:443/ HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT / HTTP/1.1\r\n" H E, "refused 400 CONNECT needs a host and a port" },
		{ "CONNECT w:443 HTTP/1.1\r\n" H "Content-Length: 1\r\n" E, "refused 400 CONNECT with a body" },
		{ "CONNECT w:443 HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n" E, "refused 400 CONNECT with a body" },
		{ "GET w:443 HTTP/1.1\r\n" H E, "refused 400 bad request target" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_host(void **state)
{
	static const struct feed_case cases[] = {
		{ "GET / HTTP/1.1\r\nHost:a\r\n" E, "authority a" },
		{ "GET / HTTP/1.1\r\nhOsT: \t a:80 \t\r\n" E, "authority a:80|field hOsT: a:80" },
		{ "GET / HTTP/1.1\r\nHost:\r\n" E, "authority |field Host: " },
		{ "GET / HTTP/1.1\r\nHost: a:\r\n" E, "authority a:" },
		{ "GET / HTTP/1.1\r\nHost: [fe80::1]:8080\r\n" E, "authority [fe80::1]:8080" },
		{ "GET / HTTP/1.1\r\nHost: a_b.c-d~!$&'()*+,;=\r\n" E, "authority a_b.c-d~!$&'()*+,;=" },
		{ "GET / HTTP/1.0\r\nHost: a\r\n" E, "authority a" },
		{ "GET / HTTP/1.1\r\nX: y\r\nHost: a\r\n" E, "authority a" },
		{ "GET / HTTP/1.1\r\n" E, "refused 400 no Host field" },
		{ "GET / HTTP/1.1\r\nHosts: a\r\n" E, "refused 400 no Host field" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n" E, "refused 400 more than one Host field" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\nhost: b\r\n" E, "refused 400 more than one Host field" },
		{ "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n" E, "refused 400 more than one Host field" },
		{ "GET http://w/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n" E, "refused 400 more than one Host field" },
		{ "GET / HTTP/1.1\r\nHost: a b\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a/b\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a?b\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a#b\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: u@a\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: http://a\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a:x\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a:-1\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a:99999999999999999999\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: :80\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: ::1\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: []\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: [::1]x\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a%zz\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: \xc3\xa4\r\n" E, "refused 400 bad Host field" },
		{ "GET / HTTP/1.1\r\nHost: a\\b\r\n" E, "refused 400 bad Host field" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

#define G "GET / HTTP/1.1\r\n" H

static void test_fields(void **state)
{
	static const struct feed_case cases[] = {
		{ G "X:\r\n" E, "field X: " },
		{ G "X: \t \r\n" E, "field X: " },
		{ G "X:y\r\n" E, "field X: y" },
		{ G "X: \ty z\t \r\n" E, "field X: y z" },
		{ G "X: a:b:c\r\n" E, "field X: a:b:c" },
		{ G "X: a\tb\r\n" E, "field X: a\\x09b" },
		{ G "X: \xc3\xa4\xff\r\n" E, "field X: \\xc3\\xa4\\xff" },
		{ G "X: 1\r\nx: 2\r\nX: 3\r\n" E, "field X: 1|field x: 2|field X: 3" },
		{ G "!#$%&'*+-.^_`|~09azAZ: v\r\n" E, "end" },
		{ G "A-name-that-is-longer-than-two-vectors-of-sixteen: v\r\n" E,
			"field A-name-that-is-longer-than-two-vectors-of-sixteen: v" },
		{ G "X: a value that is longer than one vector, \"quoted\" (and commented)\r\n" E,
			"field X: a value that is longer than one vector, \"quoted\" (and commented)" },
		{ G "X : y\r\n" E, "refused 400 blank before a field's colon" },
		{ G "X\t: y\r\n" E, "refused 400 blank before a field's colon" },
		{ G ": y\r\n" E, "refused 400 field without a name" },
		{ G "X\r\n" E, "refused 400 field line without a colon" },
		{ G "X\n" E, "refused 400 field line without a colon" },
		{ G " X: y\r\n" E, "refused 400 folded field line" },
		{ "GET / HTTP/1.1\r\n Host: a\r\n" E, "refused 400 folded field line" },
		{ G "X: y\r\n z\r\n" E, "refused 400 folded field line" },
		{ G "X: y\r\n\tz\r\n" E, "refused 400 folded field line" },
		{ G "X: y\n" E, "refused 400 bare CR or LF" },
		{ G "X: y\r" E, "refused 400 bare CR or LF" },
		{ G "X: y\rz\r\n" E, "refused 400 bare CR or LF" },
		{ G "X: y\nZ: a\r\n" E, "refused 400 bare CR or LF" },
		{ G "X:\n" E, "refused 400 bare CR or LF" },
		{ G "X: y\r\r\n" E, "refused 400 bare CR or LF" },
		{ G "\n", "refused 400 field line without a colon" },
		{ G "\rX: y\r\n" E, "refused 400 bare CR or LF" },
		{ G "X: a\x01\r\n" E, "refused 400 control character in a field's value" },
		{ G "X: \x1f\r\n" E, "refused 400 control character in a field's value" },
		{ G "X: a value with a delete in its second vector \x7f\r\n" E, "refused 400 control character in a field's value" },
		{ G "X\xe4: b\r\n" E, "refused 400 bad character in a field's name" },
		{ G "X(y): b\r\n" E, "refused 400 bad character in a field's name" },
		{ G "X\"y\": b\r\n" E, "refused 400 bad character in a field's name" },
		{ G "X/y: b\r\n" E, "refused 400 bad character in a field's name" },
		{ G "X@y: b\r\n" E, "refused 400 bad character in a field's name" },
		{ G "Content\rLength: 5\r\n" E, "refused 400 field line without a colon" },
		{ G "A-name-longer-than-a-vector{}: b\r\n" E, "refused 400 bad character in a field's name" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_nul(void **state)
{
	static const struct {
		struct slice input;
		const char *wanted;
	} cases[] = {
		{ SLICE("GET /\0 HTTP/1.1\r\n" H E), "refused 400 bad request target" },
		{ SLICE("G\0T / HTTP/1.1\r\n" H E), "refused 400 bad method" },
		{ SLICE("\0"), "refused 400 bad method" },
		{ SLICE(G "X: a\0b\r\n" E), "refused 400 NUL in a field's value" },
		{ SLICE(G "X: \0\r\n" E), "refused 400 NUL in a field's value" },
		{ SLICE(G "X: a value longer than one vector \0\r\n" E), "refused 400 NUL in a field's value" },
		{ SLICE(G "X\0: b\r\n" E), "refused 400 bad character in a field's name" },
		{ SLICE("GET / HTTP/1.1\r\nHost: a\0b\r\n" E), "refused 400 NUL in a field's value" },
	};

	(void)state;
	for (size_t i = 0; i < FEED_COUNT(cases); i++) {
		struct feed_case one = { cases[i].input.at, cases[i].wanted };

		feed_check(&one, (struct verdict_input){ .length = cases[i].input.length });
	}
}

#define P "POST / HTTP/1.1\r\n" H

static void test_framing(void **state)
{
	static const struct feed_case cases[] = {
		{ P "Content-Length: 5\r\n" E "hello", "body length 5|data hello|end" },
		{ P "Content-Length: 0\r\n" E, "body none|end" },
		{ P "Content-Length: 00005\r\n" E "hello", "body length 5|data hello" },
		{ P "Content-Length:5 \r\n" E "helloGET", "data hello|end|incomplete" },
		{ P "Content-Length: 9223372036854775807\r\n" E "x", "body length 9223372036854775807|data x|incomplete" },
		{ P "Content-Length: 2\r\n" E "hiGET /2 HTTP/1.1\r\n" H E, "data hi|request GET /2" },
		{ P E "GET /2 HTTP/1.1\r\n" H E, "body none|request GET /2" },
		{ P "Transfer-Encoding: chunked\r\n" E "0\r\n\r\n", "body chunked|end" },
		{ P "Transfer-Encoding:\tCHUNKED\t\r\n" E "2\r\nhi\r\n0\r\n\r\n", "body chunked|data hi|end" },
		{ P "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n" E, "refused 400 both Content-Length and Transfer-Encoding" },
		{ P "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n" E, "refused 400 both Content-Length and Transfer-Encoding" },
		{ P "Content-Length: 5\r\nTransfer-Encoding: identity\r\n" E, "refused 400 both Content-Length and Transfer-Encoding" },
		{ P "Content-Length: 5\r\nContent-Length: 5\r\n" E, "refused 400 more than one Content-Length field" },
		{ P "Content-Length: 5\r\ncontent-length: 6\r\n" E, "refused 400 more than one Content-Length field" },
		{ P "Content-Length: 5, 5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 5,6\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: +5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: -5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 5 5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 0x5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 5.0\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 1e1\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: \"5\"\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length:\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: five\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: \xd9\xa5\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 9223372036854775808\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 18446744073709551621\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length: 00000000000000000000000005\r\n" E, "refused 400 bad Content-Length field" },
		{ P "Content-Length : 5\r\n" E, "refused 400 blank before a field's colon" },
		{ P "Transfer-Encoding: gzip\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: gzip, chunked\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: chunked, gzip\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: identity\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: xchunked\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: chunked;q=1\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: chunke\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: chunked, chunked\r\n" E, "refused 400 chunked more than once" },
		{ P "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n" E, "refused 400 more than one Transfer-Encoding field" },
		{ P "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n" E,
			"refused 400 more than one Transfer-Encoding field" },
		{ P "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n" E, "refused 501 transfer coding other than chunked" },
		{ P "Transfer-Encoding: ,chunked\r\n" E, "refused 400 bad Transfer-Encoding field" },
		{ P "Transfer-Encoding: chunked,\r\n" E, "refused 400 bad Transfer-Encoding field" },
		{ P "Transfer-Encoding: \"chunked\"\r\n" E, "refused 400 bad Transfer-Encoding field" },
		{ P "Transfer-Encoding: \x0b"
		    "chunked\r\n" E,
			"refused 400 control character in a field's value" },
		{ P "Transfer-Encoding : chunked\r\n" E, "refused 400 blank before a field's colon" },
		{ P "Transfer-Encoding:\r\n chunked\r\n" E, "refused 400 folded field line" },
		{ "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n" E, "refused 400 Transfer-Encoding in an HTTP/1.0 message" },
		{ "POST / HTTP/1.0\r\nContent-Length: 2\r\n" E "hi", "body length 2|data hi|closed 0" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n" E "hi", "request GET /|body length 2|data hi" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_flags(void **state)
{
	static const struct feed_case cases[] = {
		{ G "Connection: close\r\n" E "rest", "flags|closed 4" },
		{ G "Connection: CLOSE\r\n" E, "flags" },
		{ G "Connection: x, ,close ,y\r\n" E, "flags" },
		{ G "Connection: x\r\nConnection: close\r\n" E, "flags" },
		{ G "Connection: keep-alive, close\r\n" E, "flags" },
		{ G "Connection: closed\r\n" E, "flags persistent" },
		{ G "Connection: close;x\r\n" E, "flags persistent" },
		{ G "Connection:\r\n" E, "flags persistent" },
		{ G "Proxy-Connection: close\r\n" E, "flags persistent" },
		{ "GET / HTTP/1.0\r\nConnection: keep-alive\r\n" E, "flags persistent" },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" E, "flags persistent" },
		{ "GET / HTTP/1.0\r\nConnection: close, keep-alive\r\n" E, "flags" },
		{ "GET / HTTP/1.0\r\nKeep-Alive: timeout=5\r\n" E, "flags" },
		{ G "Expect: 100-continue\r\n" E, "flags persistent continue" },
		{ G "Expect: 100-Continue\r\n" E, "flags persistent continue" },
		{ G "Expect: 200-ok\r\n" E, "flags persistent" },
		{ "POST / HTTP/1.0\r\nExpect: 100-continue\r\n" E, "flags" },
		{ G "Connection: upgrade\r\nUpgrade: websocket\r\n" E, "flags persistent upgrade" },
		{ G "Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" E, "flags persistent upgrade" },
		{ G "Connection: upgrade\r\n" E, "flags persistent" },
		{ G "Upgrade: websocket\r\n" E, "flags persistent" },
		{ "GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n" E, "flags" },
	};

	(void)state;
	feed_requests(cases, FEED_COUNT(cases));
}

static void test_limits(void **state)
{
	static const struct http1_limits tight = { .max_line_bytes = 20, .max_head_bytes = 30, .max_fields = 3 };
	static const struct feed_case cases[] = {
		{ "GET /34567 HTTP/1.1\r\n" H E, "request GET /34567" },
		{ "GET /345678 HTTP/1.1\r\n" H E, "request GET /345678" },
		{ "GET /3456789 HTTP/1.1\r\n" H E, "refused 414 the first line is too long" },
		{ "GET /34567890123456789012345678901234567890", "refused 414 the first line is too long" },
		{ "METHODMETHODMETHODMETHOD / HTTP/1.1\r\n" H E, "refused 400 the first line is too long" },
		{ "\r\n\r\nGET /345678 HTTP/1.1\r\n" H E, "request GET /345678" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: 34567890123456\r\n\r\n", "field X: 34567890123456" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nX: 345678901234567\r\n\r\n", "refused 431 the fields are too long" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nXxxxxxxxxxxxxxxxxxxxxxxxxx", "refused 431 the fields are too long" },
		{ "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\n\r\n", "field B: " },
		{ "GET / HTTP/1.1\r\nHost: a\r\nA:\r\nB:\r\nC:\r\n\r\n", "refused 431 too many fields" },
		{ "POST / HTTP/1.1\r\nHost: a\r\nTE:\r\n\r\n"
		  "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
			"request POST /|request GET /" },
	};

	(void)state;
	for (size_t i = 0; i < FEED_COUNT(cases); i++)
		feed_check(&cases[i], (struct verdict_input){ .limits = tight });
}

static void test_default_limits(void **state)
{
	enum { FIELDS = 200, ROOM = 20000 };
	static char input[ROOM];
	struct feed_case one = { .input = input };
	char *p;

	(void)state;
	/* As many fields as a head can hold, and one more. */
	for (unsigned fields = 128; fields <= 129; fields++) {
		p = input + sprintf(input, "GET / HTTP/1.1\r\nHost: a\r\n");
		for (unsigned i = 1; i < fields; i++)
			p += sprintf(p, "X%u: v\r\n", i);
		sprintf(p, "\r\n");
		one.wanted = fields == 128 ? "field X127: v|end" : "refused 431 too many fields";
		feed_check(&one, (struct verdict_input){ 0 });
	}
	/* A field section of 8192 bytes with its end, and one more; Host and the end take 9 + 2 of them. */
	for (int length = 8192; length <= 8193; length++) {
		sprintf(input, "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", length - 9 - 2 - 5, 0);
		one.wanted = length == 8192 ? "end" : "refused 431 the fields are too long";
		feed_check(&one, (struct verdict_input){ 0 });
	}
	for (int length = 4096; length <= 4097; length++) {
		sprintf(input, "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n", length - 14, 0);
		one.wanted = length == 4096 ? "end" : "refused 414 the first line is too long";
		feed_check(&one, (struct verdict_input){ 0 });
	}
}

/* A head that goes on in another place is parsed again from its start. */
static void test_moved_bytes(void **state)
{
	static const char text[] = "GET /x HTTP/1.1\r\nHost: a\r\nAccept: b\r\n\r\n";
	char first[sizeof text], second[sizeof text];
	static struct head head;
	struct http1_parser parser;
	size_t consumed;

	(void)state;
	memcpy(first, text, sizeof text);
	memcpy(second, text, sizeof text);
	http1_parser_init(&parser, &(struct http1_limits){ 0 });
	assert_int_equal(http1_parse_request(&parser, first, 30, &head, &consumed), ERROR_INCOMPLETE);
	assert_int_equal(consumed, 0);
	memset(first, 'x', sizeof first);
	assert_int_equal(http1_parse_request(&parser, second, sizeof text - 1, &head, &consumed), 0);
	assert_int_equal(consumed, sizeof text - 1);
	assert_int_equal(head.field_count, 2);
	assert_ptr_equal(head.target.at, second + 4);
	assert_int_equal(head.method, METHOD_GET);
	assert_true(head_has(&head, FIELD_HOST));
	assert_false(head_has(&head, FIELD_OTHER));
	assert_true(head.has_host);
}

static void test_preface(void **state)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

	(void)state;
	for (size_t length = 0; length < sizeof preface - 1; length++)
		assert_int_equal(http1_match_preface(slice_make(preface, length)), ERROR_INCOMPLETE);
	assert_int_equal(http1_match_preface(SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore")), 0);
	assert_int_equal(http1_match_preface(SLICE("PRI * HTTP/2.0\r\n\r\nSN")), ERROR_NOT_FOUND);
	assert_int_equal(http1_match_preface(SLICE("GET")), ERROR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts_request_lines),
		cmocka_unit_test(test_refuses_request_lines),
		cmocka_unit_test(test_absolute_form),
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_host),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_nul),
		cmocka_unit_test(test_framing),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_default_limits),
		cmocka_unit_test(test_moved_bytes),
		cmocka_unit_test(test_preface),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
