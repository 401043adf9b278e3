/* Completions that are too short or too long. */
#include "task/filter.h"
#include "task/reward.h"

struct options {
	int64_t min, max;
	const char *unit;
};

static int check(void *options, struct err *e)
{
	struct options *o = options;

	return o->min > o->max ? err_set(e, "min=%lld is more than max=%lld", (long long)o->min, (long long)o->max) : 0;
}

static int length_of(const struct options *o, struct record *r, double *length, struct err *e)
{
	size_t n;
	const char *text = record_string(r, "completion", &n, e);

	return text ? completion_length(r, text, n, o->unit, length, e) : -1;
}

static int look(const void *options, struct record *r, struct err *e)
{
	double length;

	return length_of(options, r, &length, e);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	const struct options *o = options;
	struct err e;
	double length;
	size_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		length_of(o, c[i].record, &length, &e);
		if (length < (double)o->min)
			filter_reject(&c[i], "%g %s are under %lld", length, o->unit, (long long)o->min);
		else if (length > (double)o->max)
			filter_reject(&c[i], "%g %s are over %lld", length, o->unit, (long long)o->max);
	}
}

static const struct options defaults = {0, 1000000000, "tokens"};
static const struct param params[] = {
	{"min", OPT_INT, offsetof(struct options, min), "N", "shortest that is kept", 0, 1e9},
	{"max", OPT_INT, offsetof(struct options, max), "N", "longest", 0, 1e9},
	{"unit", OPT_CHOICE, offsetof(struct options, unit), "tokens|words|characters", "what is counted"},
	PARAM_END};

const struct filter filter_length = {
	{"length", "reject completions too short or too long", params, &defaults, sizeof defaults, check}, NULL, NULL, NULL, look, apply};
