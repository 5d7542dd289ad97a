/* SPDX-License-Identifier: Apache-2.0 */
/* discover/k8s_reflector.h: one collection of a Kubernetes API (all EndpointSlices, say), told as it is and as it changes.
 *
 * Lists it in chunks, then watches it from the list's version on. A watch that ends goes on from the version that was seen last;
 * one whose version the server has forgotten (410 Gone) makes it list again. Whatever fails is tried again after 0.25 to 30 s, drawn
 * and doubling, and what was told stays true for its owner: an outage takes nothing away. One object at a time is held.
 * Kubernetes' documentation, "API concepts": "Efficient detection of changes", "Watch bookmarks", "Retrieving large results sets in chunks".
 *
 * Nothing is kept here but the version: the owner keeps what it wants of an object, and drops, at `listed`, all that was not told
 * since `listing`. Control thread; events come from the loop only, and must not free the reflector.
 *
 *	static const struct k8s_reflector_events events = { .listing = listing, .object = object, .listed = listed, .failed = failed };
 *	reflector = k8s_reflector_new(api, &(struct k8s_collection){ .path = SLICE("/api/v1/services") }, &events, owner);
 *	k8s_reflector_free(reflector);
 */
#ifndef DISCOVER_K8S_REFLECTOR_H
#define DISCOVER_K8S_REFLECTOR_H

#include <stdbool.h>

#include "base/counter.h"
#include "base/slice.h"

struct document_node;
struct k8s_api;
struct k8s_reflector;

enum {
	K8S_OBJECT_MOST = 8 * 1024 * 1024, /* bytes of one object's JSON: etcd keeps 1.5 MiB of a denser form */
	K8S_CHUNK = 500,                   /* objects of one answer to a list */
};

struct k8s_reflector_events {
	/* A list begins, perhaps again before it was `listed`. */
	void (*listing)(void *owner);
	/* It is there, or it has changed, or (gone) it is no longer there. Valid during the call. */
	void (*object)(void *owner, const struct document_node *object, bool gone);
	/* The list is whole: what was not told since `listing` isn't there. */
	void (*listed)(void *owner);
	/* Asking failed, and is tried again; `why` is a sentence, valid during the call. */
	void (*failed)(void *owner, struct slice why);
	/* It answers again, after it failed; what it said then was told first. NULL is allowed. */
	void (*back)(void *owner);
};

struct k8s_reflector_counts {
	struct counter lists;    /* asked for, chunks not counted */
	struct counter watches;  /* begun */
	struct counter events;   /* of watches, bookmarks not counted */
	struct counter expired;  /* watches that the server could not go on with: 410 Gone */
	struct counter failures; /* requests that failed */
};

/* What is asked for. */
struct k8s_collection {
	struct slice path;
	struct slice older;                  /* where it is on servers that don't know `path` (404); or empty */
	struct slice labels, fields;         /* labelSelector, fieldSelector; or empty */
	struct k8s_reflector_counts *counts; /* to add to; NULL: its own. They outlive it; several on one thread may share them */
};

/* The collection is copied. Asks from the next turn of the loop on. */
struct k8s_reflector *k8s_reflector_new(
	struct k8s_api *api, const struct k8s_collection *collection, const struct k8s_reflector_events *events, void *owner);
void k8s_reflector_free(struct k8s_reflector *reflector); /* NULL is allowed */
const struct k8s_reflector_counts *k8s_reflector_counts(const struct k8s_reflector *reflector);

#endif
