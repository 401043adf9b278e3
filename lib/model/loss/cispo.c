/* MiniMax 2025, "MiniMax-M1", eq. 4 and 5 (CISPO): REINFORCE, whose weight of a token is its clipped ratio, a constant for the gradient: no token is
 * left out, however far its ratio went, on whichever side.
 *
 * The paper has no bound below and does not tell the one above; of ScaleRL's (Khatri et al. 2025: r <= 4, 5, 8 do equally well) this is 5.
 */
#include <math.h>

#include "model/loss.h"

static void apply(const struct loss_args *a, const struct loss_tokens *x, float *dlogp, float *dentropy, struct loss_sums *s)
{
	const double lowest = 1 - a->clip_low, highest = 1 + a->clip_high;
	int64_t i;

	for (i = 0; i < x->n; i++) {
		const double advantage = loss_advantage(x, i), ratio = exp((double)x->logp[i] - x->old[i]);
		const double trust = x->sampler ? loss_trust(a, (double)x->old[i] - x->sampler[i]) : 1;
		const double d = -trust * fmin(fmax(ratio, lowest), highest) * advantage;

		s->ratio += ratio;
		s->ratios++;
		s->clip_low += ratio < lowest && advantage != 0;
		s->clip_high += ratio > highest && advantage != 0;
		loss_add(a, x, i, 1 / a->tokens, d * x->logp[i], d, dlogp, dentropy, s);
	}
}

const struct loss loss_cispo = {"cispo", "REINFORCE with clipped ratios as weights; mean over all tokens", apply, .clip_low = 1, .clip_high = 4};
