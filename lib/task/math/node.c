/* Trees and their memory. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "math_private.h"

struct chunk {
	struct chunk *next;
	size_t used, size;
	max_align_t data[];
};

void *math_alloc(struct math *m, size_t n)
{
	struct chunk *c = m->chunks;
	void *p;

	n = (n + 15) & ~(size_t)15;
	if (!c || c->size - c->used < n) {
		size_t size = n > 16000 ? n : 16000;

		c = xmalloc(sizeof *c + size);
		*c = (struct chunk){m->chunks, 0, size};
		m->chunks = c;
	}
	p = (char *)c->data + c->used;
	c->used += n;
	return memset(p, 0, n);
}

void math_free(struct math *m)
{
	struct node *t;
	struct unit *u;

	for (t = m->numbers; t; t = t->next)
		fmpq_clear(t->number);
	for (u = m->units; u; u = u->next)
		fmpq_clear(u->factor);
	while (m->chunks) {
		struct chunk *next = m->chunks->next;

		free(m->chunks);
		m->chunks = next;
	}
}

struct node *node_list(struct math *m, enum node_kind kind, struct node **kid, size_t n)
{
	struct node *t = math_alloc(m, sizeof *t);
	size_t i;

	t->kind = (uint8_t)kind;
	t->kid = n ? math_alloc(m, n * sizeof *kid) : NULL;
	t->n = n;
	for (i = 0; i < n; i++) {
		t->kid[i] = kid[i];
		if (!kid[i])
			return NULL;
		if (kid[i]->depth >= t->depth)
			t->depth = kid[i]->depth + 1;
	}
	if (t->depth > MAX_DEPTH) {
		m->fault = "too deeply nested";
		return NULL;
	}
	return t;
}

struct node *node_new(struct math *m, enum node_kind kind, size_t n, ...)
{
	struct node *kid[4];
	va_list args;
	size_t i;

	va_start(args, n);
	for (i = 0; i < n; i++)
		kid[i] = va_arg(args, struct node *);
	va_end(args);
	return node_list(m, kind, kid, n);
}

struct node *node_matrix(struct math *m, const struct node *t, struct node **factor, size_t n)
{
	struct node **kid = math_alloc(m, t->n * sizeof *kid), **product = math_alloc(m, (n + 1) * sizeof *product), *x;
	size_t i;

	memcpy(product, factor, n * sizeof *product);
	for (i = 0; i < t->n; i++) {
		product[n] = t->kid[i];
		kid[i] = node_list(m, N_MULTIPLY, product, n + 1);
	}
	x = node_list(m, N_MATRIX, kid, t->n);
	if (x)
		x->code = t->code;
	return x;
}

struct node *node_number(struct math *m, const fmpq_t q)
{
	struct node *t = math_alloc(m, sizeof *t);

	t->kind = N_NUMBER;
	fmpq_init(t->number);
	fmpq_set(t->number, q);
	t->next = m->numbers;
	m->numbers = t;
	return t;
}

struct node *node_integer(struct math *m, slong k)
{
	fmpq_t q;
	struct node *t;

	fmpq_init(q);
	fmpq_set_si(q, k, 1);
	t = node_number(m, q);
	fmpq_clear(q);
	return t;
}

bool node_equal(const struct node *a, const struct node *b)
{
	size_t i;

	if (a == b)
		return true;
	if (a->kind != b->kind || a->n != b->n || a->code != b->code || a->minus != b->minus || a->open != b->open || a->close != b->close
	    || !a->name != !b->name || !a->unit != !b->unit || (a->name && strcmp(a->name, b->name)))
		return false;
	if ((a->kind == N_NUMBER || a->kind == N_BASE) && !fmpq_equal(a->number, b->number))
		return false;
	if (a->unit && (memcmp(a->unit->dimension, b->unit->dimension, sizeof a->unit->dimension) || !fmpq_equal(a->unit->factor, b->unit->factor)
			|| a->unit->percent != b->unit->percent || !a->unit->label != !b->unit->label
			|| (a->unit->label && strcmp(a->unit->label, b->unit->label))))
		return false;
	for (i = 0; i < a->n; i++)
		if (!node_equal(a->kid[i], b->kid[i]))
			return false;
	return true;
}

bool node_has(const struct node *t, enum node_kind kind)
{
	size_t i;

	if (t->kind == kind)
		return true;
	for (i = 0; i < t->n; i++)
		if (node_has(t->kid[i], kind))
			return true;
	return false;
}

bool node_mentions(const struct node *t, const char *name)
{
	size_t i;

	if (t->kind == N_NAME && !strcmp(t->name, name))
		return true;
	for (i = 0; i < t->n; i++)
		if (node_mentions(t->kid[i], name))
			return true;
	return false;
}
