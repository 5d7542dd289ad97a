/* SPDX-License-Identifier: Apache-2.0 */
/* doc/protobuf.h: Protocol Buffers' wire format written onto a text (https://protobuf.dev/programming-guides/encoding/).
 *
 * Fields are written in the order of the calls; what a field's number means only its caller knows. Nothing to free: the text is the
 * caller's. Control and admin threads.
 *
 *	size_t span = protobuf_begin(&out, 2);           // a message inside
 *	protobuf_bytes(&out, 5, SLICE("GET"));
 *	protobuf_fixed64(&out, 7, began);
 *	protobuf_end(&out, span);
 */
#ifndef DOC_PROTOBUF_H
#define DOC_PROTOBUF_H

#include <stdint.h>

#include "base/text.h"

/* int32, int64 (not negative), uint32, uint64, bool, enum */
void protobuf_varint(struct text *out, unsigned field, uint64_t value);
void protobuf_fixed64(struct text *out, unsigned field, uint64_t value);
void protobuf_double(struct text *out, unsigned field, double value);
/* bytes, string, or a message that is written already */
void protobuf_bytes(struct text *out, unsigned field, struct slice bytes);
/* The same in two steps, for who knows the length before the bytes; and how long such a field is in all. */
void protobuf_head(struct text *out, unsigned field, size_t length);
size_t protobuf_size(unsigned field, size_t length);
/* The same onto bytes that the caller has: PROTOBUF_HEAD for each head. They return where to go on. */
enum { PROTOBUF_HEAD = 20 };
char *protobuf_put_head(char *at, unsigned field, size_t length);
char *protobuf_put_varint(char *at, unsigned field, uint64_t value);
char *protobuf_put_bytes(char *at, unsigned field, struct slice bytes);
/* A message whose fields follow, or packed numbers. Returns what protobuf_end takes. */
size_t protobuf_begin(struct text *out, unsigned field);
void protobuf_end(struct text *out, size_t begun);
/* Inside packed numbers: fixed64, double. */
void protobuf_packed64(struct text *out, uint64_t value);
void protobuf_packed_double(struct text *out, double value);

#endif
