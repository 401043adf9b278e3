/* Zheng et al. 2025, "Group sequence policy optimization", eq. 5 to 7: a completion has one ratio, s = exp(mean of logp - old) over its tokens, and
 * is clipped as a whole; each of its tokens gets the gradient -s A / length. Where each token has an advantage of its own it is their GSPO-token
 * (eq. 13 and 14): for the gradient a token's ratio is s pi / constant(pi), and with advantages that are alike both come to the same. The ratio to
 * the sampler (is_cap) is one for the completion, too.
 *
 * Ranges are narrower than for ratios of tokens, which a mean over hundreds of them smooths: 3e-4 and 4e-4 (their section 5.1).
 */
#include <math.h>

#include "model/loss.h"

static void apply(const struct loss_args *a, const struct loss_tokens *x, float *dlogp, float *dentropy, struct loss_sums *s)
{
	const double n = x->n > 0 ? (double)x->n : 1, weight = 1 / (a->sequences * n);
	double gone = 0, before = 0, ratio, trust;
	int64_t i, low = 0, high = 0;

	for (i = 0; i < x->n; i++) {
		gone += (double)x->logp[i] - x->old[i];
		before += x->sampler ? (double)x->old[i] - x->sampler[i] : 0;
	}
	ratio = exp(gone / n);
	trust = x->sampler ? loss_trust(a, before / n) : 1;
	for (i = 0; i < x->n; i++) {
		const double advantage = loss_advantage(x, i);
		double d, value = loss_surrogate(a, ratio, advantage, &d);

		low += ratio < 1 - a->clip_low && advantage < 0;
		high += ratio > 1 + a->clip_high && advantage > 0;
		loss_add(a, x, i, weight, value * trust, d * trust, dlogp, dentropy, s);
	}
	s->ratio += ratio;
	s->ratios++;
	s->clip_low += (double)low / n;
	s->clip_high += (double)high / n;
}

const struct loss loss_gspo = {
	"gspo", "one ratio for a completion, the mean over its tokens; then over completions", apply, .clip_low = 3e-4, .clip_high = 4e-4, .dual_clip = true};
