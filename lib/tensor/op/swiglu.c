#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	bool accumulate;
	void *d = tape_grad(t, n->in[0], &accumulate);

	tape_check(!accumulate, "swiglu", "its input is used elsewhere too");
	t->be->swiglu_back(t->be, d, n->out->grad, n->in[0]->data, n->out->rows, n->out->cols, n->out->half);
}

struct tensor *op_swiglu(struct tape *t, struct tensor *gate_up)
{
	struct tensor *out = tape_tensor_of(t, gate_up->half, gate_up->rows, gate_up->cols / 2);

	tape_check(gate_up->cols % 2 == 0, "swiglu", "gate and up are not equally wide");
	t->be->swiglu(t->be, out->data, gate_up->data, out->rows, out->cols, out->half);
	if (t->record)
		tape_record(t, "swiglu", back, out)->in[0] = gate_up;
	return out;
}
