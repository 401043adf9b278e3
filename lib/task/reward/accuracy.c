/* Is the final answer the reference answer? 1 or 0; not applicable where there is no reference or no verifier for its type. */
#include <string.h>

#include "task/reward.h"
#include "task/verifier.h"

struct options {
	const char *extract, *type, *order;
	double absolute, relative;
};

static int check(void *options, struct err *e)
{
	struct options *o = options;

	if (*o->type && !verifier_find(o->type, e))
		return -1;
	return answer_methods(o->extract, e);
}

/* What was asked, which a choice's options are part of: `problem`, the last message, or `prompt` */
static void read_problem(struct record *r, struct verifier_options *how)
{
	const struct js *messages;
	struct err none;

	if (record_has(r, "problem"))
		how->problem = record_string(r, "problem", &how->problem_n, &none);
	else if (record_has(r, "messages") && (messages = record_js(r, "messages", &none)))
		how->problem = js_string(js_get(js_at(messages, js_size(messages) - 1), "content"), &how->problem_n);
	else if (record_has(r, "prompt"))
		how->problem = record_string(r, "prompt", &how->problem_n, &none);
}

static void judge(const struct options *o, struct scored *s, const struct verifier *v, const char *answer, size_t n)
{
	struct found f = answer_find(s->parts.final, s->parts.final_n, o->extract);
	struct verifier_options how = {o->absolute, o->relative, *o->order == 'k' ? ORDER_KEPT : *o->order == 'a' ? ORDER_ANY : ORDER_USUAL};
	struct buf why = {0};

	s->extracted = f;
	s->value = 0;
	if (!f.text) {
		buf_str(&s->reason, "no answer found");
		if (s->parts.open)
			buf_str(&s->reason, ": <think> is not closed");
		else if (f.how)
			buf_printf(&s->reason, ": %s", f.how);
		return;
	}
	read_problem(s->record, &how);
	s->value = v->same(f.text, f.n, answer, n, &how, &why);
	buf_str(&s->reason, s->value ? "right: " : "wrong: ");
	answer_show(f.text, f.n, &s->reason);
	if (!s->value) {
		buf_str(&s->reason, ", not ");
		answer_show(answer, n, &s->reason);
		if (why.n)
			buf_printf(&s->reason, " as far as can be told: %s", why.p);
	}
	buf_free(&why);
}

static int look(const struct options *o, struct scored *s, struct err *e)
{
	const char *answer, *type = o->type;
	const struct verifier *v;
	struct err none;
	size_t n;

	if (!*type && record_has(s->record, "type") && !(type = record_string(s->record, "type", NULL, e)))
		return -1;
	v = verifier_find(type, &none);
	if (v && v->judge)
		return v->judge(s, e);
	if (v && record_has(s->record, "answer")) {
		answer = record_string(s->record, "answer", &n, e);
		if (!answer)
			return -1;
		judge(o, s, v, answer, n);
		return 0;
	}
	s->unverified = !v && record_has(s->record, "answer");
	s->extracted = answer_find(s->parts.final, s->parts.final_n, o->extract);
	buf_str(&s->reason, v ? "no reference answer" : none.msg);
	return 0;
}

static int score(const void *options, struct scored *s, struct err *e)
{
	int rc = look(options, s, e);

	if (!s->judged)
		s->accuracy = s->value;
	s->judged = true;
	return rc;
}

static const struct options defaults = {.extract = "answer,boxed", .type = "", .order = "usual"};
static const struct param params[] = {
	{"extract", OPT_STRING, offsetof(struct options, extract), "LIST",
	 "by answer, boxed, answer-is, last-number, all; the first found"},
	{"type", OPT_STRING, offsetof(struct options, type), "TYPE", "verify as this type, whatever the record's"},
	{"abs", OPT_FLOAT, offsetof(struct options, absolute), "X", "numbers that are no further apart are the same", 0, 1e300},
	{"rel", OPT_FLOAT, offsetof(struct options, relative), "X", "... nor by more than this times the larger of them", 0, 1},
	{"order", OPT_CHOICE, offsetof(struct options, order), "usual|kept|any", "of a list's items: usually any in math, kept in list"},
	PARAM_END};

const struct reward reward_accuracy = {
	{"accuracy", "1 if the final answer is the reference answer, else 0", params, &defaults, sizeof defaults, check}, true, score};
