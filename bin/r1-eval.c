/* r1-eval - what scored completions come to */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/progress.h"
#include "record/record.h"
#include "task/eval.h"
#include "task/reflect.h"

struct request {
	struct tool *t;
	struct eval *v;
	const struct opt_list *by;
	bool *there;                    /* (by->n) some record has it */
	struct progress p;
	int64_t done;
	struct map seen;                /* file, values of --by, id, step and sample */
	int64_t twice;                  /* that were there before */
	struct err first;               /* ... and which was the first */
};

/* The field's value as JSON text; null if it is not there. */
static int value_of(struct record *r, const char *field, struct buf *to, struct err *e)
{
	const struct js *j;

	buf_clear(to);
	if (!record_has(r, field)) {
		buf_str(to, "null");
		return 0;
	}
	j = record_js(r, field, e);
	if (!j)
		return -1;
	if (js_is_object(j) || js_is_array(j))
		return record_error(r, e, "'%s' is %s, by which no lines can be told apart", field, js_type(j));
	js_write(j, 0, to);
	return 0;
}

/* Counts a sample that every row has already. Models that only --by tells apart may have samples of the same number. */
static void look_twice(struct request *q, const char *file, struct record *r, struct buf *value)
{
	struct buf key = {0};
	struct err e;
	int64_t step = -1, sample, *times;
	size_t i;

	if (!record_has(r, "sample"))
		return;
	record_int(r, "sample", &sample, &e);
	if (record_has(r, "step"))
		record_int(r, "step", &step, &e);
	buf_printf(&key, "%lld %lld %s", (long long)sample, (long long)step, file ? file : "");
	for (i = 0; i < q->by->n; i++) {
		value_of(r, q->by->item[i], value, &e);
		buf_printf(&key, "\n%s", value->p);
	}
	value_of(r, "id", value, &e);
	buf_printf(&key, "\n%s", value->p);
	times = map_put(&q->seen, key.p, key.n);
	if ((*times)++ && !q->twice++)
		record_error(r, &q->first, "sample %lld was there before, and counts again", (long long)sample);
	buf_free(&key);
}

static int take(struct request *q, const char *file, struct record *r, struct buf *value, struct err *e)
{
	const struct eval_sample *s;
	size_t i;

	for (i = 0; i < q->by->n; i++)
		if (value_of(r, q->by->item[i], value, e) < 0)
			return -1;
	if (eval_look(q->v, r, &s, e) < 0)
		return -1;
	eval_add(eval_row(q->v, file, NULL, NULL), s);
	for (i = 0; i < q->by->n; i++) {
		value_of(r, q->by->item[i], value, e);
		q->there[i] |= record_has(r, q->by->item[i]);
		eval_add(eval_row(q->v, file, q->by->item[i], value->p), s);
	}
	look_twice(q, file, r, value);
	return 0;
}

static int read_file(struct request *q, char *const *file, struct err *e)
{
	struct reader *in = reader_open(file, file ? 1 : 0, q->t);
	struct record r = {0};
	struct buf value = {0};
	const char *name = !file ? NULL : strcmp(*file, "-") ? *file : "stdin";
	int rc;

	while ((rc = reader_next(in, &r, e)) > 0) {
		if (take(q, name, &r, &value, e) < 0 && (rc = reader_bad(in, e)) < 0)
			break;
		progress_set(&q->p, ++q->done, 0);
	}
	buf_free(&value);
	record_free(&r);
	reader_close(in);
	return rc;
}

static int show(struct eval *v, bool table, const char *output, struct err *e)
{
	struct writer *out = writer_open(output, e);
	struct record r = {0};
	struct buf text = {0};
	size_t i;
	int rc = out ? 0 : -1;

	if (rc == 0 && table) {
		eval_table(v, &text);
		rc = tool_interrupted() ? err_set(e, "interrupted") : writer_text(out, text.p, text.n, e);
	}
	for (i = 0; rc == 0 && !table && i < eval_rows(v); i++) {
		eval_record(v, eval_row_at(v, i), &r);
		rc = tool_interrupted() ? err_set(e, "interrupted") : writer_put(out, &r, e);
	}
	buf_free(&text);
	record_free(&r);
	if (writer_close(out, rc < 0 ? NULL : e) < 0)
		return -1;
	return rc;
}

/* A file's row, which comes first of its rows, has all of its problems. */
static void warn_short(const struct eval *v)
{
	int64_t k = eval_largest_k(v);
	const char *last = "";
	size_t i;

	for (i = 0; i < eval_rows(v); i++) {
		const struct eval_row *row = eval_row_at(v, i);
		const char *file = eval_row_file(row);
		size_t n = eval_short(row, k);

		if (n && strcmp(file, last) != 0) {
			tool_warn("%s: %zu problem%s fewer than %lld scored samples, and %s left out of what needs so many", file, n,
				n == 1 ? " has" : "s have", (long long)k, n == 1 ? "is" : "are");
			last = file;
		}
	}
}

static int run(struct request *q, char **files, size_t n, bool table, const char *output, struct err *e)
{
	size_t i;
	int rc = 0;

	q->p = progress_new("reading", 0, "completions");
	if (!n)
		rc = read_file(q, NULL, e);
	for (i = 0; rc >= 0 && i < n; i++)
		rc = read_file(q, &files[i], e);
	progress_end(&q->p);
	if (rc < 0)
		return -1;
	eval_finish(q->v);
	for (i = 0; i < q->by->n && eval_rows(q->v); i++)
		if (!q->there[i])
			return err_set(e, "--by %s: no record has such a field", q->by->item[i]);
	if (!eval_rows(q->v))
		tool_warn("no completions in the input");
	if (q->twice > 1)
		tool_warn("%s; so do %lld more", q->first.msg, (long long)q->twice - 1);
	else if (q->twice)
		tool_warn("%s", q->first.msg);
	warn_short(q->v);
	return show(q->v, table, output, e);
}

/* A field that names rows must not be lost among theirs; -1 or the exit code. */
static int check_by(const struct tool *t, const struct opt_list *by)
{
	size_t i, j;

	for (i = 0; i < by->n; i++) {
		if (!*by->item[i])
			return tool_usage(t, "--by needs the name of a field");
		if (eval_writes(by->item[i]))
			return tool_usage(t, "--by %s: a row has a field of that name already", by->item[i]);
		for (j = 0; j < i; j++)
			if (!strcmp(by->item[i], by->item[j]))
				return tool_usage(t, "--by %s is given twice: its samples would count so, too", by->item[i]);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct tool t = {.name = "r1-eval", .usage = "[OPTION]... [FILE]...",
		.summary = "Reduce scored completions to pass@k, cons@k, lengths and rates",
		.details = "A row for each file, and with --by for each value of that field. On a terminal a table, in percent with intervals of\n"
			"95 %; else records, in shares."};
	struct eval_options o = {.pass = "1", .correct = "accuracy", .right = 1, .unit = "auto", .resamples = 2000};
	const char *interval = "bootstrap", *tags = "think+answer", *output = NULL;
	struct opt_list by = {0};
	bool table = isatty(1), json = false, want_table = false;
	struct opt opts[] = {
		{"table", 't', OPT_FLAG, &want_table, NULL, "a table for people, even where stdout is no terminal"},
		{"json", 'j', OPT_FLAG, &json, NULL, "records, even on a terminal"},
		{"by", 'b', OPT_LIST, &by, "FIELD", "also a row for each value of this field; may be repeated"},
		{"pass", 'k', OPT_STRING, &o.pass, "K,...", "pass@k for these k"},
		{"cons", 'c', OPT_STRING, &o.cons, "K,...", "cons@k for these k; else for as many samples as every problem has"},
		{"correct", 0, OPT_STRING, &o.correct, "NAME", "the reward that says what is right"},
		{"right", 0, OPT_FLOAT, &o.right, "X", "it is right from this value on"},
		{"interval", 0, OPT_CHOICE, &interval, "bootstrap|wilson", "of pass@1: over problems, or over all samples"},
		{"resamples", 0, OPT_INT, &o.resamples, "N", "of the bootstrap", 1, 1e9},
		{"unit", 0, OPT_CHOICE, &o.unit, "auto|tokens|words|characters", "of lengths; auto: tokens where there are ids"},
		{"tags", 0, OPT_CHOICE, &tags, "think+answer|think", "the format whose rate is shown"},
		{"reflect", 0, OPT_STRING, &o.reflect, "WORD,...", "words that tell of reflection; else wait, verify, 等等 and others"},
		{"output", 'o', OPT_STRING, &output, "FILE", "write there, not to stdout"},
		TOOL_OPTIONS(&t),
		TOOL_OPTIONS_SEED(&t),
		OPT_END};
	struct request q = {.t = &t, .by = &by};
	struct err e;
	int rc = tool_begin(&t, opts, &argc, &argv);

	if (rc >= 0)
		return rc;
	if (json && want_table)
		return tool_usage(&t, "--table and --json exclude each other");
	rc = check_by(&t, &by);
	if (rc >= 0)
		return rc;
	if (!o.reflect)
		o.reflect = REFLECT_WORDS;
	o.wilson = interval[0] == 'w';
	o.format = strcmp(tags, "think") ? FORMAT_ANSWER : FORMAT_THINK;
	o.seed = t.seed;
	q.there = xcalloc(by.n + 1, sizeof *q.there);
	q.v = eval_open(&o, &e);
	if (!q.v) {
		rc = tool_usage(&t, "%s", e.msg);
	} else {
		table = want_table || (table && !json && !output);
		rc = run(&q, argv, (size_t)argc, table, output, &e) < 0 ? tool_fail(&t, &e) : tool_end(&t);
	}
	map_free(&q.seen);
	eval_close(q.v);
	free(q.there);
	free(by.item);
	return rc;
}
