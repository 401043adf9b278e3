#include "model/params.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGN_FLOATS 16         /* tensors begin on a cache line */
#define LOAD_PIECE ((int64_t)1 << 20)   /* floats that pass through the host at once */

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
						    .decay = cols != 0};
		p->size += n;
		p->count += n;
		x->rows += part[i].rows;
	}
	x->cols = cols;
	if (!cols) {
		x->cols = x->rows;
		x->rows = 1;
	}
	return x;
}

/* Vectors are a row of floats, whatever matrices are kept as. */
static bool is_vector(const struct params *p, size_t tensor)
{
	return p->part[p->tensor_part[tensor]].ndim == 1;
}

void params_alloc(struct params *p, struct backend *be, enum params_use use, const enum weight_type *type)
{
	size_t bytes = (size_t)p->size * sizeof *p->theta, i;

	p->be = be;
	if (use == PARAMS_TRAIN) {
		p->theta = be->alloc(be, bytes);
		be->zero(be, p->theta, bytes);
		p->grad = be->alloc(be, bytes);
		be->zero(be, p->grad, bytes);
	}
	for (i = 0; i < p->tensors; i++) {
		struct tensor *x = p->tensor[i];
		enum weight_type kept = type ? type[i] : WEIGHT_F32;

		if (use == PARAMS_TRAIN) {
			x->data = p->theta + p->tensor_offset[i];
			x->grad = p->grad + p->tensor_offset[i];
		} else if (is_vector(p, i) || (use == PARAMS_READ && kept == WEIGHT_F32)) {
			x->data = be->alloc(be, (size_t)(x->rows * x->cols) * sizeof *x->data);
		} else {
			x->packed = be->pack(be, x->rows, x->cols, kept, use == PARAMS_SAMPLE);
		}
	}
}

void params_free(struct params *p)
{
	size_t i;

	for (i = 0; i < p->tensors; i++) {
		if (p->tensor[i]->packed)
			p->be->unpack(p->be, p->tensor[i]->packed);
		if (p->tensor[i]->data && !p->theta)
			p->be->free(p->be, p->tensor[i]->data);
	}
	for (i = 0; i < p->parts; i++)
		free(p->part[i].name);
	if (p->theta)
		p->be->free(p->be, p->theta);
	if (p->grad)
		p->be->free(p->be, p->grad);
	free(p->part);
	free(p->tensor);
	free(p->tensor_offset);
	free(p->tensor_part);
	arena_free(&p->arena);
	*p = (struct params){0};
}

static size_t size_of(enum weight_type type)
{
	return type == WEIGHT_BF16 ? 2 : 4;
}

void params_put(struct params *p, const struct part *part, int64_t from, int64_t rows, const void *host, enum weight_type type)
{
	struct tensor *x = p->tensor[part->tensor];
	int64_t cols = part->ndim == 2 ? x->cols : 1, at = (part->row + from) * cols, n = rows * cols, piece;
	const char *numbers = host;
	float *wide;

	if (x->packed) {
		p->be->pack_rows(p->be, x->packed, part->row + from, rows, host, type);
		return;
	}
	if (type == WEIGHT_F32) {
		p->be->upload(p->be, x->data + at, host, (size_t)n * sizeof *x->data);
		return;
	}
	wide = xmalloc((size_t)(n < LOAD_PIECE ? n : LOAD_PIECE) * sizeof *wide);
	for (; n > 0; n -= piece, at += piece, numbers += (size_t)piece * size_of(type)) {
		piece = n < LOAD_PIECE ? n : LOAD_PIECE;
		st_widen(ST_BF16, numbers, piece, wide);
		p->be->upload(p->be, x->data + at, wide, (size_t)piece * sizeof *wide);
	}
	free(wide);
}

static const struct st_tensor *find_part(const struct part *p, const struct safetensors *from, const char *name, struct err *e)
{
	const struct st_tensor *t = safetensors_find(from, name);
	char shape[64];

	if (!t) {
		err_set(e, "tensor '%s' is missing", name);
		return NULL;
	}
	if (t->ndim == p->ndim && t->shape[0] == p->shape[0] && (p->ndim == 1 || t->shape[1] == p->shape[1]))
		return t;
	snprintf(shape, sizeof shape, p->ndim == 2 ? "[%lld, %lld]" : "[%lld]", (long long)p->shape[0], (long long)p->shape[1]);
	err_set(e, "tensor '%s' has not the shape that config.json asks for: %s", name, shape);
	return NULL;
}

/* A part's numbers into `to` (backend memory), its shape checked. */
static int load_part(const struct params *set, const struct part *p, const struct safetensors *from, const char *name, float *to, struct err *e)
{
	const struct st_tensor *t = find_part(p, from, name, e);
	int64_t n = part_count(p), done, piece;
	float *host;
	int rc = 0;

	if (!t)
		return -1;
	host = xmalloc((size_t)(n < LOAD_PIECE ? n : LOAD_PIECE) * sizeof *host);
	for (done = 0; done < n && rc == 0; done += piece) {
		piece = n - done < LOAD_PIECE ? n - done : LOAD_PIECE;
		rc = safetensors_floats(from, t, done, piece, host, e);
		if (rc == 0)
			set->be->upload(set->be, to + done, host, (size_t)piece * sizeof *host);
	}
	free(host);
	return rc;
}

void params_declare(const struct params *p, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype)
{
	size_t i;

	for (i = 0; i < p->parts; i++) {
		char *name = xasprintf("%s%s", prefix, p->part[i].name);

		safetensors_declare(w, name, dtype, p->part[i].shape, p->part[i].ndim);
		free(name);
	}
}

void params_write(const struct params *p, struct safetensors_writer *w, const float *values)
{
	float *host = xmalloc(LOAD_PIECE * sizeof *host);
	size_t i;

	for (i = 0; i < p->parts; i++) {
		const struct part *part = &p->part[i];
		int64_t n = part_count(part), done, piece;

		for (done = 0; done < n; done += piece) {
			piece = n - done < LOAD_PIECE ? n - done : LOAD_PIECE;
			p->be->download(p->be, host, values + part->offset + done, (size_t)piece * sizeof *host);
			safetensors_write(w, host, piece);
		}
	}
	free(host);
}

int params_read(const struct params *p, const struct safetensors *from, const char *prefix, float *values, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++) {
		char *name = xasprintf("%s%s", prefix, p->part[i].name);
		int rc = load_part(p, &p->part[i], from, name, values + p->part[i].offset, e);

		free(name);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int load(struct params *p, const struct part *part, const struct safetensors *from, struct err *e)
{
	const struct st_tensor *t = find_part(part, from, part->name, e);
	int64_t cols = part->ndim == 2 ? part->shape[1] : 1, each = LOAD_PIECE / cols + 1, at, rows;
	float *wide;
	int rc = 0;

	if (!t)
		return -1;
	if (t->dtype == ST_BF16 || t->dtype == ST_F32) {
		params_put(p, part, 0, part->shape[0], t->data, t->dtype == ST_BF16 ? WEIGHT_BF16 : WEIGHT_F32);
		return 0;
	}
	wide = xmalloc((size_t)(each * cols) * sizeof *wide);
	for (at = 0; at < part->shape[0] && rc == 0; at += rows) {
		rows = part->shape[0] - at < each ? part->shape[0] - at : each;
		rc = safetensors_floats(from, t, at * cols, rows * cols, wide, e);
		if (rc == 0)
			params_put(p, part, at, rows, wide, WEIGHT_F32);
	}
	free(wide);
	return rc;
}

int params_load(struct params *p, const struct safetensors *from, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++)
		if (load(p, &p->part[i], from, e) < 0)
			return -1;
	return 0;
}

enum weight_type *params_types(const struct params *p, const struct safetensors *from)
{
	enum weight_type *type = xmalloc(p->tensors * sizeof *type);
	size_t i;

	for (i = 0; i < p->tensors; i++)
		type[i] = WEIGHT_BF16;
	for (i = 0; i < p->parts; i++) {
		const struct st_tensor *t = safetensors_find(from, p->part[i].name);

		if (!t || !st_is_bfloat(t))
			type[p->part[i].tensor] = WEIGHT_F32;
	}
	return type;
}

int params_check(const struct params *p, const struct safetensors *from, const char *prefix, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++) {
		char *name = xasprintf("%s%s", prefix, p->part[i].name);
		const struct st_tensor *t = find_part(&p->part[i], from, name, e);

		free(name);
		if (!t)
			return -1;
	}
	return 0;
}

int params_copy(const struct params *p, struct safetensors_writer *w, const struct safetensors *from, struct err *e)
{
	const struct st_tensor *t;
	size_t i;

	for (i = 0; i < p->parts; i++) {
		t = find_part(&p->part[i], from, p->part[i].name, e);
		if (!t)
			return -1;
		safetensors_declare(w, t->name, t->dtype, t->shape, t->ndim);
	}
	for (i = 0; i < p->parts; i++) {
		t = safetensors_find(from, p->part[i].name);
		safetensors_write_raw(w, t->data, t->count);
	}
	return 0;
}
