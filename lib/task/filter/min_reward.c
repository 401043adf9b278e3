/* Rejection sampling: what earned too little. */
#include <math.h>

#include "task/filter.h"

struct options {
	double min;
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

		if (isnan(x))
			filter_reject(&c[i], "%s is null", o->of);
		else if (x < o->min)
			filter_reject(&c[i], "%s %g is under %g", o->of, x, o->min);
	}
}

static const struct options defaults = {1, "reward"};
static const struct param params[] = {
	{"min", OPT_FLOAT, offsetof(struct options, min), "X", "lowest that is kept"},
	{"of", OPT_STRING, offsetof(struct options, of), "NAME", "the reward to look at: the sum, or one of `rewards`"},
	PARAM_END};

const struct filter filter_min_reward = {
	{"min-reward", "reject completions that earned too little", params, &defaults, sizeof defaults, NULL}, NULL, NULL, NULL, look, apply};
