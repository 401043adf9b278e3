#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	t->be->head_norms_back(t->be, n->aux, n->out->grad, n->in[1]->grad, n->in[2]->grad);
}

struct tensor *op_rmsnorm_heads(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *w2, float eps, int64_t heads, int64_t kv_heads,
				int64_t head_dim)
{
	const int64_t all = heads + kv_heads, vectors = x->rows * all;
	struct head_norms *h = arena_alloc(&t->host, sizeof *h);

	tape_check(all * head_dim <= x->cols && head_dim % 2 == 0, "rmsnorm_heads", "the heads do not fit the row");
	tape_check(w->rows * w->cols == head_dim && w2->rows * w2->cols == head_dim, "rmsnorm_heads", "the weight is not as wide as a head");
	*h = (struct head_norms){.rows = x->rows, .heads = all, .queries = heads, .head_dim = head_dim, .stride = x->cols, .x = x->data, .w = w->data,
				 .w2 = w2->data, .eps = eps, .half = x->half};
	if (t->record) {
		h->raw = tape_memory(t, (size_t)(vectors * head_dim) * (x->half ? sizeof(uint16_t) : sizeof(float)));
		h->rstd = tape_memory(t, (size_t)vectors * sizeof *h->rstd);
	}
	t->be->head_norms(t->be, h);
	if (t->record) {
		struct node *n = tape_record(t, "rmsnorm_heads", back, x);

		n->in[0] = x;
		n->in[1] = w;
		n->in[2] = w2;
		n->aux = h;
	}
	return x;
}
