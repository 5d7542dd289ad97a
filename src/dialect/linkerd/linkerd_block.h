/* SPDX-License-Identifier: Apache-2.0 */
/* dialect/linkerd/linkerd_block.h: tables of keys: what a mapping of the file may hold, and where each value goes.
 *
 * A *block* is a mapping with a table of its keys; a *choice* is a mapping whose `kind` says which block it is. The tables are
 * at once the reader, the reference (linkerd_reference) and what a mistyped key is compared with. Static and immutable.
 *
 *	static const struct linkerd_key keys[] = {
 *		{ "port", LINKERD_PORT, AT(port), .says = "to listen on; 0: any; 9990" },
 *		LINKERD_KEY_LATER("tls"),
 *		{ 0 },
 *	};
 *	const struct linkerd_block linkerd_admin = { .name = "admin", .keys = keys };
 *	linkerd_read_block(load, document_get(root, "admin"), &linkerd_admin, &snapshot->admin);   // what isn't there stays
 */
#ifndef DIALECT_LINKERD_LINKERD_BLOCK_H
#define DIALECT_LINKERD_LINKERD_BLOCK_H

#include <stddef.h>

#include "doc/document.h"
#include "model/snapshot.h"

/* One load: what is being filled, and what is wrong so far. */
struct linkerd_load {
	struct snapshot *snapshot;
	struct problems *problems;
	enum protocol protocol; /* of the router that is being read */
	bool identity;          /* the file has one */
};

enum linkerd_type {
	LINKERD_LATER,         /* documented for Linkerd 1.x, refused by name */
	LINKERD_APART,         /* read by who reads the block, before or after: `kind`, `prefix` */
	LINKERD_BOOL,          /* bool */
	LINKERD_COUNT,         /* uint32_t, from min to max (0: 2147483647) */
	LINKERD_PORT,          /* uint16_t */
	LINKERD_MS,            /* int64_t nanoseconds; milliseconds from min to max (0: 2147483647) */
	LINKERD_SECONDS,       /* int64_t nanoseconds; seconds likewise */
	LINKERD_KB,            /* uint32_t bytes; units of 1024 likewise */
	LINKERD_SHARE,         /* double, from 0 to 1 */
	LINKERD_TEXT,          /* struct slice in the snapshot's arena, not empty, ends in NUL */
	LINKERD_TEXT_OR_EMPTY, /* the same, may be empty */
	LINKERD_IP,            /* struct address; its port stays */
	LINKERD_BLOCK,         /* the struct of `block` */
	LINKERD_READ,          /* `read` does it */
};

struct linkerd_block;
struct linkerd_choice;

/* For keys whose value is checked and then not needed. */
#define LINKERD_NOWHERE SIZE_MAX

struct linkerd_key {
	const char *name;
	enum linkerd_type type;
	size_t offset; /* in the block's struct, of what the type says; READ gets that too */
	int64_t min, max;
	bool required;
	unsigned sets; /* bits or-ed into the struct's `set` (at the block's set_offset) when it is there */
	void (*read)(struct linkerd_load *load, const struct document_node *value, void *out);
	const struct linkerd_block *block;   /* of BLOCK; with READ: what is inside, for the reference */
	const struct linkerd_choice *choice; /* with READ: likewise */
	const char *says;                    /* for people; the default last */
};

struct linkerd_block {
	const char *name;                 /* for the reference, e.g. "routers[]" */
	const struct linkerd_key *keys;   /* the last one has no name */
	const struct linkerd_block *also; /* further keys of the same struct */
	size_t set_offset;                /* of `unsigned set`, when a key `sets` something */
};

struct linkerd_kind {
	const char *name;                  /* "io.l5d.fs" */
	int value;                         /* the model's enum */
	const struct linkerd_block *block; /* NULL: documented for Linkerd 1.x, refused by name */
	const char *says;
};

struct linkerd_choice {
	const char *name;                 /* for the reference */
	const struct linkerd_kind *kinds; /* the last one has no name */
	const char *usual;                /* the kind when none is given; NULL: `kind` is required */
};

/* Rows of the tables. */
#define LINKERD_KEY_LATER(key) \
	{ \
		.name = (key), .type = LINKERD_LATER \
	}
#define LINKERD_KIND_LATER(kind) \
	{ \
		.name = (kind) \
	}
#define LINKERD_KEY_KIND \
	{ \
		.name = "kind", .type = LINKERD_APART \
	}

/* Fills `out` with what is there; the rest stays. A node of NULL leaves all as it is (and misses what is required). False if
 * a problem was found in it. */
bool linkerd_read_block(struct linkerd_load *load, const struct document_node *node, const struct linkerd_block *block, void *out);
/* Which kind the mapping is; NULL when that is a problem. The caller then reads kind->block. */
const struct linkerd_kind *linkerd_read_kind(
	struct linkerd_load *load, const struct document_node *node, const struct linkerd_choice *choice);
/* An array of structs of `size` in the snapshot's arena, zeroed, one for each item; `read` fills each. */
void *linkerd_read_list(struct linkerd_load *load, const struct document_node *node, size_t size,
	void (*read)(struct linkerd_load *load, const struct document_node *item, void *out), unsigned *count);

/* Memory of the snapshot; zeroed. */
void *linkerd_memory(struct linkerd_load *load, size_t size);
/* A copy that ends in NUL. */
struct slice linkerd_copy(struct linkerd_load *load, struct slice text);

/* "routers[0].client.tls: text" at the node; with `key`, at that key of the mapping `node`. Texts are up to 500 bytes. */
void linkerd_problem(struct linkerd_load *load, const struct document_node *node, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void linkerd_problem_at_key(struct linkerd_load *load, const struct document_entry *entry, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Of what asks Kubernetes' API: keys beside a `kubeconfig` that say the same are refused. */
void linkerd_check_kubeconfig(struct linkerd_load *load, const struct document_node *node);
/* The same as linkerd_problem, `offset` bytes inside the node's text. */
void linkerd_problem_inside(struct linkerd_load *load, const struct document_node *node, size_t offset, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

#endif
