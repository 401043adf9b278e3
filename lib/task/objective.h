/* objective.h - what r1-distill makes less of: a language model's loss on texts, or that of a model with a scalar head on what is known of them
 *
 *     struct objective_sums s = {0};
 *     t.record = true;
 *     objective_pass(model, &t, OBJECTIVE_SFT, lesson, n, 16384, tokens, &s);         // gradients of the mean over `tokens` predicted tokens
 *
 *     sft         -log p(token) of each predicted token
 *
 * Of a scalar model, r the score of a text as a whole, r_t that after t tokens of it:
 *     pairwise    -log sigmoid(r(chosen) - r(rejected))                       (Bradley and Terry; Ouyang et al. 2022, eq. 1): helpfulness
 *     pointwise   -y log sigmoid(r) - (1 - y) log(1 - sigmoid(r))             a label y in 0 .. 1: safety
 *     value       1/2 (r_t - R_t)^2 before each token of a completion         R_t its return, or the reward of the whole: a critic (Schulman et al.
 *                                                                             2017, eq. 9), a value model for search, a process reward model
 * A step's loss is the mean over what is summed: tokens, pairs, texts, tokens.
 */
#ifndef TASK_OBJECTIVE_H
#define TASK_OBJECTIVE_H

#include "model/pass.h"

enum objective { OBJECTIVE_SFT, OBJECTIVE_PAIRWISE, OBJECTIVE_POINTWISE, OBJECTIVE_VALUE };
#define OBJECTIVES "sft|pairwise|pointwise|value"
enum objective objective_kind(const char *name);        /* one of those names */

struct lesson {
	struct example text;            /* sft: tokens first .. n-1 are learned; else the scores behind tokens first .. n-1 */
	const float *target;            /* [n - first] of pointwise and value; else not read */
};

struct objective_sums {                 /* added to */
	double loss, right, margin;     /* right: pairs and labels on the right side; margin: r(chosen) - r(rejected) */
	int64_t n;                      /* tokens, pairs or texts */
};

/* Pairs are two lessons, chosen first. In passes of about `tokens` tokens; where t->record is set, gradients of the loss divided by `all`
 * (the step's tokens, pairs or texts) are added to the model's. The tape is reset. */
void objective_pass(struct model *m, struct tape *t, enum objective o, const struct lesson *x, int64_t n, int64_t tokens, double all,
		    struct objective_sums *s);

#endif
