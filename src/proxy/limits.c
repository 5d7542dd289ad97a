/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/limits.h"

/* As good as none: a window's peer is told when all of it is used up. */
#define NO_SHARE 1e-9

void limits_set_http2(struct session_limits *limits, const struct http2_policy *policy)
{
	limits->stream_window = policy->stream_window_bytes;
	limits->max_frame = policy->max_frame_bytes;
	limits->header_table = policy->header_table_bytes > 0 ? policy->header_table_bytes : SESSION_NO_TABLE;
	limits->ping_ns = policy->ping_ns;
	limits->window_share = policy->window_update_ratio > 0 ? policy->window_update_ratio : NO_SHARE;
}
