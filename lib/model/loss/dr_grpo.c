#include "model/loss.h"

static void apply(const struct loss_args *a, const struct loss_tokens *x, float *dlogp, float *dentropy, struct loss_sums *s)
{
	loss_clipped(a, x, 1 / (a->sequences * a->max_length), dlogp, dentropy, s);
}

const struct loss loss_dr_grpo = {
	"dr_grpo", "sum over each completion's tokens over the longest output, then mean", apply, .clip_low = 0.2, .clip_high = 0.2, .dual_clip = true, .max_length = true};
