/* SPDX-License-Identifier: Apache-2.0 */
/* doc/json_write.h: JSON (RFC 8259) written onto a text.
 *
 * The writer sets commas and colons; calls in an order that makes no JSON are bugs and end the process. Control and
 * admin threads. Nothing to free: the text is the caller's.
 *
 *	struct json_writer w;
 *	json_write_start(&w, &text, false);
 *	json_write_object(&w);
 *	json_write_key(&w, SLICE("port"));
 *	json_write_int(&w, 4140);
 *	json_write_end(&w);                 // {"port":4140}
 */
#ifndef DOC_JSON_WRITE_H
#define DOC_JSON_WRITE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct document_node;
struct text;

enum { JSON_WRITE_DEPTH = 128 };

struct json_writer {
	struct text *out;
	bool pretty;    /* two blanks a level, one entry a line */
	bool after_key; /* a value must follow */
	uint32_t depth;
	uint8_t levels[JSON_WRITE_DEPTH]; /* in an object or an array; empty yet or not */
};

void json_write_start(struct json_writer *writer, struct text *out, bool pretty);
void json_write_object(struct json_writer *writer);
void json_write_array(struct json_writer *writer);
void json_write_end(struct json_writer *writer); /* of the innermost object or array */
void json_write_key(struct json_writer *writer, struct slice key);
/* Bytes that are not UTF-8 are written as U+FFFD. */
void json_write_text(struct json_writer *writer, struct slice text);
void json_write_int(struct json_writer *writer, int64_t value);
void json_write_u64(struct json_writer *writer, uint64_t value);
/* The shortest form that reads back as the same number; what JSON cannot say (NaN, infinity) is null. */
void json_write_number(struct json_writer *writer, double value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* A key with its value. */
void json_write_member_text(struct json_writer *writer, const char *key, struct slice text);
void json_write_member_int(struct json_writer *writer, const char *key, int64_t value);
/* What is JSON already: one whole value. */
void json_write_json(struct json_writer *writer, struct slice json);
/* A document's tree. Plain scalars that are null, booleans or numbers are written as such, all others as strings. */
void json_write_node(struct json_writer *writer, const struct document_node *node);

#endif
