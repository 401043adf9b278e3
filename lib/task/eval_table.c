/* The rows of an evaluation, as records and as a table */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/eval_private.h"
#include "text/script.h"
#include "text/utf8.h"

/* Wilson's interval about the mean over problems, as if all samples were independent and as likely right. A problem's few samples weigh as much in
 * it as another's many: with n_i of each of m problems it is as sure as the mean of m^2 / (sum of 1 / n_i) samples, all where the n_i are equal. */
static struct stat_interval wilson(const struct eval_row *row, double mean)
{
	double m = 0, inverse = 0, right = 0, scored = 0, first = 0;
	bool equal = true;
	size_t i;

	for (i = 0; i < row->n; i++) {
		const double n = (double)row->problem[i].scored;

		if (!(n > 0))
			continue;
		first = m > 0 ? first : n;
		equal &= n == first;
		m++;
		inverse += 1 / n;
		right += (double)row->problem[i].right;
		scored += n;
	}
	return equal ? stat_wilson(right, scored, STAT_Z95) : stat_wilson(mean * (m * m / inverse), m * m / inverse, STAT_Z95);
}

/* pass@1 and its interval, in the way that was asked for */
static double pass_1(const struct eval *v, const struct eval_row *row, int64_t k, struct stat_interval *i)
{
	double *x = xmalloc((row->n + 1) * sizeof *x), mean;

	eval_pass_values(row, k, x);
	mean = eval_mean_of(x, row->n);
	*i = v->o.wilson && k == 1 ? wilson(row, mean) : eval_interval(v, row, x);
	free(x);
	return mean;
}

/* cons@k: each problem is right or not, so that its interval is Wilson's over problems */
static double cons(const struct eval_row *row, int64_t k, struct stat_interval *i)
{
	double *x = xmalloc((row->n + 1) * sizeof *x), right = 0, n = 0;
	size_t j;

	eval_cons_values(row, k, x);
	for (j = 0; j < row->n; j++) {
		if (!isnan(x[j])) {
			right += x[j];
			n++;
		}
	}
	free(x);
	*i = stat_wilson(right, n, STAT_Z95);
	return n ? right / n : NAN;
}

static double mean_of(const struct eval_row *row, enum figure f)
{
	double *x = xmalloc(((size_t)row->samples + 1) * sizeof *x), mean = stat_mean(x, eval_figures(row, f, 0, x));

	free(x);
	return mean;
}

static void range(const struct eval_row *row, double *low, double *high)
{
	double *x = xmalloc(((size_t)row->samples + 1) * sizeof *x);
	size_t n = eval_figures(row, FIGURE_LENGTH, 0, x), i;

	*low = *high = n ? x[0] : NAN;
	for (i = 1; i < n; i++) {
		*low = fmin(*low, x[i]);
		*high = fmax(*high, x[i]);
	}
	free(x);
}

/* ---- records ---- */

static void put(struct record *out, const char *name, const char *at, double x)
{
	struct buf b = {0};

	buf_printf(&b, "%s%s", name, at);
	record_set_number(out, b.p, x);
	buf_free(&b);
}

static void put_metric(struct record *out, const char *name, int64_t k, double mean, struct stat_interval i)
{
	char key[40];

	snprintf(key, sizeof key, "%s@%lld", name, (long long)k);
	put(out, key, "", mean);
	put(out, key, "/low", i.low);
	put(out, key, "/high", i.high);
}

static void put_value(struct record *out, const char *field, const char *value)
{
	struct js *j = js_parse(value, strlen(value), "value", NULL);

	if (j)
		record_set_js(out, field, j);
	js_free(j);
}

static void put_rewards(const struct eval *v, const struct eval_row *row, struct record *out)
{
	double *x = xmalloc(((size_t)row->samples + 1) * sizeof *x);
	size_t i, n = eval_figures(row, FIGURE_REWARD, 0, x);

	put(out, "reward", "", stat_mean(x, n));
	for (i = 0; i < v->names.n; i++) {
		struct buf key = {0};

		buf_printf(&key, "rewards/%s", v->names.entry[i].key);
		n = eval_figures(row, FIGURE_NAMED, i, x);
		put(out, key.p, "/mean", stat_mean(x, n));
		put(out, key.p, "/std", stat_std(x, n, true));
		buf_free(&key);
	}
	free(x);
}

void eval_record(const struct eval *v, const struct eval_row *row, struct record *out)
{
	struct stat_interval i;
	double low, high;
	size_t k;

	record_clear(out);
	if (row->file)
		record_set_str(out, "file", row->file);
	if (row->field)
		put_value(out, row->field, row->value);
	record_set_int(out, "problems", (int64_t)row->n);
	record_set_int(out, "samples", row->samples);
	record_set_int(out, "unscored", row->unscored);
	for (k = 0; k < v->passes; k++) {
		double mean = pass_1(v, row, v->pass[k], &i);

		put_metric(out, "pass", v->pass[k], mean, i);
	}
	for (k = 0; k < v->conses; k++) {
		double mean = cons(row, v->cons[k], &i);

		put_metric(out, "cons", v->cons[k], mean, i);
	}
	put_rewards(v, row, out);
	range(row, &low, &high);
	record_set_str(out, "length_unit", v->unit);
	put(out, "completions/mean_length", "", mean_of(row, FIGURE_LENGTH));
	put(out, "completions/min_length", "", low);
	put(out, "completions/max_length", "", high);
	put(out, "completions/mean_terminated_length", "", mean_of(row, FIGURE_ENDED_LENGTH));
	put(out, "completions/clipped_ratio", "", mean_of(row, FIGURE_CLIPPED));
	put(out, "format_rate", "", mean_of(row, FIGURE_FORMAT));
	put(out, "reflection_rate", "", mean_of(row, FIGURE_REFLECTS));
	put(out, "reflections", "", mean_of(row, FIGURE_REFLECTIONS));
	put(out, "language_mix_rate", "", mean_of(row, FIGURE_MIXES));
}

bool eval_writes(const char *name)
{
	static const char *const names[] = {
		"file", "problems", "samples", "unscored", "reward", "length_unit", "completions/mean_length", "completions/min_length",
		"completions/max_length", "completions/mean_terminated_length", "completions/clipped_ratio", "format_rate", "reflection_rate",
		"reflections", "language_mix_rate"};
	static const char *const begins[] = {"pass@", "cons@", "rewards/"};
	size_t i;

	for (i = 0; i < sizeof names / sizeof names[0]; i++)
		if (!strcmp(name, names[i]))
			return true;
	for (i = 0; i < sizeof begins / sizeof begins[0]; i++)
		if (!strncmp(name, begins[i], strlen(begins[i])))
			return true;
	return false;
}

/* ---- table ---- */

struct table {
	struct buf *cell;               /* [rows][columns] */
	size_t rows, columns, at;
};

static struct buf *cell(struct table *t)
{
	return &t->cell[t->at++];
}

/* Columns of a terminal: two for Han, Kana, Hangul and what is as wide, none for an accent of its own */
static size_t width(const struct buf *b)
{
	size_t i, n = 0;
	uint32_t c;

	for (i = 0; i < b->n;) {
		enum script script;

		i += utf8_decode(b->p + i, b->n - i, &c);
		script = script_of(c);
		if (script == SCRIPT_HAN || script == SCRIPT_KANA || script == SCRIPT_HANGUL || (c >= 0x3000 && c < 0x3040) || (c >= 0xff01 && c <= 0xff60))
			n += 2;
		else
			n += c < 0x300 || c > 0x36f;
	}
	return n;
}

static void percent(struct table *t, double x)
{
	if (isnan(x))
		buf_str(cell(t), "-");
	else
		buf_printf(cell(t), "%.1f", 100 * x);
}

static void percent_within(struct table *t, double x, struct stat_interval i)
{
	if (isnan(x))
		buf_str(cell(t), "-");
	else if (isnan(i.low))
		buf_printf(cell(t), "%.1f", 100 * x);
	else
		buf_printf(cell(t), "%.1f [%.1f, %.1f]", 100 * x, 100 * i.low, 100 * i.high);
}

static void label(const struct eval *v, const struct eval_row *row, struct table *t)
{
	struct buf *b = cell(t);

	if (v->several)
		buf_str(b, row->file);
	if (row->field) {
		size_t n = strlen(row->value);
		bool quoted = *row->value == '"';

		buf_printf(b, "%s%s=", v->several ? " " : "", row->field);
		if (strcmp(row->value, "null"))
			buf_add(b, row->value + quoted, n - 2 * quoted);
		else
			buf_str(b, "-");
	} else if (!v->several) {
		buf_str(b, row->file ? row->file : "all");
	}
}

static void head(const struct eval *v, struct table *t)
{
	size_t k;

	buf_str(cell(t), "%");
	buf_str(cell(t), "problems");
	buf_str(cell(t), "samples");
	for (k = 0; k < v->passes; k++)
		buf_printf(cell(t), "pass@%lld", (long long)v->pass[k]);
	for (k = 0; k < v->conses; k++)
		buf_printf(cell(t), "cons@%lld", (long long)v->cons[k]);
	buf_str(cell(t), v->unit ? v->unit : "length");
	buf_str(cell(t), "clipped");
	buf_str(cell(t), "format");
	buf_str(cell(t), "reflects");
	buf_str(cell(t), "mixes");
}

static void line(const struct eval *v, const struct eval_row *row, struct table *t)
{
	struct stat_interval i;
	double mean, low, high;
	size_t k;

	label(v, row, t);
	buf_printf(cell(t), "%zu", row->n);
	buf_printf(cell(t), "%lld", (long long)row->samples);
	for (k = 0; k < v->passes; k++) {
		mean = pass_1(v, row, v->pass[k], &i);
		percent_within(t, mean, i);
	}
	for (k = 0; k < v->conses; k++) {
		mean = cons(row, v->cons[k], &i);
		percent_within(t, mean, i);
	}
	range(row, &low, &high);
	buf_printf(cell(t), "%.1f [%g, %g]", mean_of(row, FIGURE_LENGTH), low, high);
	percent(t, mean_of(row, FIGURE_CLIPPED));
	percent(t, mean_of(row, FIGURE_FORMAT));
	percent(t, mean_of(row, FIGURE_REFLECTS));
	percent(t, mean_of(row, FIGURE_MIXES));
}

void eval_table(const struct eval *v, struct buf *to)
{
	struct table t = {.rows = v->n + 1, .columns = 8 + v->passes + v->conses};
	size_t i, j, w, k;

	t.cell = xcalloc(t.rows * t.columns, sizeof *t.cell);
	head(v, &t);
	for (i = 0; i < v->n; i++)
		line(v, v->row[i], &t);
	for (i = 0; i < t.rows; i++) {
		for (j = 0; j < t.columns; j++) {
			const struct buf *b = &t.cell[i * t.columns + j];
			size_t widest = 0;

			for (k = 0; k < t.rows; k++) {
				w = width(&t.cell[k * t.columns + j]);
				widest = w > widest ? w : widest;
			}
			if (j)
				buf_str(to, "  ");
			if (!j)
				buf_add(to, b->p, b->n);
			for (w = width(b); w < widest; w++)
				buf_char(to, ' ');
			if (j)
				buf_add(to, b->p, b->n);
		}
		buf_char(to, '\n');
	}
	for (i = 0; i < t.rows * t.columns; i++)
		buf_free(&t.cell[i]);
	free(t.cell);
}
