/* Hu 2025, "REINFORCE++", its variant with a baseline: the mean of the group is taken off each reward, then all of the step is divided
 * by its standard deviation. A group of one has itself as its baseline. */
#include <stdlib.h>

#include "base/mem.h"
#include "task/advantage.h"
#include "task/stat.h"

static void apply(const struct advantage_args *a, const struct advantage_group *g, size_t groups)
{
	double *all, mean, std;
	size_t n = 0, i, j;

	for (i = 0; i < groups; i++)
		n += g[i].n;
	all = xmalloc((n + 1) * sizeof *all);
	for (n = i = 0; i < groups; n += g[i++].n) {
		bool same = stat_std(g[i].reward, g[i].n, false) == 0;

		mean = stat_mean(g[i].reward, g[i].n);
		for (j = 0; j < g[i].n; j++)
			all[n + j] = same ? 0 : g[i].reward[j] - mean;
	}
	mean = stat_mean(all, n);
	std = stat_std(all, n, a->bessel);
	for (n = i = 0; i < groups; n += g[i++].n) {
		bool same = stat_std(g[i].reward, g[i].n, false) == 0;         /* the mean is 0, but for rounding */

		for (j = 0; j < g[i].n; j++)
			g[i].advantage[j] = std > 0 && !same ? (all[n + j] - mean) / (std + a->epsilon) : 0;
	}
	free(all);
}

const struct advantage advantage_reinforce_pp_baseline = {
	"reinforce++-baseline", "r - mean of the group, then (x - mean) / (std + epsilon) over the step", true, apply,
	.epsilon = true, .bessel = true};
