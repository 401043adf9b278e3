#include "task/objective.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum objective objective_kind(const char *name)
{
	return !strcmp(name, "pairwise") ? OBJECTIVE_PAIRWISE : !strcmp(name, "pointwise") ? OBJECTIVE_POINTWISE
		: !strcmp(name, "value") ? OBJECTIVE_VALUE : OBJECTIVE_SFT;
}

/* -log sigmoid(x) and its derivative */
static double minus_log_sigmoid(double x, double *d)
{
	*d = -1 / (1 + exp(x));
	return x > 0 ? log1p(exp(-x)) : log1p(exp(x)) - x;
}

static double pair(const float *r, double scale, float *d, struct objective_sums *s)
{
	double g, loss = minus_log_sigmoid((double)r[0] - r[1], &g);

	d[0] = (float)(g * scale);
	d[1] = (float)(-g * scale);
	s->margin += (double)r[0] - r[1];
	s->right += r[0] > r[1];
	return loss;
}

static double point(double r, double y, double scale, float *d, struct objective_sums *s)
{
	double yes, no, loss = y * minus_log_sigmoid(r, &yes) + (1 - y) * minus_log_sigmoid(-r, &no);

	*d = (float)((y * yes - (1 - y) * no) * scale);
	s->right += (r > 0) == (y > .5);
	return loss;
}

/* The losses of a pass of n scores, k of examples x ...; d gets their gradients */
static void losses(enum objective o, const struct lesson *x, int64_t k, const float *r, double scale, float *d, struct objective_sums *s)
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

struct room { float *x; size_t cap; };      /* for gradients of a pass */

/* The passes themselves: x[0 .. k-1] forward and, if the tape records, back; d: room for gradients */
static void text_pass(struct model *m, struct tape *t, const struct example *ex, int64_t k, double scale, struct room *d, struct objective_sums *s)
{
	struct pass p = pass_forward(m, t, ex, k, false);
	int64_t i;

	d->x = xgrow(d->x, &d->cap, (size_t)p.n + 1, sizeof *d->x);
	for (i = 0; i < p.n; i++) {
		s->loss -= p.logprob[i];
		d->x[i] = (float)-scale;
	}
	s->n += p.n;
	if (t->record)
		pass_backward(t, &p, d->x, NULL);
}

static void scored_pass(struct model *m, struct tape *t, enum objective o, const struct lesson *x, const struct example *ex, int64_t k, double scale,
			struct room *d, struct objective_sums *s)
{
	struct scores r = score_forward(m, t, ex, k);

	d->x = xgrow(d->x, &d->cap, (size_t)r.n + 1, sizeof *d->x);
	losses(o, x, k, r.score, scale, d->x, s);
	if (t->record)
		score_backward(t, &r, d->x);
}

void objective_pass(struct model *m, struct tape *t, enum objective o, const struct lesson *x, int64_t n, int64_t tokens, double all,
		    struct objective_sums *s)
{
	const int64_t unit = o == OBJECTIVE_PAIRWISE ? 2 : 1;
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	struct room d = {0};
	int64_t i, take;

	for (i = 0; i < n; i++) {
		ex[i] = x[i].text;
		ex[i].inv_temperature = 1;
	}
	for (i = 0; i < n; i += take) {
		take = pass_take(ex + i, n - i, tokens) / unit * unit;
		take = take ? take : unit;
		if (o == OBJECTIVE_SFT)
			text_pass(m, t, ex + i, take, 1 / all, &d, s);
		else
			scored_pass(m, t, o, x + i, ex + i, take, 1 / all, &d, s);
		if (!t->record)
			tape_reset(t);
	}
	free(ex);
	free(d.x);
}
