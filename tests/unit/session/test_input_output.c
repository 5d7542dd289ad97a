/* SPDX-License-Identifier: Apache-2.0 */
/* session/input.h and session/output.h: bytes kept, joined and gathered, and every reference given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/text.h"
#include "session/input.h"
#include "session/output.h"

static struct pool buffers;

static int set_up(void **state)
{
	(void)state;
	buffer_pool_init(&buffers, "test", 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	pool_fini(&buffers); /* CHECKs that all came back */
	return 0;
}

static struct buffer *filled(uint32_t length, char with)
{
	struct buffer *buffer = buffer_get(&buffers);

	assert_non_null(buffer);
	memset(buffer->bytes, with, length);
	buffer->filled = length;
	return buffer;
}

static void check_slice(const struct input *input, size_t a, size_t b)
{
	struct slice s = input_slice(input);

	assert_int_equal(a + b, s.length);
	for (size_t i = 0; i < s.length; i++)
		assert_int_equal(i < a ? 'a' : 'b', s.at[i]);
}

static void input_is_consumed(void **state)
{
	struct input input;
	bool moved;

	(void)state;
	input_init(&input);
	assert_int_equal(0, input_slice(&input).length);
	input_add(&input, filled(0, 'x'));
	assert_true(input_empty(&input));
	input_add(&input, filled(10, 'a'));
	assert_int_equal(ERROR_INCOMPLETE, input_join(&input, &buffers, NULL, &moved));
	input_skip(&input, 4);
	check_slice(&input, 6, 0);
	input_add(&input, filled(5, 'b'));
	check_slice(&input, 6, 0);
	input_skip(&input, 6);
	check_slice(&input, 0, 5);
	input_skip(&input, 5);
	assert_true(input_empty(&input));
	assert_int_equal(0, buffers.in_use);
}

/* `at` bytes are consumed of a piece of `first`; `second` bytes come behind; is it shared with somebody? */
static void check_join(uint32_t first, uint32_t at, uint32_t second, bool shared, bool moves)
{
	struct input input;
	struct buffer *a = filled(first, 'a');
	size_t left = first - at, room = BUFFER_CAPACITY - (moves ? left : first), joined = second < room ? second : room;
	bool moved;

	input_init(&input);
	input_add(&input, shared ? buffer_ref(a) : a);
	input_skip(&input, at);
	input_add(&input, filled(second, 'b'));
	assert_int_equal(joined ? 0 : ERROR_LIMIT, input_join(&input, &buffers, NULL, &moved));
	assert_int_equal(moves, moved);
	check_slice(&input, left, joined);
	if (shared) {
		assert_int_equal(first, a->filled); /* it was left alone */
		buffer_unref(a);
	}
	if (joined == 0) {
		input_drop(&input);
		return;
	}
	input_skip(&input, left + joined);
	check_slice(&input, 0, second - joined);
	input_drop(&input);
	assert_int_equal(0, buffers.in_use);
}

static void input_is_joined(void **state)
{
	(void)state;
	check_join(100, 10, 50, false, false);
	check_join(100, 10, 50, true, true);
	check_join(BUFFER_CAPACITY, BUFFER_CAPACITY - 100, 500, false, true);
	check_join(BUFFER_CAPACITY - 10, 0, 500, false, false);
	check_join(BUFFER_CAPACITY - 10, 20, BUFFER_CAPACITY, false, true);
	check_join(BUFFER_CAPACITY, 0, 1, false, false);
	check_join(BUFFER_CAPACITY, 1, 1, false, true);
	check_join(BUFFER_CAPACITY - 1, 0, 1, true, true);
}

/* Pieces of a buffer each come in until what is unconsumed fills a large one. */
static void what_outgrows_a_buffer_gets_a_large_one(void **state)
{
	struct input input;
	struct pool large;
	size_t length = BUFFER_CAPACITY - 10;
	bool moved;

	(void)state;
	buffer_pool_init_large(&large, "large", 1);
	input_init(&input);
	input_add(&input, filled(BUFFER_CAPACITY, 'a'));
	input_skip(&input, 10);
	for (unsigned i = 0; length < BUFFER_LARGE_CAPACITY; i++) {
		size_t more = BUFFER_CAPACITY;

		input_add(&input, filled(BUFFER_CAPACITY, 'b'));
		while (more > 0 && length < BUFFER_LARGE_CAPACITY) {
			size_t before = input_slice(&input).length;

			assert_int_equal(0, input_join(&input, &buffers, &large, &moved));
			assert_true(i == 0 || !moved); /* once there it stays */
			more -= input_slice(&input).length - before;
			length += input_slice(&input).length - before;
		}
	}
	check_slice(&input, BUFFER_CAPACITY - 10, BUFFER_LARGE_CAPACITY - (BUFFER_CAPACITY - 10));
	assert_int_equal(ERROR_LIMIT, input_join(&input, &buffers, &large, &moved));
	assert_int_equal(1, large.in_use);
	input_skip(&input, BUFFER_LARGE_CAPACITY);
	assert_int_equal(0, large.in_use);
	input_drop(&input);
	assert_int_equal(0, buffers.in_use);
	pool_fini(&large);
}

static void there_are_only_so_many_large_ones(void **state)
{
	struct input input;
	struct pool large;
	bool moved;

	(void)state;
	buffer_pool_init_large(&large, "large", 1);
	struct buffer *only = buffer_get(&large);
	input_init(&input);
	input_add(&input, filled(BUFFER_CAPACITY, 'a'));
	input_add(&input, filled(1, 'b'));
	assert_int_equal(ERROR_NO_MEMORY, input_join(&input, &buffers, &large, &moved));
	assert_false(moved);
	check_slice(&input, BUFFER_CAPACITY, 0);
	buffer_unref(only);
	assert_int_equal(0, input_join(&input, &buffers, &large, &moved));
	assert_true(moved);
	check_slice(&input, BUFFER_CAPACITY, 1);
	input_drop(&input);
	assert_int_equal(0, large.in_use);
	pool_fini(&large);
}

/* A large buffer that the head before still needs, and the next one begins in it and is long, too. */
static void a_long_rest_of_a_shared_large_buffer_stays_whole(void **state)
{
	struct input input;
	struct pool large;
	bool moved;

	(void)state;
	buffer_pool_init_large(&large, "large", 2);
	struct buffer *shared = buffer_get(&large);
	memset(shared->bytes, 'a', shared->capacity);
	shared->filled = shared->capacity;
	input_init(&input);
	input_add(&input, buffer_ref(shared));
	input_skip(&input, 100);
	input_add(&input, filled(50, 'b'));
	assert_int_equal(0, input_join(&input, &buffers, &large, &moved));
	assert_true(moved);
	check_slice(&input, BUFFER_LARGE_CAPACITY - 100, 50);
	assert_int_equal(2, large.in_use);
	input_drop(&input);
	buffer_unref(shared);
	pool_fini(&large);
}

static void input_without_buffers(void **state)
{
	struct input input;
	struct pool none;
	bool moved;

	(void)state;
	buffer_pool_init(&none, "none", 1);
	input_init(&input);
	input_add(&input, filled(BUFFER_CAPACITY, 'a'));
	input_skip(&input, 5);
	input_add(&input, filled(5, 'b'));
	struct buffer *only = buffer_get(&none);
	assert_int_equal(ERROR_NO_MEMORY, input_join(&input, &none, NULL, &moved));
	assert_false(moved);
	check_slice(&input, BUFFER_CAPACITY - 5, 0);
	input_drop(&input);
	buffer_unref(only);
	pool_fini(&none);
}

/* --- output: a stream that writes down what it takes --- */

static struct text taken;
static unsigned takes, most_pieces, last_pieces;
static size_t says_waiting;

static size_t take(struct stream *stream, const struct piece *pieces, unsigned count)
{
	(void)stream;
	takes++;
	last_pieces = count;
	if (count > most_pieces)
		most_pieces = count;
	for (unsigned i = 0; i < count; i++) {
		struct piece piece = pieces[i];

		assert_true(piece.length > 0);
		text_append(&taken, slice_make(piece.at, piece.length));
		piece_release(&piece);
	}
	return says_waiting;
}

static const struct stream_ops ops = { .take = take };

enum { PIECES = 5 };

static void begin_output(struct output *output, struct stream *stream)
{
	static struct piece pieces[PIECES];

	*stream = (struct stream){ .ops = &ops };
	takes = most_pieces = last_pieces = 0;
	says_waiting = 0;
	text_clear(&taken);
	output_init(output, stream, &buffers, pieces, PIECES);
}

static void write_text(struct output *output, const char *text)
{
	size_t length = strlen(text);
	char *at = output_room(output, length);

	assert_non_null(at);
	memcpy(at, text, length);
	output_wrote(output, length);
}

static void short_messages_are_one_run(void **state)
{
	struct stream stream;
	struct output output;
	struct buffer *body = filled(1000, 'b');

	(void)state;
	begin_output(&output, &stream);
	output_flush(&output);
	assert_int_equal(0, takes);
	write_text(&output, "head ");
	output_piece(&output, piece_of(body, body->bytes, 3));
	write_text(&output, " tail");
	output_piece(&output, (struct piece){ 0 });
	buffer_unref(body);
	assert_int_equal(13, output_backlog(&output));
	says_waiting = 7;
	output_flush(&output);
	assert_int_equal(1, takes);
	assert_int_equal(1, last_pieces);
	assert_string_equal("head bbb tail", taken.bytes);
	assert_int_equal(7, output_backlog(&output));
	assert_int_equal(13, output.taken);
	assert_int_equal(0, buffers.in_use);
}

static void long_bodies_are_passed_on(void **state)
{
	struct stream stream;
	struct output output;
	struct buffer *body = filled(5000, 'b');

	(void)state;
	begin_output(&output, &stream);
	write_text(&output, "head ");
	output_piece(&output, (struct piece){ body, body->bytes, 5000 });
	write_text(&output, "tail");
	output_flush(&output);
	assert_int_equal(1, takes);
	assert_int_equal(3, last_pieces);
	assert_int_equal(5009, taken.length);
	assert_memory_equal("head b", taken.bytes, 6);
	assert_memory_equal("btail", taken.bytes + 5004, 5);
	assert_int_equal(0, buffers.in_use);
}

static void more_pieces_than_places(void **state)
{
	struct stream stream;
	struct output output;

	(void)state;
	begin_output(&output, &stream);
	for (unsigned i = 0; i < 100; i++) {
		struct buffer *body = filled(3000, 'b');

		write_text(&output, "[");
		output_piece(&output, (struct piece){ body, body->bytes, 3000 });
		write_text(&output, "]");
	}
	output_flush(&output);
	assert_int_equal(100 * 3002, taken.length);
	assert_int_equal(100 * 3002, output.taken);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal('[', taken.bytes[i * 3002]);
		assert_int_equal(']', taken.bytes[i * 3002 + 3001]);
	}
	assert_true(most_pieces <= PIECES);
	assert_int_equal(0, buffers.in_use);
}

static void more_text_than_a_buffer_holds(void **state)
{
	struct stream stream;
	struct output output;
	char *at;

	(void)state;
	begin_output(&output, &stream);
	for (unsigned i = 0; i < 10; i++) {
		at = output_room(&output, 10000);
		assert_non_null(at);
		memset(at, 'x', 10000);
		output_wrote(&output, 10000);
	}
	assert_null(output_room(&output, BUFFER_CAPACITY + 1));
	output_flush(&output);
	assert_int_equal(100000, taken.length);
	write_text(&output, "dropped");
	output_piece(&output, (struct piece){ NULL, "static", 6 });
	output_drop(&output);
	output_flush(&output);
	assert_int_equal(100000, taken.length);
	assert_int_equal(0, buffers.in_use);
	text_free(&taken);
	taken = (struct text){ 0 };
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(input_is_consumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(input_is_joined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_outgrows_a_buffer_gets_a_large_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(there_are_only_so_many_large_ones, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_rest_of_a_shared_large_buffer_stays_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(input_without_buffers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(short_messages_are_one_run, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_bodies_are_passed_on, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_pieces_than_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(more_text_than_a_buffer_holds, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
