/* r1-reward - score completions */
#include <stdlib.h>

#include "base/mem.h"
#include "base/ordered.h"
#include "base/progress.h"
#include "record/record.h"
#include "task/reward.h"
#include "task/verifier.h"

static char *details(void)
{
	const struct reward *const *r;
	const struct verifier *const *v;
	struct buf b = {0};

	buf_str(&b, "A reward is NAME[:WEIGHT][,OPTION=VALUE]...; weight 1 if none is given, as=NAME writes it under another name.\n"
		"\nRewards:\n");
	for (r = reward_table; *r; r++)
		plugin_help(&b, &(*r)->about);
	buf_str(&b, "\nAccuracy by `type` (math where there is none):\n");
	for (v = verifier_table; *v; v++)
		buf_printf(&b, "  %-14s %s\n", (*v)->name, (*v)->help);
	buf_str(&b, "\nSets `rewards`, `reward`, `verdict` and, with accuracy, `extracted`.");
	return b.p;
}

#define WAITING 4096                    /* completions that are scored before one that takes long */
#define WAITING_BYTES ((size_t)64 << 20)
#define KEPT ((size_t)16 << 10)         /* bytes of memory that a place keeps for its next completion */

struct place {                          /* a completion on its way */
	struct record r;
	double *value;                  /* (1 + rewards) */
	int rc;                         /* of rewards_score */
	char *why;                      /* rc < 0 */
};

struct scoring {
	struct rewards **w;             /* (threads): one thread's each */
	size_t rewards;
	struct reader *in;
	struct writer *out;
	struct progress p;
	struct err *e;
};

static void score(void *arg, void *place, int worker)
{
	struct scoring *s = arg;
	struct place *p = place;
	struct rewards *w = s->w[worker];
	struct err e;

	p->rc = record_index(&p->r, &e);
	if (p->rc == 0)
		p->rc = rewards_score(w, &p->r, &e);
	if (p->rc < 0) {
		p->why = xstrdup(e.msg);
		return;
	}
	if (!p->value)
		p->value = xmalloc((s->rewards + 1) * sizeof *p->value);
	rewards_last(w, p->value, s->rewards + 1);
}

/* In the order of the input: bad completions, too, are counted, shown or the end of it as if they came one after another. */
static int take(void *arg, void *place)
{
	struct scoring *s = arg;
	struct place *p = place;
	int rc = p->rc;

	if (tool_interrupted()) {
		rc = err_set(s->e, "interrupted");
	} else if (rc < 0) {
		err_set(s->e, "%s", p->why);
		if (rc == -1)
			rc = reader_bad(s->in, s->e);
	} else {
		rewards_count(s->w[0], p->value);
		rc = writer_put(s->out, &p->r, s->e);
		progress_set(&s->p, s->p.done + 1, 0);
	}
	free(p->why);
	p->why = NULL;
	if (p->r.raw.cap + p->r.fresh.cap > KEPT)
		record_free(&p->r);
	if (rc < 0)
		reader_stop(s->in);
	return rc;
}

static int score_all(struct scoring *s, struct ordered *o)
{
	struct place *p;
	struct err bad;
	int rc = 0, end;
	size_t i;

	while ((p = ordered_slot(o)) && (rc = reader_line(s->in, &p->r, &bad)) > 0)
		ordered_put(o, p->r.raw.n);
	/* What came before a line that cannot be read comes before it still */
	end = ordered_end(o);
	if (end == 0 && rc < 0)
		*s->e = bad;
	for (i = 0; (p = ordered_item(o, i)); i++) {
		record_free(&p->r);
		free(p->value);
		free(p->why);
	}
	return end < 0 || rc < 0 ? -1 : 0;
}

static int score_files(struct tool *t, struct scoring *s, struct ordered *o, char **files, size_t n, const char *output)
{
	int rc;

	s->in = reader_open(files, n, t);
	s->out = writer_open(output, s->e);
	s->p = progress_new("scoring", 0, "completions");
	rc = s->out ? score_all(s, o) : (ordered_end(o), -1);
	progress_end(&s->p);
	reader_close(s->in);
	if (writer_close(s->out, rc < 0 ? NULL : s->e) < 0)
		return -1;
	return rc;
}

static void summary(const struct rewards *w)
{
	struct reward_mean mean[64];
	size_t i, n = rewards_means(w, mean, 64);
	struct buf b = {0};

	if (!mean[0].count)
		return;
	for (i = 0; i < n; i++) {
		buf_printf(&b, "%s%s", i ? ", " : "", mean[i].name);
		if (mean[i].count)
			buf_printf(&b, " %.4f", mean[i].mean);
		if (mean[i].count != mean[0].count)
			buf_printf(&b, " (of %zu)", mean[i].count);
	}
	tool_note("%zu completion%s: %s", mean[0].count, mean[0].count == 1 ? "" : "s", b.p);
	buf_free(&b);
}

/* Each thread has rewards of its own: -1 where they are not to be had. */
static int open_rewards(struct scoring *s, int threads, const struct opt_list *specs, const char *sandbox)
{
	static const char *const usual[] = {"accuracy", "format"};
	int i;

	s->rewards = specs->n ? specs->n : 2;
	s->w = xcalloc((size_t)threads, sizeof(struct rewards *));
	for (i = 0; i < threads; i++) {
		s->w[i] = rewards_open(specs->n ? specs->item : usual, s->rewards, s->e);
		if (!s->w[i])
			return -1;
		rewards_programs(s->w[i], sandbox);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-reward", .usage = "[OPTION]... [FILE]...",
		.summary = "Score completions: accuracy, format and other rewards"};
	struct opt_list specs = {0};
	const char *output = NULL, *sandbox = NULL;
	int64_t jobs = 0;
	struct opt opts[] = {
		{"reward", 'r', OPT_LIST, &specs, "SPEC", "a reward and its weight; may be repeated [accuracy, format]"},
		{"sandbox", 0, OPT_STRING, &sandbox, "COMMAND", "what runs programs, with its options [r1-sandbox]"},
		{"jobs", 'j', OPT_INT, &jobs, "N", "completions scored at once; 0: one for each core", 0, 4096},
		{"output", 'o', OPT_STRING, &output, "FILE", "write there, not to stdout"},
		TOOL_OPTIONS(&t),
		OPT_END};
	char *text = details();
	struct err e;
	struct scoring s = {.e = &e};
	int rc, i, threads;

	t.details = text;
	rc = tool_begin(&t, opts, &argc, &argv);
	if (rc < 0) {
		struct ordered_work fn = {score, take, &s};
		struct ordered *o = ordered_new((int)jobs, WAITING, WAITING_BYTES, sizeof(struct place), &fn);

		threads = ordered_threads(o);
		if (open_rewards(&s, threads, &specs, sandbox) < 0) {
			ordered_end(o);
			rc = tool_usage(&t, "--reward: %s", e.msg);
		} else if (score_files(&t, &s, o, argv, (size_t)argc, output) < 0) {
			rc = tool_fail(&t, &e);
		} else {
			summary(s.w[0]);
			rc = tool_end(&t);
		}
		for (i = 0; i < threads; i++)
			rewards_close(s.w[i]);
		ordered_free(o);
		free(s.w);
	}
	free(specs.item);
	free(text);
	return rc;
}
