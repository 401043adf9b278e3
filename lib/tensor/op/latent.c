/* Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434, section 2.1) in four ops, none of which ever makes the heads' keys and values:
 *     keys_j = [norm(c_j), rope(k_j)]     queries_ih = [q_ih K_h, rope(r_ih)]     out_ih = (softmax(scale queries_ih . keys_j) norm(c_j)) V_h^T
 * where kv_b's rows are, head by head, K_h [Dn, R] and V_h [Dv, R]. A sampler's cache holds keys_j, of R + Dr numbers, and nothing else; since
 * training goes the same way, both get the same bits. */
#include "tensor/ops.h"

struct heads {
	struct latent_shape s;
	const int32_t *position;
	const float *cos_sin;
};

/* The products of all heads by their rows of kv_b, from row `first` of each */
static struct gemm by_heads(const struct latent_shape *s, const struct tensor *w, int64_t first)
{
	const int64_t each = s->nope + s->value;
	const float *dense = w->data;
	struct gemm g = {.batch = s->heads, .ldb = s->rank};

	if (w->packed) {
		g.packed = w->packed;
		g.packed_row = first;
		g.step_b = each;
	} else {
		g.b = dense + first * s->rank;
		g.step_b = each * s->rank;
	}
	return g;
}

/* ---- keys ---- */

struct keys {
	struct rope rope;
	struct norm norm;               /* of the first R; x is a copy of them */
};

/* The norm of x's first R columns, into out's; in k what the way back needs, if the tape records */
static void norm_keys(struct tape *t, struct keys *k, const struct tensor *w, float eps, const struct tensor *x, struct tensor *out)
{
	const int64_t N = x->rows, R = w->rows * w->cols;
	struct columns in = {.rows = N, .cols = R, .ld_to = R, .ld = x->cols, .from = x->data, .from_half = x->half};
	struct columns back = {.rows = N, .cols = R, .ld_to = out->cols, .ld = R, .to = out->data, .to_half = out->half};
	struct tape_mark mark;
	float *raw, *normed;

	k->norm = (struct norm){.rows = N, .cols = R, .w = w->data, .eps = eps};
	if (t->record)
		k->norm.rstd = tape_memory(t, (size_t)N * sizeof *k->norm.rstd);
	mark = tape_mark(t);
	k->norm.x = raw = tape_memory(t, (size_t)(N * R) * sizeof *raw);
	if (t->record)
		mark = tape_mark(t);
	normed = tape_memory(t, (size_t)(N * R) * sizeof *normed);
	in.to = raw;
	t->be->columns(t->be, &in);
	t->be->rmsnorm(t->be, &k->norm, normed);
	back.from = normed;
	t->be->columns(t->be, &back);
	tape_release(t, mark);
}

/* x's gradient, which must be there, is overwritten; dw is added to (NULL: not wanted). */
static void norm_keys_back(struct tape *t, const struct keys *k, float *dw, const struct tensor *out, struct tensor *x)
{
	const int64_t N = x->rows, R = k->norm.cols;
	struct columns in = {.rows = N, .cols = R, .ld_to = R, .ld = out->cols, .from = out->grad, .from_half = out->half};
	struct columns back = {.rows = N, .cols = R, .ld_to = x->cols, .ld = R, .to = x->grad, .to_half = x->half};
	struct tape_mark mark = tape_mark(t);
	float *d = tape_memory(t, (size_t)(N * R) * sizeof *d), *draw = tape_memory(t, (size_t)(N * R) * sizeof *draw);

	in.to = d;
	t->be->columns(t->be, &in);
	t->be->rmsnorm_back(t->be, &k->norm, d, draw, dw, false);
	back.from = draw;
	t->be->columns(t->be, &back);
	tape_release(t, mark);
}

static void keys_back(struct tape *t, struct node *n)
{
	const struct keys *k = n->aux;
	struct tensor *x = n->in[0], *out = n->out;
	const int64_t R = k->norm.cols;
	struct rope rope = k->rope;
	bool accumulate;
	void *dx = tape_grad(t, x, &accumulate);

	tape_check(!accumulate, "latent_keys", "its input is used elsewhere too");
	norm_keys_back(t, k, n->in[1]->grad, out, x);
	rope.x = tensor_at(out, out->grad, R);
	rope.out = tensor_at(x, dx, R);
	rope.inverse = true;
	t->be->rope(t->be, &rope);
}

struct tensor *op_latent_keys(struct tape *t, struct tensor *x, struct tensor *w, float eps, const int32_t *position, const float *cos_sin,
			      const struct latent_shape *s)
{
	const int64_t N = x->rows, R = s->rank;
	struct tensor *out = tape_tensor(t, N, R + s->rope);
	struct keys *k = arena_alloc(&t->host, sizeof *k);

	tape_check(x->cols == R + s->rope && w->rows * w->cols == R && s->rope % 2 == 0, "latent_keys", "the row is not the rank and a head's rotated part");
	*k = (struct keys){.rope = {.rows = N, .heads = 1, .head_dim = s->rope, .x = tensor_at(x, x->data, R), .out = tensor_at(out, out->data, R),
				    .x_stride = x->cols, .out_stride = out->cols, .position = position, .cos_sin = cos_sin, .interleaved = s->interleaved}};
	norm_keys(t, k, w, eps, x, out);
	t->be->rope(t->be, &k->rope);
	if (t->record) {
		struct node *n = tape_record(t, "latent_keys", keys_back, out);

		n->in[0] = x;
		n->in[1] = w;
		n->aux = k;
	}
	return out;
}

/* ---- queries ---- */

static void rotate_queries(struct tape *t, const struct heads *h, float *q, float *out, int64_t rows, bool back)
{
	const struct latent_shape *s = &h->s;
	const int64_t plain = s->nope + s->rope, latent = s->rank + s->rope;
	struct rope r = {.rows = rows, .heads = s->heads, .head_dim = s->rope, .x = q + s->nope, .x_head = plain, .x_stride = s->heads * plain,
			 .out = out + s->rank, .out_head = latent, .out_stride = s->heads * latent, .position = h->position,
			 .cos_sin = h->cos_sin, .interleaved = s->interleaved};

	if (back)
		r = (struct rope){.rows = rows, .heads = s->heads, .head_dim = s->rope, .x = out + s->rank, .x_head = latent,
				  .x_stride = s->heads * latent, .out = q + s->nope, .out_head = plain, .out_stride = s->heads * plain,
				  .position = h->position, .cos_sin = h->cos_sin, .interleaved = s->interleaved, .inverse = true};
	t->be->rope(t->be, &r);
}

/* dq = dout K_h^T;  dK_h += q^T dout; the rotated parts turn back */
static void queries_back(struct tape *t, struct node *n)
{
	const struct heads *h = n->aux;
	const struct latent_shape *s = &h->s;
	struct tensor *q = n->in[0], *w = n->in[1], *out = n->out;
	bool accumulate;
	float *dq = tape_grad(t, q, &accumulate);
	struct gemm g = by_heads(s, w, 0);

	tape_check(!accumulate, "latent_queries", "its input is used elsewhere too");
	g.m = q->rows, g.n = s->nope, g.k = s->rank, g.trans_b = true;
	g.a = out->grad, g.lda = out->cols, g.step_a = s->rank + s->rope;
	g.c = dq, g.ldc = q->cols, g.step_c = s->nope + s->rope;
	t->be->gemm(t->be, &g);
	rotate_queries(t, h, dq, out->grad, q->rows, true);
	if (w->grad)
		t->be->gemm(t->be, &(struct gemm){.m = s->nope, .n = s->rank, .k = q->rows, .batch = s->heads, .trans_a = true, .accumulate = true,
						  .a = q->data, .lda = q->cols, .step_a = s->nope + s->rope, .b = out->grad, .ldb = out->cols,
						  .step_b = s->rank + s->rope, .c = w->grad, .ldc = s->rank,
						  .step_c = (s->nope + s->value) * s->rank});
}

struct tensor *op_latent_queries(struct tape *t, struct tensor *q, struct tensor *kv_b, const int32_t *position, const float *cos_sin,
				 const struct latent_shape *s)
{
	struct tensor *out = tape_tensor(t, q->rows, s->heads * (s->rank + s->rope));
	struct heads *h = arena_alloc(&t->host, sizeof *h);
	struct gemm g = by_heads(s, kv_b, 0);

	tape_check(q->cols == s->heads * (s->nope + s->rope) && s->rope % 2 == 0, "latent_queries", "the heads do not fill the row");
	tape_check(kv_b->cols == s->rank && kv_b->rows == s->heads * (s->nope + s->value), "latent_queries", "kv_b has not the shape of its heads");
	*h = (struct heads){*s, position, cos_sin};
	g.m = q->rows, g.n = s->rank, g.k = s->nope;
	g.a = q->data, g.lda = q->cols, g.step_a = s->nope + s->rope;
	g.c = out->data, g.ldc = out->cols, g.step_c = s->rank + s->rope;
	t->be->gemm(t->be, &g);
	rotate_queries(t, h, q->data, out->data, q->rows, false);
	if (t->record) {
		struct node *n = tape_record(t, "latent_queries", queries_back, out);

		n->in[0] = q;
		n->in[1] = kv_b;
		n->aux = h;
	}
	return out;
}

/* ---- attention ---- */

static void back(struct tape *t, struct node *n)
{
	bool q_has, keys_have;
	float *dq = tape_grad(t, n->in[0], &q_has), *dkeys = tape_grad(t, n->in[1], &keys_have);

	tape_check(!q_has && !keys_have, "latent", "its inputs are used elsewhere too");
	t->be->latent_back(t->be, n->aux, n->out->grad, dq, dkeys);
}

struct tensor *op_latent(struct tape *t, struct tensor *q, struct tensor *keys, const struct sequences *seqs, int64_t layer,
			 const struct latent_shape *s, float scale)
{
	struct tensor *out = tape_tensor(t, q->rows, s->heads * s->rank);
	struct latent *a = arena_alloc(&t->host, sizeof *a);

	tape_check(keys->cols == s->rank + s->rope && q->cols == s->heads * keys->cols && q->rows == keys->rows, "latent", "the heads do not fill the row");
	tape_check(!(t->record && seqs->cache), "latent", "no gradient goes through a cache");
	tape_check(!seqs->cache || seqs->cache->k_width == keys->cols, "latent", "the cache is not as wide as the keys");
	*a = (struct latent){.rows = q->rows, .heads = s->heads, .key_dim = keys->cols, .value_dim = s->rank, .scale = scale, .q = q->data,
			     .keys = keys->data, .out = out->data, .seq = seqs->seq, .seqs = seqs->seqs, .cache = seqs->cache, .layer = layer};
	if (t->record)
		a->lse = tape_memory(t, (size_t)(q->rows * s->heads) * sizeof *a->lse);
	t->be->latent(t->be, a);
	if (t->record) {
		struct node *n = tape_record(t, "latent", back, out);

		n->in[0] = q;
		n->in[1] = keys;
		n->aux = a;
	}
	return out;
}

/* ---- values ---- */

/* dx = dout V_h;  dV_h += dout^T x */
static void values_back(struct tape *t, struct node *n)
{
	const struct latent_shape *s = n->aux;
	struct tensor *x = n->in[0], *w = n->in[1], *out = n->out;
	bool accumulate;
	float *dx = tape_grad(t, x, &accumulate);
	struct gemm g = by_heads(s, w, s->nope);

	g.m = x->rows, g.n = s->rank, g.k = s->value, g.accumulate = accumulate;
	g.a = out->grad, g.lda = out->cols, g.step_a = s->value;
	g.c = dx, g.ldc = x->cols, g.step_c = s->rank;
	t->be->gemm(t->be, &g);
	if (w->grad)
		t->be->gemm(t->be, &(struct gemm){.m = s->value, .n = s->rank, .k = x->rows, .batch = s->heads, .trans_a = true, .accumulate = true,
						  .a = out->grad, .lda = out->cols, .step_a = s->value, .b = x->data, .ldb = x->cols,
						  .step_b = s->rank, .c = tensor_at(w, w->grad, s->nope * s->rank), .ldc = s->rank,
						  .step_c = (s->nope + s->value) * s->rank});
}

struct tensor *op_latent_values(struct tape *t, struct tensor *x, struct tensor *kv_b, const struct latent_shape *s)
{
	struct tensor *out = tape_tensor(t, x->rows, s->heads * s->value);
	struct latent_shape *kept = arena_alloc(&t->host, sizeof *kept);
	struct gemm g = by_heads(s, kv_b, s->nope);

	tape_check(x->cols == s->heads * s->rank, "latent_values", "the heads do not fill the row");
	tape_check(kv_b->cols == s->rank && kv_b->rows == s->heads * (s->nope + s->value), "latent_values", "kv_b has not the shape of its heads");
	*kept = *s;
	g.m = x->rows, g.n = s->value, g.k = s->rank, g.trans_b = true;
	g.a = x->data, g.lda = x->cols, g.step_a = s->rank;
	g.c = out->data, g.ldc = out->cols, g.step_c = s->value;
	t->be->gemm(t->be, &g);
	if (t->record) {
		struct node *n = tape_record(t, "latent_values", values_back, out);

		n->in[0] = x;
		n->in[1] = kv_b;
		n->aux = kept;
	}
	return out;
}
