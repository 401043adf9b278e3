#include "model/shares.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/team.h"

#define ALIGN_FLOATS 16         /* tensors begin on a cache line */
#define PIECE ((int64_t)1 << 18)        /* numbers that are converted at once */

int64_t part_count(const struct part *p)
{
	return p->shape[0] * (p->ndim == 2 ? p->shape[1] : 1);
}

struct tensor *params_add(struct params *p, const char *prefix, int64_t cols, const struct param_part *part, int parts)
{
	struct tensor *x = arena_calloc(&p->arena, sizeof *x);
	int i;

	p->size = (p->size + ALIGN_FLOATS - 1) / ALIGN_FLOATS * ALIGN_FLOATS;
	p->tensor = xgrow(p->tensor, &p->tensors_cap, p->tensors + 1, sizeof *p->tensor);
	p->tensor_offset = xrealloc(p->tensor_offset, (p->tensors + 1) * sizeof *p->tensor_offset);
	p->tensor_offset[p->tensors] = p->size;
	p->tensor_part = xrealloc(p->tensor_part, (p->tensors + 1) * sizeof *p->tensor_part);
	p->tensor_part[p->tensors] = p->parts;
	p->tensor[p->tensors++] = x;
	x->is_param = true;
	for (i = 0; i < parts; i++) {
		int64_t n = part[i].rows * (cols ? cols : 1);

		p->part = xgrow(p->part, &p->parts_cap, p->parts + 1, sizeof *p->part);
		p->part[p->parts++] = (struct part){.name = xasprintf("%s.%s", prefix, part[i].name), .shape = {part[i].rows, cols},
						    .ndim = cols ? 2 : 1, .offset = p->size, .tensor = p->tensors - 1, .row = x->rows,
						    .decay = cols != 0, .fixed = part[i].fixed, .begins = part[i].begins};
		p->size += n;
		p->count += part[i].fixed ? 0 : n;
		x->rows += part[i].rows;
	}
	x->cols = cols;
	if (!cols) {
		x->cols = x->rows;
		x->rows = 1;
	}
	return x;
}

static bool is_fixed(const struct params *p, size_t tensor)
{
	return p->part[p->tensor_part[tensor]].fixed;
}

/* Vectors are a row of floats, whatever matrices are kept as. */
static bool is_vector(const struct params *p, size_t tensor)
{
	return p->part[p->tensor_part[tensor]].ndim == 1;
}

void params_alloc(struct params *p, struct backend *be, enum params_use use, const enum weight_type *type)
{
	size_t i;

	p->be = be;
	for (i = 0; i < p->tensors; i++) {
		struct tensor *x = p->tensor[i];
		enum weight_type kept = type ? type[i] : WEIGHT_F32;

		if (is_vector(p, i) || (use == PARAMS_READ && kept == WEIGHT_F32))
			x->data = be->alloc(be, tensor_bytes(x));
		else
			x->packed = be->pack(be, x->rows, x->cols, kept, use == PARAMS_SAMPLE && !x->in_rows);
	}
}

static void *zeros(struct backend *be, size_t bytes)
{
	void *p = be->alloc(be, bytes);

	be->zero(be, p, bytes);
	return p;
}

void params_alloc_trained(struct params *p, struct backend *be, enum params_kept kept)
{
	size_t n = (size_t)p->size, i;

	p->be = be;
	p->trained = true;
	p->kept = kept;
	p->joined = shares_join(be);
	p->own = shares_begin(p->size, team_rank());
	p->owned = shares_begin(p->size, team_rank() + 1) - p->own;
	if (kept == KEPT_BF16) {
		p->half = zeros(be, n * sizeof *p->half);
		p->low = zeros(be, (size_t)p->owned * sizeof *p->low);
	} else {
		p->theta = zeros(be, n * sizeof *p->theta);
	}
	if (kept == KEPT_F16)
		p->master = zeros(be, (size_t)p->owned * sizeof *p->master);
	for (i = 0; i < p->tensors; i++) {
		struct tensor *x = p->tensor[i];
		int64_t at = p->tensor_offset[i];

		if (kept != KEPT_BF16 && !is_fixed(p, i)) {
			x->data = p->theta + at;
		} else if (is_vector(p, i)) {
			x->data = zeros(be, tensor_bytes(x));
		} else {
			x->packed = arena_alloc(&p->arena, sizeof *x->packed);
			*x->packed = (struct packed){.n = x->rows, .k = x->cols, .type = WEIGHT_BF16, .data = p->half + at};
		}
	}
}

void params_need_grad(struct params *p)
{
	size_t i;

	if (p->grad)
		return;
	p->grad = zeros(p->be, (size_t)p->size * sizeof *p->grad);
	for (i = 0; i < p->tensors; i++)
		p->tensor[i]->grad = is_fixed(p, i) ? NULL : p->grad + p->tensor_offset[i];
}

void params_follow(struct params *p)
{
	size_t i;

	if (p->kept == KEPT_F16)
		p->be->round_half(p->be, p->theta + p->own, p->master, p->owned);
	if (p->kept == KEPT_BF16)
		shares_spread(p, p->half, sizeof *p->half);
	else
		shares_spread(p, p->theta, sizeof *p->theta);
	for (i = 0; p->kept == KEPT_BF16 && i < p->tensors; i++)
		if (is_vector(p, i) && !is_fixed(p, i))
			p->be->widen(p->be, p->tensor[i]->data, p->half + p->tensor_offset[i], p->tensor[i]->cols);
}

bool params_half(const struct params *p)
{
	size_t i;

	for (i = 0; i < p->tensors; i++)
		if (p->tensor[i]->packed && p->tensor[i]->packed->type == WEIGHT_BF16)
			return true;
	return false;
}

void params_free(struct params *p)
{
	void *memory[] = {p->theta, p->master, p->grad, p->half, p->low};
	size_t i;

	for (i = 0; i < p->tensors; i++) {
		if (p->tensor[i]->packed && !p->trained)
			p->be->unpack(p->be, p->tensor[i]->packed);
		if (p->tensor[i]->data && (!p->theta || is_fixed(p, i)))
			p->be->free(p->be, p->tensor[i]->data);
	}
	for (i = 0; i < sizeof memory / sizeof *memory; i++)
		if (memory[i])
			p->be->free(p->be, memory[i]);
	for (i = 0; i < p->parts; i++)
		free(p->part[i].name);
	free(p->part);
	free(p->tensor);
	free(p->tensor_offset);
	free(p->tensor_part);
	arena_free(&p->arena);
	*p = (struct params){0};
}

int64_t params_own(const struct params *p, int64_t at, int64_t n, int64_t *first)
{
	const int64_t end = at + n < p->own + p->owned ? at + n : p->own + p->owned;

	*first = at > p->own ? at : p->own;
	return end > *first ? end - *first : 0;
}

/* What is finer of those numbers is 0, as where they are bfloat16. */
static void clear_low(struct params *p, int64_t at, int64_t n)
{
	int64_t first, own = params_own(p, at, n, &first);

	if (own)
		p->be->zero(p->be, p->low + (first - p->own), (size_t)own * sizeof *p->low);
}

/* Numbers at .. at+n-1 of those that are trained. room, low: backend memory [n] */
static void put_trained(struct params *p, int64_t at, const float *host, int64_t n, float *room, uint16_t *low)
{
	struct backend *be = p->be;
	int64_t first, own = params_own(p, at, n, &first);

	if (p->kept == KEPT_F32) {
		be->upload(be, p->theta + at, host, (size_t)n * sizeof *host);
		return;
	}
	be->upload(be, room, host, (size_t)n * sizeof *host);
	if (p->kept == KEPT_F16)
		be->round_half(be, p->theta + at, room, n);
	else
		be->split(be, p->half + at, low, room, n);
	if (own && p->kept == KEPT_F16)
		be->copy(be, p->master + (first - p->own), room + (first - at), (size_t)own * sizeof *room);
	else if (own)
		be->copy(be, p->low + (first - p->own), low + (first - at), (size_t)own * sizeof *low);
}

void params_put(struct params *p, const struct part *part, int64_t from, int64_t rows, const void *host, enum weight_type type)
{
	struct tensor *x = p->tensor[part->tensor];
	struct backend *be = p->be;
	const bool trained = p->trained && !part->fixed, alone = x->data && (!p->theta || part->fixed);
	int64_t cols = part->ndim == 2 ? x->cols : 1, at = (part->row + from) * cols, n = rows * cols, most = n < PIECE ? n : PIECE, piece;
	const int64_t offset = p->tensor_offset[part->tensor];
	const char *numbers = host;
	uint16_t *low = NULL;
	float *wide, *room = NULL;

	if (x->packed && (!p->trained || type == WEIGHT_BF16)) {
		be->pack_rows(be, x->packed, part->row + from, rows, host, type);
		if (p->trained)
			clear_low(p, offset + at, n);
		return;
	}
	wide = xmalloc((size_t)most * sizeof *wide);
	if (trained && p->kept != KEPT_F32) {
		room = be->alloc(be, (size_t)most * sizeof *room);
		low = be->alloc(be, (size_t)most * sizeof *low);
	}
	for (; n > 0; n -= piece, at += piece) {
		piece = n < PIECE ? n : PIECE;
		st_widen(type == WEIGHT_BF16 ? ST_BF16 : ST_F32, numbers, piece, wide);
		if (trained)
			put_trained(p, offset + at, wide, piece, room, low);
		if (alone)
			be->upload(be, tensor_at(x, x->data, at), wide, (size_t)piece * sizeof *wide);
		numbers += (size_t)piece * (type == WEIGHT_BF16 ? 2 : 4);
	}
	if (room) {
		be->free(be, room);
		be->free(be, low);
	}
	free(wide);
}
