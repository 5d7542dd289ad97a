/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/endpoints.h"

static struct address address_of(const char *text)
{
	struct address address;
	assert_int_equal(address_parse_with_port(slice_of(text), &address), 0);
	return address;
}

static struct endpoint endpoint_of(const char *address, double weight)
{
	return (struct endpoint){ .address = address_of(address), .weight = weight };
}

static void sorted_once_each(void **state)
{
	struct endpoint list[] = {
		endpoint_of("127.0.1.3:80", 1),
		endpoint_of("127.0.1.1:80", 1),
		endpoint_of("127.0.1.3:80", 5),
		endpoint_of("127.0.1.2:80", 2),
		endpoint_of("127.0.1.1:8080", 1),
		endpoint_of("[::1]:80", 1),
	};
	struct endpoints *set = endpoints_new(list, 6, 7);
	static const char *const ids[] = { "127.0.1.1:80", "127.0.1.1:8080", "127.0.1.2:80", "127.0.1.3:80", "[::1]:80" };
	(void)state;
	assert_int_equal(set->state, ENDPOINTS_BOUND);
	assert_int_equal(set->version, 7);
	assert_int_equal(set->count, 5);
	for (uint32_t i = 0; i < 5; i++) {
		struct address address = address_of(ids[i]);
		const struct endpoint *found = endpoints_find(set, &address);
		assert_non_null(found);
		assert_true(slice_equal(found->id, slice_of(ids[i])));
		assert_true(i == 0 || address_compare(&set->list[i - 1].address, &set->list[i].address) < 0);
	}
	struct address third = address_of("127.0.1.3:80"), absent = address_of("127.0.1.3:81");
	assert_true(endpoints_find(set, &third)->weight == 5);
	assert_null(endpoints_find(set, &absent));
	endpoints_unref(set);
}

static void labels_are_copied(void **state)
{
	char value[] = "node-1";
	struct label labels[] = { { SLICE("nodeName"), { value, 6 } }, { SLICE("zone"), SLICE("") } };
	struct endpoint list[] = { endpoint_of("127.0.1.2:80", 1), endpoint_of("127.0.1.1:80", 1) };
	list[1].labels = labels;
	list[1].label_count = 2;
	struct endpoints *set = endpoints_new(list, 2, 1);
	(void)state;
	memset(value, '!', sizeof value);
	assert_true(slice_equal(endpoint_label(&set->list[0], SLICE("nodeName")), SLICE("node-1")));
	assert_non_null(endpoint_label(&set->list[0], SLICE("zone")).at);
	assert_null(endpoint_label(&set->list[0], SLICE("region")).at);
	assert_null(endpoint_label(&set->list[1], SLICE("nodeName")).at);
	endpoints_unref(set);
}

static void equal_but_for_the_version(void **state)
{
	struct label node = { SLICE("node"), SLICE("1") }, other = { SLICE("node"), SLICE("2") };
	struct endpoint list[] = { endpoint_of("127.0.1.1:80", 1), endpoint_of("127.0.1.2:80", 1) };
	struct endpoint swapped[] = { list[1], list[0] };
	struct endpoint heavier[] = { list[0], endpoint_of("127.0.1.2:80", 2) };
	struct endpoint labelled[] = { list[0], list[1] }, relabelled[] = { list[0], list[1] };
	labelled[0].labels = &node;
	relabelled[0].labels = &other;
	labelled[0].label_count = relabelled[0].label_count = 1;
	struct endpoints *sets[] = {
		endpoints_new(list, 2, 1),
		endpoints_new(list, 1, 1),
		endpoints_new(heavier, 2, 1),
		endpoints_new(labelled, 2, 1),
		endpoints_new(relabelled, 2, 1),
		endpoints_new(NULL, 0, 1),
		endpoints_new_state(ENDPOINTS_NEG, SLICE(""), 1),
		endpoints_new_state(ENDPOINTS_PENDING, SLICE(""), 1),
		endpoints_new_state(ENDPOINTS_FAILED, SLICE("why"), 1),
		endpoints_new_state(ENDPOINTS_FAILED, SLICE("another"), 1),
	};
	struct endpoints *same = endpoints_new(swapped, 2, 9);
	(void)state;
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
		assert_int_equal(endpoints_equal(sets[i], same), i == 0);
		for (size_t j = 0; j < sizeof sets / sizeof *sets; j++)
			assert_int_equal(endpoints_equal(sets[i], sets[j]), i == j);
	}
	assert_true(slice_equal(sets[8]->message, SLICE("why")));
	assert_string_equal(endpoints_state_text(sets[8]->state), "failed");
	for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
		endpoints_unref(sets[i]);
	endpoints_unref(same);
}

static void lives_as_long_as_its_references(void **state)
{
	struct endpoint one = endpoint_of("127.0.1.1:80", 1);
	struct endpoints *set = endpoints_new(&one, 1, 1);
	(void)state;
	assert_ptr_equal(endpoints_ref(set), set);
	endpoints_unref(set);
	assert_int_equal(set->count, 1); /* a sanitizer would object */
	endpoints_unref(set);
	endpoints_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorted_once_each),
		cmocka_unit_test(labels_are_copied),
		cmocka_unit_test(equal_but_for_the_version),
		cmocka_unit_test(lives_as_long_as_its_references),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
