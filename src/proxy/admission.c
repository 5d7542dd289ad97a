/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/admission.h"

#include "proxy/l5d.h"
#include "tls/spiffe.h"

/* ERROR_SYNTAX: it is no number. */
static int read_forwards(struct head *head, uint64_t *left)
{
	return slice_to_u64(field_value(head_find(head, FIELD_MAX_FORWARDS)), UINT32_MAX, left);
}

static enum admission judge_forwards(struct head *head)
{
	uint64_t left;

	if (head->method != METHOD_TRACE && head->method != METHOD_OPTIONS)
		return ADMISSION_YES;
	if (read_forwards(head, &left))
		return ADMISSION_BAD_FORWARDS;
	return left ? ADMISSION_FEWER : ADMISSION_LAST;
}

bool admission_may_call(const struct listener_policy *policy, struct slice id, const struct tls_setting **by)
{
	struct spiffe parsed;

	if (by)
		*by = NULL;
	if (!policy->peer_id_count)
		return true;
	if (spiffe_parse(id, &parsed, NULL))
		return false;
	for (unsigned i = 0; i < policy->peer_id_count; i++) {
		if (!spiffe_matches(policy->peer_ids[i].text, &parsed))
			continue;
		if (by)
			*by = &policy->peer_ids[i];
		return true;
	}
	return false;
}

enum admission admission_judge(struct head *head, const struct listener_policy *policy)
{
	if (head_has(head, FIELD_VIA) && l5d_call_depth(head) > policy->max_call_depth)
		return ADMISSION_TOO_DEEP;
	if (head->method == METHOD_CONNECT)
		return ADMISSION_CONNECT;
	return head_has(head, FIELD_MAX_FORWARDS) ? judge_forwards(head) : ADMISSION_YES;
}

uint64_t admission_forwards(struct head *head)
{
	uint64_t left;

	return read_forwards(head, &left) ? 0 : left;
}

unsigned admission_status(enum admission admission)
{
	switch (admission) {
	case ADMISSION_TOO_DEEP:
	case ADMISSION_BAD_FORWARDS:
		return 400;
	case ADMISSION_CONNECT:
		return 501;
	case ADMISSION_LAST:
		return 200;
	default:
		return 0;
	}
}

struct slice admission_text(enum admission admission)
{
	switch (admission) {
	case ADMISSION_TOO_DEEP:
		return SLICE("Maximum number of calls has been exceeded. Please check for proxy loops.");
	case ADMISSION_BAD_FORWARDS:
		return SLICE("Max-Forwards is not a number");
	case ADMISSION_CONNECT:
		return SLICE("CONNECT is not supported by this router");
	default:
		return (struct slice){ 0 };
	}
}
