#include "tensor/ops.h"

struct rope {
	const int32_t *position;
	const float *cos_sin;
	int64_t heads, head_dim;
};

static void back(struct tape *t, struct node *n)
{
	const struct rope *r = n->aux;
	struct tensor *x = n->out;

	t->be->rope(t->be, x->grad, x->cols, r->position, r->cos_sin, x->rows, r->heads, r->head_dim, true);
}

struct tensor *op_rope(struct tape *t, struct tensor *x, const int32_t *position, const float *cos_sin, int64_t heads, int64_t head_dim)
{
	tape_check(heads * head_dim <= x->cols && head_dim % 2 == 0, "rope", "the heads do not fit the row");
	t->be->rope(t->be, x->data, x->cols, position, cos_sin, x->rows, heads, head_dim, false);
	if (t->record) {
		struct node *n = tape_record(t, "rope", back, x);
		struct rope *r = arena_alloc(&t->host, sizeof *r);

		*r = (struct rope){position, cos_sin, heads, head_dim};
		n->in[0] = x;
		n->aux = r;
	}
	return x;
}
