#include "tensor/ops.h"

struct heads {
	int64_t first, width, head_dim;         /* columns */
	float *raw, *rstd;                      /* [N, width] before the norm; [N * heads] */
};

static void back(struct tape *t, struct node *n)
{
	const struct heads *h = n->aux;
	struct tensor *x = n->out, *w = n->in[1];
	const int64_t N = x->rows;
	struct tape_mark mark = tape_mark(t);
	float *dout = tape_memory(t, (size_t)(N * h->width) * sizeof *dout), *dx = tape_memory(t, (size_t)(N * h->width) * sizeof *dx);

	t->be->columns(t->be, dout, h->width, x->grad + h->first, x->cols, N, h->width, false);
	t->be->rmsnorm_back(t->be, dx, w->grad, dout, h->raw, w->data, h->rstd, N * h->width / h->head_dim, h->head_dim, false);
	t->be->columns(t->be, x->grad + h->first, x->cols, dx, h->width, N, h->width, false);
	tape_release(t, mark);
}

struct tensor *op_rmsnorm_heads(struct tape *t, struct tensor *x, struct tensor *w, float eps, int64_t first, int64_t heads, int64_t head_dim)
{
	const int64_t N = x->rows, width = heads * head_dim;
	struct heads *h = arena_alloc(&t->host, sizeof *h);
	struct tape_mark mark;
	float *normed;

	tape_check((first + heads) * head_dim <= x->cols, "rmsnorm_heads", "the heads do not fit the row");
	tape_check(w->rows * w->cols == head_dim, "rmsnorm_heads", "the weight is not as wide as a head");
	*h = (struct heads){.first = first * head_dim, .width = width, .head_dim = head_dim};
	if (t->record)
		h->rstd = tape_memory(t, (size_t)(N * heads) * sizeof *h->rstd);
	mark = tape_mark(t);
	h->raw = tape_memory(t, (size_t)(N * width) * sizeof *h->raw);
	if (t->record)
		mark = tape_mark(t);
	normed = tape_memory(t, (size_t)(N * width) * sizeof *normed);
	t->be->columns(t->be, h->raw, width, x->data + h->first, x->cols, N, width, false);
	t->be->rmsnorm(t->be, normed, h->rstd, h->raw, w->data, eps, N * heads, head_dim);
	t->be->columns(t->be, x->data + h->first, x->cols, normed, width, N, width, false);
	tape_release(t, mark);
	if (t->record) {
		struct node *n = tape_record(t, "rmsnorm_heads", back, x);

		n->in[0] = x;
		n->in[1] = w;
		n->aux = h;
	}
	return x;
}
