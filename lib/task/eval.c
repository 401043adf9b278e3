#include "task/eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/eval_private.h"
#include "task/reward.h"
#include "text/script.h"

static int parse_ks(const char *what, const char *text, int64_t **to, size_t *n, struct err *e)
{
	char *copy = xstrdup(text), *p = copy;
	size_t cap = 0;
	int rc = 0;

	while (rc == 0 && p) {
		char *next = strchr(p, ',');

		if (next)
			*next++ = 0;
		*to = xgrow(*to, &cap, *n + 1, sizeof **to);
		rc = opt_int(p, 1, 1 << 30, *to + *n, e);
		++*n;
		p = next;
	}
	free(copy);
	return rc < 0 ? err_prefix(e, "%s", what) : 0;
}

struct eval *eval_open(const struct eval_options *o, struct err *e)
{
	struct eval *v = xcalloc(1, sizeof *v);

	v->o = *o;
	v->unit = strcmp(o->unit, "auto") ? o->unit : NULL;
	v->reflect = reflect_open(o->reflect, e);
	if (!v->reflect || parse_ks("pass@k", o->pass, &v->pass, &v->passes, e) < 0
	    || (o->cons && parse_ks("cons@k", o->cons, &v->cons, &v->conses, e) < 0)) {
		eval_close(v);
		return NULL;
	}
	return v;
}

void eval_close(struct eval *v)
{
	size_t i, j;

	if (!v)
		return;
	for (i = 0; i < v->n; i++) {
		for (j = 0; j < v->row[i]->n; j++)
			free(v->row[i]->problem[j].sample);
		free(v->row[i]->problem);
		map_free(&v->row[i]->index);
		free(v->row[i]);
	}
	free(v->row);
	free(v->pass);
	free(v->cons);
	reflect_close(v->reflect);
	map_free(&v->names);
	map_free(&v->orders);
	map_free(&v->keys);
	arena_free(&v->arena);
	free(v);
}

static const char *keep(struct eval *v, const char *s)
{
	return s ? arena_strndup(&v->arena, s, strlen(s)) : NULL;
}

struct eval_row *eval_row(struct eval *v, const char *file, const char *field, const char *value)
{
	struct buf key = {0};
	struct eval_row *row;
	int64_t *at;
	size_t order;

	if (file)
		buf_add(&key, file, strlen(file) + 1);
	at = map_put(&v->orders, key.n ? key.p : "", key.n);
	order = v->orders.n;
	*at = *at ? *at : (int64_t)order;
	order = (size_t)*at << 32;
	if (field) {
		buf_add(&key, field, strlen(field) + 1);
		at = map_put(&v->orders, key.p, key.n);
		*at = *at ? *at : (int64_t)v->orders.n;
		order += (size_t)*at;
		buf_str(&key, value);
	}
	at = map_put(&v->keys, key.n ? key.p : "", key.n);
	buf_free(&key);
	if (*at)
		return v->row[*at - 1];
	row = xcalloc(1, sizeof *row);
	*row = (struct eval_row){.file = keep(v, file), .field = keep(v, field), .value = keep(v, value), .order = order};
	v->row = xgrow(v->row, &v->cap, v->n + 1, sizeof *v->row);
	v->row[v->n++] = row;
	*at = (int64_t)v->n;
	return row;
}

/* ---- one completion ---- */

static int look_rewards(struct eval *v, struct record *r, struct eval_sample *s, struct err *e)
{
	size_t n, i;
	struct named *x = record_named(r, "rewards", &n, e);
	bool found = false;
	double *value;

	if (!x)
		return -1;
	for (i = 0; i < n; i++) {
		int64_t *at = map_put(&v->names, x[i].name, strlen(x[i].name));

		*at = *at ? *at : (int64_t)v->names.n;
	}
	s->values = v->names.n;
	value = arena_alloc(&v->arena, s->values * sizeof *value + 1);
	for (i = 0; i < s->values; i++)
		value[i] = NAN;
	for (i = 0; i < n; i++) {
		value[*map_get(&v->names, x[i].name, strlen(x[i].name)) - 1] = x[i].value;
		if (!strcmp(x[i].name, v->o.correct)) {
			found = true;
			s->correct = isnan(x[i].value) ? NAN : x[i].value >= v->o.right;
		}
	}
	s->value = value;
	return found ? 0 : record_error(r, e, "'rewards' has no '%s'", v->o.correct);
}

static int look_text(struct eval *v, struct record *r, struct eval_sample *s, struct err *e)
{
	struct scored c = {0};
	struct script_words w = {0};
	const char *where, *reason;
	size_t n, i, scripts = 0;

	if (scored_begin(&c, r, e) < 0)
		return -1;
	if (!v->unit)
		v->unit = record_has(r, "completion_ids") ? "tokens" : "words";
	if (completion_length(r, c.text, c.n, v->unit, &s->length, e) < 0)
		return -1;
	s->format = !format_fault(c.text, c.n, c.prefilled, v->o.format);
	where = c.parts.think ? c.parts.think : c.text;
	n = c.parts.think ? c.parts.think_n : c.n;
	s->reflections = reflect_count(v->reflect, where, n);
	script_count(where, n, &w);
	for (i = 0; i < SCRIPTS; i++)
		scripts += w.of[i] > 0 && i != SCRIPT_KANA;
	s->mixes = scripts + (w.of[SCRIPT_KANA] > 0 && !w.of[SCRIPT_HAN]) > 1;
	s->ended = -1;
	if (record_has(r, "finish_reason")) {
		reason = record_string(r, "finish_reason", NULL, e);
		if (!reason)
			return -1;
		s->ended = strcmp(reason, "length") != 0;
	}
	return 0;
}

static int look_answer(struct eval *v, struct record *r, struct eval_sample *s, struct err *e)
{
	const char *type = NULL, *answer;
	struct err none;

	if (record_has(r, "type") && !(type = record_string(r, "type", NULL, e)))
		return -1;
	s->verifier = verifier_find(type, &none);
	if (!s->verifier)
		s->verifier = verifier_find("text", &none);
	if (!record_has(r, "extracted"))
		return 0;
	answer = record_string(r, "extracted", &s->answer_n, e);
	if (!answer)
		return -1;
	s->answer = arena_strndup(&v->arena, answer, s->answer_n);
	return 0;
}

int eval_look(struct eval *v, struct record *r, const struct eval_sample **to, struct err *e)
{
	struct eval_sample s = {.step = -1, .reward = NAN, .correct = NAN, .arrival = v->arrivals++}, *kept;
	const char *id = record_string(r, "id", &s.id_n, e);

	s.sample = s.arrival;
	if (!id)
		return -1;
	if (record_has(r, "step") && record_int(r, "step", &s.step, e) < 0)
		return -1;
	if (record_has(r, "sample") && record_int(r, "sample", &s.sample, e) < 0)
		return -1;
	if (record_has(r, "reward") && record_number(r, "reward", &s.reward, e) < 0)
		return -1;
	if (look_rewards(v, r, &s, e) < 0 || look_text(v, r, &s, e) < 0 || look_answer(v, r, &s, e) < 0)
		return -1;
	s.id = arena_strndup(&v->arena, id, s.id_n);
	kept = arena_alloc(&v->arena, sizeof *kept);
	*kept = s;
	*to = kept;
	return 0;
}

void eval_add(struct eval_row *row, const struct eval_sample *s)
{
	char *key = xmalloc(s->id_n + 9);
	struct eval_problem *p;
	int64_t *at;

	memcpy(key, s->id, s->id_n);
	key[s->id_n] = 0;
	memcpy(key + s->id_n + 1, &s->step, 8);
	at = map_put(&row->index, key, s->id_n + 9);
	free(key);
	if (!*at) {
		row->problem = xgrow(row->problem, &row->cap, row->n + 1, sizeof *row->problem);
		row->problem[row->n++] = (struct eval_problem){0};
		*at = (int64_t)row->n;
	}
	p = &row->problem[*at - 1];
	p->sample = xgrow(p->sample, &p->cap, p->n + 1, sizeof *p->sample);
	p->sample[p->n++] = s;
	row->samples++;
	if (isnan(s->correct)) {
		row->unscored++;
	} else {
		p->scored++;
		p->right += s->correct > 0;
	}
}

/* ---- in order ---- */

static int by_sample(const void *a, const void *b)
{
	const struct eval_sample *x = *(const struct eval_sample *const *)a, *y = *(const struct eval_sample *const *)b;

	if (x->sample != y->sample)
		return x->sample < y->sample ? -1 : 1;
	return (x->arrival > y->arrival) - (x->arrival < y->arrival);
}

static int by_id(const void *a, const void *b)
{
	const struct eval_sample *x = ((const struct eval_problem *)a)->sample[0], *y = ((const struct eval_problem *)b)->sample[0];
	int c = memcmp(x->id, y->id, x->id_n < y->id_n ? x->id_n : y->id_n);

	if (c)
		return c;
	if (x->id_n != y->id_n)
		return x->id_n < y->id_n ? -1 : 1;
	return (x->step > y->step) - (x->step < y->step);
}

/* Numbers by value, then what else there is as text, what is missing last. */
static int by_value(const char *a, const char *b)
{
	bool x = strchr("-0123456789", *a), y = strchr("-0123456789", *b), u = !strcmp(a, "null"), w = !strcmp(b, "null");

	if (u != w)
		return u - w;
	if (x != y)
		return y - x;
	if (x && strtod(a, NULL) != strtod(b, NULL))
		return strtod(a, NULL) < strtod(b, NULL) ? -1 : 1;
	return strcmp(a, b);
}

static int by_order(const void *a, const void *b)
{
	const struct eval_row *x = *(struct eval_row *const *)a, *y = *(struct eval_row *const *)b;

	if (x->order != y->order)
		return x->order < y->order ? -1 : 1;
	return x->value && y->value ? by_value(x->value, y->value) : 0;
}

void eval_finish(struct eval *v)
{
	int64_t fewest = 0;
	size_t i, j;

	for (i = 0; i < v->n; i++) {
		struct eval_row *row = v->row[i];

		v->several |= row->file && strcmp(row->file, v->row[0]->file);
		for (j = 0; j < row->n; j++) {
			struct eval_problem *p = &row->problem[j];

			qsort(p->sample, p->n, sizeof *p->sample, by_sample);
			if (p->scored && (!fewest || p->scored < fewest))
				fewest = p->scored;
		}
		qsort(row->problem, row->n, sizeof *row->problem, by_id);
	}
	if (v->n)
		qsort(v->row, v->n, sizeof *v->row, by_order);
	if (!v->o.cons && fewest > 1) {
		v->cons = xmalloc(sizeof *v->cons);
		v->cons[0] = fewest;
		v->conses = 1;
	}
}

size_t eval_rows(const struct eval *v)
{
	return v->n;
}

struct eval_row *eval_row_at(const struct eval *v, size_t i)
{
	return v->row[i];
}

const char *eval_row_file(const struct eval_row *row)
{
	return row->file ? row->file : "stdin";
}

int64_t eval_largest_k(const struct eval *v)
{
	int64_t k = 0;
	size_t i;

	for (i = 0; i < v->passes; i++)
		k = v->pass[i] > k ? v->pass[i] : k;
	for (i = 0; i < v->conses; i++)
		k = v->cons[i] > k ? v->cons[i] : k;
	return k;
}

size_t eval_short(const struct eval_row *row, int64_t k)
{
	size_t i, n = 0;

	for (i = 0; i < row->n; i++)
		n += row->problem[i].scored < k;
	return n;
}

/* ---- metrics ---- */

void eval_pass_values(const struct eval_row *row, int64_t k, double *to)
{
	size_t i;

	for (i = 0; i < row->n; i++) {
		const struct eval_problem *p = &row->problem[i];

		to[i] = k == 1 && p->scored ? (double)p->right / (double)p->scored : stat_pass_at_k(p->scored, p->right, k);
	}
}

static bool same_answer(const struct eval_sample *a, const struct eval_sample *b)
{
	if (a->answer_n == b->answer_n && !memcmp(a->answer, b->answer, a->answer_n))
		return true;
	return a->verifier->same(a->answer, a->answer_n, b->answer, b->answer_n, NULL, NULL);
}

/* The vote of the first k samples that were scored: is the winner right? */
static bool vote(const struct eval_problem *p, int64_t k)
{
	const struct eval_sample **class = xmalloc((size_t)k * sizeof *class), *winner = NULL;
	int64_t *votes = xcalloc((size_t)k, sizeof *votes), most = 0, seen = 0;
	size_t classes = 0, i, j;

	for (i = 0; i < p->n && seen < k; i++) {
		const struct eval_sample *s = p->sample[i];

		if (isnan(s->correct))
			continue;
		seen++;
		if (!s->answer)
			continue;
		for (j = 0; j < classes && !same_answer(class[j], s); j++)
			;
		if (j == classes)
			class[classes++] = s;
		votes[j]++;
	}
	for (j = 0; j < classes; j++) {
		if (votes[j] > most) {
			most = votes[j];
			winner = class[j];
		}
	}
	free(class);
	free(votes);
	return winner && winner->correct > 0;
}

void eval_cons_values(const struct eval_row *row, int64_t k, double *to)
{
	size_t i;

	for (i = 0; i < row->n; i++)
		to[i] = row->problem[i].scored < k ? NAN : vote(&row->problem[i], k);
}

double eval_mean_of(const double *x, size_t n)
{
	double *y = xmalloc((n + 1) * sizeof *y), mean;
	size_t i, m = 0;

	for (i = 0; i < n; i++)
		if (!isnan(x[i]))
			y[m++] = x[i];
	mean = stat_mean(y, m);
	free(y);
	return mean;
}

struct stat_interval eval_interval(const struct eval *v, const struct eval_row *row, const double *x)
{
	return stat_bootstrap(x, row->n, v->o.resamples, .95, v->o.seed);
}

/* NaN: the sample has none */
static double figure_of(const struct eval_sample *s, enum figure f, size_t arg)
{
	switch (f) {
	case FIGURE_REWARD:
		return s->reward;
	case FIGURE_NAMED:
		return arg < s->values ? s->value[arg] : NAN;
	case FIGURE_LENGTH:
		return s->length;
	case FIGURE_ENDED_LENGTH:
		return s->ended == 1 ? s->length : NAN;
	case FIGURE_CLIPPED:
		return s->ended < 0 ? NAN : !s->ended;
	case FIGURE_FORMAT:
		return s->format;
	case FIGURE_REFLECTS:
		return s->reflections > 0;
	case FIGURE_REFLECTIONS:
		return (double)s->reflections;
	case FIGURE_MIXES:
		return s->mixes;
	}
	return NAN;
}

size_t eval_figures(const struct eval_row *row, enum figure f, size_t arg, double *to)
{
	size_t i, j, n = 0;

	for (i = 0; i < row->n; i++) {
		for (j = 0; j < row->problem[i].n; j++) {
			double x = figure_of(row->problem[i].sample[j], f, arg);

			if (!isnan(x))
				to[n++] = x;
		}
	}
	return n;
}
