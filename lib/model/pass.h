/* pass.h - a batch of token sequences through the model: their logprobs, and the way back
 *
 *     struct example ex[] = {{.id = ids, .n = 40, .first = 25, .inv_temperature = 1}, ...};  // tokens 25 .. 39 are the completion
 *     int64_t n = pass_take(ex, count, 8192);                 // how many of them one pass of 8,192 tokens holds
 *     struct pass p = pass_forward(m, &tape, ex, n, true);
 *     ... p.logprob[0 .. p.n-1], all completions one behind the other ...
 *     pass_backward(&tape, &p, dlogprob, NULL);               // adds to the model's gradients, and resets the tape
 *
 * Sequences are packed without padding: attention is told where each begins. The bits of a logprob do not depend on what else is in the
 * pass. Rows that predict nothing that is asked for do not reach the head.
 */
#ifndef MODEL_PASS_H
#define MODEL_PASS_H

#include "model/model.h"

struct example {
	const int32_t *id;              /* [n] */
	int64_t n;
	int64_t first;                  /* tokens first .. n-1 are predicted; 1 <= first <= n */
	double inv_temperature;         /* logits are scaled by it */
};

struct pass {
	int64_t n;                      /* predicted tokens: sum of (n - first) */
	float *logprob, *entropy;       /* host [n], in the order of the examples; entropy NULL if not wanted; freed by the tape's reset */
	struct logprobs out;
};

/* How many of ex[0 .. count-1] fit one pass of at most `tokens` tokens (at least one), all of one temperature. */
int64_t pass_take(const struct example *ex, int64_t count, int64_t tokens);

/* Leaves the tape loaded when t->record is set (call pass_backward next), else resets nothing: call tape_reset when done with it. */
struct pass pass_forward(struct model *m, struct tape *t, const struct example *ex, int64_t count, bool want_entropy);
void pass_backward(struct tape *t, struct pass *p, const float *dlogprob, const float *dentropy);

/* A scalar model's scores of texts as far as tokens first .. n-1 have been read (first may be 0): the last is that of the whole text.
 *
 *     struct scores s = score_forward(m, &tape, ex, count);
 *     ... s.score[0 .. s.n-1], all examples one behind the other ...
 *     score_backward(&tape, &s, dscore);                      // adds to the model's gradients, and resets the tape
 */
struct scores {
	int64_t n;
	float *score;                   /* host [n]; freed by the tape's reset */
	struct tensor *out;
};
struct scores score_forward(struct model *m, struct tape *t, const struct example *ex, int64_t count);
void score_backward(struct tape *t, struct scores *s, const float *dscore);
/* Those of all examples without gradient, in passes of `tokens`; host [sum of n - first]. */
void score_all(struct model *m, struct tape *t, const struct example *ex, int64_t count, int64_t tokens, float *score);

/* Of a pass, at most, where nobody says how many: a GPU is the faster the more there are; a CPU is as fast with few, and with many
 * spends its time on memory that was never touched before. */
static inline int64_t pass_tokens(const struct backend *be)
{
	return be->room ? 16384 : 2048;
}

/* On a device a pass takes this much more: products of 16 bits need memory for copies of their operands, a tenth at most. */
#define PASS_COPIES 1.1

/* Bytes that the activations of a pass of so many tokens take, forward and back, by going through the motions on the dry backend; on one
 * `like` that (NULL: the CPU). */
enum {
	PASS_RECOMPUTES = 1,            /* on a tape that recomputes */
	PASS_SCORES = 2                 /* on one that passes without gradient go through as well: it keeps their memory */
};
int64_t pass_measure(const struct config *c, const struct backend *like, int64_t tokens, unsigned how);

/* Logprobs of all examples without gradient, in passes of `tokens`; logprob (and entropy, if not NULL) are host [sum of n - first]. */
void pass_score(struct model *m, struct tape *t, const struct example *ex, int64_t count, int64_t tokens, float *logprob, float *entropy);

#endif
