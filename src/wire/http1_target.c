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

/* reg-name, or an IPv4 address, which looks like one. */
static const char *scan_name(const char *p, const char *end)
{
	for (;;) {
		p = http1_scan_plain(p, end, HTTP1_HOST);
		if (p == end || *p != '%')
			return p;
		if (end - p < 3 || !http1_is(p[1], HTTP1_HEX) || !http1_is(p[2], HTTP1_HEX))
			return NULL;
		p += 3;
	}
}

/* Cuts host [":" port]. False if it is none. *port is empty if there is none, or none behind the colon. */
static bool split_authority(struct slice authority, struct slice *host, struct slice *port)
{
	const char *p = authority.at, *end = authority.at + authority.length, *host_end;
	unsigned value = 0;

	host_end = p < end && *p == '[' ? scan_literal(p + 1, end) : scan_name(p, end);
	if (!host_end)
		return false;
	*host = slice_make(p, (size_t)(host_end - p));
	*port = slice_make(end, 0);
	if (host_end == end)
		return true;
	if (*host_end != ':')
		return false;
	*port = slice_make(host_end + 1, (size_t)(end - host_end - 1));
	for (p = port->at; p < end; p++) {
		if (!http1_is(*p, HTTP1_DIGIT))
			return false;
		value = value * 10 + (unsigned)(*p - '0');
		if (value > 65535)
			return false;
	}
	return true;
}

bool http1_valid_authority(struct slice authority)
{
	struct slice host, port;

	/* A port needs a host to be of. */
	return split_authority(authority, &host, &port) && (host.length > 0 || authority.length == 0);
}

/* CONNECT: host and port, neither of them left out (RFC 9110 section 9.3.6). */
static const char *authority_form(struct head *head, struct slice target)
{
	struct slice host, port;

	if (!split_authority(target, &host, &port) || host.length == 0 || port.length == 0)
		return "CONNECT needs a host and a port";
	if (port.at[0] == '0')
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
	struct slice host, port;

	while (p < end && is_scheme(*p, p == target.at))
		p++;
	if (p == target.at || end - p < 3 || memcmp(p, "://", 3) != 0)
		return "bad request target";
	head->scheme = slice_make(target.at, (size_t)(p - target.at));
	p += 3;
	head->authority.at = p;
	while (p < end && *p != '/' && *p != '?')
		p++;
	head->authority.length = (size_t)(p - head->authority.at);
	if (!split_authority(head->authority, &host, &port) || host.length == 0)
		return "bad authority in the request target";
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
