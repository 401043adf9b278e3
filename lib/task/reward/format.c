/* The paper's format reward: 1 if the tags stand as they should, else 0, with what is wrong in the verdict. */
#include <string.h>

#include "task/format.h"
#include "task/reward.h"

struct options {
	const char *tags;
};

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	const char *why = format_fault(s->text, s->n, s->prefilled, strcmp(o->tags, "think") ? FORMAT_ANSWER : FORMAT_THINK);

	(void)e;
	s->value = !why;
	if (why)
		buf_str(&s->reason, why);
	return 0;
}

static const struct options defaults = {"think+answer"};
static const struct param params[] = {
	{"tags", OPT_CHOICE, offsetof(struct options, tags), "think+answer|think", "which tags must be there"},
	PARAM_END};

const struct reward reward_format = {
	{"format", "1 if <think> </think> <answer> </answer> stand once each, in order, with nothing outside, else 0", params, &defaults,
	 sizeof defaults, NULL}, false, score};
