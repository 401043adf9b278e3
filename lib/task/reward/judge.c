/* A generative judge's opinion of the answer: --judge asks it, lib/task/judge.h says how, and its votes come here. */
#include <math.h>
#include <string.h>

#include "task/judge.h"
#include "task/reward.h"

struct options {
	const char *value, *extract, *type;
};

static int check(void *options, struct err *e)
{
	const struct options *o = options;

	return answer_methods(o->extract, e);
}

/* Is the record's type in the list? 1, 0, -1 */
static int wanted(const struct options *o, struct scored *s, struct err *e)
{
	const char *type, *at = o->type;
	size_t n;

	if (!*o->type)
		return 1;
	if (!record_has(s->record, "type"))
		return 0;
	if (!(type = record_string(s->record, "type", &n, e)))
		return -1;
	for (;; at++) {
		size_t len = strcspn(at, ",");

		if (len == n && !memcmp(at, type, n))
			return 1;
		at += len;
		if (!*at)
			return 0;
	}
}

/* The question itself: `problem`, the last message, or `prompt` */
static int read_problem(struct record *r, struct question *q, struct err *e)
{
	const struct js *messages;

	if (record_has(r, "messages") && !record_has(r, "problem")) {
		if (!(messages = record_js(r, "messages", e)))
			return -1;
		q->problem = js_string(js_get(js_at(messages, js_size(messages) - 1), "content"), &q->problem_n);
		return q->problem ? 0 : record_error(r, e, "'messages' ends with no message that has a text");
	}
	q->problem = record_string(r, record_has(r, "problem") || !record_has(r, "prompt") ? "problem" : "prompt", &q->problem_n, e);
	return q->problem ? 0 : -1;
}

static int ask(const void *options, struct scored *s, struct question *q, struct err *e)
{
	const struct options *o = options;
	int rc = wanted(o, s, e);
	struct found f;

	if (rc <= 0)
		return rc;
	f = answer_find(s->parts.final, s->parts.final_n, o->extract);
	if (!f.text || !f.n)
		return 0;
	*q = (struct question){.answer = f.text, .answer_n = f.n};
	if (read_problem(s->record, q, e) < 0)
		return -1;
	if (record_has(s->record, "answer") && !(q->reference = record_string(s->record, "answer", &q->reference_n, e)))
		return -1;
	return 1;
}

static void show_votes(const struct judged *j, struct record *r)
{
	static const char *const name[] = {[VERDICT_NO] = "no", [VERDICT_TIE] = "tie", [VERDICT_YES] = "yes"};
	struct js *o = js_object(), *votes = js_array();
	int64_t i;

	for (i = 0; i < j->votes; i++) {
		const struct vote *v = &j->vote[i];
		struct js *vote = js_object();

		js_set(vote, "verdict", v->verdict ? js_new_str(name[v->verdict]) : js_new_null());
		if (j->pair)
			js_set(vote, "answer", js_new_str(v->swapped ? "first" : "second"));
		js_set(vote, "text", js_new_string(v->text, v->n));
		js_push(votes, vote);
	}
	js_set(o, "model", js_new_str(j->model));
	js_set(o, "votes", votes);
	record_set_js(r, "judge", o);
	js_free(o);
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	const struct judged *j = s->opinions.judge;
	int64_t count[VERDICT_YES + 1] = {0}, i;
	double share;
	int rc = wanted(o, s, e);

	if (rc <= 0)
		return rc;
	if (!j || !j->model) {
		struct found f = answer_find(s->parts.final, s->parts.final_n, o->extract);

		if (f.text && f.n) {
			buf_str(&s->reason, "no reference answer");
		} else {
			s->value = 0;
			buf_printf(&s->reason, "no answer found%s", s->parts.open ? ": <think> is not closed" : "");
		}
		return 0;
	}
	if (j->failed)
		return record_error(s->record, e, "%s", j->failed);
	if (j->refused) {
		buf_printf(&s->reason, "not asked: %s", j->refused);
		return 0;
	}
	show_votes(j, s->record);
	for (i = 0; i < j->votes; i++)
		count[j->vote[i].verdict]++;
	share = ((double)count[VERDICT_YES] + .5 * (double)count[VERDICT_TIE]) / (double)j->votes;
	s->value = *o->value == 's' ? share : share > .5;
	buf_printf(&s->reason, "%lld of %lld votes for it", (long long)count[VERDICT_YES], (long long)j->votes);
	if (count[VERDICT_TIE])
		buf_printf(&s->reason, ", %lld for neither", (long long)count[VERDICT_TIE]);
	if (count[VERDICT_NONE])
		buf_printf(&s->reason, ", %lld unclear", (long long)count[VERDICT_NONE]);
	if (share == .5)
		buf_str(&s->reason, ": a tie");
	return 0;
}

static const struct options defaults = {"majority", "answer,boxed,all", ""};
static const struct param params[] = {
	{"value", OPT_CHOICE, offsetof(struct options, value), "majority|share", "1 where more than half of the votes are for it; or their share"},
	{"extract", OPT_STRING, offsetof(struct options, extract), "LIST", "by answer, boxed, answer-is, last-number, all; the first found"},
	{"type", OPT_STRING, offsetof(struct options, type), "LIST", "judge problems of these types alone"},
	PARAM_END};

const struct reward reward_judge = {
	{"judge", "what the model of --judge says of the answer", params, &defaults, sizeof defaults, check}, false, score, ask};
