/* SPDX-License-Identifier: Apache-2.0 */
/* cli/reload.h: the configuration file of a running proxy: takes it over when it has changed, or refuses it.
 *
 * The file's directory is watched, because editors and Kubernetes replace files rather than write them. What can't be used is
 * logged with its file, line and column, counted (`configuration/failures`), and everything stays as it was. Control thread.
 *
 *	reload_new(&options, &reload);        // takes the bytes and a reference to the snapshot that runs
 *	reload_now(reload);                   // SIGHUP: even if the file is as it was
 *	reload_free(reload);
 */
#ifndef CLI_RELOAD_H
#define CLI_RELOAD_H

#include "base/slice.h"
#include "io/loop.h"
#include "model/snapshot.h"
#include "observe/metrics.h"

struct admin;
struct credentials;
struct exporter;
struct proxy;
struct reload;
struct tls_store;

struct reload_options {
	struct loop *loop;
	const char *path;          /* "-": read once, so never reloaded; stays the caller's */
	struct slice bytes;        /* what the running snapshot was made of; heap, is taken */
	struct snapshot *snapshot; /* the running one, generation 1; a reference is taken */
	struct tls_store *store;
	const struct credentials *credentials;
	struct proxy *proxy;
	struct admin *admin;
	struct exporter *exporter;
	struct metrics *metrics;
	void (*loaded)(void *owner); /* another configuration runs now */
	void *owner;
};

/* A directory that can't be watched is only logged. */
struct reload *reload_new(const struct reload_options *options);
void reload_now(struct reload *reload);
/* What runs; belongs to the reload. */
const struct snapshot *reload_snapshot(const struct reload *reload);
/* While held, a reload waits until it is let go: for when what runs must not change. */
void reload_hold(struct reload *reload, bool held);
/* From now on nothing is reloaded. */
void reload_stop(struct reload *reload);
void reload_free(struct reload *reload); /* NULL is allowed */

#endif
