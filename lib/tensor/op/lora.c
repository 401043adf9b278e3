/* The low-rank side way of a linear layer, added to its output in place: out[:, rows of part p] += (scale x A_p^T) B_p^T.
 * Hu et al., "LoRA: Low-rank adaptation of large language models", ICLR 2022, eq. 3. The parts' A lie one behind the other, as one matrix. */
#include "tensor/ops.h"

static int64_t total_rank(const struct lora *l)
{
	return l->parts * l->rank;
}

/* With t = scale x A^T:  dt = dout B;  dB += dout^T t;  dA += scale dt^T x;  dx += scale dt A */
static void back(struct tape *t, struct node *n)
{
	struct tensor *out = n->in[0], *x = n->in[1];
	const struct lora *l = n->in[2]->lora;
	const float *down = n->aux;
	int64_t N = x->rows, R = total_rank(l), p;
	float *ddown = tape_memory(t, (size_t)(N * R) * sizeof *ddown);
	void *dx;
	bool accumulate;

	for (p = 0; p < l->parts; p++) {
		struct tensor *b = l->part[p].b;
		const void *dout = tensor_at(out, out->grad, l->part[p].row);

		t->be->gemm(t->be, &(struct gemm){.m = N, .n = l->rank, .k = b->rows, .a = dout, .a_half = out->half, .lda = out->cols, .b = b->data, .ldb = l->rank,
						  .packed = b->packed, .c = ddown + p * l->rank, .ldc = R});
		if (b->grad)
			t->be->gemm(t->be, &(struct gemm){.m = b->rows, .n = l->rank, .k = N, .a = dout, .a_half = out->half, .lda = out->cols, .trans_a = true,
							  .b = down + p * l->rank, .ldb = R, .c = b->grad, .ldc = l->rank, .accumulate = true});
	}
	t->be->scale(t->be, ddown, l->scale, N * R);
	if (l->a->grad)
		t->be->gemm(t->be, &(struct gemm){.m = R, .n = x->cols, .k = N, .a = ddown, .lda = R, .trans_a = true, .b = x->data, .b_half = x->half,
						  .ldb = x->cols, .c = l->a->grad, .ldc = x->cols, .accumulate = true});
	dx = tape_grad(t, x, &accumulate);
	if (dx)
		t->be->gemm(t->be, &(struct gemm){.m = N, .n = x->cols, .k = R, .a = ddown, .lda = R, .b = l->a->data, .ldb = x->cols,
						  .packed = l->a->packed, .c = dx, .c_half = x->half, .ldc = x->cols, .accumulate = accumulate});
}

void op_lora(struct tape *t, struct tensor *out, struct tensor *x, struct tensor *w)
{
	struct lora *l = w->lora;
	int64_t N = x->rows, R = total_rank(l), p;
	float *down = tape_memory(t, (size_t)(N * R) * sizeof *down);

	l->used = true;
	tape_check(l->a->rows == R && l->a->cols == x->cols, "lora", "A has not the shape of its parts");
	t->be->gemm(t->be, &(struct gemm){.m = N, .n = R, .k = x->cols, .a = x->data, .a_half = x->half, .lda = x->cols, .b = l->a->data, .ldb = x->cols, .trans_b = true,
					  .packed = l->a->packed, .c = down, .ldc = R});
	t->be->scale(t->be, down, l->scale, N * R);
	for (p = 0; p < l->parts; p++) {
		struct tensor *b = l->part[p].b;

		tape_check(b->cols == l->rank && l->part[p].row + b->rows <= out->cols, "lora", "B has not the shape of its part");
		t->be->gemm(t->be, &(struct gemm){.m = N, .n = b->rows, .k = l->rank, .a = down + p * l->rank, .lda = R, .b = b->data, .ldb = l->rank,
						  .trans_b = true, .packed = b->packed, .c = tensor_at(out, out->data, l->part[p].row),
						  .c_half = out->half, .ldc = out->cols, .accumulate = true});
	}
	if (t->record) {
		struct node *n = tape_record(t, "lora", back, out);

		n->in[0] = out;         /* its gradient is still wanted by the layer itself */
		n->in[1] = x;
		n->in[2] = w;
		n->aux = down;
	}
}
