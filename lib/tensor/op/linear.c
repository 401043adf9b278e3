#include "tensor/ops.h"

/* dx = dout w;  dw += dout^T x;  dbias += column sums of dout */
static void back(struct tape *t, struct node *n)
{
	struct tensor *x = n->in[0], *w = n->in[1], *bias = n->in[2];
	const float *dout = n->out->grad;
	bool accumulate;
	float *dx = tape_grad(t, x, &accumulate);

	if (dx)
		t->be->gemm(t->be, &(struct gemm){.m = x->rows, .n = w->cols, .k = w->rows, .a = dout, .lda = w->rows, .b = w->data,
						  .ldb = w->cols, .c = dx, .ldc = x->cols, .accumulate = accumulate, .packed = w->packed});
	if (w->grad)
		t->be->gemm(t->be, &(struct gemm){.m = w->rows, .n = w->cols, .k = x->rows, .a = dout, .lda = w->rows, .trans_a = true,
						  .b = x->data, .ldb = x->cols, .c = w->grad, .ldc = w->cols, .accumulate = true});
	if (bias && bias->grad)
		t->be->bias_back(t->be, bias->grad, dout, x->rows, w->rows);
}

struct tensor *op_linear(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias)
{
	struct tensor *out = tape_tensor(t, x->rows, w->rows);

	tape_check(x->cols == w->cols, "linear", "the rows are not as wide as the weight's");
	tape_check(!bias || bias->rows * bias->cols == w->rows, "linear", "the bias is not as long as the weight has rows");
	t->be->gemm(t->be, &(struct gemm){.m = x->rows, .n = w->rows, .k = x->cols, .a = x->data, .lda = x->cols, .b = w->data,
					  .ldb = w->cols, .trans_b = true, .c = out->data, .ldc = w->rows, .bias = bias ? bias->data : NULL,
					  .packed = w->packed});
	if (t->record) {
		struct node *n = tape_record(t, "linear", back, out);

		n->in[0] = x;
		n->in[1] = w;
		n->in[2] = bias;
	}
	if (w->lora)
		op_lora(t, out, x, w);
	return out;
}
