#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	bool accumulate;
	float *dx = tape_grad(t, n->in[0], &accumulate);

	t->be->rmsnorm_back(t->be, n->aux, n->out->grad, dx, n->in[1]->grad, accumulate);
}

struct tensor *op_rmsnorm(struct tape *t, struct tensor *x, struct tensor *w, float eps)
{
	struct tensor *out = tape_tensor_of(t, t->half_rows, x->rows, x->cols);
	struct norm *norm = arena_alloc(&t->host, sizeof *norm);

	tape_check(w->rows * w->cols == x->cols && !x->half, "rmsnorm", "the weight is not as wide as the rows");
	*norm = (struct norm){.rows = x->rows, .cols = x->cols, .x = x->data, .w = w->data, .eps = eps, .half = out->half};
	if (t->record)
		norm->rstd = tape_memory(t, (size_t)x->rows * sizeof *norm->rstd);
	t->be->rmsnorm(t->be, norm, out->data);
	if (t->record) {
		struct node *n = tape_record(t, "rmsnorm", back, out);

		n->in[0] = x;
		n->in[1] = w;
		n->aux = norm;
	}
	return out;
}
