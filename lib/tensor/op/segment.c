/* A part of the way of which only the ends are kept (Chen et al., "Training deep nets with sublinear memory cost", 2016, arXiv:1604.06174).
 *
 * It runs on a tape of its own, whose memory is for one segment at a time: on the way there the inner tape is reset as soon as the output has been
 * copied; on the way back the segment runs again from its input, goes backward, and is reset. The inner tape records both times, so that the same
 * calls are made. */
#include "tensor/ops.h"

#include <string.h>

struct segment {
	segment_run *run;
	_Alignas(16) unsigned char arg[];
};

static struct tensor *run(struct tape *t, const struct segment *s, struct tensor *x)
{
	struct tensor *y;

	if (!t->inner) {
		t->inner = xmalloc(sizeof *t->inner);
		*t->inner = tape_new(t->be);
	}
	t->inner->record = t->record;
	t->inner->half = t->half;
	t->inner->half_rows = t->half_rows;
	y = s->run(t->inner, x, s->arg);
	tape_check(y != x && y->rows == x->rows && y->cols == x->cols && !y->half && !x->half, "segment", "its output is not of its input's shape");
	return y;
}

/* The output's gradient goes in, and the input's comes out in the same memory, if it had none yet: op_linear_add passes it on all the way. */
static void back(struct tape *t, struct node *n)
{
	struct tensor *x = n->in[0], *out = n->out;
	const bool had = x->grad != NULL;

	run(t, n->aux, x)->grad = out->grad;
	tape_backward(t->inner);
	if (!had && x->grad) {
		if (x->grad != out->grad)
			t->be->copy(t->be, out->grad, x->grad, tensor_bytes(x));
		x->grad = out->grad;
		out->grad = NULL;
	}
	tape_reset(t->inner);
}

struct tensor *op_segment(struct tape *t, struct tensor *x, segment_run *go, const void *arg, size_t size)
{
	struct segment *s;
	struct tensor *out;

	if (!t->recompute)
		return go(t, x, arg);
	s = arena_alloc(&t->host, sizeof *s + size);
	s->run = go;
	memcpy(s->arg, arg, size);
	out = tape_tensor(t, x->rows, x->cols);
	t->be->copy(t->be, out->data, run(t, s, x)->data, tensor_bytes(out));
	tape_reset(t->inner);
	if (t->record) {
		struct node *n = tape_record(t, "segment", back, out);

		n->in[0] = x;
		n->aux = s;
	}
	return out;
}
