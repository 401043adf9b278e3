#include "model/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
	if (kept == KEPT_BF16) {
		p->half = zeros(be, n * sizeof *p->half);
		p->low = zeros(be, n * sizeof *p->low);
	} else {
		p->theta = zeros(be, n * sizeof *p->theta);
	}
	if (kept == KEPT_F16)
		p->master = zeros(be, n * sizeof *p->master);
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
		p->be->round_half(p->be, p->theta, p->master, p->size);
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

/* Numbers at .. at+n-1 of those that are trained */
static void put_trained(struct params *p, int64_t at, const float *host, int64_t n)
{
	struct backend *be = p->be;
	float *room;

	if (p->kept == KEPT_F32) {
		be->upload(be, p->theta + at, host, (size_t)n * sizeof *host);
	} else if (p->kept == KEPT_F16) {
		be->upload(be, p->master + at, host, (size_t)n * sizeof *host);
		be->round_half(be, p->theta + at, p->master + at, n);
	} else {
		room = be->alloc(be, (size_t)n * sizeof *room);
		be->upload(be, room, host, (size_t)n * sizeof *host);
		be->split(be, p->half + at, p->low + at, room, n);
		be->free(be, room);
	}
}

static void put_floats(struct params *p, const struct part *part, int64_t at, const float *host, int64_t n)
{
	struct tensor *x = p->tensor[part->tensor];

	if (p->trained && !part->fixed)
		put_trained(p, p->tensor_offset[part->tensor] + at, host, n);
	if (x->data && (!p->theta || part->fixed))
		p->be->upload(p->be, tensor_at(x, x->data, at), host, (size_t)n * sizeof *host);
}

void params_put(struct params *p, const struct part *part, int64_t from, int64_t rows, const void *host, enum weight_type type)
{
	struct tensor *x = p->tensor[part->tensor];
	int64_t cols = part->ndim == 2 ? x->cols : 1, at = (part->row + from) * cols, n = rows * cols, piece;
	const char *numbers = host;
	float *wide;

	if (x->packed && (!p->trained || type == WEIGHT_BF16)) {
		p->be->pack_rows(p->be, x->packed, part->row + from, rows, host, type);
		if (p->trained)
			p->be->zero(p->be, p->low + p->tensor_offset[part->tensor] + at, (size_t)n * sizeof *p->low);
		return;
	}
	wide = xmalloc((size_t)(n < PIECE ? n : PIECE) * sizeof *wide);
	for (; n > 0; n -= piece, at += piece) {
		piece = n < PIECE ? n : PIECE;
		st_widen(type == WEIGHT_BF16 ? ST_BF16 : ST_F32, numbers, piece, wide);
		put_floats(p, part, at, wide, piece);
		numbers += (size_t)piece * (type == WEIGHT_BF16 ? 2 : 4);
	}
	free(wide);
}
