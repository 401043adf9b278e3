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

/* The surrogate of one token and its derivative with respect to logp. */
static double surrogate(const struct loss_args *a, double ratio, double advantage, double *derivative)
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

void loss_clipped(const struct loss_args *a, const struct loss_tokens *x, double weight, float *dlogp, float *dentropy, struct loss_sums *s)
{
	int64_t i;

	for (i = 0; i < x->n; i++) {
		const double advantage = x->advantages ? x->advantages[i] : x->advantage;
		double ratio = exp((double)x->logp[i] - x->old[i]);
		double d, dkl, value = surrogate(a, ratio, advantage, &d);

		if (a->is_cap > 0 && x->sampler) {
			double trust = fmin(exp((double)x->old[i] - x->sampler[i]), a->is_cap);

			value *= trust;
			d *= trust;
		}
		s->ratio += ratio;
		s->clip_low += ratio < 1 - a->clip_low && advantage < 0;
		s->clip_high += ratio > 1 + a->clip_high && advantage > 0;
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
		dlogp[i] = (float)(weight * d);
		if (dentropy)
			dentropy[i] = (float)(-weight * a->entropy_coef);
	}
	s->tokens += x->n;
}
