/* Completions that came to the longest length before their end. */
#include <string.h>

#include "task/filter.h"

static int look(const void *options, struct record *r, struct err *e)
{
	(void)options;
	return record_string(r, "finish_reason", NULL, e) ? 0 : -1;
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	struct err e;
	size_t i;

	(void)options;
	(void)state;
	for (i = 0; i < n; i++)
		if (!strcmp(record_string(c[i].record, "finish_reason", NULL, &e), "length"))
			filter_reject(&c[i], "finish_reason is length");
}

const struct filter filter_truncated = {
	{"truncated", "reject completions that were cut off", NULL, NULL, 0, NULL}, NULL, NULL, NULL, look, apply};
