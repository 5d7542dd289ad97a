/* SPDX-License-Identifier: Apache-2.0 */
#include "model/endpoints.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"

/* By address; the heavier first. */
static int by_address(const void *a, const void *b)
{
	const struct endpoint *left = a, *right = b;
	int order = address_compare(&left->address, &right->address);
	return order ? order : (left->weight < right->weight) - (left->weight > right->weight);
}

/* Sorted, the first of each address. */
static uint32_t sort_unique(struct endpoint *list, uint32_t count)
{
	uint32_t kept = 0;
	if (count == 0)
		return 0;
	qsort(list, count, sizeof *list, by_address);
	for (uint32_t i = 1; i < count; i++) {
		if (!address_equal(&list[i].address, &list[kept].address))
			list[++kept] = list[i];
	}
	return kept + 1;
}

static struct endpoints *new_set(enum endpoints_state state, uint64_t version, size_t more)
{
	struct endpoints *set = memory_new(sizeof *set + more);
	atomic_init(&set->references, 1);
	set->state = state;
	set->version = version;
	return set;
}

static struct slice put(char **at, struct slice bytes)
{
	struct slice copy = slice_make(*at, bytes.length);
	if (bytes.length)
		memcpy(*at, bytes.at, bytes.length);
	*at += bytes.length;
	return copy;
}

/* What an endpoint needs behind the lists: its id and its labels' texts. */
static size_t text_size(const struct endpoint *endpoint)
{
	char id[ADDRESS_TEXT];
	size_t size = (size_t)address_format(&endpoint->address, id);
	for (uint32_t i = 0; i < endpoint->label_count; i++)
		size += endpoint->labels[i].key.length + endpoint->labels[i].value.length;
	return size;
}

/* Makes an endpoint's id and labels its own. */
static void own(struct endpoint *endpoint, struct label **labels, char **at)
{
	char id[ADDRESS_TEXT];
	const struct label *theirs = endpoint->labels;
	endpoint->id = put(at, slice_make(id, (size_t)address_format(&endpoint->address, id)));
	endpoint->labels = *labels;
	for (uint32_t i = 0; i < endpoint->label_count; i++)
		*(*labels)++ = (struct label){ put(at, theirs[i].key), put(at, theirs[i].value) };
}

struct endpoints *endpoints_new(const struct endpoint *list, uint32_t count, uint64_t version)
{
	struct endpoint *sorted = memory_array(count ? count : 1, sizeof *sorted);
	size_t label_count = 0, text = 0;
	if (count)
		memcpy(sorted, list, count * sizeof *sorted);
	count = sort_unique(sorted, count);
	for (uint32_t i = 0; i < count; i++) {
		label_count += sorted[i].label_count;
		text += text_size(&sorted[i]);
	}
	size_t lists = count * sizeof *sorted + label_count * sizeof(struct label);
	struct endpoints *set = new_set(ENDPOINTS_BOUND, version, lists + text);
	struct endpoint *owned = (struct endpoint *)(set + 1);
	struct label *labels = (struct label *)(owned + count);
	char *at = (char *)(labels + label_count);
	memcpy(owned, sorted, count * sizeof *sorted);
	for (uint32_t i = 0; i < count; i++)
		own(&owned[i], &labels, &at);
	set->list = owned;
	set->count = count;
	memory_free(sorted);
	return set;
}

struct endpoints *endpoints_new_state(enum endpoints_state state, struct slice message, uint64_t version)
{
	CHECK(state != ENDPOINTS_BOUND);
	struct endpoints *set = new_set(state, version, message.length);
	char *at = (char *)(set + 1);
	set->message = put(&at, message);
	return set;
}

struct endpoints *endpoints_ref(struct endpoints *endpoints)
{
	atomic_fetch_add_explicit(&endpoints->references, 1, memory_order_relaxed);
	return endpoints;
}

void endpoints_unref(struct endpoints *endpoints)
{
	if (endpoints && atomic_fetch_sub_explicit(&endpoints->references, 1, memory_order_acq_rel) == 1)
		memory_free(endpoints);
}

static bool same_labels(const struct endpoint *a, const struct endpoint *b)
{
	if (a->label_count != b->label_count)
		return false;
	for (uint32_t i = 0; i < a->label_count; i++) {
		if (!slice_equal(a->labels[i].key, b->labels[i].key) || !slice_equal(a->labels[i].value, b->labels[i].value))
			return false;
	}
	return true;
}

bool endpoints_equal(const struct endpoints *a, const struct endpoints *b)
{
	if (a == b)
		return true;
	if (a->state != b->state || a->count != b->count || !slice_equal(a->message, b->message))
		return false;
	for (uint32_t i = 0; i < a->count; i++) {
		const struct endpoint *left = &a->list[i], *right = &b->list[i];
		if (!address_equal(&left->address, &right->address) || left->weight != right->weight || !same_labels(left, right))
			return false;
	}
	return true;
}

const struct endpoint *endpoints_find(const struct endpoints *endpoints, const struct address *address)
{
	uint32_t low = 0, high = endpoints->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = address_compare(address, &endpoints->list[middle].address);
		if (order == 0)
			return &endpoints->list[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

struct slice endpoint_label(const struct endpoint *endpoint, struct slice key)
{
	for (uint32_t i = 0; i < endpoint->label_count; i++) {
		if (slice_equal(endpoint->labels[i].key, key))
			return endpoint->labels[i].value;
	}
	return (struct slice){ 0 };
}

const char *endpoints_state_text(enum endpoints_state state)
{
	switch (state) {
	case ENDPOINTS_PENDING:
		return "pending";
	case ENDPOINTS_BOUND:
		return "bound";
	case ENDPOINTS_NEG:
		return "neg";
	case ENDPOINTS_FAILED:
		return "failed";
	}
	return "?";
}
