/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http1_parse.h"

/* RFC 3986 section 3.2.2: IP-literal, by its characters; what it means is for who resolves it. */
static const char *scan_literal(const char *p, const char *end)
{
	const char *start = p;

	while (p < end && (http1_is(*p, HTTP1_HEX) || *p == ':' || *p == '.'))
		p++;
	return p < end && *p == ']' && p - start >= 2 ? p + 1 : NULL;
}

/* reg-name, or an IPv4 address, which looks like one. What http1_token_stops lets pass is all of it HTTP1_HOST. */
static const char *scan_name(const char *from, const char *p, const char *end)
{
	const char *stop = http1_scan_wide(from, p, end, http1_token_stops);

	for (p = stop ? stop : p;; p += 3) {
		p = http1_scan_plain(p, end, HTTP1_HOST);
		if (p == end || *p != '%')
			return p;
		if (end - p < 3 || !http1_is(p[1], HTTP1_HEX) || !http1_is(p[2], HTTP1_HEX))
			return NULL;
	}
}

struct authority {
	size_t host_length, port_length; /* without the colon */
	bool zero_port;                  /* a port that begins with 0 */
};

/* host [ ":" port ] at p, in bytes that are readable from `from` on. Where it ends, or NULL. */
static const char *scan_authority(const char *from, const char *p, const char *end, struct authority *found)
{
	const char *host = p, *port;
	unsigned value = 0;

	*found = (struct authority){ 0 };
	p = p < end && *p == '[' ? scan_literal(p + 1, end) : scan_name(from, p, end);
	if (!p)
		return NULL;
	found->host_length = (size_t)(p - host);
	if (p == end || *p != ':')
		return p;
	port = ++p;
	for (; p < end && http1_is(*p, HTTP1_DIGIT); p++) {
		value = value * 10 + (unsigned)(*p - '0');
		if (value > 65535)
			return NULL;
	}
	found->port_length = (size_t)(p - port);
	found->zero_port = p > port && *port == '0';
	return p;
}

bool http1_valid_authority_in(const char *from, struct slice authority)
{
	const char *end = authority.at + authority.length;
	struct authority found;

	/* A port needs a host to be of. */
	return scan_authority(from, authority.at, end, &found) == end && (found.host_length > 0 || authority.length == 0);
}

bool http1_valid_authority(struct slice authority)
{
	return http1_valid_authority_in(authority.at, authority);
}

/* CONNECT: host and port, neither of them left out (RFC 9110 section 9.3.6). */
static const char *authority_form(struct head *head, struct slice target)
{
	const char *end = target.at + target.length;
	struct authority found;

	if (scan_authority(target.at, target.at, end, &found) != end || found.host_length == 0 || found.port_length == 0)
		return "CONNECT needs a host and a port";
	if (found.zero_port)
		return "bad port";
	head->authority = target;
	head->target = target;
	return NULL;
}

/* RFC 3986 section 3.1 */
static bool is_scheme(char c, bool first)
{
	bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';

	return letter || (!first && (http1_is(c, HTTP1_DIGIT) || c == '+' || c == '-' || c == '.'));
}

/* scheme "://" authority path [ "?" query ] (RFC 3986 section 4.3; fragments are no part of it) */
static const char *absolute_form(struct head *head, struct slice target)
{
	const char *p = target.at, *end = target.at + target.length;
	struct authority found;

	if (target.length > 7 && memcmp(p, "http://", 7) == 0)
		p += 4;
	while (p < end && is_scheme(*p, p == target.at))
		p++;
	if (p == target.at || end - p < 3 || memcmp(p, "://", 3) != 0)
		return "bad request target";
	head->scheme = slice_make(target.at, (size_t)(p - target.at));
	head->authority.at = p + 3;
	p = scan_authority(target.at, p + 3, end, &found);
	if (!p || found.host_length == 0 || (p < end && *p != '/' && *p != '?'))
		return "bad authority in the request target";
	head->authority.length = (size_t)(p - head->authority.at);
	head->absolute_form = true;
	if (p < end)
		head->target = slice_make(p, (size_t)(end - p));
	else
		head->target = head->method == METHOD_OPTIONS ? SLICE("*") : SLICE("/");
	return NULL;
}

const char *http1_target(struct head *head, struct slice target)
{
	if (head->method == METHOD_CONNECT)
		return authority_form(head, target);
	if (target.at[0] == '/' || (target.length == 1 && target.at[0] == '*' && head->method == METHOD_OPTIONS)) {
		head->target = target;
		return NULL;
	}
	return absolute_form(head, target);
}
