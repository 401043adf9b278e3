/* norm.h - the RMS norm of a part of each row, for ops whose rows hold more
 *
 *     struct norm_part p = {.width = H * D, .norm.cols = D};
 *     norm_part(t, &p, w, eps, x, from, out, to);      // keeps in p what the way back needs, if the tape records
 *     norm_part_back(t, &p, w->grad, out, to, x, from);
 *
 * A part is `width` numbers, from column `from` of x to column `to` of out: vectors of norm.cols, each normalised by itself. x and out may be the same.
 */
#ifndef TENSOR_OP_NORM_H
#define TENSOR_OP_NORM_H

#include "tensor/tape.h"

struct norm_part {
	int64_t width;
	struct norm norm;               /* norm.cols is the caller's; x is a copy of the part, in float32 */
};

void norm_part(struct tape *t, struct norm_part *p, const struct tensor *w, float eps, const struct tensor *x, int64_t from, struct tensor *out, int64_t to);
/* x's gradient, which must be there, is overwritten; dw is added to (NULL: not wanted). */
void norm_part_back(struct tape *t, const struct norm_part *p, float *dw, const struct tensor *out, int64_t from, struct tensor *x, int64_t to);

#endif
