/* (r - mean) / (mean + epsilon): for rewards of 0 and 1, the gradient of the log-likelihood of a right answer in place of its
 * probability, so that rare successes weigh more. A group without any reward gives no signal. */
#include "task/advantage.h"
#include "task/stat.h"

static void apply(const struct advantage_args *a, const struct advantage_group *g, size_t groups)
{
	double mean = stat_mean(g->reward, g->n), std = stat_std(g->reward, g->n, a->bessel);
	size_t i;

	(void)groups;
	for (i = 0; i < g->n; i++)
		g->advantage[i] = std > 0 && mean > 0 ? (g->reward[i] - mean) / (mean + a->epsilon) : 0;
}

const struct advantage advantage_maxrl = {"maxrl", "(r - mean) / (mean + epsilon) within the group; 0 unless mean > 0", false, apply,
	.epsilon = true};
