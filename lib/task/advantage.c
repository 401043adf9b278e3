#include "task/advantage.h"

#include <math.h>
#include <string.h>

#include "base/buf.h"

const struct advantage *advantage_find(const char *name, struct err *e)
{
	const struct advantage *const *a;
	struct buf names = {0};

	for (a = advantage_table; *a; a++)
		if (!strcmp((*a)->name, name))
			return *a;
	for (a = advantage_table; *a; a++)
		buf_printf(&names, "%s%s", names.n ? ", " : "", (*a)->name);
	err_set(e, "there is no estimator '%s', only %s", name, names.p ? names.p : "none");
	buf_free(&names);
	return NULL;
}

void advantage_apply_tokens(const struct advantage *a, const struct advantage_args *args, const struct advantage_tokens *x, size_t n)
{
	double sum = 0, squares = 0, mean, std;
	size_t count = 0, i, j;

	for (i = 0; i < n; i++) {
		a->tokens(args, &x[i]);
		for (j = 0; j < x[i].n; j++, count++)
			sum += x[i].advantage[j];
	}
	if (!args->whiten || !count)
		return;
	mean = sum / (double)count;
	for (i = 0; i < n; i++)
		for (j = 0; j < x[i].n; j++)
			squares += (x[i].advantage[j] - mean) * (x[i].advantage[j] - mean);
	std = sqrt(squares / (double)count);
	for (i = 0; i < n; i++)
		for (j = 0; j < x[i].n; j++)
			x[i].advantage[j] = (float)((x[i].advantage[j] - mean) / (std + args->epsilon));
}

void advantage_apply(const struct advantage *a, const struct advantage_args *args, const struct advantage_group *g, size_t groups)
{
	size_t i;

	if (a->batch) {
		a->apply(args, g, groups);
		return;
	}
	for (i = 0; i < groups; i++) {
		if (g[i].n == 1)
			g[i].advantage[0] = args->single_raw ? g[i].reward[0] : 0;
		else if (g[i].n)
			a->apply(args, &g[i], 1);
	}
}
