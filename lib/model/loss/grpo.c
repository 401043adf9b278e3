#include "model/loss.h"

static void apply(const struct loss_args *a, const struct loss_tokens *x, float *dlogp, float *dentropy, struct loss_sums *s)
{
	loss_clipped(a, x, 1 / (a->sequences * (double)(x->n > 0 ? x->n : 1)), dlogp, dentropy, s);
}

const struct loss loss_grpo = {
	"grpo", "mean over each completion's tokens, then over completions (the paper's)", apply, .clip_low = 0.2, .clip_high = 0.2, .dual_clip = true};
