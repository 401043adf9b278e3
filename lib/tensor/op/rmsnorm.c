#include "tensor/op/norm.h"
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

void norm_part(struct tape *t, struct norm_part *p, float *out, int64_t ld_out, const float *x, int64_t ld, const struct tensor *w, float eps)
{
	const int64_t N = p->rows, width = p->width, vectors = N * width / p->cols;
	struct tape_mark mark;
	float *normed;

	tape_check(w->rows * w->cols == p->cols, "rmsnorm", "the weight is not as wide as what it is for");
	if (t->record)
		p->rstd = tape_memory(t, (size_t)vectors * sizeof *p->rstd);
	mark = tape_mark(t);
	p->raw = tape_memory(t, (size_t)(N * width) * sizeof *p->raw);
	if (t->record)
		mark = tape_mark(t);
	normed = tape_memory(t, (size_t)(N * width) * sizeof *normed);
	t->be->columns(t->be, p->raw, width, x, ld, N, width, false);
	t->be->rmsnorm(t->be, normed, p->rstd, p->raw, w->data, eps, vectors, p->cols);
	t->be->columns(t->be, out, ld_out, normed, width, N, width, false);
	tape_release(t, mark);
}

void norm_part_back(struct tape *t, const struct norm_part *p, float *dx, int64_t ld_dx, const float *dout, int64_t ld_dout, const struct tensor *w)
{
	const int64_t N = p->rows, width = p->width;
	struct tape_mark mark = tape_mark(t);
	float *d = tape_memory(t, (size_t)(N * width) * sizeof *d), *draw = tape_memory(t, (size_t)(N * width) * sizeof *draw);

	t->be->columns(t->be, d, width, dout, ld_dout, N, width, false);
	t->be->rmsnorm_back(t->be, draw, w->grad, d, p->raw, w->data, p->rstd, N * width / p->cols, p->cols, false);
	t->be->columns(t->be, dx, ld_dx, draw, width, N, width, false);
	tape_release(t, mark);
}
