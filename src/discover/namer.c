/* SPDX-License-Identifier: Apache-2.0 */
#include "discover/namer.h"

#include "base/memory.h"

struct namer_watch *namer_lookup(struct namer *namer, struct path below, void (*changed)(void *owner), void *owner)
{
	return namer->ops->lookup(namer, below, changed, owner);
}

const struct namer_answer *namer_answer(const struct namer_watch *watch)
{
	return &watch->answer;
}

void namer_cancel(struct namer_watch *watch)
{
	if (watch)
		watch->namer->ops->cancel(watch);
}

void namer_free(struct namer *namer)
{
	if (namer)
		namer->ops->free(namer);
}

void namers_add(struct namers *namers, struct namer *namer)
{
	namers->list = memory_grow(namers->list, namers->count + 1, sizeof(struct namer *));
	namers->list[namers->count++] = namer;
}

struct namer *namers_next(const struct namers *namers, struct path path, uint32_t *cursor)
{
	while (*cursor > 0) {
		struct namer *namer = namers->list[--*cursor];
		if (path_starts(path, namer->prefix))
			return namer;
	}
	return NULL;
}

void namers_free(struct namers *namers)
{
	for (uint32_t i = 0; i < namers->count; i++)
		namer_free(namers->list[i]);
	memory_free(namers->list);
	*namers = (struct namers){ 0 };
}
