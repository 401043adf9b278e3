/* code.c - tiny programs in shell: what is to be done to x, one thing after the other; brackets are what the hasty forget
 *
 *     User: sh x +3 *2 -4 =? Assistant:
 *     <think> x+3; (x+3)*2; (x+3)*2-4;</think><answer>read x;echo $(((x+3)*2-4))</answer>
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

/* Brackets are needed: something is multiplied after something was added */
static bool needs_brackets(const struct task *t)
{
	bool sum = false;
	int i;

	for (i = 0; i < t->code.n; i++) {
		if (t->code.sign[i] == '*' && sum)
			return true;
		sum = sum || t->code.sign[i] != '*';
	}
	return false;
}

static void code_task(struct rng *r, bool asked, struct task *t)
{
	int i;

	do {
		t->code.n = 2 + (int)rng_below(r, CODE_MOST - 1);
		for (i = 0; i < t->code.n; i++) {
			t->code.sign[i] = rng_double(r) < (asked ? .5 : .4) ? '*' : "+-"[rng_below(r, 2)];
			t->code.value[i] = digit(r, 2);
		}
	} while (asked && !needs_brackets(t));
	buf_str(&t->text, "sh x");
	for (i = 0; i < t->code.n; i++)
		buf_printf(&t->text, " %c%d", t->code.sign[i], t->code.value[i]);
	buf_str(&t->text, " =?");
	t->level = t->code.n;
}

/* What is done to x, and operation i behind it, with brackets where they are needed, or as the hasty write it */
static void extend(struct buf *e, const struct buf *before, const struct task *t, int i, bool hasty, bool *sum)
{
	const bool product = t->code.sign[i] == '*', brackets = product && *sum && !hasty;

	buf_clear(e);
	buf_printf(e, brackets ? "(%s)%c%d" : "%s%c%d", before->p, t->code.sign[i], t->code.value[i]);
	if (!product)
		*sum = true;
	else if (brackets)
		*sum = false;
}

static void code_think(struct rng *r, struct buf *to, const struct task *t, const struct mood *m, struct buf *answer)
{
	struct buf e = {0}, was = {0};
	bool sum = false;
	int i, k;

	buf_str(&e, "x");
	for (i = 0; i < t->code.n; i++) {
		const bool hard = t->code.sign[i] == '*' && sum, had = sum;
		bool chinese, slips;

		buf_clear(&was);
		buf_add(&was, e.p, e.n);
		extend(&e, &was, t, i, rng_double(r) < (hard ? m->style == DIRECT ? .6 : .8 : 0), &sum);
		if (m->style == DIRECT)
			continue;
		buf_printf(to, " %s;", e.p);
		for (k = 0; k < CHECKS && (k == 0 || rng_double(r) < .3) && clock_looks(r, m, hard, &chinese, &slips); k++) {
			sum = had;
			extend(&e, &was, t, i, slips && rng_double(r) < .5, &sum);
			buf_printf(to, chinese ? " 等%s;" : " wait %s;", e.p);
		}
	}
	buf_printf(answer, "read x;echo $((%s))", e.p);
	buf_free(&e);
	buf_free(&was);
}

static void code_fields(const struct task *t, struct record *rec)
{
	static const int x[] = {5, 12};
	struct js *tests = js_object(), *in = js_array(), *out = js_array(), *limits = js_object();
	char s[32];
	size_t k;
	int i;

	for (k = 0; k < 2; k++) {
		long v = x[k];

		for (i = 0; i < t->code.n; i++)
			v = t->code.sign[i] == '*' ? v * t->code.value[i] : t->code.sign[i] == '+' ? v + t->code.value[i] : v - t->code.value[i];
		snprintf(s, sizeof s, "%d\n", x[k]);
		js_push(in, js_new_str(s));
		snprintf(s, sizeof s, "%ld\n", v);
		js_push(out, js_new_str(s));
	}
	js_set(limits, "cpu", js_new_int(1));
	js_set(limits, "memory", js_new_int(64));
	js_set(tests, "language", js_new_str("shell"));
	js_set(tests, "inputs", in);
	js_set(tests, "outputs", out);
	js_set(tests, "limits", limits);
	record_set_js(rec, "tests", tests);
	js_free(tests);
}

const struct domain code_domain = {.name = "code", .type = "code", .share = .12, .make = code_task, .think = code_think, .fields = code_fields,
				   .asks = true};
