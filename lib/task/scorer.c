#include "task/scorer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "task/answer.h"

enum scorer_objective scorer_objective(const char *name)
{
	return !strcmp(name, "pairwise") ? OBJECTIVE_PAIRWISE : !strcmp(name, "pointwise") ? OBJECTIVE_POINTWISE
		: !strcmp(name, "value") ? OBJECTIVE_VALUE : OBJECTIVE_SFT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Without a <think> at its end, and blanks around it */
static bool cut_think(const char *s, size_t *n)
{
	size_t end = *n;

	while (end && is_blank(s[end - 1]))
		end--;
	if (end < 7 || memcmp(s + end - 7, "<think>", 7) != 0)
		return false;
	*n = end - 7;
	return true;
}

static int read_prompt(const struct scorer_reader *x, struct record *r, struct buf *to, struct err *e)
{
	const bool whole = record_has(r, "prompt");
	const char *s;
	size_t n;

	if (!whole && !record_has(r, "problem") && record_has(r, "messages")) {
		const struct js *messages = record_js(r, "messages", e);

		if (!messages)
			return -1;
		return template_messages(x->template, NULL, messages, js_size(messages), to, e) < 0 ? record_error(r, e, "'messages': %s", e->msg) : 0;
	}
	s = record_string(r, whole ? "prompt" : "problem", &n, e);
	if (!s)
		return -1;
	if (whole) {
		buf_add(to, s, n);
		return 0;
	}
	return template_problem(x->template, NULL, s, n, to, e) < 0 ? record_error(r, e, "'problem': %s", e->msg) : 0;
}

int scorer_read(const struct scorer_reader *x, struct record *r, const char *field, struct tokens *ids, struct err *e)
{
	struct buf prompt = {0};
	size_t n, prompt_n;
	const char *s = record_string(r, field, &n, e);
	bool prefilled;
	int rc;

	if (!s || read_prompt(x, r, &prompt, e) < 0) {
		buf_free(&prompt);
		return -1;
	}
	prompt_n = prompt.n;
	prefilled = cut_think(prompt.p, &prompt_n);
	if (x->on == SCORER_SUMMARY) {
		struct parts p = parts_of(s, n, prefilled);

		s = p.final;
		n = p.final_n;
		while (n && is_blank(*s))
			s++, n--;
	} else {
		prompt_n = prompt.n;
	}
	rc = tokenizer_encode(x->tokenizer, prompt.p ? prompt.p : "", prompt_n, TOKENIZER_ADD_SPECIAL, ids, e);
	if (rc == 0)
		rc = tokenizer_encode(x->tokenizer, s, n, 0, ids, e);
	if (rc < 0)
		record_error(r, e, "'%s': %s", field, e->msg);
	else if (x->config->eos_count)
		tokens_add(ids, x->config->eos[0]);
	if (rc == 0 && !ids->n)
		rc = record_error(r, e, "'%s': there is nothing to score", field);
	buf_free(&prompt);
	return rc;
}

/* -log sigmoid(x) and its derivative */
static double minus_log_sigmoid(double x, double *d)
{
	*d = -1 / (1 + exp(x));
	return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

static double pair(const float *r, double scale, float *d, struct scorer_sums *s)
{
	double g, loss = minus_log_sigmoid((double)r[0] - r[1], &g);

	d[0] = (float)(g * scale);
	d[1] = (float)(-g * scale);
	s->margin += (double)r[0] - r[1];
	s->right += r[0] > r[1];
	return loss;
}

static double point(double r, double y, double scale, float *d, struct scorer_sums *s)
{
	double yes, no, loss = y * minus_log_sigmoid(r, &yes) + (1 - y) * minus_log_sigmoid(-r, &no);

	*d = (float)((y * yes - (1 - y) * no) * scale);
	s->right += (r > 0) == (y > .5);
	return loss;
}

/* The losses of a pass of n scores, k of examples x ...; d gets their gradients */
static void losses(enum scorer_objective o, const struct scorer_example *x, int64_t k, const float *r, double scale, float *d, struct scorer_sums *s)
{
	int64_t at = 0, i, j;

	if (o == OBJECTIVE_PAIRWISE) {
		for (i = 0; i + 1 < k; i += 2, s->n++)
			s->loss += pair(r + i, scale, d + i, s);
		return;
	}
	for (i = 0; i < k; i++)
		for (j = 0; j < x[i].text.n - x[i].text.first; j++, at++, s->n++) {
			const double y = x[i].target[j];

			if (o == OBJECTIVE_POINTWISE) {
				s->loss += point(r[at], y, scale, d + at, s);
				continue;
			}
			d[at] = (float)((r[at] - y) * scale);
			s->loss += (r[at] - y) * (r[at] - y) / 2;
		}
}

void scorer_pass(struct model *m, struct tape *t, enum scorer_objective o, const struct scorer_example *x, int64_t n, int64_t tokens, double all,
		 struct scorer_sums *s)
{
	const int64_t unit = o == OBJECTIVE_PAIRWISE ? 2 : 1;
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	float *d = NULL;
	size_t cap = 0;
	int64_t i, take;

	for (i = 0; i < n; i++) {
		ex[i] = x[i].text;
		ex[i].inv_temperature = 1;
	}
	for (i = 0; i < n; i += take) {
		struct scores r;

		take = pass_take(ex + i, n - i, tokens) / unit * unit;
		take = take ? take : unit;
		r = score_forward(m, t, ex + i, take);
		d = xgrow(d, &cap, (size_t)r.n + 1, sizeof *d);
		losses(o, x + i, take, r.score, 1 / all, d, s);
		if (t->record)
			score_backward(t, &r, d);
		else
			tape_reset(t);
	}
	free(ex);
	free(d);
}
