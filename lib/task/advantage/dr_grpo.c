/* Liu et al. 2025, "Understanding R1-Zero-like training", section 3.2: without the division by std, which favours very easy and very
 * hard questions. */
#include "task/advantage.h"
#include "task/stat.h"

static void apply(const struct advantage_args *a, const struct advantage_group *g, size_t groups)
{
	double mean = stat_mean(g->reward, g->n), std = stat_std(g->reward, g->n, a->bessel);
	size_t i;

	(void)groups;
	for (i = 0; i < g->n; i++)
		g->advantage[i] = std > 0 ? g->reward[i] - mean : 0;
}

const struct advantage advantage_dr_grpo = {"dr_grpo", "r - mean within the group", false, apply};
