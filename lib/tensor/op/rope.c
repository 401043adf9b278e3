#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	struct rope r = *(const struct rope *)n->aux;

	r.x = r.out = n->out->grad;
	r.inverse = true;
	t->be->rope(t->be, &r);
}

struct tensor *op_rope(struct tape *t, struct tensor *x, const int32_t *position, const float *cos_sin, int64_t heads, int64_t head_dim)
{
	struct rope *r = arena_alloc(&t->host, sizeof *r);

	tape_check(heads * head_dim <= x->cols && head_dim % 2 == 0, "rope", "the heads do not fit the row");
	*r = (struct rope){.rows = x->rows, .heads = heads, .head_dim = head_dim, .x = x->data, .out = x->data, .x_stride = x->cols,
			   .x_head = head_dim, .out_stride = x->cols, .out_head = head_dim, .position = position, .cos_sin = cos_sin, .half = x->half};
	t->be->rope(t->be, r);
	if (t->record) {
		struct node *n = tape_record(t, "rope", back, x);

		n->in[0] = x;
		n->aux = r;
	}
	return x;
}
