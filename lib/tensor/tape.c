#include "tensor/tape.h"

#include <stdio.h>
#include <stdlib.h>

#define CHUNK ((size_t)16 << 20)
#define ALIGN ((size_t)256)

struct tape_chunk {
	struct tape_chunk *next;
	size_t size, used;
	char *data;             /* backend memory */
};

struct tape_free {              /* a buffer given back */
	struct tape_free *next;
	size_t size;
	void *data;
};

struct tape tape_new(struct backend *be)
{
	return (struct tape){.be = be};
}

static struct tape_chunk *chunk_new(struct tape *t, size_t bytes)
{
	struct tape_chunk *c = xcalloc(1, sizeof *c);

	c->size = bytes > CHUNK ? bytes : CHUNK;
	c->data = t->be->alloc(t->be, c->size);
	return c;
}

static void free_chunks(struct tape *t)
{
	struct tape_chunk *c, *next;

	for (c = t->chunk; c; c = next) {
		next = c->next;
		t->be->free(t->be, c->data);
		free(c);
	}
	t->chunk = NULL;
}

/* Several chunks become one: where sizes come in another order the next time, much of each would be passed over, and more and more were needed. */
void tape_reset(struct tape *t)
{
	if (t->chunk && t->chunk->next) {
		free_chunks(t);
		t->chunk = chunk_new(t, t->peak);
	}
	t->n = 0;
	t->spare = NULL;
	t->current = t->chunk;
	if (t->chunk)
		t->chunk->used = 0;
	t->used = 0;
	t->turn = 0;
	arena_reset(&t->host);
}

size_t tape_peak(const struct tape *t)
{
	size_t peak = t->peak;

	for (int i = 0; i < 2; i++)
		peak += t->inner[i] ? t->inner[i]->peak : 0;
	return peak;
}

void tape_free(struct tape *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->inner[i])
			tape_free(t->inner[i]);
		free(t->inner[i]);
	}
	free_chunks(t);
	free(t->node);
	arena_free(&t->host);
	*t = (struct tape){.be = t->be};
}

void tape_check(bool ok, const char *op, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s: %s\n", op, what);
	abort();
}

void *tape_memory(struct tape *t, size_t bytes)
{
	struct tape_chunk *c = t->current;
	void *p;

	bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
	while (c && c->size - c->used < bytes && c->next) {
		c = c->next;
		c->used = 0;
	}
	if (!c || c->size - c->used < bytes) {
		struct tape_chunk *fresh = chunk_new(t, bytes);

		if (c)
			c->next = fresh;
		else
			t->chunk = fresh;
		c = fresh;
	}
	t->current = c;
	p = c->data + c->used;
	c->used += bytes;
	t->used += bytes;
	if (t->used > t->peak)
		t->peak = t->used;
	return p;
}

struct tape_mark tape_mark(const struct tape *t)
{
	return (struct tape_mark){.chunk = t->current, .in_chunk = t->current ? t->current->used : 0, .used = t->used};
}

void tape_release(struct tape *t, struct tape_mark m)
{
	t->current = m.chunk ? m.chunk : t->chunk;
	if (t->current)
		t->current->used = m.in_chunk;
	t->used = m.used;
}

struct tensor *tape_tensor_of(struct tape *t, bool half, int64_t rows, int64_t cols)
{
	struct tensor *x = arena_calloc(&t->host, sizeof *x);

	x->rows = rows;
	x->cols = cols;
	x->half = half;
	x->data = tape_memory(t, tensor_bytes(x));
	return x;
}

struct tensor *tape_tensor(struct tape *t, int64_t rows, int64_t cols)
{
	return tape_tensor_of(t, false, rows, cols);
}

struct node *tape_record(struct tape *t, const char *op, void (*backward)(struct tape *, struct node *), struct tensor *out)
{
	struct node *n;

	t->node = xgrow(t->node, &t->cap, t->n + 1, sizeof *t->node);
	n = &t->node[t->n++];
	*n = (struct node){.op = op, .backward = backward, .out = out};
	return n;
}

void *tape_grad(struct tape *t, struct tensor *x, bool *accumulate)
{
	struct tape_free **f;

	*accumulate = x->grad != NULL;
	if (x->grad || x->is_param)
		return x->grad;
	for (f = &t->spare; *f; f = &(*f)->next)
		if ((*f)->size == tensor_bytes(x)) {
			x->grad = (*f)->data;
			*f = (*f)->next;
			return x->grad;
		}
	return x->grad = tape_memory(t, tensor_bytes(x));
}

static void give_back(struct tape *t, struct tensor *x)
{
	struct tape_free *f = arena_alloc(&t->host, sizeof *f);

	*f = (struct tape_free){.next = t->spare, .size = tensor_bytes(x), .data = x->grad};
	t->spare = f;
	x->grad = NULL;
}

void tape_pass_grad(struct tape *t, struct tensor *x, struct tensor *from)
{
	if (x->is_param && !x->grad)
		return;
	if (!x->grad) {
		x->grad = from->grad;
		from->grad = NULL;
		return;
	}
	tape_check(!x->half, "a gradient", "two of 16 bits are to be added");
	t->be->add(t->be, x->grad, x->grad, from->grad, x->rows * x->cols);
}

void tape_backward(struct tape *t)
{
	size_t i;

	t->be->half = t->half;
	for (i = t->n; i-- > 0;) {
		struct node *n = &t->node[i];

		n->backward(t, n);
		if (n->out && n->out->grad && !n->out->is_param && n->out != n->in[0])
			give_back(t, n->out);
	}
	t->n = 0;
}
