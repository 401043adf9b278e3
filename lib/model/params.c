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
	p->tensor[p->tensors++] = x;
	x->is_param = true;
	for (i = 0; i < parts; i++) {
		int64_t n = part[i].rows * (cols ? cols : 1);

		p->part = xgrow(p->part, &p->parts_cap, p->parts + 1, sizeof *p->part);
		p->part[p->parts++] = (struct part){.name = xasprintf("%s.%s", prefix, part[i].name), .shape = {part[i].rows, cols},
						    .ndim = cols ? 2 : 1, .offset = p->size, .decay = cols != 0};
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

void params_alloc(struct params *p, struct backend *be, bool grad)
{
	size_t bytes = (size_t)p->size * sizeof *p->theta, i;

	p->be = be;
	p->theta = be->alloc(be, bytes);
	be->zero(be, p->theta, bytes);
	if (grad) {
		p->grad = be->alloc(be, bytes);
		be->zero(be, p->grad, bytes);
	}
	for (i = 0; i < p->tensors; i++) {
		p->tensor[i]->data = p->theta + p->tensor_offset[i];
		p->tensor[i]->grad = p->grad ? p->grad + p->tensor_offset[i] : NULL;
	}
}

void params_free(struct params *p)
{
	size_t i;

	for (i = 0; i < p->tensors; i++)
		if (p->tensor[i]->packed)
			p->be->unpack(p->be, p->tensor[i]->packed);
	for (i = 0; i < p->parts; i++)
		free(p->part[i].name);
	if (p->theta)
		p->be->free(p->be, p->theta);
	if (p->grad)
		p->be->free(p->be, p->grad);
	free(p->part);
	free(p->tensor);
	free(p->tensor_offset);
	arena_free(&p->arena);
	*p = (struct params){0};
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
