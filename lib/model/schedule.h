/* schedule.h - the learning rate as a function of the step
 *
 *     double lr = schedule_rate(&(struct schedule){.kind = SCHEDULE_COSINE, .peak = 1e-4, .final = 0.1, .warmup = 10, .steps = 100}, step);
 *
 * Steps count from 1. During warm-up the rate rises in a straight line, peak * step / warmup; then it is constant, or falls to
 * peak * final at step `steps`, in a straight line or as half a cosine (Loshchilov and Hutter 2017, eq. 5), and stays there.
 */
#ifndef MODEL_SCHEDULE_H
#define MODEL_SCHEDULE_H

#include <stdint.h>

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_LINEAR, SCHEDULE_COSINE };

struct schedule {
	enum schedule_kind kind;
	double peak;
	double final;           /* share of the peak that is left at the end */
	int64_t warmup, steps;
};

enum schedule_kind schedule_kind(const char *name);     /* "constant", "linear", "cosine" (the option's choices) */
double schedule_rate(const struct schedule *s, int64_t step);

#endif
