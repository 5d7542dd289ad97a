/* SPDX-License-Identifier: Apache-2.0 */
/* cli/cluster/asking.h: questions to Kubernetes' API, one after the other, each waited for. Main thread; one in a process.
 *
 *	struct asking *asking = asking_new(&place, &why);        // NULL: why
 *	asking_get(asking, "/version", &answer);
 *	if (answer.status == 200) use(document_root(answer.document));
 *	answer_free(&answer);
 *	asking_free(asking);
 */
#ifndef CLI_CLUSTER_ASKING_H
#define CLI_CLUSTER_ASKING_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"

struct asking;
struct document;
struct document_node;
struct k8s_place;

struct answer {
	unsigned status; /* 0: none came, `body` says why */
	struct text body;
	struct document *document; /* NULL: it isn't JSON */
};

/* A list, of which the API server has given a chunk after the other (cluster/lists.h). */
struct answers {
	bool whole;
	struct answer last; /* unless it is whole: what came instead of the rest */
	struct answer *chunks;
	unsigned chunk_count, count;
	const struct document_node **items;
};

struct asking *asking_new(const struct k8s_place *place, struct text *why);
void asking_free(struct asking *asking);
const char *asking_server(const struct asking *asking); /* as a URL, or by the kubeconfig that says it */
/* answer_free, whatever came. */
void asking_get(struct asking *asking, const char *target, struct answer *answer);
void asking_post(struct asking *asking, const char *target, const char *object, struct answer *answer);
void answer_free(struct answer *answer);
/* answers_free, whatever came. */
void asking_list(struct asking *asking, const char *target, struct answers *answers);
void answers_free(struct answers *answers);
/* The message in an answer that is a Status, or what came instead. For one line. */
void answer_tell(const struct answer *answer, struct text *out);

#endif
