/* loss.h - policy-gradient losses: from a completion's logprobs to its share of the loss and the gradient with respect to each logprob
 *
 * With r_t = exp(logp_t - old_t), A the completion's advantage (or the token's) and w a token's weight, every loss here is a sum over tokens of
 *     w * [ -min(r_t A, clip(r_t, 1 - clip_low, 1 + clip_high) A) + kl_coef * KL_t ]  -  w * entropy_coef * H_t
 * (Shao et al. 2024, "DeepSeekMath", eq. 3 and 4; the paper's eq. 1). What the kinds differ in is w and the shape of the ratio:
 *     grpo      w = 1 / (sequences * length)          mean over a completion's tokens, then over completions
 *     dapo      w = 1 / tokens                        mean over all tokens (Yu et al. 2025, eq. 8)
 *     dr_grpo   w = 1 / (sequences * max_length)      no normalisation by length (Liu et al. 2025, section 3.2)
 *     gspo      w as grpo's, and one ratio for all tokens of a completion, exp(mean of logp_t - old_t) (Zheng et al. 2025, eq. 5 and 7)
 *     cispo     w as dapo's, and -clip(r_t) A logp_t in place of min(), where clip(r_t) is a constant (MiniMax 2025, eq. 4 and 5)
 * `sequences` and `tokens` count the whole minibatch, so that cutting it into micro-batches changes nothing but rounding.
 *
 * A kind is one file of lib/model/loss/ with a `const struct loss loss_NAME` at its end; the Makefile finds it.
 */
#ifndef MODEL_LOSS_H
#define MODEL_LOSS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum loss_kl { LOSS_KL_K1, LOSS_KL_K2, LOSS_KL_K3 };

struct loss_args {
	double clip_low, clip_high;     /* epsilon below and above 1 */
	double dual_clip;               /* c > 1: for A < 0 the loss is at most c |A| (Ye et al. 2020, eq. 5); 0: off */
	double kl_coef;
	enum loss_kl kl;
	double entropy_coef;
	double is_cap;                  /* truncated importance sampling (Yao et al. 2025): min(...) is multiplied by min(exp(old - sampler), cap); 0: off */
	double sequences, tokens;       /* in the whole minibatch */
	double max_length;
};

struct loss_tokens {                    /* one completion */
	int64_t n;
	const float *logp;              /* [n] under the policy that is trained */
	const float *old;               /* [n] under the policy at the start of the step */
	const float *sampler;           /* [n] as the sampler gave them, or NULL */
	const float *ref;               /* [n] under the reference model, or NULL (no KL) */
	const float *entropy;           /* [n], or NULL */
	double advantage;
	const float *advantages;        /* [n], one for each token; NULL: that one for all */
};

struct loss_sums {                      /* added to */
	double loss;
	double kl, entropy;             /* sums over tokens */
	double clip_low, clip_high;     /* ratios that were clipped: r < 1 - clip_low and A < 0; r > 1 + clip_high and A > 0 (cispo: A is not 0) */
	double ratio;
	int64_t tokens, ratios;         /* ratios: one for each token, or for each completion (gspo) */
};

struct loss {
	const char *name, *help;
	/* Of a whole completion: adds to s; overwrites dlogp [n] and, if not NULL, dentropy [n]. */
	void (*apply)(const struct loss_args *a, const struct loss_tokens *x, float *dlogp, float *dentropy, struct loss_sums *s);
	double clip_low, clip_high;     /* where nobody says otherwise */
	bool dual_clip, max_length;     /* which of loss_args it has a use for */
};

extern const struct loss *const loss_table[];   /* NULL behind the last */
const struct loss *loss_find(const char *name, struct err *e);

/* For the kinds: the formula above with one weight for all tokens of the completion, each of which has a ratio of its own. */
void loss_clipped(const struct loss_args *a, const struct loss_tokens *x, double weight, float *dlogp, float *dentropy, struct loss_sums *s);

/* And its parts, for those whose ratio is another. */
static inline double loss_advantage(const struct loss_tokens *x, int64_t i)
{
	return x->advantages ? x->advantages[i] : x->advantage;
}
/* -min(r A, clip(r) A), or what dual_clip leaves of it, and its derivative with respect to log r. */
double loss_surrogate(const struct loss_args *a, double ratio, double advantage, double *derivative);
/* What importance sampling multiplies that by, where old and sampler differ by so much; 1 without is_cap. */
double loss_trust(const struct loss_args *a, double difference);
/* Token i's share: adds weight * (value + its KL and entropy terms) to s; d: of value with respect to logp. Sets dlogp[i] and dentropy[i]. */
void loss_add(const struct loss_args *a, const struct loss_tokens *x, int64_t i, double weight, double value, double d, float *dlogp,
	      float *dentropy, struct loss_sums *s);
/* KL estimate of one token and its derivative with respect to logp (Schulman, "Approximating KL divergence"): k1, k2, k3. */
double loss_kl_token(enum loss_kl kind, double logp, double ref, double *derivative);

#endif
