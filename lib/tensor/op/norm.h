/* norm.h - the RMS norm of a part of each row, for ops whose rows hold more
 *
 *     struct norm_part p = {.rows = N, .width = H * D, .cols = D};
 *     norm_part(t, &p, out->data, out->cols, x->data, x->cols, w, eps);        // keeps in p what the way back needs, if the tape records
 *     norm_part_back(t, &p, dx, x->cols, out->grad, out->cols, w);
 *
 * A part is `width` numbers: vectors of `cols`, each normalised by itself. Parts are ld numbers apart; in and out may be the same.
 */
#ifndef TENSOR_OP_NORM_H
#define TENSOR_OP_NORM_H

#include "tensor/tape.h"

struct norm_part {
	int64_t rows, width, cols;
	float *raw, *rstd;              /* [rows, width] before the norm; [rows * width / cols] */
};

void norm_part(struct tape *t, struct norm_part *p, float *out, int64_t ld_out, const float *x, int64_t ld, const struct tensor *w, float eps);
/* dx is overwritten; w's gradient is added to. */
void norm_part_back(struct tape *t, const struct norm_part *p, float *dx, int64_t ld_dx, const float *dout, int64_t ld_dout, const struct tensor *w);

#endif
