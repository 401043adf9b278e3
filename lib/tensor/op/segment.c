/* A part of the way of which only the ends are kept (Chen et al., "Training deep nets with sublinear memory cost", 2016, arXiv:1604.06174).
 *
 * It runs on a tape of its own, whose memory is for one segment at a time. Where nothing goes back there are two of them, in turn: the one holds a
 * segment's input, which the last one gave, while the other takes what is made of it. With t->recompute there is one: on the way there its
 * memory is the next segment's as soon as the output has been copied; on the way back the segment runs again from its input and goes backward. The
 * inner tape records both times, so that the same calls are made. */
#include "tensor/ops.h"

#include <string.h>

struct segment {
	segment_run *run;
	_Alignas(16) unsigned char arg[];
};

static struct tensor *run(struct tape *t, int which, segment_run *go, const void *arg, struct tensor *x)
{
	struct tape *own = t->inner[which];
	struct tensor *y;

	if (!own) {
		own = t->inner[which] = xmalloc(sizeof *own);
		*own = tape_new(t->be);
	}
	own->record = t->record;
	own->half = t->half;
	own->half_rows = t->half_rows;
	tape_reset(own);
	y = go(own, x, arg);
	tape_check(y != x && y->rows == x->rows && y->cols == x->cols && !y->half && !x->half, "segment", "its output is not of its input's shape");
	return y;
}

/* The output's gradient goes in, and the input's comes out in the same memory, if it had none yet: op_linear_add passes it on all the way. */
static void back(struct tape *t, struct node *n)
{
	struct tensor *x = n->in[0], *out = n->out;
	const struct segment *s = n->aux;
	const bool had = x->grad != NULL;

	run(t, 0, s->run, s->arg, x)->grad = out->grad;
	tape_backward(t->inner[0]);
	if (!had && x->grad) {
		if (x->grad != out->grad)
			t->be->copy(t->be, out->grad, x->grad, tensor_bytes(x));
		x->grad = out->grad;
		out->grad = NULL;
	}
}

struct tensor *op_segment(struct tape *t, struct tensor *x, segment_run *go, const void *arg, size_t size)
{
	struct segment *s;
	struct tensor *out;
	struct node *n;

	if (!t->record) {
		t->turn = !t->turn;
		return run(t, t->turn, go, arg, x);
	}
	if (!t->recompute)
		return go(t, x, arg);
	s = arena_alloc(&t->host, sizeof *s + size);
	s->run = go;
	memcpy(s->arg, arg, size);
	out = tape_tensor(t, x->rows, x->cols);
	t->be->copy(t->be, out->data, run(t, 0, go, arg, x)->data, tensor_bytes(out));
	n = tape_record(t, "segment", back, out);
	n->in[0] = x;
	n->aux = s;
	return out;
}
