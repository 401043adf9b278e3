/* policy.h - one step of policy-gradient training: scored completions in, a better policy and its metrics out
 *
 *     struct policy_args a = {.loss = loss_find("grpo", &e), .loss_args = {...}, .minibatches = 2, .epochs = 1, .tokens = 16384, ...};
 *     struct policy_metrics metrics = {0};
 *     policy_reference(reference, rollout, n, a.tokens, a.replicas);  // where there is a KL term; then the reference may go
 *     policy_step(m, optimizer, &a, rollout, n, &metrics, NULL, NULL, &e);
 *
 * The step (Shao et al. 2024, algorithm 1, inner loop; the paper's eq. 1): logprobs of the old policy are the sampler's, or are computed
 * before anything is changed where a rollout has none (with is_cap: for all; KL in the reward has computed ones of all, too); the rollouts are shuffled
 * by (seed, step) and dealt into minibatches, each an optimizer step; a minibatch is dealt to replicas and computed in passes of at most `tokens` tokens,
 * whose gradients are added up - its cutting changes nothing but rounding, for every weight is a function of the whole minibatch.
 *
 * The caller gives the rollouts in an order that does not depend on the input's (rollout_sort).
 */
#ifndef MODEL_POLICY_H
#define MODEL_POLICY_H

#include "model/loss.h"
#include "model/optimizer.h"
#include "model/pass.h"

struct rollout {
	char *id;                       /* of the problem */
	int64_t sample;
	int32_t *token;                 /* [n]: prompt, then completion */
	int64_t n, first;               /* the completion is token[first .. n-1] */
	float *logprob;                 /* [n - first] as the sampler gave them; NULL: not known */
	float *reference;               /* [n - first] under the reference model; NULL: there is none */
	double temperature;             /* of the sampler; 0 (greedy) counts as 1 */
	double advantage;
	float *advantages;              /* [n - first], one for each token; NULL: that one for all */
};

void rollout_sort(struct rollout *r, size_t n);         /* by id and sample; ties by their contents */
void rollout_free(struct rollout *r);

struct policy_args {
	const struct loss *loss;
	struct loss_args loss_args;     /* sequences and tokens are filled in here */
	double kl_reward;               /* how much of the KL is taken off the reward (policy_kl_advantages); 0: none */
	int64_t minibatches, epochs;
	int64_t tokens;                 /* in one pass, at most */
	int64_t replicas;               /* that a minibatch is dealt to (replicas.h) */
	bool recompute;                 /* layers' activations are not kept but made again on the way back */
	double learning_rate;
	uint64_t seed, step;
};

struct policy_metrics {
	double loss, kl, entropy;       /* means over tokens (loss: over minibatches) */
	double clip_low, clip_high, ratio;      /* means over ratios (loss.h) */
	double grad_norm;               /* mean over minibatches, before clipping */
	double logp_difference_mean, logp_difference_max;       /* |trainer - sampler| over the first minibatch's tokens; -1: none had logprobs */
	int64_t tokens, steps;          /* completion tokens trained on, optimizer steps made */
	size_t peak_bytes;              /* activations of the largest pass */
};

/* KL in the reward (Ouyang et al. 2022, section 3.5; Hu 2025): a token's reward is less by coef * (start - reference), the estimator k1, whose mean
 * under the policy at the start of the step is the KL; a token answers for what comes from it on, so that its advantage is less by that sum over itself and the tokens
 * behind it. start, to: [n - first]. */
void policy_kl_advantages(const struct rollout *r, const float *start, double coef, float *to);
/* Sets r[i].reference. */
void policy_reference(struct model *reference, struct rollout *r, size_t n, int64_t tokens, int64_t replicas);
/* -1 and e if a loss or gradient is not finite, or on a signal to end: then the model is spoilt. `progress` (may be NULL) is called after each pass with the completions done and in all. */
int policy_step(struct model *m, struct optimizer *o, const struct policy_args *a, const struct rollout *r, size_t n,
		struct policy_metrics *metrics, void (*progress)(void *arg, int64_t done, int64_t of), void *arg, struct err *e);

#endif
