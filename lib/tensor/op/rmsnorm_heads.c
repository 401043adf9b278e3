#include "tensor/op/norm.h"
#include "tensor/ops.h"

struct heads {
	int64_t first;                  /* column */
	struct norm_part part;
};

static void back(struct tape *t, struct node *n)
{
	const struct heads *h = n->aux;
	struct tensor *x = n->out;

	norm_part_back(t, &h->part, n->in[1]->grad, x, h->first, x, h->first);
}

struct tensor *op_rmsnorm_heads(struct tape *t, struct tensor *x, struct tensor *w, float eps, int64_t first, int64_t heads, int64_t head_dim)
{
	struct heads *h = arena_alloc(&t->host, sizeof *h);

	tape_check((first + heads) * head_dim <= x->cols, "rmsnorm_heads", "the heads do not fit the row");
	*h = (struct heads){first * head_dim, {.width = heads * head_dim, .norm.cols = head_dim}};
	norm_part(t, &h->part, w, eps, x, h->first, x, h->first);
	if (t->record) {
		struct node *n = tape_record(t, "rmsnorm_heads", back, x);

		n->in[0] = x;
		n->in[1] = w;
		n->aux = h;
	}
	return x;
}
