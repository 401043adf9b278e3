/* Difficulty: problems that are too hard or too easy, by the share of right completions in the group. */
#include <math.h>

#include "task/filter.h"

struct options {
	double min, max, right;
	const char *of;
};

static int check(void *options, struct err *e)
{
	struct options *o = options;

	return o->min > o->max ? err_set(e, "min=%g is more than max=%g", o->min, o->max) : 0;
}

static bool grouped(const void *options)
{
	(void)options;
	return true;
}

static int look(const void *options, struct record *r, struct err *e)
{
	double x;

	return filter_reward(r, ((const struct options *)options)->of, &x, e);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	const struct options *o = options;
	double right = 0, judged = 0;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		double x = filter_value(c[i].record, o->of);

		judged += !isnan(x);
		right += x >= o->right;
	}
	for (i = 0; i < n; i++) {
		if (!judged)
			filter_reject(&c[i], "%s is null", o->of);
		else if (right / judged < o->min)
			filter_reject(&c[i], "%g of %g is under %g", right, judged, o->min);
		else if (right / judged > o->max)
			filter_reject(&c[i], "%g of %g is over %g", right, judged, o->max);
	}
}

static const struct options defaults = {0, 1, 1, "accuracy"};
static const struct param params[] = {
	{"min", OPT_FLOAT, offsetof(struct options, min), "X", "lowest share of right ones that is kept", 0, 1},
	{"max", OPT_FLOAT, offsetof(struct options, max), "X", "highest", 0, 1},
	{"of", OPT_STRING, offsetof(struct options, of), "NAME", "the reward that says what is right"},
	{"right", OPT_FLOAT, offsetof(struct options, right), "X", "it is right from this value on"},
	PARAM_END};

const struct filter filter_pass_rate = {
	{"pass-rate", "reject problems too hard or too easy", params, &defaults, sizeof defaults, check}, grouped, NULL, NULL, look, apply};
