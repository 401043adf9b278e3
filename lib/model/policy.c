#include "model/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/tool.h"

void rollout_free(struct rollout *r)
{
	free(r->id);
	free(r->token);
	free(r->logprob);
	free(r->reference);
	free(r->advantages);
	*r = (struct rollout){0};
}

static int by_size(double a, double b)
{
	return (a > b) - (a < b);
}

/* By id and sample; those that are the same (people's own data may have neither) by all that a step could tell them apart by. */
static int compare(const void *a, const void *b)
{
	const struct rollout *x = a, *y = b;
	int c = strcmp(x->id, y->id);

	if (!c)
		c = (x->sample > y->sample) - (x->sample < y->sample);
	if (!c)
		c = (x->n > y->n) - (x->n < y->n);
	if (!c)
		c = (x->first > y->first) - (x->first < y->first);
	if (!c && x->n)
		c = memcmp(x->token, y->token, (size_t)x->n * sizeof *x->token);
	if (!c)
		c = by_size(x->advantage, y->advantage);
	if (!c)
		c = by_size(x->temperature, y->temperature);
	if (!c)
		c = !x->logprob - !y->logprob;
	if (!c && x->logprob)
		c = memcmp(x->logprob, y->logprob, (size_t)(x->n - x->first) * sizeof *x->logprob);
	if (!c)
		c = !x->advantages - !y->advantages;
	if (!c && x->advantages)
		c = memcmp(x->advantages, y->advantages, (size_t)(x->n - x->first) * sizeof *x->advantages);
	return c;
}

void rollout_sort(struct rollout *r, size_t n)
{
	if (n)
		qsort(r, n, sizeof *r, compare);
}

/* What a step works with: rollout i's completion is at offset[i] of old, ref. */
struct step {
	struct model *m;
	const struct policy_args *a;
	const struct rollout *r;
	size_t n;
	struct tape tape;
	struct example *example;        /* [n] */
	int64_t *offset;                /* [n+1] */
	float *old;
	float *dlogprob, *dentropy;     /* room for a pass */
	struct loss_sums sums;
	void (*progress)(void *arg, int64_t done, int64_t of);
	void *arg;
	int64_t done;
};

static struct example example_of(const struct rollout *r)
{
	return (struct example){r->token, r->n, r->first, r->temperature > 0 ? 1 / r->temperature : 1};
}

static void set_up(struct step *s)
{
	size_t i;

	s->tape = tape_new(s->m->be);
	s->tape.recompute = s->a->recompute;
	s->example = xmalloc(s->n * sizeof *s->example);
	s->offset = xcalloc(s->n + 1, sizeof *s->offset);
	for (i = 0; i < s->n; i++) {
		const struct rollout *r = &s->r[i];

		s->example[i] = example_of(r);
		s->offset[i + 1] = s->offset[i] + r->n - r->first;
	}
	s->old = xmalloc((size_t)s->offset[s->n] * sizeof *s->old);
	s->dlogprob = xmalloc((size_t)s->offset[s->n] * sizeof *s->dlogprob);
	s->dentropy = xmalloc((size_t)s->offset[s->n] * sizeof *s->dentropy);
}

static void tear_down(struct step *s)
{
	tape_free(&s->tape);
	free(s->example);
	free(s->offset);
	free(s->old);
	free(s->dlogprob);
	free(s->dentropy);
}

/* The sampler's logprobs, and the policy's own where there are none, or where the two are to be told apart. */
static void old_logprobs(struct step *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct rollout *r = &s->r[i];
		size_t bytes = (size_t)(r->n - r->first) * sizeof *s->old;

		if (r->logprob && s->a->loss_args.is_cap <= 0)
			memcpy(s->old + s->offset[i], r->logprob, bytes);
		else
			pass_score(s->m, &s->tape, &s->example[i], 1, s->a->tokens, s->old + s->offset[i], NULL);
	}
}

void policy_reference(struct model *reference, struct rollout *r, size_t n, int64_t tokens)
{
	struct tape t = tape_new(reference->be);
	size_t i, take, k;

	t.recompute = true;                     /* nothing goes back: a layer's memory is the next one's */
	for (i = 0; i < n; i += take) {         /* as many as a pass holds */
		struct example *ex;
		float *all;
		int64_t sum = 0, at = 0;

		for (take = 0; i + take < n && (take == 0 || sum + r[i + take].n <= tokens); take++)
			sum += r[i + take].n;
		ex = xmalloc(take * sizeof *ex);
		all = xmalloc((size_t)sum * sizeof *all);
		for (k = 0; k < take; k++)
			ex[k] = example_of(&r[i + k]);
		pass_score(reference, &t, ex, (int64_t)take, tokens, all, NULL);
		for (k = 0; k < take; k++) {
			struct rollout *x = &r[i + k];
			size_t bytes = (size_t)(x->n - x->first) * sizeof *all;

			free(x->reference);
			x->reference = memcpy(xmalloc(bytes), all + at, bytes);
			at += x->n - x->first;
		}
		free(ex);
		free(all);
	}
	tape_free(&t);
}

/* The loss of the completions pick[0 .. n-1], which p has gone forward for, and its gradient. */
static void losses(struct step *s, const struct loss_args *la, const size_t *pick, int64_t n, const struct pass *p)
{
	int64_t i, at = 0;

	for (i = 0; i < n; i++) {
		size_t k = pick[i];
		struct loss_tokens x = {.n = s->offset[k + 1] - s->offset[k], .logp = p->logprob + at, .old = s->old + s->offset[k],
					.sampler = s->r[k].logprob, .ref = s->r[k].reference,
					.entropy = p->entropy + at, .advantage = s->r[k].advantage,
					.advantages = s->r[k].advantages};

		s->a->loss->apply(la, &x, s->dlogprob + at, s->dentropy + at, &s->sums);
		at += x.n;
	}
}

static void measure_difference(struct step *s, const size_t *pick, int64_t n, const struct pass *p, struct policy_metrics *metrics, double *sum,
			       int64_t *count)
{
	int64_t i, j, at = 0;

	for (i = 0; i < n; i++) {
		const struct rollout *r = &s->r[pick[i]];
		int64_t len = r->n - r->first;

		for (j = 0; r->logprob && j < len; j++) {
			double d = fabs((double)p->logprob[at + j] - r->logprob[j]);

			*sum += d;
			++*count;
			if (d > metrics->logp_difference_max)
				metrics->logp_difference_max = d;
		}
		at += len;
	}
}

static int minibatch(struct step *s, const size_t *pick, int64_t n, struct optimizer *o, bool first, struct policy_metrics *metrics, struct err *e)
{
	struct loss_args la = s->a->loss_args;
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	double before = s->sums.loss, difference = 0, norm;
	int64_t i, take, compared = 0;

	la.sequences = (double)n;
	la.tokens = 0;
	for (i = 0; i < n; i++) {
		ex[i] = s->example[pick[i]];
		la.tokens += (double)(ex[i].n - ex[i].first);
	}
	for (i = 0; i < n; i += take) {
		struct pass p;

		if (tool_interrupted()) {
			free(ex);
			return err_set(e, "interrupted");
		}
		take = pass_take(ex + i, n - i, s->a->tokens);
		s->tape.record = true;
		p = pass_forward(s->m, &s->tape, ex + i, take, true);
		if (p.n) {
			losses(s, &la, pick + i, take, &p);
			if (first)
				measure_difference(s, pick + i, take, &p, metrics, &difference, &compared);
		}
		pass_backward(&s->tape, &p, s->dlogprob, la.entropy_coef != 0 ? s->dentropy : NULL);
		s->done += take;
		if (s->progress)
			s->progress(s->arg, s->done, (int64_t)s->n * s->a->epochs);
	}
	free(ex);
	if (first)
		metrics->logp_difference_mean = compared ? difference / (double)compared : -1;
	norm = optimizer_step(o, s->a->learning_rate);
	metrics->grad_norm += norm;
	metrics->loss += s->sums.loss - before;
	metrics->steps++;
	if (!isfinite(s->sums.loss) || !isfinite(norm))
		return err_set(e, "the %s is not finite: nothing is written", isfinite(norm) ? "loss" : "gradient");
	return 0;
}

static void finish_metrics(const struct step *s, struct policy_metrics *m)
{
	double tokens = s->sums.tokens ? (double)s->sums.tokens : 1, steps = m->steps ? (double)m->steps : 1;

	m->loss /= steps;
	m->grad_norm /= steps;
	m->kl = s->sums.kl / tokens;
	m->entropy = s->sums.entropy / tokens;
	m->clip_low = s->sums.clip_low / tokens;
	m->clip_high = s->sums.clip_high / tokens;
	m->ratio = s->sums.ratio / tokens;
	m->tokens = s->offset[s->n];
	m->peak_bytes = tape_peak(&s->tape);
}

int policy_step(struct model *m, struct optimizer *o, const struct policy_args *a, const struct rollout *r, size_t n,
		struct policy_metrics *metrics, void (*progress)(void *arg, int64_t done, int64_t of), void *arg, struct err *e)
{
	struct step s = {.m = m, .a = a, .r = r, .n = n, .progress = progress, .arg = arg};
	struct rng rng = rng_new(a->seed, hash_mix(hash_str("minibatches"), a->step));
	size_t *order = xmalloc(n * sizeof *order), i;
	int64_t epoch, part;
	int rc = 0;

	*metrics = (struct policy_metrics){.logp_difference_mean = -1};
	set_up(&s);
	old_logprobs(&s);
	for (epoch = 0; epoch < a->epochs && rc == 0; epoch++) {
		for (i = 0; i < n; i++)
			order[i] = i;
		rng_shuffle(&rng, order, n);
		for (part = 0; part < a->minibatches && rc == 0; part++) {
			size_t from = n * (size_t)part / (size_t)a->minibatches, to = n * (size_t)(part + 1) / (size_t)a->minibatches;

			if (to > from)
				rc = minibatch(&s, order + from, (int64_t)(to - from), o, metrics->steps == 0, metrics, e);
		}
	}
	finish_metrics(&s, metrics);
	tear_down(&s);
	free(order);
	return rc;
}
