/* A mixture of experts: who goes where, and the experts' feed-forward layers over the rows that come to each. */
#include "tensor/ops.h"

#include <string.h>

struct route {
	struct routing r;
	int32_t *id;
	float *score;
};

static void route_back(struct tape *t, struct node *n)
{
	const struct route *r = n->aux;
	bool accumulate;
	float *dlogits = tape_grad(t, n->in[0], &accumulate);

	tape_check(!accumulate, "route", "its input is used elsewhere too");
	t->be->route_back(t->be, &r->r, n->out->grad, r->id, r->score, dlogits, n->out->rows);
}

struct tensor *op_route(struct tape *t, struct tensor *logits, const struct routing *how, int32_t **id)
{
	struct tensor *out = tape_tensor(t, logits->rows, how->top);
	struct route *r = arena_alloc(&t->host, sizeof *r);
	size_t n = (size_t)(out->rows * out->cols);

	tape_check(logits->cols == how->experts && how->top <= how->experts, "route", "the row has not a number for each expert");
	tape_check(how->experts % how->groups == 0 && how->top_groups <= how->groups, "route", "the experts do not fill the groups");
	*r = (struct route){*how, tape_memory(t, n * sizeof *r->id), tape_memory(t, n * sizeof *r->score)};
	t->be->route(t->be, &r->r, logits->data, r->id, out->data, r->score, logits->rows);
	*id = r->id;
	if (t->record) {
		struct node *node = tape_record(t, "route", route_back, out);

		node->in[0] = logits;
		node->aux = r;
	}
	return out;
}

/* The rows in the order of their experts, and in the batch's order within an expert's */
struct sorted {
	const struct expert *expert;
	int64_t experts, n;             /* n: rows times experts of each */
	int64_t *first;                 /* host [experts + 1] */
	int32_t *row, *slot, *place;    /* [n]: which row and which number of `weight` a sorted one is; where a number's is */
	float *gate_up, *hidden;        /* [n, 2F], [n, F] */
};

static void sort(struct tape *t, struct sorted *s, const int32_t *id, int64_t top)
{
	size_t bytes = (size_t)s->n * sizeof *id;
	int32_t *host = arena_alloc(&t->host, 4 * bytes), *row = host + s->n, *slot = row + s->n, *place = slot + s->n;
	int64_t *next = arena_calloc(&t->host, (size_t)(s->experts + 1) * sizeof *next), i;

	s->first = arena_calloc(&t->host, (size_t)(s->experts + 1) * sizeof *s->first);
	t->be->download(t->be, host, id, bytes);
	for (i = 0; i < s->n; i++)
		s->first[host[i] + 1]++;
	for (i = 0; i < s->experts; i++)
		s->first[i + 1] += s->first[i];
	memcpy(next, s->first, (size_t)s->experts * sizeof *next);
	for (i = 0; i < s->n; i++) {
		const int64_t at = next[host[i]]++;

		place[i] = (int32_t)at;
		slot[at] = (int32_t)i;
		row[at] = (int32_t)(i / top);
	}
	s->row = tape_upload(t, row, s->n);
	s->slot = tape_upload(t, slot, s->n);
	s->place = tape_upload(t, place, s->n);
}

/* out[rows of expert i, n] = x[.., k] w^T, or x w: `w` the matrix at `which` of each expert */
static void by_expert(struct tape *t, const struct sorted *s, size_t which, bool trans, float *out, const float *x)
{
	int64_t i;

	for (i = 0; i < s->experts; i++) {
		const struct tensor *w = *(struct tensor *const *)((const char *)&s->expert[i] + which);
		const int64_t from = s->first[i], m = s->first[i + 1] - from, n = trans ? w->rows : w->cols, k = trans ? w->cols : w->rows;

		if (m)
			t->be->gemm(t->be, &(struct gemm){.m = m, .n = n, .k = k, .a = x + from * k, .lda = k, .b = w->data, .ldb = w->cols,
							  .trans_b = trans, .c = out + from * n, .ldc = n, .packed = w->packed});
	}
}

/* The weights' gradients: += dout^T x over each expert's rows */
static void expert_grads(struct tape *t, const struct sorted *s, size_t which, const float *dout, const float *x)
{
	int64_t i;

	for (i = 0; i < s->experts; i++) {
		const struct tensor *w = *(struct tensor *const *)((const char *)&s->expert[i] + which);
		const int64_t from = s->first[i], m = s->first[i + 1] - from;

		if (m && w->grad)
			t->be->gemm(t->be, &(struct gemm){.m = w->rows, .n = w->cols, .k = m, .a = dout + from * w->rows, .lda = w->rows,
							  .trans_a = true, .b = x + from * w->cols, .ldb = w->cols, .c = w->grad,
							  .ldc = w->cols, .accumulate = true});
	}
}

#define GATE_UP offsetof(struct expert, gate_up)
#define DOWN offsetof(struct expert, down)

/* With y = down h:  dh = down^T dout for each expert;  dweight = dh . h;  ddown += (weight dout)^T h;  then h's way back by weight dh */
static void experts_back(struct tape *t, struct node *n)
{
	const struct sorted *s = n->aux;
	struct backend *be = t->be;
	struct tensor *x = n->in[0], *weight = n->in[1];
	const int64_t C = x->cols, F = s->expert->down->cols;
	bool x_has, weight_has;
	float *dx = tape_grad(t, x, &x_has), *dweight = tape_grad(t, weight, &weight_has), *rows, *dh, *dgate_up, *w, *dw;
	struct tape_mark mark = tape_mark(t);

	tape_check(!weight_has, "experts", "the weights are used elsewhere too");
	rows = tape_memory(t, (size_t)(s->n * C) * sizeof *rows);       /* dout, then x, then dx, in the order of the experts */
	dh = tape_memory(t, (size_t)(s->n * F) * sizeof *dh);
	dgate_up = tape_memory(t, (size_t)(s->n * 2 * F) * sizeof *dgate_up);
	w = tape_memory(t, (size_t)s->n * sizeof *w);
	dw = tape_memory(t, (size_t)s->n * sizeof *dw);
	be->embed(be, rows, n->out->grad, s->row, s->n, C);
	by_expert(t, s, DOWN, false, dh, rows);
	be->embed(be, w, weight->data, s->slot, s->n, 1);
	be->weigh_back(be, dw, dh, s->hidden, w, s->n, F);
	be->embed(be, dweight, dw, s->place, s->n, 1);
	expert_grads(t, s, DOWN, rows, s->hidden);
	be->swiglu_back(be, dgate_up, dh, s->gate_up, s->n, F, false);
	be->embed(be, rows, x->data, s->row, s->n, C);
	expert_grads(t, s, GATE_UP, dgate_up, rows);
	by_expert(t, s, GATE_UP, false, rows, dgate_up);
	be->combine(be, dx, rows, s->place, NULL, x->rows, weight->cols, C, x_has);
	tape_release(t, mark);
}

struct tensor *op_experts(struct tape *t, struct tensor *x, struct tensor *weight, const int32_t *id, const struct expert *expert, int64_t experts)
{
	const int64_t C = x->cols, F = expert->down->cols;
	struct tensor *out = tape_tensor(t, x->rows, C);
	struct tape_mark mark = tape_mark(t);
	struct sorted *s = arena_alloc(&t->host, sizeof *s);
	float *rows;

	tape_check(expert->gate_up->cols == C && expert->down->rows == C && expert->gate_up->rows == 2 * F, "experts", "an expert is not as wide as the rows");
	tape_check(weight->rows == x->rows, "experts", "not every row has its weights");
	*s = (struct sorted){.expert = expert, .experts = experts, .n = weight->rows * weight->cols};
	sort(t, s, id, weight->cols);
	s->gate_up = tape_memory(t, (size_t)(s->n * 2 * F) * sizeof *s->gate_up);
	s->hidden = tape_memory(t, (size_t)(s->n * F) * sizeof *s->hidden);
	if (t->record)
		mark = tape_mark(t);
	rows = tape_memory(t, (size_t)(s->n * C) * sizeof *rows);       /* x, then what the experts make of it */
	t->be->embed(t->be, rows, x->data, s->row, s->n, C);
	by_expert(t, s, GATE_UP, true, s->gate_up, rows);
	t->be->swiglu(t->be, s->hidden, s->gate_up, s->n, F, false);
	by_expert(t, s, DOWN, true, rows, s->hidden);
	t->be->combine(t->be, out->data, rows, s->place, weight->data, x->rows, weight->cols, C, false);
	tape_release(t, mark);
	if (t->record) {
		struct node *n = tape_record(t, "experts", experts_back, out);

		n->in[0] = x;
		n->in[1] = weight;
		n->aux = s;
	}
	return out;
}
