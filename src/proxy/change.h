/* SPDX-License-Identifier: Apache-2.0 */
/* proxy/change.h: being told of a change, of whichever kind. Control thread.
 *
 *	watch = (struct change_watch){ .changed = changed, .owner = owner };
 *	dtabs_watch(dtabs, &watch);       // or ingresses_watch
 *	list_remove(&watch.link);
 */
#ifndef PROXY_CHANGE_H
#define PROXY_CHANGE_H

#include "base/list.h"

/* Embedded in who is to be told. */
struct change_watch {
	struct list link;
	void (*changed)(void *owner); /* may end its own watch */
	void *owner;
};

/* Tells all of a list. */
static inline void change_tell(struct list *watches)
{
	LIST_EACH_SAFE(watches, link, after) {
		struct change_watch *watch = LIST_OF(link, struct change_watch, link);

		watch->changed(watch->owner);
	}
}

#endif
