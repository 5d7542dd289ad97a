/* SPDX-License-Identifier: Apache-2.0 */
/* support/http1_verdict.h: what the HTTP/1 codec makes of the bytes of a connection, as lines of text.
 *
 * For unit tests, the fuzz target and the comparison with h11. The bytes are told to the codec in pieces; bytes that have
 * not arrived are poisoned under AddressSanitizer. Each head that the codec accepts is also written and parsed again, and the
 * process aborts if it isn't the same.
 *
 *	request GET /path           or: response 200 OK
 *	version 1.1
 *	scheme http                 if absolute
 *	authority world:80
 *	flags persistent continue upgrade
 *	field Name: value           bytes that are not printable, and backslashes, as \xHH
 *	body none                   or: length 5, chunked, close
 *	data hello                  all of it in one line, if there is any
 *	trailer Name: value
 *	end
 *	...                         the next message on the connection
 *
 * and a last line that says how it ended: `refused STATUS REASON`, `incomplete`, `closed` (the message is the connection's
 * last) or `tunnel` (upgraded, or CONNECT), the latter two with the number of bytes left.
 */
#ifndef SUPPORT_HTTP1_VERDICT_H
#define SUPPORT_HTTP1_VERDICT_H

#include "base/text.h"
#include "wire/http1.h"

struct verdict_input {
	const char *bytes;
	size_t length;
	bool is_response;
	enum method request_method; /* of a response */
	struct http1_limits limits;
	size_t cut;  /* arrives in two pieces, the first with so many bytes; 0: in one */
	size_t step; /* arrives in pieces of so many bytes; 0: by `cut` */
	bool closes; /* the connection ends behind the bytes */
};

/* Appends to `out`. */
void http1_verdict(struct text *out, const struct verdict_input *input);

#endif
