#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	struct tensor *x = n->in[0], *w = n->in[1];
	bool accumulate;
	float *dx = tape_grad(t, x, &accumulate);

	t->be->rmsnorm_back(t->be, dx, w->grad, n->out->grad, x->data, w->data, n->aux, x->rows, x->cols, accumulate);
}

struct tensor *op_rmsnorm(struct tape *t, struct tensor *x, struct tensor *w, float eps)
{
	struct tensor *out = tape_tensor(t, x->rows, x->cols);
	float *rstd = NULL;

	tape_check(w->rows * w->cols == x->cols, "rmsnorm", "the weight is not as wide as the rows");
	if (t->record)
		rstd = tape_memory(t, (size_t)x->rows * sizeof *rstd);
	t->be->rmsnorm(t->be, out->data, rstd, x->data, w->data, eps, x->rows, x->cols);
	if (t->record) {
		struct node *n = tape_record(t, "rmsnorm", back, out);

		n->in[0] = x;
		n->in[1] = w;
		n->aux = rstd;
	}
	return out;
}
