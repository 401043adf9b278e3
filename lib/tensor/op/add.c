#include "tensor/ops.h"

static void back(struct tape *t, struct node *n)
{
	struct tensor *a = n->in[0], *b = n->in[1], *out = n->out;
	int64_t size = out->rows * out->cols;
	bool accumulate;
	float *db = tape_grad(t, b, &accumulate);

	if (db && accumulate)
		t->be->add(t->be, db, db, out->grad, size);
	else if (db)
		t->be->copy(t->be, db, out->grad, (size_t)size * sizeof *db);
	tape_pass_grad(t, a, out);
}

struct tensor *op_add(struct tape *t, struct tensor *a, struct tensor *b)
{
	struct tensor *out = tape_tensor(t, a->rows, a->cols);

	tape_check(a->rows == b->rows && a->cols == b->cols && a != b, "add", "the two are not of one shape");
	t->be->add(t->be, out->data, a->data, b->data, a->rows * a->cols);
	if (t->record) {
		struct node *n = tape_record(t, "add", back, out);

		n->in[0] = a;
		n->in[1] = b;
	}
	return out;
}
