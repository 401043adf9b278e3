/* Completions that do not keep to the paper's tags. */
#include "task/format.h"

#include <string.h>

#include "task/filter.h"
#include "task/reward.h"

struct options {
	const char *tags;
};

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	enum format format = strcmp(((const struct options *)options)->tags, "think") ? FORMAT_ANSWER : FORMAT_THINK;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		struct scored s = {0};
		const char *why;
		struct err e;

		scored_begin(&s, c[i].record, &e);
		why = format_fault(s.text, s.n, s.prefilled, format);
		if (why)
			filter_reject(&c[i], "%s", why);
	}
}

static const struct options defaults = {"think+answer"};
static const struct param params[] = {
	{"tags", OPT_CHOICE, offsetof(struct options, tags), "think+answer|think", "which tags must be there"},
	PARAM_END};

const struct filter filter_format = {
	{"format", "reject completions without the paper's tags", params, &defaults, sizeof defaults, NULL}, NULL, NULL, NULL, filter_look_completion, apply};
