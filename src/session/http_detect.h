/* SPDX-License-Identifier: Apache-2.0 */
/* session/http_detect.h: connections that begin as HTTP/1 and may become HTTP/2; private to this room. See http_codec.
 *
 * A server's becomes it when the agreed protocol (ALPN) says so, when its first bytes are HTTP/2's preface, or when its first request
 * asks for it (`Upgrade: h2c`); a client's by the agreed protocol alone. The session stays where it is in memory, so that its
 * owner notices nothing: only its operations change. This happens in the session's task, where nothing of HTTP/1 is running.
 */
#ifndef SESSION_HTTP_DETECT_H
#define SESSION_HTTP_DETECT_H

#include "session/http1_session.h"

enum http_detected {
	HTTP_DETECTED_HTTP1,
	HTTP_DETECTED_HTTP2, /* from the task on */
	HTTP_DETECTED_MORE,  /* more bytes are needed */
};

/* A server's first bytes, of which there is at least one. */
enum http_detected http_detect_bytes(struct http1_session *h);
/* A server's first request, which is h->parsing and keeps its bytes: whether it makes this HTTP/2, from the task on. */
bool http_detect_upgrade(struct http1_session *h);
/* The stream is connected, and secured if it ever will be. */
void http_detect_connected(struct http1_session *h);
/* From the task: it becomes what was detected; `h` is no HTTP/1 session any more. */
void http_detect_become(struct http1_session *h);

#endif
