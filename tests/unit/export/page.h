/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of pages share: metrics of two workers and a page to write them to, new for each case. */
#ifndef UNIT_EXPORT_PAGE_H
#define UNIT_EXPORT_PAGE_H

#include "base/text.h"
#include "observe/metrics.h"

extern struct metrics *metrics;
extern struct text page;

/* cmocka's setup and teardown of a case. */
int page_setup(void **state);
int page_teardown(void **state);

#endif
