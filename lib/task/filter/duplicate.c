/* What was seen before: the same completion again in its group, or the same problem again under another id. */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "task/answer.h"
#include "task/filter.h"

struct options {
	const char *of;
};

struct state {
	struct map problems;            /* text -> number of the id that had it first, + 1 */
	struct map ids;                 /* id -> number + 1 */
};

static bool of_problem(const void *options)
{
	return ((const struct options *)options)->of[0] == 'p';
}

static bool grouped(const void *options)
{
	return !of_problem(options);
}

static void *open(const void *options, struct tool *t, struct err *e)
{
	(void)options;
	(void)t;
	(void)e;
	return xcalloc(1, sizeof(struct state));
}

static void close(void *state)
{
	struct state *s = state;

	map_free(&s->problems);
	map_free(&s->ids);
	free(s);
}

static int look(const void *options, struct record *r, struct err *e)
{
	if (!of_problem(options))
		return record_string(r, "completion", NULL, e) ? 0 : -1;
	if (!record_string(r, "id", NULL, e))
		return -1;
	if (record_has(r, "messages"))
		return record_js(r, "messages", e) ? 0 : -1;
	return record_string(r, "problem", NULL, e) ? 0 : -1;
}

/* Number + 1 of a key of the map, and whether it is new */
static int64_t number(struct map *m, const char *key, size_t n, bool *fresh)
{
	int64_t *at = map_put(m, key, n);

	*fresh = !*at;
	if (!*at)
		*at = (int64_t)m->n;
	return *at;
}

static void look_problem(struct state *s, struct candidate *c)
{
	struct buf text = {0};
	const char *id, *problem;
	int64_t *first, me;
	size_t id_n, n;
	bool fresh;
	struct err e;

	id = record_string(c->record, "id", &id_n, &e);
	me = number(&s->ids, id, id_n, &fresh);
	if (record_has(c->record, "messages")) {
		js_write(record_js(c->record, "messages", &e), 0, &text);
	} else {
		problem = record_string(c->record, "problem", &n, &e);
		answer_plain(problem, n, &text);
	}
	first = map_put(&s->problems, text.p ? text.p : "", text.n);
	if (!*first)
		*first = me;
	else if (*first != me)
		filter_reject(c, "the problem of %s", s->ids.entry[*first - 1].key);
	buf_free(&text);
}

static void apply(const void *options, void *state, struct candidate *c, size_t n)
{
	struct map seen = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		const char *text;
		int64_t first;
		size_t len;
		bool fresh;
		struct err e;

		if (of_problem(options)) {
			look_problem(state, &c[i]);
			continue;
		}
		text = record_string(c[i].record, "completion", &len, &e);
		first = number(&seen, text, len, &fresh);
		if (!fresh)
			filter_reject(&c[i], "the completion of %s:%lld", c[first - 1].record->file ? c[first - 1].record->file : "another",
				(long long)c[first - 1].record->line);
	}
	map_free(&seen);
}

static const struct options defaults = {"completion"};
static const struct param params[] = {
	{"of", OPT_CHOICE, offsetof(struct options, of), "completion|problem",
	 "the same text in the group, or the same problem under another id"},
	PARAM_END};

const struct filter filter_duplicate = {
	{"duplicate", "reject what was there before", params, &defaults, sizeof defaults, NULL}, grouped, open, close, look, apply};
