#include "task/advantage.h"

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
