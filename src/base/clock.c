/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <stdio.h>

/* Days since 1970 to a date of the Gregorian calendar, counting in eras of 400 years that begin on a first of March. */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	days += 719468;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	unsigned of_era = (unsigned)(days - era * 146097);
	unsigned year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned from_march = (5 * of_year + 2) / 153;

	*day = of_year - (153 * from_march + 2) / 5 + 1;
	*month = from_march < 10 ? from_march + 3 : from_march - 9;
	*year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

void clock_split(int64_t wall_ns, struct clock_date *date)
{
	int64_t seconds = wall_ns / CLOCK_SECOND, days = seconds / 86400;
	unsigned rest = (unsigned)(seconds % 86400);

	*date = (struct clock_date){
		.hour = rest / 3600, .minute = rest / 60 % 60, .second = rest % 60, .weekday = (unsigned)((days + 4) % 7)
	};
	civil(days, &date->year, &date->month, &date->day);
}

void clock_format(int64_t wall_ns, char text[CLOCK_TEXT])
{
	struct clock_date date;

	clock_split(wall_ns, &date);
	snprintf(text, CLOCK_TEXT, "%04d-%02u-%02uT%02u:%02u:%02uZ", (int)(date.year % 10000), date.month, date.day, date.hour, date.minute,
		date.second);
}
