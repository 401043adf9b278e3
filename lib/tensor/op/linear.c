#include "tensor/ops.h"

/* dx = dout w;  dw += dout^T x;  dbias += column sums of dout */
static void back(struct tape *t, struct node *n)
{
	struct tensor *x = n->in[0], *w = n->in[1], *bias = n->in[2];
	const struct tensor *out = n->out;
	bool accumulate;
	void *dx = tape_grad(t, x, &accumulate);

	if (dx)
		t->be->gemm(t->be, &(struct gemm){.m = x->rows, .n = w->cols, .k = w->rows, .a = out->grad, .a_half = out->half, .lda = w->rows, .b = w->data,
						  .ldb = w->cols, .c = dx, .c_half = x->half, .ldc = x->cols, .accumulate = accumulate, .packed = w->packed});
	if (w->grad)
		t->be->gemm(t->be, &(struct gemm){.m = w->rows, .n = w->cols, .k = x->rows, .a = out->grad, .a_half = out->half, .lda = w->rows, .trans_a = true,
						  .b = x->data, .b_half = x->half, .ldb = x->cols, .c = w->grad, .ldc = w->cols, .accumulate = true});
	if (bias && bias->grad)
		t->be->bias_back(t->be, bias->grad, out->grad, x->rows, w->rows, out->half);
}

/* What was added comes first in the order of the tape, and so last on the way back: its gradient is the output's. */
static void add_back(struct tape *t, struct node *n)
{
	back(t, n);
	tape_pass_grad(t, n->aux, n->out);
}

static struct tensor *linear(struct tape *t, bool half, struct tensor *to, struct tensor *x, struct tensor *w, struct tensor *bias)
{
	struct tensor *out = tape_tensor_of(t, half, x->rows, w->rows);

	tape_check(x->cols == w->cols, "linear", "the rows are not as wide as the weight's");
	tape_check(!bias || bias->rows * bias->cols == w->rows, "linear", "the bias is not as long as the weight has rows");
	t->be->gemm(t->be, &(struct gemm){.m = x->rows, .n = w->rows, .k = x->cols, .a = x->data, .a_half = x->half, .lda = x->cols, .b = w->data,
					  .ldb = w->cols, .trans_b = true, .c = out->data, .c_half = half, .ldc = w->rows, .bias = bias ? bias->data : NULL,
					  .packed = w->packed, .plus = to ? to->data : NULL});
	if (t->record) {
		struct node *n = tape_record(t, "linear", to ? add_back : back, out);

		n->in[0] = x;
		n->in[1] = w;
		n->in[2] = bias;
		n->aux = to;
	}
	if (w->lora)
		op_lora(t, out, x, w);
	return out;
}

struct tensor *op_linear(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias)
{
	return linear(t, false, NULL, x, w, bias);
}

struct tensor *op_linear_rows(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias)
{
	return linear(t, t->half_rows, NULL, x, w, bias);
}

/* With a bias, or an adapter, these are added first, as everywhere. */
struct tensor *op_linear_add(struct tape *t, struct tensor *to, struct tensor *x, struct tensor *w, struct tensor *bias)
{
	if (bias || w->lora)
		return op_add(t, to, op_linear(t, x, w, bias));
	tape_check(to->rows == x->rows && to->cols == w->rows && !to->half && to != x, "linear_add", "the two are not of one shape");
	return linear(t, false, to, x, w, NULL);
}
