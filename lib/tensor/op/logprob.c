/* The head and the loss's log-probabilities in one op, so that logits live for a few rows at a time only. */
#include "tensor/ops.h"

struct logprob {
	const int32_t *target;
	float inv_temperature;
	float *dlogprob, *dentropy;     /* backend; set by the seed */
	int64_t chunk;                  /* rows at once */
	float *logits;                  /* [chunk, V], room used again and again */
};

static void make_logits(struct tape *t, const struct tensor *x, const struct tensor *w, float *logits, int64_t from, int64_t rows)
{
	t->be->gemm(t->be, &(struct gemm){.m = rows, .n = w->rows, .k = w->cols, .a = tensor_at(x, x->data, from * x->cols), .a_half = x->half,
					  .lda = x->cols, .b = w->data, .ldb = w->cols, .trans_b = true, .c = logits, .ldc = w->rows, .packed = w->packed});
}

static void back(struct tape *t, struct node *n)
{
	const struct logprob *l = n->aux;
	struct tensor *x = n->in[0], *w = n->in[1];
	const bool half = t->be->half_rows && t->half;                  /* products would round the gradient of logits in any case */
	int64_t V = w->rows, C = w->cols, ld = half ? 2 * V : V, from, rows;
	bool accumulate;
	void *dx = tape_grad(t, x, &accumulate);

	tape_check(l->dlogprob != NULL, "logprob", "backward without a seed");
	for (from = 0; from < x->rows; from += rows) {
		rows = x->rows - from < l->chunk ? x->rows - from : l->chunk;
		make_logits(t, x, w, l->logits, from, rows);
		t->be->logprob_back(t->be, l->logits, l->target + from, l->inv_temperature, l->dlogprob + from,
				    l->dentropy ? l->dentropy + from : NULL, rows, V, half);
		if (dx)
			t->be->gemm(t->be, &(struct gemm){.m = rows, .n = C, .k = V, .a = l->logits, .a_half = half, .lda = ld, .b = w->data, .ldb = C,
							  .c = tensor_at(x, dx, from * C), .c_half = x->half, .ldc = C, .accumulate = accumulate, .packed = w->packed});
		if (w->grad)
			t->be->gemm(t->be, &(struct gemm){.m = V, .n = C, .k = rows, .a = l->logits, .a_half = half, .lda = ld, .trans_a = true,
							  .b = tensor_at(x, x->data, from * C), .b_half = x->half, .ldb = C, .c = w->grad, .ldc = C, .accumulate = true});
	}
}

struct logprobs op_logprob(struct tape *t, struct tensor *x, struct tensor *w, const int32_t *target, float inv_temperature, bool want_entropy)
{
	int64_t N = x->rows, V = w->rows, from, rows;
	struct logprobs out = {0};
	struct logprob *l = arena_calloc(&t->host, sizeof *l);

	tape_check(x->cols == w->cols, "logprob", "the rows are not as wide as the head's");
	out.logprob = tape_memory(t, (size_t)N * sizeof *out.logprob);
	if (want_entropy)
		out.entropy = tape_memory(t, (size_t)N * sizeof *out.entropy);
	l->target = target;
	l->inv_temperature = inv_temperature;
	l->chunk = t->be->logits_at_once / V < 64 ? 64 : t->be->logits_at_once / V;
	if (l->chunk > N)
		l->chunk = N;
	l->logits = tape_memory(t, (size_t)(l->chunk * V) * sizeof *l->logits);
	for (from = 0; from < N; from += rows) {
		rows = N - from < l->chunk ? N - from : l->chunk;
		make_logits(t, x, w, l->logits, from, rows);
		t->be->logprob(t->be, l->logits, target + from, inv_temperature, out.logprob + from, want_entropy ? out.entropy + from : NULL,
			       rows, V);
	}
	if (t->record) {
		out.node = tape_record(t, "logprob", back, NULL);
		out.node->in[0] = x;
		out.node->in[1] = w;
		out.node->aux = l;
	}
	return out;
}

void op_logprob_seed(struct tape *t, const struct logprobs *out, const float *dlogprob, const float *dentropy)
{
	struct logprob *l = out->node->aux;
	size_t bytes = (size_t)out->node->in[0]->rows * sizeof *dlogprob;

	l->dlogprob = tape_memory(t, bytes);
	t->be->upload(t->be, l->dlogprob, dlogprob, bytes);
	if (dentropy) {
		l->dentropy = tape_memory(t, bytes);
		t->be->upload(t->be, l->dentropy, dentropy, bytes);
	}
}
