/* SPDX-License-Identifier: Apache-2.0 */
/* admin/question.h: what only the control thread can answer; private to this room.
 *
 * The admin thread makes a question and sends it; `ask` runs on the control thread, writes the JSON onto question->answer and calls
 * question_answer, at once or later. The question is freed with its answer.
 *
 *	question_send(question_new(request, ask));          // admin thread
 *	static void ask(struct question *question) { ...; question_answer(question); }
 */
#ifndef ADMIN_QUESTION_H
#define ADMIN_QUESTION_H

#include "admin/request.h"

struct question {
	struct admin *admin;
	struct request *request;                /* the admin thread's */
	void (*ask)(struct question *question); /* on the control thread */
	struct text router, dtab, path, head, peer;
	bool has_dtab;
	int64_t for_ns;
	unsigned status;
	struct text answer;
};

struct question *question_new(struct request *request, void (*ask)(struct question *question));
/* Takes the question. Answers 503 when the control thread's channel is full. */
void question_send(struct question *question);
/* Control thread. Takes the question. */
void question_answer(struct question *question);

/* record_pages.c: for /explain.json of a request that was sent; question->path is its trace's id. */
void ask_past(struct question *question);

#endif
