/* Soft overlong penalty (Yu et al. 2025, "DAPO", eq. 13): 0 up to max - buffer, then falling by a straight line to -1 at max. */
#include "task/reward.h"

struct options {
	int64_t max, buffer;
	const char *unit;
};

static int check(void *options, struct err *e)
{
	struct options *o = options;

	if (!o->max)
		return err_set(e, "max=N must be given");
	if (o->buffer > o->max)
		return err_set(e, "buffer=%lld is more than max=%lld", (long long)o->buffer, (long long)o->max);
	return 0;
}

static int score(const void *options, struct scored *s, struct err *e)
{
	const struct options *o = options;
	double length, free_length = (double)(o->max - o->buffer);

	if (completion_length(s->record, s->text, s->n, o->unit, &length, e) < 0)
		return -1;
	s->value = length <= free_length ? 0 : length >= (double)o->max ? -1 : (free_length - length) / (double)o->buffer;
	if (s->value)
		buf_printf(&s->reason, "%g of %lld %s", length, (long long)o->max, o->unit);
	return 0;
}

static const struct options defaults = {0, 0, "tokens"};
static const struct param params[] = {
	{"max", OPT_INT, offsetof(struct options, max), "N", "length from which on it is -1 (must be given)", 1, 1e9},
	{"buffer", OPT_INT, offsetof(struct options, buffer), "N", "it falls from 0 to -1 over the last N before max", 0, 1e9},
	{"unit", OPT_CHOICE, offsetof(struct options, unit), "tokens|words|characters", "what is counted"},
	PARAM_END};

const struct reward reward_length = {
	{"length", "soft penalty for overlong completions, 0 to -1", params, &defaults, sizeof defaults, check}, false, score};
