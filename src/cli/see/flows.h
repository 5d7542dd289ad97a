/* SPDX-License-Identifier: Apache-2.0 */
/* cli/see/flows.h: flows, as /flows.json tells them: whose requests went to which endpoint of what, by their addresses. Main thread.
 *
 *	struct reading *reading = flows_read(page, &why);
 *	READING_EACH(reading, meter) use(meter->source, meter->endpoint, meter->counts[COUNT_REQUESTS]);
 */
#ifndef CLI_SEE_FLOWS_H
#define CLI_SEE_FLOWS_H

#include "cli/see/reading.h"

/* A reading with a METER_FLOW for each. NULL: the page is none; why is added to `why`. The page is copied. */
struct reading *flows_read(struct slice page, struct text *why);
/* The page, which is to count at least as long as the next window takes. */
void flows_page(int64_t window_ns, struct text *page);

enum { FLOWS_LONGEST = 3540 }; /* seconds that a window may have */

#endif
