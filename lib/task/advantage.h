/* advantage.h - how much better than expected a completion did: what r1-update multiplies its log-probabilities with
 *
 *     const struct advantage *a = advantage_find("grpo", &e);
 *     struct advantage_args args = ADVANTAGE_DEFAULTS;
 *     double reward[4] = {1, 0, 0, 1}, out[4];
 *     struct advantage_group g = {reward, out, 4};
 *     advantage_apply(a, &args, &g, 1);                       // out: 1 -1 -1 1, but for epsilon
 *
 * An estimator is one file of lib/task/advantage/ with a `const struct advantage advantage_NAME` at its end. It sees the groups
 * (completions of one problem) of one step: one at a time, or all at once if it is for the `batch`.
 * Sums run over values in ascending order: an advantage does not depend on the order of the lines, to the last bit.
 */
#ifndef TASK_ADVANTAGE_H
#define TASK_ADVANTAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct advantage_args {
	double epsilon;         /* added to the standard deviation */
	bool bessel;            /* standard deviation of a sample (n - 1), not of a population (n) */
	bool single_raw;        /* a group of one: its advantage is its reward; else 0 */
	double gamma, lambda;   /* of estimators that see tokens */
	bool whiten;            /* ... and whether these are brought to mean 0, standard deviation 1 over the step */
};
#define ADVANTAGE_DEFAULTS {.epsilon = 1e-6, .bessel = true, .single_raw = false, .gamma = 1, .lambda = 0.95, .whiten = true}

struct advantage_group {
	const double *reward;   /* [n] */
	double *advantage;      /* [n] overwritten */
	size_t n;
};

/* One completion, for estimators that see tokens: what a critic expected before each of them */
struct advantage_tokens {
	double reward;          /* of the whole, at its end */
	const float *value;     /* [n] */
	float *advantage, *returns;     /* [n] overwritten */
	size_t n;
};

struct advantage {
	const char *name, *help;
	bool batch;             /* apply needs all groups of the step at once; else it gets one */
	void (*apply)(const struct advantage_args *a, const struct advantage_group *g, size_t groups);
	void (*tokens)(const struct advantage_args *a, const struct advantage_tokens *x);       /* instead of apply; NULL: sees no tokens */
	bool epsilon, bessel;   /* which of args it goes by; gae's whitening is over n whatever bessel is */
};

extern const struct advantage *const advantage_table[];        /* NULL behind the last */
const struct advantage *advantage_find(const char *name, struct err *e);

/* g: all groups of a step. Groups of one are dealt with here, as args say, unless the estimator is for the batch. */
void advantage_apply(const struct advantage *a, const struct advantage_args *args, const struct advantage_group *g, size_t groups);
/* x: all completions of a step, in an order that does not depend on the lines'. */
void advantage_apply_tokens(const struct advantage *a, const struct advantage_args *args, const struct advantage_tokens *x, size_t n);

#endif
