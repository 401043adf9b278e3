#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	const struct attention *a = n->aux;
	bool accumulate;
	void *dqkv = tape_grad(t, n->in[0], &accumulate);

	tape_check(!accumulate, "attention", "its input is used elsewhere too");
	t->be->attention_back(t->be, a, n->out->grad, dqkv);
}

struct tensor *op_attention(struct tape *t, struct tensor *qkv, const struct sequences *s, int64_t layer, int64_t heads, int64_t kv_heads,
			    int64_t head_dim, float scale)
{
	struct tensor *out = tape_tensor_of(t, qkv->half, qkv->rows, heads * head_dim);
	struct attention *a = arena_alloc(&t->host, sizeof *a);

	tape_check(heads % kv_heads == 0, "attention", "query heads are no multiple of key/value heads");
	tape_check(qkv->cols == (heads + 2 * kv_heads) * head_dim, "attention", "the heads do not fill the row");
	tape_check(!(t->record && s->cache), "attention", "no gradient goes through a cache");
	*a = (struct attention){.rows = qkv->rows, .heads = heads, .kv_heads = kv_heads, .head_dim = head_dim, .scale = scale,
				.qkv = qkv->data, .qkv_stride = qkv->cols, .out = out->data, .seq = s->seq, .seqs = s->seqs,
				.cache = s->cache, .layer = layer, .half = qkv->half, .half_keys = t->half && t->be->half_keys};
	if (t->record)
		a->lse = tape_memory(t, (size_t)(qkv->rows * heads) * sizeof *a->lse);
	t->be->attention(t->be, a);
	if (t->record) {
		struct node *n = tape_record(t, "attention", back, out);

		n->in[0] = qkv;
		n->aux = a;
	}
	return out;
}
