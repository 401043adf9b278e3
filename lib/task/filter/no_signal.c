/* Groups whose completions all have the same reward: their advantages are 0, and nothing is learned from them (Yu et al. 2025, "DAPO",
 * section 3.2, dynamic sampling). */
#include <float.h>
#include <math.h>

#include "task/filter.h"

struct options {
	const char *of;
	double within;
};

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

/* A difference that is `within` in decimals may come out a little larger: 1.1 - 1 > 0.1. Rewards are sums, each with its own rounding. */
static bool alike(double low, double high, double within)
{
	const double slack = within > 0 ? 8 * DBL_EPSILON * fmax(fabs(low), fabs(high)) : 0;

	return !(high - low > within + slack);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	const struct options *o = options;
	double low = INFINITY, high = -INFINITY;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		double x = filter_value(c[i].record, o->of);

		low = fmin(low, x);
		high = fmax(high, x);
	}
	for (i = 0; i < n && alike(low, high, o->within); i++) {
		if (n == 1)
			filter_reject(&c[i], "alone in its group");
		else if (low == high)
			filter_reject(&c[i], "all %zu have %s %g", n, o->of, low);
		else
			filter_reject(&c[i], "all %zu have %s %g to %g", n, o->of, low, high);
	}
}

static const struct options defaults = {"reward", 0};
static const struct param params[] = {
	{"of", OPT_STRING, offsetof(struct options, of), "NAME", "the reward to look at: the sum, or one of `rewards`"},
	{"within", OPT_FLOAT, offsetof(struct options, within), "X", "differences up to this are none", 0, 1e30},
	PARAM_END};

const struct filter filter_no_signal = {
	{"no-signal", "reject groups whose rewards are all the same", params, &defaults, sizeof defaults, NULL},
	grouped, NULL, NULL, look, apply};
