/* r1-reward - score completions */
#include <stdlib.h>

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

static int score(struct tool *t, struct rewards *w, char **files, size_t n, const char *output, struct err *e)
{
	struct reader *in = reader_open(files, n, t);
	struct writer *out = writer_open(output, e);
	struct progress p = progress_new("scoring", 0, "completions");
	struct record r = {0};
	int64_t done = 0;
	int rc = out ? 0 : -1;

	while (rc >= 0 && (rc = reader_next(in, &r, e)) > 0) {
		rc = rewards_score(w, &r, e);
		if (rc == -2)
			break;
		if (rc < 0) {
			rc = reader_bad(in, e);
			continue;
		}
		rc = writer_put(out, &r, e);
		progress_set(&p, ++done, 0);
	}
	progress_end(&p);
	record_free(&r);
	reader_close(in);
	if (writer_close(out, rc < 0 ? NULL : e) < 0)
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

int main(int argc, char **argv)
{
	static const char *const usual[] = {"accuracy", "format"};
	struct tool t = {.name = "r1-reward", .usage = "[OPTION]... [FILE]...",
		.summary = "Score completions: accuracy, format and other rewards"};
	struct opt_list specs = {0};
	const char *output = NULL, *sandbox = NULL;
	struct opt opts[] = {
		{"reward", 'r', OPT_LIST, &specs, "SPEC", "a reward and its weight; may be repeated [accuracy, format]"},
		{"sandbox", 0, OPT_STRING, &sandbox, "COMMAND", "what runs programs, with its options [r1-sandbox]"},
		{"output", 'o', OPT_STRING, &output, "FILE", "write there, not to stdout"},
		TOOL_OPTIONS(&t),
		OPT_END};
	char *text = details();
	struct rewards *w;
	struct err e;
	int rc;

	t.details = text;
	rc = tool_begin(&t, opts, &argc, &argv);
	if (rc < 0) {
		w = rewards_open(specs.n ? specs.item : usual, specs.n ? specs.n : 2, &e);
		if (!w) {
			rc = tool_usage(&t, "--reward: %s", e.msg);
		} else {
			bool failed;

			rewards_programs(w, sandbox);
			failed = score(&t, w, argv, (size_t)argc, output, &e) < 0;

			if (!failed)
				summary(w);
			rc = failed ? tool_fail(&t, &e) : tool_end(&t);
			rewards_close(w);
		}
	}
	free(specs.item);
	free(text);
	return rc;
}
