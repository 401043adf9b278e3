#include "tensor/op/norm.h"
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

void norm_part(struct tape *t, struct norm_part *p, const struct tensor *w, float eps, const struct tensor *x, int64_t from, struct tensor *out, int64_t to)
{
	const int64_t N = x->rows, width = p->width, vectors = N * width / p->norm.cols;
	struct columns in = {.rows = N, .cols = width, .ld_to = width, .ld = x->cols, .from = tensor_at(x, x->data, from), .from_half = x->half};
	struct columns back = {.rows = N, .cols = width, .ld_to = out->cols, .ld = width, .to = tensor_at(out, out->data, to), .to_half = out->half};
	struct tape_mark mark;
	float *raw, *normed;

	tape_check(w->rows * w->cols == p->norm.cols, "rmsnorm", "the weight is not as wide as what it is for");
	p->norm = (struct norm){.rows = vectors, .cols = p->norm.cols, .w = w->data, .eps = eps};
	if (t->record)
		p->norm.rstd = tape_memory(t, (size_t)vectors * sizeof *p->norm.rstd);
	mark = tape_mark(t);
	p->norm.x = raw = tape_memory(t, (size_t)(N * width) * sizeof *raw);
	if (t->record)
		mark = tape_mark(t);
	normed = tape_memory(t, (size_t)(N * width) * sizeof *normed);
	in.to = raw;
	t->be->columns(t->be, &in);
	t->be->rmsnorm(t->be, &p->norm, normed);
	back.from = normed;
	t->be->columns(t->be, &back);
	tape_release(t, mark);
}

void norm_part_back(struct tape *t, const struct norm_part *p, float *dw, const struct tensor *out, int64_t from, struct tensor *x, int64_t to)
{
	const int64_t N = x->rows, width = p->width;
	struct columns in = {.rows = N, .cols = width, .ld_to = width, .ld = out->cols, .from = tensor_at(out, out->grad, from), .from_half = out->half};
	struct columns back = {.rows = N, .cols = width, .ld_to = x->cols, .ld = width, .to = tensor_at(x, x->grad, to), .to_half = x->half};
	struct tape_mark mark = tape_mark(t);
	float *d = tape_memory(t, (size_t)(N * width) * sizeof *d), *draw = tape_memory(t, (size_t)(N * width) * sizeof *draw);

	in.to = d;
	t->be->columns(t->be, &in);
	t->be->rmsnorm_back(t->be, &p->norm, d, draw, dw, false);
	back.from = draw;
	t->be->columns(t->be, &back);
	tape_release(t, mark);
}
