/* SPDX-License-Identifier: Apache-2.0 */
/* base/list.h: intrusive doubly linked lists. The owner of the list owns its members. One thread.
 *
 *	struct list idle;  list_init(&idle);
 *	list_append(&idle, &conn->link);
 *	struct conn *c = LIST_OF(list_first(&idle), struct conn, link);
 *	list_remove(&c->link);          // and is then unlinked: removing again is allowed
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *next, *previous;
};

#define LIST_OF(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))
#define LIST_EACH(members, link) for (struct list *link = (members)->next; link != (members); link = link->next)
/* The current member may be removed in the body. */
#define LIST_EACH_SAFE(members, link, after) \
	for (struct list *link = (members)->next, *after = link->next; link != (members); link = after, after = link->next)

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_insert_after(struct list *where, struct list *link)
{
	link->previous = where;
	link->next = where->next;
	where->next->previous = link;
	where->next = link;
}

static inline void list_append(struct list *list, struct list *link)
{
	list_insert_after(list->previous, link);
}

static inline void list_prepend(struct list *list, struct list *link)
{
	list_insert_after(list, link);
}

static inline void list_remove(struct list *link)
{
	link->previous->next = link->next;
	link->next->previous = link->previous;
	list_init(link);
}

static inline struct list *list_first(struct list *list)
{
	return list->next == list ? NULL : list->next;
}

static inline struct list *list_last(struct list *list)
{
	return list->previous == list ? NULL : list->previous;
}

#endif
