/* SPDX-License-Identifier: Apache-2.0 */
/* Channels between threads, threads, locks. Meant for ThreadSanitizer too. */
#include "unit/io/rig.h"

#include "io/channel.h"
#include "io/thread.h"

enum { SENDERS = 4, MESSAGES = 20000, CAPACITY = 256 };

static const struct loop_options defaults = { .name = "test" };

struct receiver {
	struct loop *loop;
	uint64_t next[SENDERS]; /* a sender's messages come in its order */
	uint64_t count;
	bool done;
};

struct sender {
	struct channel *channel;
	struct receiver *receiver;
	struct thread *thread;
	uintptr_t number;
	uint64_t refused;
};

static void deliver(const struct message *message)
{
	struct receiver *receiver = message->owner;
	const struct sender *sender = message->a;
	assert_true(message->n == receiver->next[sender->number]);
	receiver->next[sender->number]++;
	receiver->done = ++receiver->count == SENDERS * MESSAGES;
}

static void send_all(void *owner)
{
	struct sender *sender = owner;
	for (uint64_t n = 0; n < MESSAGES;) {
		struct message message = { .deliver = deliver, .owner = sender->receiver, .a = sender, .n = n };
		int e = channel_post(sender->channel, message);
		if (e)
			sender->refused++;
		else
			n++;
	}
}

static void all_messages_arrive_in_their_senders_order(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct receiver receiver = { .loop = rig->loop };
	struct sender senders[SENDERS];
	struct channel *channel;
	uint64_t refused = 0;
	assert_int_equal(channel_new(rig->loop, CAPACITY, &channel), 0);
	for (uintptr_t i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .channel = channel, .receiver = &receiver, .number = i };
		assert_int_equal(thread_start("a sender with a long name", send_all, &senders[i], &senders[i].thread), 0);
	}
	assert_true(rig_until(rig, &receiver.done));
	for (int i = 0; i < SENDERS; i++) {
		thread_join(senders[i].thread);
		refused += senders[i].refused;
		assert_int_equal(receiver.next[i], MESSAGES);
	}
	assert_int_equal(channel_refused(channel), refused);
	channel_free(channel);
	rig_free(rig);
}

static void count_one(const struct message *message)
{
	(*(unsigned *)message->a)++;
}

static void a_full_channel_refuses(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct channel *channel;
	unsigned delivered = 0;
	struct message message = { .deliver = count_one, .a = &delivered };
	assert_int_equal(channel_new(rig->loop, 8, &channel), 0);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 8; i++)
			assert_int_equal(channel_post(channel, message), 0);
		assert_int_equal(channel_post(channel, message), ERROR_LIMIT);
		assert_int_equal(channel_refused(channel), round + 1);
		rig_turns(rig, 1);
		assert_int_equal(delivered, (round + 1) * 8);
	}
	assert_int_equal(channel_post(channel, message), 0);
	channel_free(channel); /* delivers it */
	assert_int_equal(delivered, 25);
	rig_free(rig);
}

struct freeing {
	struct channel *channels[3];
	unsigned delivered;
};

static void free_two_of_three(const struct message *message)
{
	struct freeing *freeing = message->owner;
	freeing->delivered++;
	if (!freeing->channels[0])
		return;
	channel_free(freeing->channels[0]); /* this one */
	channel_free(freeing->channels[1]); /* and one that is not looked at yet */
	freeing->channels[0] = freeing->channels[1] = NULL;
}

static void channels_may_be_freed_by_a_message(void **state)
{
	(void)state;
	struct rig *rig = rig_new(&defaults);
	struct freeing freeing = { 0 };
	for (int i = 0; i < 3; i++)
		assert_int_equal(channel_new(rig->loop, 4, &freeing.channels[i]), 0);
	assert_int_equal(channel_post(freeing.channels[0], (struct message){ .deliver = free_two_of_three, .owner = &freeing }), 0);
	assert_int_equal(channel_post(freeing.channels[2], (struct message){ .deliver = free_two_of_three, .owner = &freeing }), 0);
	rig_turns(rig, 2);
	assert_int_equal(freeing.delivered, 2);
	channel_free(freeing.channels[2]);
	rig_free(rig);
}

static void stop_from_a_thread(void *owner)
{
	loop_stop(owner);
}

static void a_loop_is_stopped_from_another_thread(void **state)
{
	(void)state;
	struct loop *loop;
	struct thread *thread;
	assert_int_equal(loop_new(&defaults, &loop), 0);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(thread_start("stop", stop_from_a_thread, loop, &thread), 0);
		loop_run(loop); /* sleeps without a timer */
		thread_join(thread);
	}
	loop_free(loop);
}

struct sum {
	struct lock *lock;
	uint64_t value;
};

static void add_locked(void *owner)
{
	struct sum *sum = owner;
	for (int i = 0; i < 10000; i++) {
		lock_take(sum->lock);
		sum->value++;
		lock_release(sum->lock);
	}
}

static void a_lock_keeps_threads_apart(void **state)
{
	(void)state;
	struct sum sum = { .lock = lock_new() };
	struct thread *threads[3];
	for (int i = 0; i < 3; i++)
		assert_int_equal(thread_start("add", add_locked, &sum, &threads[i]), 0);
	for (int i = 0; i < 3; i++)
		thread_join(threads[i]);
	assert_int_equal(sum.value, 30000);
	lock_free(sum.lock);
	assert_true(thread_cores() >= 1);
}

int main(void)
{
	process_start();
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_messages_arrive_in_their_senders_order),
		cmocka_unit_test(a_full_channel_refuses),
		cmocka_unit_test(channels_may_be_freed_by_a_message),
		cmocka_unit_test(a_loop_is_stopped_from_another_thread),
		cmocka_unit_test(a_lock_keeps_threads_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
