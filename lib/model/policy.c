#include "model/policy.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/team.h"
#include "base/tool.h"
#include "model/replicas.h"

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
	struct replicas *replicas;
	struct example *example;        /* [n] */
	int64_t *offset;                /* [n+1] */
	float *old, *advantage;         /* advantage: with KL in the reward, or NULL */
	float *dlogprob, *dentropy;     /* room for a pass */
	struct loss_sums sums;
	struct difference { double sum, most; int64_t n; } difference;  /* |trainer - sampler| */
	void (*progress)(void *arg, int64_t done, int64_t of);
	void *arg;
	int64_t done;
};

static struct example example_of(const struct rollout *r)
{
	return (struct example){r->token, r->n, r->first, r->temperature > 0 ? 1 / r->temperature : 1};
}

static void deal_rollouts(struct replicas *parts, const struct rollout *r, size_t n)
{
	int64_t *tokens = xmalloc(n * sizeof *tokens);
	size_t i;

	for (i = 0; i < n; i++)
		tokens[i] = r[i].n;
	replicas_deal(parts, tokens, (int64_t)n);
	free(tokens);
}

static void set_up(struct step *s)
{
	size_t i;

	s->tape = tape_new(s->m->be);
	s->tape.recompute = s->a->recompute;
	s->replicas = replicas_new(model_trained(s->m), s->a->replicas);
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
	replicas_free(s->replicas);
	free(s->example);
	free(s->offset);
	free(s->old);
	free(s->advantage);
	free(s->dlogprob);
	free(s->dentropy);
}

static void sampler_logprobs(struct step *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		const struct rollout *r = &s->r[i];

		if (r->logprob)
			memcpy(s->old + s->offset[i], r->logprob, (size_t)(r->n - r->first) * sizeof *s->old);
	}
}

/* The policy's own at the start of the step: of those that have none, or of all. */
static void start_logprobs(struct step *s, bool all_of_them)
{
	struct example *ex = xmalloc(s->n * sizeof *ex);
	size_t *which = xmalloc(s->n * sizeof *which), missing = 0, i, j;
	float *all = s->dlogprob;               /* as long, and not needed yet */
	int64_t k, n;

	for (i = 0; i < s->n; i++)
		if (!s->r[i].logprob || all_of_them)
			which[missing++] = i;
	deal_rollouts(s->replicas, s->r, s->n);
	for (k = 0, j = 0; k < s->replicas->n; k++) {
		const size_t first = j;

		for (n = 0; j < missing && (int64_t)which[j] < s->replicas->from[k + 1]; j++)
			ex[n++] = s->example[which[j]];
		if (!n || !replicas_mine(k))
			continue;
		pass_score(s->m, &s->tape, ex, n, s->a->tokens, all, NULL);
		for (i = first, n = 0; i < j; i++) {
			const int64_t from = s->offset[which[i]], length = s->offset[which[i] + 1] - from;

			memcpy(s->old + from, all + n, (size_t)length * sizeof *all);
			n += length;
		}
	}
	if (missing)
		replicas_gather(s->replicas, s->old, s->offset);
	free(which);
	free(ex);
}

static void kl_advantages(struct step *s)
{
	size_t i;

	s->advantage = xmalloc((size_t)s->offset[s->n] * sizeof *s->advantage);
	for (i = 0; i < s->n; i++)
		policy_kl_advantages(&s->r[i], s->old + s->offset[i], s->a->kl_reward, s->advantage + s->offset[i]);
}

/* What ratios are taken to: the sampler's, but the policy's own where there are none, or where the two are to be told apart. KL in the reward is the
 * policy's own at any rate, whoever sampled. */
static void old_logprobs(struct step *s)
{
	const bool apart = s->a->loss_args.is_cap > 0;

	start_logprobs(s, apart || s->a->kl_reward != 0);
	if (s->a->kl_reward != 0)
		kl_advantages(s);
	if (!apart)
		sampler_logprobs(s);
}

void policy_reference(struct model *reference, struct rollout *r, size_t n, int64_t tokens, int64_t replicas)
{
	struct tape t = tape_new(reference->be);
	struct replicas *parts = replicas_new(&reference->params, replicas);
	struct example *ex = xmalloc(n * sizeof *ex);
	int64_t *offset = xcalloc(n + 1, sizeof *offset), k;
	float *all;
	size_t i;

	for (i = 0; i < n; i++) {
		ex[i] = example_of(&r[i]);
		offset[i + 1] = offset[i] + r[i].n - r[i].first;
	}
	all = xmalloc((size_t)offset[n] * sizeof *all);
	deal_rollouts(parts, r, n);
	for (k = 0; k < parts->n; k++)
		if (replicas_mine(k))
			pass_score(reference, &t, ex + parts->from[k], parts->from[k + 1] - parts->from[k], tokens, all + offset[parts->from[k]], NULL);
	replicas_gather(parts, all, offset);
	for (i = 0; i < n; i++) {
		size_t bytes = (size_t)(r[i].n - r[i].first) * sizeof *all;

		free(r[i].reference);
		r[i].reference = memcpy(xmalloc(bytes), all + offset[i], bytes);
	}
	free(offset);
	free(all);
	free(ex);
	replicas_free(parts);
	tape_free(&t);
}

void policy_kl_advantages(const struct rollout *r, const float *start, double coef, float *to)
{
	double kl = 0;
	int64_t i;

	for (i = r->n - r->first; i-- > 0;) {
		kl += (double)start[i] - r->reference[i];
		to[i] = (float)((r->advantages ? r->advantages[i] : r->advantage) - coef * kl);
	}
}

/* The loss of the completions pick[0 .. n-1], which p has gone forward for, and its gradient. */
static void losses(struct step *s, const struct loss_args *la, const size_t *pick, int64_t n, const struct pass *p, struct loss_sums *sums)
{
	int64_t i, at = 0;

	for (i = 0; i < n; i++) {
		size_t k = pick[i];
		struct loss_tokens x = {.n = s->offset[k + 1] - s->offset[k], .logp = p->logprob + at, .old = s->old + s->offset[k],
					.sampler = s->r[k].logprob, .ref = s->r[k].reference,
					.entropy = p->entropy + at, .advantage = s->r[k].advantage,
					.advantages = s->advantage ? s->advantage + s->offset[k] : s->r[k].advantages};

		s->a->loss->apply(la, &x, s->dlogprob + at, s->dentropy + at, sums);
		at += x.n;
	}
}

static void measure_difference(const struct step *s, const size_t *pick, int64_t n, const struct pass *p, struct difference *x)
{
	int64_t i, j, at = 0;

	for (i = 0; i < n; i++) {
		const struct rollout *r = &s->r[pick[i]];
		int64_t len = r->n - r->first;

		for (j = 0; r->logprob && j < len; j++) {
			double d = fabs((double)p->logprob[at + j] - r->logprob[j]);

			x->sum += d;
			x->most = fmax(x->most, d);
			x->n++;
		}
		at += len;
	}
}

/* What a replica finds out about a minibatch on the way */
struct found {
	struct loss_sums sums;
	struct difference difference;
};

/* A replica's share of a minibatch, there and back, in passes */
static void share(struct step *s, const struct loss_args *la, const size_t *pick, int64_t n, struct found *f)
{
	struct example *ex = xmalloc((size_t)n * sizeof *ex);
	int64_t i, take;

	for (i = 0; i < n; i++)
		ex[i] = s->example[pick[i]];
	for (i = 0; i < n && !tool_interrupted(); i += take) {
		struct pass p;

		take = pass_take(ex + i, n - i, s->a->tokens);
		s->tape.record = true;
		p = pass_forward(s->m, &s->tape, ex + i, take, true);
		if (p.n) {
			losses(s, la, pick + i, take, &p, &f->sums);
			if (s->sums.tokens == 0)        /* before the first change to the policy */
				measure_difference(s, pick + i, take, &p, &f->difference);
		}
		pass_backward(&s->tape, &p, s->dlogprob, la->entropy_coef != 0 ? s->dentropy : NULL);
		s->done += take;
		if (s->progress)
			s->progress(s->arg, s->done, (int64_t)s->n * s->a->epochs);
	}
	free(ex);
}

/* Sums in the order of the replicas; the first one's go on from those of the minibatches before. */
static void add_up(struct step *s, const struct found *f)
{
	int64_t k;

	s->sums = f[0].sums;
	s->difference = f[0].difference;
	for (k = 1; k < s->replicas->n; k++) {
		const struct loss_sums *x = &f[k].sums;

		s->sums.loss += x->loss;
		s->sums.kl += x->kl;
		s->sums.entropy += x->entropy;
		s->sums.clip_low += x->clip_low;
		s->sums.clip_high += x->clip_high;
		s->sums.ratio += x->ratio;
		s->sums.tokens += x->tokens;
		s->sums.ratios += x->ratios;
		s->difference.sum += f[k].difference.sum;
		s->difference.most = fmax(s->difference.most, f[k].difference.most);
		s->difference.n += f[k].difference.n;
	}
}

static int minibatch(struct step *s, const size_t *pick, int64_t n, struct optimizer *o, struct policy_metrics *metrics, struct err *e)
{
	struct replicas *r = s->replicas;
	struct found *found = xcalloc((size_t)r->n, sizeof *found);
	struct loss_args la = s->a->loss_args;
	int64_t *tokens = xmalloc((size_t)n * sizeof *tokens), i, k, done = s->done + n;
	double before = s->sums.loss, norm;

	la.sequences = (double)n;
	la.tokens = 0;
	for (i = 0; i < n; i++) {
		tokens[i] = s->example[pick[i]].n;
		la.tokens += (double)(s->example[pick[i]].n - s->example[pick[i]].first);
	}
	replicas_deal(r, tokens, n);
	found[0].sums = s->sums;
	for (k = 0; k < r->n; k++)
		if (replicas_mine(k)) {
			share(s, &la, pick + r->from[k], r->from[k + 1] - r->from[k], &found[k]);
			replicas_turn(r, k);
		}
	s->done = done;
	replicas_share(r, found, sizeof *found);
	add_up(s, found);
	free(found);
	free(tokens);
	if (team_any(tool_interrupted()))
		return err_set(e, "interrupted");
	if (metrics->steps == 0) {
		metrics->logp_difference_mean = s->difference.n ? s->difference.sum / (double)s->difference.n : -1;
		metrics->logp_difference_max = s->difference.most;
	}
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
	double tokens = s->sums.tokens ? (double)s->sums.tokens : 1, ratios = s->sums.ratios ? (double)s->sums.ratios : 1;
	double steps = m->steps ? (double)m->steps : 1;

	m->loss /= steps;
	m->grad_norm /= steps;
	m->kl = s->sums.kl / tokens;
	m->entropy = s->sums.entropy / tokens;
	m->clip_low = s->sums.clip_low / ratios;
	m->clip_high = s->sums.clip_high / ratios;
	m->ratio = s->sums.ratio / ratios;
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
				rc = minibatch(&s, order + from, (int64_t)(to - from), o, metrics, e);
		}
	}
	finish_metrics(&s, metrics);
	tear_down(&s);
	free(order);
	return rc;
}
