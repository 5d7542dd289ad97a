/* SPDX-License-Identifier: Apache-2.0 */
#include "client/resolv_conf.h"

#include "base/clock.h"
#include "client/words.h"

enum { MAX_NDOTS = 15, MAX_TIMEOUT = 30, MAX_ATTEMPTS = 5 };

static void add_server(struct resolv_conf *conf, struct slice word)
{
	if (conf->server_count == RESOLV_CONF_SERVERS)
		return;
	struct address *server = &conf->servers[conf->server_count];
	if (!address_parse(word, RESOLV_CONF_PORT, server) || !address_parse_with_port(word, server))
		conf->server_count++;
}

/* The last `search` or `domain` of the file counts. */
static void set_search(struct resolv_conf *conf, struct slice line, unsigned max)
{
	struct slice word;
	conf->search_count = 0;
	while ((word = words_next(&line)).length && conf->search_count < max) {
		struct dns_name name;
		if (!dns_name_parse(word, &name) && dns_name_show(&name, conf->search[conf->search_count]) > 0)
			conf->search_count++;
	}
}

static uint64_t number_behind(struct slice word, size_t prefix, uint64_t least, uint64_t most, uint64_t otherwise)
{
	uint64_t value;
	int e = slice_to_u64(slice_from(word, prefix), most, &value);
	if (e == ERROR_LIMIT)
		return most;
	if (e)
		return otherwise;
	return value < least ? least : value;
}

static void set_options(struct resolv_conf *conf, struct slice line)
{
	struct slice word;
	while ((word = words_next(&line)).length) {
		if (slice_starts(word, SLICE("ndots:")))
			conf->ndots = (unsigned)number_behind(word, 6, 0, MAX_NDOTS, conf->ndots);
		else if (slice_starts(word, SLICE("timeout:")))
			conf->timeout_ns = (int64_t)number_behind(word, 8, 1, MAX_TIMEOUT, 5) * CLOCK_SECOND;
		else if (slice_starts(word, SLICE("attempts:")))
			conf->attempts = (unsigned)number_behind(word, 9, 1, MAX_ATTEMPTS, conf->attempts);
		else if (slice_equal(word, SLICE("rotate")))
			conf->rotate = true;
	}
}

static void parse_line(struct resolv_conf *conf, struct slice line)
{
	if (line.length && (line.at[0] == '#' || line.at[0] == ';'))
		return;
	struct slice keyword = words_next(&line);
	if (slice_equal(keyword, SLICE("nameserver")))
		add_server(conf, words_next(&line));
	else if (slice_equal(keyword, SLICE("search")))
		set_search(conf, line, RESOLV_CONF_SEARCH);
	else if (slice_equal(keyword, SLICE("domain")))
		set_search(conf, line, 1);
	else if (slice_equal(keyword, SLICE("options")))
		set_options(conf, line);
}

void resolv_conf_parse(struct slice bytes, struct resolv_conf *conf)
{
	struct slice line;
	*conf = (struct resolv_conf){ .ndots = 1, .attempts = 2, .timeout_ns = 5 * CLOCK_SECOND };
	while (slice_split(&bytes, '\n', &line))
		parse_line(conf, line);
	if (!conf->server_count)
		add_server(conf, SLICE("127.0.0.1"));
}
