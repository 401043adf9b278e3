/* Rejection sampling, its usual case: only right answers are kept. */
#include <math.h>

#include "task/filter.h"

struct options {
	const char *of;
};

static int look(const void *options, struct record *r, struct err *e)
{
	double x;

	return filter_reward(r, ((const struct options *)options)->of, &x, e);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	const struct options *o = options;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		double x = filter_value(c[i].record, o->of);
		const char *verdict = NULL;
		struct err e;

		if (x >= 1)
			continue;
		if (record_has(c[i].record, "verdict"))
			verdict = record_string(c[i].record, "verdict", NULL, &e);
		if (verdict && *verdict)
			filter_reject(&c[i], "%s", verdict);
		else if (isnan(x))
			filter_reject(&c[i], "%s is null", o->of);
		else
			filter_reject(&c[i], "%s %g", o->of, x);
	}
}

static const struct options defaults = {"accuracy"};
static const struct param params[] = {
	{"of", OPT_STRING, offsetof(struct options, of), "NAME", "the reward that says what is right, by a value of 1"},
	PARAM_END};

const struct filter filter_correct = {
	{"correct", "reject answers that are not right", params, &defaults, sizeof defaults, NULL}, NULL, NULL, NULL, look, apply};
