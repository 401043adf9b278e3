/* At most k completions of a problem. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/rng.h"
#include "task/filter.h"

struct options {
	int64_t k;
	const char *pick;
};

struct state {
	uint64_t seed;
	struct map kept;                /* id -> how many */
};

static int check(void *options, struct err *e)
{
	return ((struct options *)options)->k ? 0 : err_set(e, "k=N must be given");
}

static bool first(const void *options)
{
	return ((const struct options *)options)->pick[0] == 'f';
}

static bool grouped(const void *options)
{
	return !first(options);
}

static void *open(const void *options, struct tool *t, struct err *e)
{
	struct state *s = xcalloc(1, sizeof *s);

	(void)options;
	(void)e;
	s->seed = hash_mix(t->seed, hash_str("at-most"));
	return s;
}

static void close(void *state)
{
	map_free(&((struct state *)state)->kept);
	free(state);
}

static int look(const void *options, struct record *r, struct err *e)
{
	int64_t sample;

	if (!record_string(r, "id", NULL, e))
		return -1;
	if (((const struct options *)options)->pick[0] == 's')
		return record_string(r, "completion", NULL, e) ? 0 : -1;
	if (first(options))
		return 0;
	return record_has(r, "sample") ? record_int(r, "sample", &sample, e) : 0;
}

struct ranked {
	double by;
	size_t at;
};

static int ascending(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->by != y->by)
		return x->by < y->by ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

static double rank(const struct options *o, uint64_t seed, struct record *r, size_t i)
{
	int64_t sample = (int64_t)i;
	struct err e;
	size_t n;

	if (o->pick[0] == 's') {
		if (record_has(r, "completion_ids") && record_ints(r, "completion_ids", &n, &e))
			return (double)n;
		return record_string(r, "completion", &n, &e) ? (double)n : 0;
	}
	if (record_has(r, "sample"))
		record_int(r, "sample", &sample, &e);
	return rng_uniform(seed, hash_str(record_string(r, "id", NULL, &e)), (uint32_t)sample, (uint32_t)(sample >> 32));
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	const struct options *o = options;
	struct state *s = state;
	struct ranked *r;
	struct err e;
	size_t i, len;

	if (first(o)) {
		for (i = 0; i < n; i++) {
			const char *id = record_string(c[i].record, "id", &len, &e);
			int64_t *kept = map_put(&s->kept, id, len);

			if (*kept == o->k)
				filter_reject(&c[i], "%lld before it are kept", (long long)o->k);
			else
				++*kept;
		}
		return;
	}
	r = xmalloc(n * sizeof *r);
	for (i = 0; i < n; i++)
		r[i] = (struct ranked){rank(o, s->seed, c[i].record, i), i};
	qsort(r, n, sizeof *r, ascending);
	for (i = (size_t)o->k; i < n; i++)
		filter_reject(&c[r[i].at], "%lld others are kept", (long long)o->k);
	free(r);
}

static const struct options defaults = {0, "first"};
static const struct param params[] = {
	{"k", OPT_INT, offsetof(struct options, k), "N", "so many are kept (must be given)", 1, 1e9},
	{"pick", OPT_CHOICE, offsetof(struct options, pick), "first|shortest|random", "which: the first of a problem, or those of a group"},
	PARAM_END};

const struct filter filter_at_most = {
	{"at-most", "reject what is more than k of one problem", params, &defaults, sizeof defaults, check},
	grouped, open, close, look, apply};
