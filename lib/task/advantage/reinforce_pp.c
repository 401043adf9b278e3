/* Hu 2025, "REINFORCE++": no groups; the rewards of the whole step are brought to mean 0 and deviation 1. */
#include <stdlib.h>
#include <string.h>

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
	for (n = i = 0; i < groups; n += g[i++].n)
		memcpy(all + n, g[i].reward, g[i].n * sizeof *all);
	mean = stat_mean(all, n);
	std = stat_std(all, n, a->bessel);
	for (i = 0; i < groups; i++)
		for (j = 0; j < g[i].n; j++)
			g[i].advantage[j] = std > 0 ? (g[i].reward[j] - mean) / (std + a->epsilon) : 0;
	free(all);
}

const struct advantage advantage_reinforce_pp = {"reinforce++", "(r - mean) / (std + epsilon) over the whole step", true, apply, .epsilon = true, .bessel = true};
