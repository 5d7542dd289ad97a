/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sim/world.h"

struct slot {
	struct message message;
	int64_t due;
};

struct channel {
	uint32_t magic;
	struct loop *loop;
	struct ready ready;
	struct timer due;   /* the world's: the first message's */
	struct slot *slots; /* a ring */
	unsigned first, count, capacity;
	uint64_t refused;
	bool telling, freed; /* freed while it delivers: its memory behind that */
};

enum { BATCH = 32 };

static void first_due(void *owner)
{
	struct channel *channel = owner;
	loop_ready(channel->loop, &channel->ready);
}

static struct slot slot_pop(struct channel *channel)
{
	struct slot slot = channel->slots[channel->first];
	channel->first = (channel->first + 1) % channel->capacity;
	channel->count--;
	return slot;
}

static void deliver(struct channel *channel)
{
	struct slot slot = slot_pop(channel);
	channel->loop->sim->totals.messages++;
	world_event(channel->loop->sim, EVENT_MESSAGE, channel->loop->id, (uint64_t)slot.due, 0);
	slot.message.deliver(&slot.message);
}

static void tell(struct ready *ready)
{
	struct channel *channel = LIST_OF(ready, struct channel, ready);
	CHECK_MAGIC(channel, CHANNEL_MAGIC);
	struct loop *loop = channel->loop;
	channel->telling = true;
	for (unsigned i = 0; i < BATCH && channel->count && channel->slots[channel->first].due <= loop->sim->now; i++) {
		deliver(channel);
		loop_run_tasks(loop);
	}
	channel->telling = false;
	if (channel->freed)
		memory_free(channel);
	else if (channel->count && !loop_dead(loop))
		timers_set(&loop->sim->events, &channel->due, channel->slots[channel->first].due);
}

int channel_new(struct loop *loop, unsigned capacity, struct channel **result)
{
	CHECK_MAGIC(loop, LOOP_MAGIC);
	CHECK(capacity > 0);
	struct channel *channel = memory_new(sizeof(*channel));
	channel->magic = CHANNEL_MAGIC;
	channel->loop = loop;
	channel->ready.tell = tell;
	list_init(&channel->ready.link);
	timer_init(&channel->due, first_due, channel);
	channel->slots = memory_array(capacity, sizeof(*channel->slots));
	channel->capacity = capacity;
	loop->channels++;
	*result = channel;
	return 0;
}

int channel_post(struct channel *channel, struct message message)
{
	CHECK_MAGIC(channel, CHANNEL_MAGIC);
	struct sim *sim = channel->loop->sim;
	if (world_fails(sim, SIM_CALL_POST) || channel->count == channel->capacity) {
		channel->refused++;
		return ERROR_LIMIT;
	}
	int64_t due = sim->now + world_draw(sim, sim->options.post_ns);
	if (channel->count) {
		const struct slot *last = &channel->slots[(channel->first + channel->count - 1) % channel->capacity];
		due = last->due > due ? last->due : due;
	}
	channel->slots[(channel->first + channel->count++) % channel->capacity] = (struct slot){ message, due };
	if (channel->count == 1 && !loop_dead(channel->loop))
		timers_set(&sim->events, &channel->due, due);
	return 0;
}

uint64_t channel_refused(const struct channel *channel)
{
	return channel->refused;
}

void channel_free(struct channel *channel)
{
	if (!channel)
		return;
	CHECK_MAGIC(channel, CHANNEL_MAGIC);
	channel->freed = true;
	while (channel->count)
		deliver(channel);
	timers_cancel(&channel->loop->sim->events, &channel->due);
	loop_unready(channel->loop, &channel->ready);
	channel->loop->channels--;
	channel->magic = 0;
	memory_free(channel->slots);
	if (!channel->telling)
		memory_free(channel);
}
