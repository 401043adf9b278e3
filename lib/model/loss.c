#include "model/loss.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

const struct loss *loss_find(const char *name, struct err *e)
{
	char known[256] = "";
	size_t n = 0;
	int i;

	for (i = 0; loss_table[i]; i++) {
		if (!strcmp(loss_table[i]->name, name))
			return loss_table[i];
		if (n < sizeof known)
			n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", i ? ", " : "", loss_table[i]->name);
	}
	err_set(e, "no loss is called '%s' (there are: %s)", name, known);
	return NULL;
}

double loss_kl_token(enum loss_kl kind, double logp, double ref, double *derivative)
{
	double d = ref - logp;

	switch (kind) {
	case LOSS_KL_K1:
		*derivative = 1;
		return -d;
	case LOSS_KL_K2:
		*derivative = -d;
		return d * d / 2;
	default:
		*derivative = 1 - exp(d);
		return exp(d) - d - 1;
	}
}

double loss_surrogate(const struct loss_args *a, double ratio, double advantage, double *derivative)
{
	double clipped = ratio;
	double plain = -ratio * advantage, value = plain;

	if (clipped < 1 - a->clip_low)
		clipped = 1 - a->clip_low;
	if (clipped > 1 + a->clip_high)
		clipped = 1 + a->clip_high;
	*derivative = plain;
	if (-clipped * advantage > plain) {
		value = -clipped * advantage;
		*derivative = 0;
	}
	if (a->dual_clip > 0 && advantage < 0 && value > -a->dual_clip * advantage) {
		value = -a->dual_clip * advantage;
		*derivative = 0;
	}
	return value;
}

double loss_trust(const struct loss_args *a, double difference)
{
	return a->is_cap > 0 ? fmin(exp(difference), a->is_cap) : 1;
}

void loss_add(const struct loss_args *a, const struct loss_tokens *x, int64_t i, double weight, double value, double d, float *dlogp,
	      float *dentropy, struct loss_sums *s)
{
	double dkl;

	if (x->ref) {
		double kl = loss_kl_token(a->kl, x->logp[i], x->ref[i], &dkl);

		s->kl += kl;
		value += a->kl_coef * kl;
		d += a->kl_coef * dkl;
	}
	if (x->entropy) {
		s->entropy += x->entropy[i];
		value -= a->entropy_coef * x->entropy[i];
	}
	s->loss += weight * value;
	s->tokens++;
	dlogp[i] = (float)(weight * d);
	if (dentropy)
		dentropy[i] = (float)(-weight * a->entropy_coef);
}

void loss_clipped(const struct loss_args *a, const struct loss_tokens *x, double weight, float *dlogp, float *dentropy, struct loss_sums *s)
{
	int64_t i;

	for (i = 0; i < x->n; i++) {
		const double advantage = loss_advantage(x, i), ratio = exp((double)x->logp[i] - x->old[i]);
		const double trust = x->sampler ? loss_trust(a, (double)x->old[i] - x->sampler[i]) : 1;
		double d, value = loss_surrogate(a, ratio, advantage, &d);

		s->ratio += ratio;
		s->ratios++;
		s->clip_low += ratio < 1 - a->clip_low && advantage < 0;
		s->clip_high += ratio > 1 + a->clip_high && advantage > 0;
		loss_add(a, x, i, weight, value * trust, d * trust, dlogp, dentropy, s);
	}
}
