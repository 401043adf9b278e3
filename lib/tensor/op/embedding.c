/* Rows of a table by index: the embedding of tokens, and the picking of rows of an activation. */
#include "tensor/ops.h"

int32_t *tape_upload(struct tape *t, const int32_t *host, int64_t n)
{
	int32_t *p = tape_memory(t, (size_t)n * sizeof *p);

	t->be->upload(t->be, p, host, (size_t)n * sizeof *p);
	return p;
}

static void back(struct tape *t, struct node *n)
{
	struct tensor *from = n->in[0], *out = n->out;
	bool accumulate;
	float *d = tape_grad(t, from, &accumulate);

	if (!d)
		return;
	if (!accumulate)
		t->be->zero(t->be, d, (size_t)(from->rows * from->cols) * sizeof *d);
	t->be->embed_back(t->be, d, out->grad, n->aux, out->rows, out->cols, from->rows);
}

static struct tensor *pick(struct tape *t, const char *op, struct tensor *from, const int32_t *id, int64_t rows)
{
	struct tensor *out = tape_tensor(t, rows, from->cols);

	if (from->packed)
		t->be->embed_packed(t->be, out->data, from->packed, id, rows);
	else
		t->be->embed(t->be, out->data, from->data, id, rows, from->cols);
	if (t->record) {
		struct node *n = tape_record(t, op, back, out);

		n->in[0] = from;
		n->aux = (void *)id;
	}
	return out;
}

struct tensor *op_embedding(struct tape *t, struct tensor *table, const int32_t *id, int64_t rows)
{
	return pick(t, "embedding", table, id, rows);
}

struct tensor *op_rows(struct tape *t, struct tensor *x, const int32_t *row, int64_t rows)
{
	return pick(t, "rows", x, row, rows);
}
