/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

struct metrics *metrics;
struct text page;

int page_setup(void **state)
{
	(void)state;
	metrics = metrics_new(2);
	return 0;
}

int page_teardown(void **state)
{
	(void)state;
	metrics_free(metrics);
	text_free(&page);
	return 0;
}
