/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the whole path share: their variants, and what callers and origins say. */
#ifndef UNIT_PROXY_CALLS_H
#define UNIT_PROXY_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "support/chain.h"

#define GET "GET /path?query HTTP/1.1\r\nHost: web\r\nX-Test: 1\r\n\r\n"
#define POST_CHUNKED "POST /in HTTP/1.1\r\nHost: web\r\nTransfer-Encoding: chunked\r\n\r\n"
#define POST_FIVE "POST /in HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\n"
#define OK_HELLO "HTTP/1.1 200 OK\r\nX-Answer: yes\r\nContent-Length: 5\r\n\r\n"
#define OK_CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define OK_MANY "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"

#define SERVICE "rt/out/service/svc/web"
#define CLIENT "rt/out/client/#/io.l5d.fs/web"

typedef void variant_test(struct chain_options options);

/* A test over every codec, several seeds, one worker and two. */
void every_variant(void **state);
int say_variant(void **state); /* the one that failed */
/* It would take #test for a directive: clang-format is off here. */
/* clang-format off */
#define EVERY_VARIANT(test) { #test, every_variant, NULL, say_variant, &(variant_test *){ test } }
/* clang-format on */

/* One seed each, for what takes long. */
void every_codec(void **state);
/* It would take #test for a directive: clang-format is off here. */
/* clang-format off */
#define EVERY_CODEC(test) { #test, every_codec, NULL, say_variant, &(variant_test *){ test } }
/* clang-format on */

/* Scripts. */
void answer_hello(struct call *call, enum call_event event); /* when the request is over */
void echo(struct call *call, enum call_event event);         /* as far as there is room */
void upload(struct call *call, enum call_event event);       /* call->to_send bytes */

/* Sends call->to_send bytes of pattern, as far as there is room. */
void send_more(struct call *call);
/* What all origins do from now on. */
void serve(struct chain *chain, call_script *script);
/* On that connection if it is there and takes one more, else on a new one. */
struct call *begin(struct chain *chain, struct caller **caller, const char *head, bool end, call_script *script);
struct call *begin_upload(struct chain *chain, struct caller **caller, const char *head, size_t length);
void check_hello(const struct call *call);
/* A call goes through. */
void expect_hello(struct chain *chain, struct caller *caller);

#endif
