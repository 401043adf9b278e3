/* scorer.h - models with a scalar head: what they read of a record, and what they learn from
 *
 *     struct scorer_reader x = {.tokenizer = t, .template = tp, .config = &c, .on = SCORER_SUMMARY};
 *     if (scorer_read(&x, &record, "completion", &ids, &e) < 0) ...           // prompt, summary, end token
 *     score_all(model, &tape, &(struct example){ids.id, ids.n, ids.n - 1}, 1, 16384, &score);
 *
 * Three objectives, r the score of a text as a whole, r_t that after t tokens of it:
 *     pairwise    -log sigmoid(r(chosen) - r(rejected))                       (Bradley and Terry; Ouyang et al. 2022, eq. 1): helpfulness
 *     pointwise   -y log sigmoid(r) - (1 - y) log(1 - sigmoid(r))             a label y in 0 .. 1: safety
 *     value       1/2 (r_t - R_t)^2 before each token of a completion         R_t its return, or the reward of the whole: a critic (Schulman et al.
 *                                                                             2017, eq. 9), a value model for search, a process reward model
 * A step's loss is the mean over pairs, texts, or tokens.
 */
#ifndef TASK_SCORER_H
#define TASK_SCORER_H

#include "model/pass.h"
#include "model/rollouts.h"

enum scorer_on { SCORER_RESPONSE, SCORER_SUMMARY };     /* all of a completion, or what comes behind its reasoning */
enum scorer_objective { OBJECTIVE_SFT, OBJECTIVE_PAIRWISE, OBJECTIVE_POINTWISE, OBJECTIVE_VALUE };
#define SCORER_OBJECTIVES "sft|pairwise|pointwise|value"
enum scorer_objective scorer_objective(const char *name);       /* one of those names */

struct scorer_reader {
	struct tokenizer *tokenizer;
	struct template *template;
	const struct config *config;
	enum scorer_on on;
};

/* The record's `prompt`, or its `problem` or `messages` in the template; then the text of that field, or its summary; then the token that ends
 * texts. A <think> at the end of the prompt goes where the summary alone is read. ids: the caller's, whatever is returned. */
int scorer_read(const struct scorer_reader *x, struct record *r, const char *field, struct tokens *ids, struct err *e);

struct scorer_example {
	struct example text;            /* scores behind its tokens first .. n-1 count */
	const float *target;            /* [n - first]; pairwise: not read */
};

struct scorer_sums {                    /* added to */
	double loss, right, margin;     /* right: pairs and labels on the right side; margin: r(chosen) - r(rejected) */
	int64_t n;                      /* pairs, texts, or tokens */
};

/* Pairs are two examples, chosen first. In passes of about `tokens` tokens; where t->record is set, gradients of the loss divided by `all`
 * (pairs, texts or tokens of the step) are added to the model's. */
void scorer_pass(struct model *m, struct tape *t, enum scorer_objective o, const struct scorer_example *x, int64_t n, int64_t tokens, double all,
		 struct scorer_sums *s);

#endif
