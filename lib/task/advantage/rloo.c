/* Kool et al. 2019; Ahmadian et al. 2024, "Back to basics": the baseline of a completion is the mean of the others of its group,
 * r - (n mean - r) / (n - 1) = n / (n - 1) (r - mean). */
#include "task/advantage.h"
#include "task/stat.h"

static void apply(const struct advantage_args *a, const struct advantage_group *g, size_t groups)
{
	double mean = stat_mean(g->reward, g->n), std = stat_std(g->reward, g->n, a->bessel);
	size_t i;

	(void)groups;
	for (i = 0; i < g->n; i++)
		g->advantage[i] = std > 0 ? (double)g->n / (double)(g->n - 1) * (g->reward[i] - mean) : 0;
}

const struct advantage advantage_rloo = {"rloo", "r - mean of the others of the group (leave one out)", false, apply};
