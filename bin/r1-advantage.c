/* r1-advantage - from a group's rewards to advantages */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/progress.h"
#include "record/record.h"
#include "task/advantage.h"
#include "task/stat.h"

struct work {
	const struct advantage *kind;
	struct advantage_args args;
	struct groups groups;
	double *reward, *advantage;     /* room for one batch of groups */
	size_t cap;
	struct advantage_group *span;
	size_t spans;
	/* For the summary */
	int64_t lines, done, flat, uneven, other_length;
	struct err first_other;         /* whose values are not as many as its tokens */
	double reward_sum, std_sum;
};

static void count(struct work *w, const struct group *g, const double *reward)
{
	double std = stat_std(reward, g->n, w->args.bessel);

	w->done++;
	w->flat += std == 0;
	w->uneven += g->size > 0 && g->size != (int64_t)g->n;
	w->std_sum += std;
	w->reward_sum += stat_mean(reward, g->n) * (double)g->n;
	w->lines += (int64_t)g->n;
}

/* By what the record says, not where it stood */
static int by_sample(const void *a, const void *b)
{
	struct record *x = *(struct record *const *)a, *y = *(struct record *const *)b;
	int64_t i = 0, j = 0;
	struct err none;
	int c = strcmp(record_has(x, "id") ? record_string(x, "id", NULL, &none) : "", record_has(y, "id") ? record_string(y, "id", NULL, &none) : "");

	record_int(x, "sample", &i, &none);
	record_int(y, "sample", &j, &none);
	return c ? c : (i > j) - (i < j);
}

/* Token by token: `advantages` and `returns`, and their mean as `advantage`. */
static int solve_tokens(struct work *w, struct group **g, size_t n, size_t total, struct err *e)
{
	struct advantage_tokens *x = xcalloc(total + 1, sizeof *x);
	struct record **r = xmalloc((total + 1) * sizeof *r);
	size_t i, j, at = 0;
	struct err none;
	int rc = 0;

	for (i = 0; i < n; i++)
		for (j = 0; j < g[i]->n; j++)
			r[at++] = g[i]->record[j];
	qsort(r, total, sizeof *r, by_sample);
	for (i = 0; i < total; i++) {
		x[i].value = record_floats(r[i], "values", &x[i].n, &none);     /* seen to be there already */
		record_number(r[i], "reward", &x[i].reward, &none);
		x[i].advantage = xmalloc((x[i].n + 1) * sizeof *x[i].advantage);
		x[i].returns = xmalloc((x[i].n + 1) * sizeof *x[i].returns);
	}
	advantage_apply_tokens(w->kind, &w->args, x, total);
	for (i = 0; i < total; i++) {
		double sum = 0;

		for (j = 0; j < x[i].n; j++)
			sum += x[i].advantage[j];
		if (!isfinite(sum))
			rc = record_error(r[i], e, "its advantages are not finite");
		record_set_number(r[i], "advantage", x[i].n ? sum / (double)x[i].n : 0);
		record_set_floats(r[i], "advantages", x[i].advantage, x[i].n);
		record_set_floats(r[i], "returns", x[i].returns, x[i].n);
		free(x[i].advantage);
		free(x[i].returns);
	}
	free(x);
	free(r);
	return rc;
}

/* Sets the advantages of these groups and lets them go. */
static int solve(struct work *w, struct group **g, size_t n, struct err *e)
{
	size_t total = 0, i, j, at;
	struct err none;

	for (i = 0; i < n; i++)
		total += g[i]->n;
	if (total > w->cap) {
		w->cap = total * 2;
		w->reward = xrealloc(w->reward, w->cap * sizeof *w->reward);
		w->advantage = xrealloc(w->advantage, w->cap * sizeof *w->advantage);
	}
	w->span = xgrow(w->span, &w->spans, n, sizeof *w->span);
	for (at = i = 0; i < n; at += g[i++]->n) {
		for (j = 0; j < g[i]->n; j++)
			record_number(g[i]->record[j], "reward", &w->reward[at + j], &none);    /* seen to be there already */
		w->span[i] = (struct advantage_group){w->reward + at, w->advantage + at, g[i]->n};
		count(w, g[i], w->reward + at);
	}
	if (w->kind->tokens && solve_tokens(w, g, n, total, e) < 0)
		return -1;
	if (!w->kind->tokens)
		advantage_apply(w->kind, &w->args, w->span, n);
	for (i = 0; i < n; i++) {
		for (j = 0; !w->kind->tokens && j < g[i]->n; j++) {
			if (!isfinite(w->span[i].advantage[j]))
				return record_error(g[i]->record[j], e, "its advantage is not finite");
			record_set_number(g[i]->record[j], "advantage", w->span[i].advantage[j]);
		}
		groups_release(g[i]);
	}
	return 0;
}

static int by_step(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	return (x->step > y->step) - (x->step < y->step);
}

/* What is not released at the end of the input: groups one by one, or all those of a step together. */
static int solve_rest(struct work *w, struct err *e)
{
	struct group **rest = xmalloc((w->groups.n + 1) * sizeof *rest);
	size_t n = 0, i, to;
	int rc = 0;

	for (i = 0; i < w->groups.n; i++)
		if (!w->groups.group[i]->released)
			rest[n++] = w->groups.group[i];
	if (w->kind->batch)
		qsort(rest, n, sizeof *rest, by_step);
	for (i = 0; i < n && rc == 0; i = to) {
		for (to = i + 1; w->kind->batch && to < n && rest[to]->step == rest[i]->step; to++)
			;
		rc = solve(w, rest + i, to - i, e);
	}
	free(rest);
	return rc;
}

static int write_ready(struct work *w, struct writer *out, struct err *e)
{
	struct record *r;

	while ((r = groups_pop(&w->groups)))
		if (writer_put(out, r, e) < 0)
			return -1;
	return 0;
}

/* Values for other tokens than the record has. That is right where its text was edited, since it is then encoded anew; only who has the tokenizer
 * can tell. */
static void look_length(struct work *w, struct record *r, size_t values)
{
	const char *of = record_has(r, "completion_ids") ? "completion_ids" : "logprobs";
	struct err none;
	size_t n;

	if (!record_has(r, of) || !(*of == 'c' ? (void *)record_ints(r, of, &n, &none) : record_floats(r, of, &n, &none)) || n == values)
		return;
	if (!w->other_length++)
		record_error(r, &w->first_other, "'values' has %zu numbers, '%s' %zu: wrong unless the text was edited", values, of, n);
}

static int take(struct work *w, struct record *r, struct err *e)
{
	struct group *g;
	double reward;
	size_t n;

	if (record_number(r, "reward", &reward, e) < 0 || (w->kind->tokens && !record_floats(r, "values", &n, e)))
		return -1;
	if (fabs(reward) > 1e150)
		return record_error(r, e, "a 'reward' of %g is too large: there is no standard deviation of such", reward);
	if (w->kind->tokens)
		look_length(w, r, n);
	g = groups_add(&w->groups, r, e);
	if (!g)
		return -1;
	return !w->kind->batch && group_full(g) ? solve(w, &g, 1, e) : 0;
}

static int run(struct tool *t, struct work *w, char **files, size_t n, const char *output, struct err *e)
{
	struct reader *in = reader_open(files, n, t);
	struct writer *out = writer_open(output, e);
	struct progress p = progress_new("advantages", 0, "completions");
	struct record r = {0};
	int64_t done = 0;
	int rc = out ? 0 : -1;

	while (rc >= 0 && (rc = reader_next(in, &r, e)) > 0) {
		rc = take(w, &r, e) < 0 ? reader_bad(in, e) : write_ready(w, out, e);
		progress_set(&p, ++done, 0);
	}
	if (rc == 0 && (rc = solve_rest(w, e)) == 0)
		rc = write_ready(w, out, e);
	progress_end(&p);
	record_free(&r);
	reader_close(in);
	if (writer_close(out, rc < 0 ? NULL : e) < 0)
		return -1;
	return rc;
}

static void summary(const struct work *w)
{
	if (w->uneven)
		tool_warn("%lld group%s not as many lines as 'group' says", (long long)w->uneven, w->uneven == 1 ? " has" : "s have");
	if (w->other_length > 1)
		tool_warn("%s; so it is with %lld more", w->first_other.msg, (long long)w->other_length - 1);
	else if (w->other_length)
		tool_warn("%s", w->first_other.msg);
	if (w->lines)
		tool_note("%lld completions in %lld group%s: reward %.4f, reward_std %.4f, frac_reward_zero_std %.4f", (long long)w->lines,
			(long long)w->done, w->done == 1 ? "" : "s", w->reward_sum / (double)w->lines, w->std_sum / (double)w->done,
			(double)w->flat / (double)w->done);
}

static char *details(void)
{
	const struct advantage *const *a;
	struct buf b = {0};

	buf_str(&b, "Estimators:\n");
	for (a = advantage_table; *a; a++)
		buf_printf(&b, "  %-22s%s\n", (*a)->name, (*a)->help);
	buf_str(&b, "\nA group is the lines with one `id` (and `step`), in any order. It is done with as soon as it has as many lines\n"
		"as its `group` says, else at the end of the input.\nSets `advantage`; gae sets `advantages` and `returns` too, token by token.");
	return b.p;
}

/* What the estimator does not go by is refused; -1 or the exit code. */
static int check_options(const struct tool *t, const struct opt *opts, const struct advantage *a)
{
	if (!a->tokens && (opt_given(opts, "gamma") || opt_given(opts, "lambda") || opt_given(opts, "whiten")))
		return tool_usage(t, "--gamma, --lambda and --whiten are of --estimator gae, not of %s", a->name);
	if (!a->epsilon && opt_given(opts, "epsilon"))
		return tool_usage(t, "--epsilon: --estimator %s divides by nothing that it could be added to", a->name);
	if (!a->bessel && opt_given(opts, "bessel"))
		return tool_usage(t, "--bessel and --no-bessel: --estimator %s %s", a->name,
			a->tokens ? "whitens over n, never n - 1" : "divides by no standard deviation");
	if (a->batch && opt_given(opts, "single"))
		return tool_usage(t, "--single: --estimator %s makes no difference of a group of one", a->name);
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-advantage", .usage = "[OPTION]... [FILE]...",
		.summary = "Turn the rewards of each group into advantages"};
	struct work w = {.args = ADVANTAGE_DEFAULTS};
	const char *estimator = "grpo", *single = "zero", *whiten = "yes", *output = NULL;
	struct opt opts[] = {
		{"estimator", 'e', OPT_STRING, &estimator, "NAME", "how (see below)"},
		{"epsilon", 0, OPT_FLOAT, &w.args.epsilon, "X", "added to the standard deviation (maxrl: to the mean)", 0, 1e6},
		{"bessel", 0, OPT_FLAG, &w.args.bessel, NULL, "standard deviation over n - 1, not n"},
		{"gamma", 0, OPT_FLOAT, &w.args.gamma, "G", "gae: what a token later counts for", 0, 1},
		{"lambda", 0, OPT_FLOAT, &w.args.lambda, "L", "gae: how far rewards are trusted over the critic", 0, 1},
		{"whiten", 0, OPT_CHOICE, &whiten, "yes|no", "gae: bring advantages to mean 0 and standard deviation 1 over a step"},
		{"single", 0, OPT_CHOICE, &single, "zero|raw", "advantage in a group of one: 0 or its reward"},
		{"output", 'o', OPT_STRING, &output, "FILE", "write there, not to stdout"},
		TOOL_OPTIONS(&t),
		OPT_END};
	char *text = details();
	struct err e;
	int rc;

	t.details = text;
	rc = tool_begin(&t, opts, &argc, &argv);
	if (rc < 0) {
		w.args.single_raw = single[0] == 'r';
		w.args.whiten = whiten[0] == 'y';
		w.kind = advantage_find(estimator, &e);
		if (!w.kind) {
			rc = tool_usage(&t, "--estimator: %s", e.msg);
		} else if ((rc = check_options(&t, opts, w.kind)) >= 0) {
			;
		} else if (run(&t, &w, argv, (size_t)argc, output, &e) < 0) {
			rc = tool_fail(&t, &e);
		} else {
			summary(&w);
			rc = tool_end(&t);
		}
	}
	groups_free(&w.groups);
	free(w.reward);
	free(w.advantage);
	free(w.span);
	free(text);
	return rc;
}
