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

/* Of a choice whose answer is a letter: its option, "(C) Paris", a line of the problem; so that an answer may say Paris. The last such line. */
static const char *option_of(const char *problem, size_t n, char letter, size_t *option_n)
{
	const char *end = problem + n, *line, *next, *p, *found = NULL;

	for (line = problem; line < end; line = next) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));

		next = stop ? stop + 1 : end;
		stop = stop ? stop : end;
		for (p = line; p < stop && (*p == ' ' || *p == '\t' || *p == '('); p++)
			;
		if (stop - p > 2 && *p == letter && (p[1] == ')' || p[1] == '.' || p[1] == ':')) {
			found = line;
			*option_n = (size_t)(stop - line);
		}
	}
	return found;
}

static bool right(const struct scored *s, const struct verifier *v, struct found f, const char *answer, size_t n, const struct verifier_options *how,
	struct buf *why)
{
	const char *problem, *option;
	size_t problem_n, option_n;
	struct err none;

	if (v->same(f.text, f.n, answer, n, how, why))
		return true;
	if (strcmp(v->name, "choice") || n != 1 || !record_has(s->record, "problem") || !(problem = record_string(s->record, "problem", &problem_n, &none)))
		return false;
	option = option_of(problem, problem_n, *answer, &option_n);
	return option && v->same(f.text, f.n, option, option_n, how, why);
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
	s->value = right(s, v, f, answer, n, &how, &why);
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
