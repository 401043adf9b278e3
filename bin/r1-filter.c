/* r1-filter - keep or reject completions and problems */
#include <stdlib.h>

#include "base/progress.h"
#include "record/record.h"
#include "task/filter.h"

struct work {
	struct tool *t;
	struct filters *f;
	struct writer *out, *rejects;   /* rejects NULL: they are dropped */
	struct groups groups;
	size_t next;                    /* groups are judged in the order in which they began */
};

static char *details(void)
{
	const struct filter *const *f;
	struct buf b = {0};

	buf_str(&b, "A filter is NAME[,OPTION=VALUE]...; each sees what those before it have kept.\n\nFilters:\n");
	for (f = filter_table; *f; f++)
		plugin_help(&b, &(*f)->about);
	buf_str(&b, "\nRejected lines get `rejected`, with the reason; a pair, which has `chosen` and `rejected`, gets `rejected_by`.");
	return b.p;
}

static int put(struct work *w, struct record *r, struct err *e)
{
	if (!record_has(r, filter_field(r)))
		return writer_put(w->out, r, e);
	return w->rejects ? writer_put(w->rejects, r, e) : 0;
}

/* Judges the groups that are whole (at the end: all), up to the first that is not, and writes what is ready. */
static int judge(struct work *w, bool end, struct err *e)
{
	struct record *r;

	for (; w->next < w->groups.n; w->next++) {
		struct group *g = w->groups.group[w->next];

		if (!end && !group_full(g))
			break;
		filters_apply(w->f, g->record, g->n);
		groups_release(g);
	}
	while ((r = groups_pop(&w->groups)))
		if (put(w, r, e) < 0)
			return -1;
	return 0;
}

/* 0, or -1: the record is bad; *failed: something else is */
static int take(struct work *w, struct record *r, bool grouped, bool *failed, struct err *e)
{
	if (filters_look(w->f, r, e) < 0)
		return -1;
	if (grouped) {
		if (!groups_add(&w->groups, r, e))
			return -1;
		*failed = judge(w, false, e) < 0;
	} else {
		filters_apply(w->f, &r, 1);
		*failed = put(w, r, e) < 0;
	}
	return 0;
}

static int run(struct work *w, char **files, size_t n, struct err *e)
{
	struct reader *in = reader_open(files, n, w->t);
	struct progress p = progress_new("filtering", 0, "lines");
	struct record r = {0};
	bool grouped = filters_grouped(w->f), failed = false;
	int64_t done = 0;
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0) {
		rc = take(w, &r, grouped, &failed, e) < 0 ? reader_bad(in, e) : failed ? -1 : 0;
		if (rc < 0)
			break;
		progress_set(&p, ++done, 0);
	}
	if (rc == 0)
		rc = judge(w, true, e);
	progress_end(&p);
	record_free(&r);
	reader_close(in);
	return rc;
}

static int finish(struct work *w, int rc, struct err *e)
{
	if (writer_close(w->out, rc < 0 ? NULL : e) < 0)
		rc = -1;
	if (writer_close(w->rejects, rc < 0 ? NULL : e) < 0)
		rc = -1;
	return rc;
}

static void summary(const struct filters *f)
{
	struct buf b = {0};
	const char *name;
	int64_t count;
	size_t i;

	for (i = 0; (name = filters_rejected(f, i, &count)); i++)
		buf_printf(&b, "%s%s %lld", i ? ", " : "", name, (long long)count);
	tool_note("%lld read, %lld kept; rejected by %s", (long long)filters_read(f), (long long)filters_kept(f), b.p);
	buf_free(&b);
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-filter", .usage = "--filter SPEC [OPTION]... [FILE]...",
		.summary = "Keep or reject completions and problems"};
	struct work w = {.t = &t};
	struct opt_list specs = {0};
	const char *output = NULL, *rejects = NULL;
	struct opt opts[] = {
		{"filter", 'f', OPT_LIST, &specs, "SPEC", "a filter and its options; may be repeated"},
		{"rejects", 'r', OPT_STRING, &rejects, "FILE", "write rejected lines there, with the reason"},
		{"output", 'o', OPT_STRING, &output, "FILE", "write what is kept there, not to stdout"},
		TOOL_OPTIONS(&t),
		TOOL_OPTIONS_SEED(&t),
		OPT_END};
	char *text = details();
	struct err e;
	int rc;

	t.details = text;
	rc = tool_begin(&t, opts, &argc, &argv);
	if (rc >= 0)
		goto out;
	if (!specs.n) {
		rc = tool_usage(&t, "no --filter is given");
		goto out;
	}
	w.f = filters_open(specs.item, specs.n, &e);
	if (!w.f) {
		rc = tool_usage(&t, "--filter: %s", e.msg);
		goto out;
	}
	if (filters_begin(w.f, &t, &e) < 0) {
		err_prefix(&e, "--filter");
		rc = tool_fail(&t, &e);
		goto out;
	}
	w.out = writer_open(output, &e);
	if (w.out && rejects)
		w.rejects = writer_open(rejects, &e);
	if (writer_same(w.out, w.rejects)) {
		finish(&w, -1, &e);
		rc = tool_usage(&t, "--output and --rejects are the same file, %s", rejects);
		goto out;
	}
	if (finish(&w, !w.out || (rejects && !w.rejects) ? -1 : run(&w, argv, (size_t)argc, &e), &e) < 0) {
		rc = tool_fail(&t, &e);
		goto out;
	}
	summary(w.f);
	rc = tool_end(&t);
out:
	groups_free(&w.groups);
	filters_close(w.f);
	free(specs.item);
	free(text);
	return rc;
}
