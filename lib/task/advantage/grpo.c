/* Shao et al. 2024, "DeepSeekMath", section 4.1.2, and the paper's eq. 3: A = (r - mean) / (std + epsilon). */
#include "task/advantage.h"
#include "task/stat.h"

static void apply(const struct advantage_args *a, const struct advantage_group *g, size_t groups)
{
	double mean = stat_mean(g->reward, g->n), std = stat_std(g->reward, g->n, a->bessel);
	size_t i;

	(void)groups;
	for (i = 0; i < g->n; i++)
		g->advantage[i] = std > 0 ? (g->reward[i] - mean) / (std + a->epsilon) : 0;
}

const struct advantage advantage_grpo = {"grpo", "(r - mean) / (std + epsilon) within the group: the paper's", false, apply, .epsilon = true, .bessel = true};
