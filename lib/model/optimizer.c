#include "model/optimizer.h"

#include <math.h>
#include <stdlib.h>

struct optimizer *optimizer_new(struct model *m, const struct optimizer_args *args)
{
	struct optimizer *o = xcalloc(1, sizeof *o);
	size_t bytes = (size_t)m->size * sizeof *o->exp_avg;

	*o = (struct optimizer){.m = m, .args = *args};
	o->exp_avg = m->be->alloc(m->be, bytes);
	o->exp_avg_sq = m->be->alloc(m->be, bytes);
	m->be->zero(m->be, o->exp_avg, bytes);
	m->be->zero(m->be, o->exp_avg_sq, bytes);
	return o;
}

void optimizer_free(struct optimizer *o)
{
	if (!o)
		return;
	o->m->be->free(o->m->be, o->exp_avg);
	o->m->be->free(o->m->be, o->exp_avg_sq);
	free(o);
}

double optimizer_step(struct optimizer *o, double learning_rate)
{
	struct model *m = o->m;
	struct backend *be = m->be;
	double norm = sqrt(be->sum_squares(be, m->grad, m->size));
	struct adamw a = {.lr = (float)learning_rate, .beta1 = (float)o->args.beta1, .beta2 = (float)o->args.beta2, .eps = (float)o->args.eps,
			  .step = ++o->step, .grad_scale = 1};
	size_t i;

	if (o->args.clip > 0 && norm > o->args.clip)
		a.grad_scale = (float)(o->args.clip / norm);
	for (i = 0; i < m->tensors; i++) {
		struct tensor *x = m->tensor[i];
		int64_t at = m->tensor_offset[i];

		a.weight_decay = x->rows > 1 ? (float)o->args.weight_decay : 0;
		be->adamw(be, x->data, o->exp_avg + at, o->exp_avg_sq + at, x->grad, x->rows * x->cols, &a);
	}
	be->zero(be, m->grad, (size_t)m->size * sizeof *m->grad);
	return norm;
}
