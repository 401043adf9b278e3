/* Parts of a set of parameters in and out of files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/shares.h"

#define PIECE ((int64_t)1 << 20)        /* numbers that pass through the host at once */

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

/* Of a head that a checkpoint has not yet */
static bool begins(const struct part *p, const struct safetensors *from)
{
	return p->begins && !safetensors_find(from, p->name);
}

int params_check(const struct params *p, const struct safetensors *from, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++)
		if (!begins(&p->part[i], from) && !find_part(&p->part[i], from, p->part[i].name, e))
			return -1;
	return 0;
}

static int load(struct params *p, const struct part *part, const struct safetensors *from, struct err *e)
{
	const struct st_tensor *t = find_part(part, from, part->name, e);
	int64_t cols = part->ndim == 2 ? part->shape[1] : 1, each = PIECE / cols + 1, at, rows;
	/* What the optimizer keeps beside 16 bits is not to hold what the model is not. */
	const bool round = t && t->dtype == ST_F8_E4M3 && p->trained && p->kept == KEPT_BF16;
	uint16_t *narrow;
	float *wide;
	int rc = 0;

	if (!t)
		return -1;
	if (t->dtype == ST_BF16 || t->dtype == ST_F32) {
		params_put(p, part, 0, part->shape[0], t->data, t->dtype == ST_BF16 ? WEIGHT_BF16 : WEIGHT_F32);
		safetensors_forget(from, t);
		return 0;
	}
	wide = xmalloc((size_t)(each * cols) * sizeof *wide);
	narrow = round ? xmalloc((size_t)(each * cols) * sizeof *narrow) : NULL;
	for (at = 0; at < part->shape[0] && rc == 0; at += rows) {
		rows = part->shape[0] - at < each ? part->shape[0] - at : each;
		rc = safetensors_floats(from, t, at * cols, rows * cols, wide, e);
		if (rc == 0 && round)
			st_narrow(ST_BF16, wide, rows * cols, narrow);
		if (rc == 0)
			params_put(p, part, at, rows, round ? (void *)narrow : wide, round ? WEIGHT_BF16 : WEIGHT_F32);
	}
	free(narrow);
	free(wide);
	safetensors_forget(from, t);
	return rc;
}

int params_load(struct params *p, const struct safetensors *from, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++)
		if (!begins(&p->part[i], from) && load(p, &p->part[i], from, e) < 0)
			return -1;
	return 0;
}

enum weight_type *params_types(const struct params *p, const struct safetensors *from, enum weight_type fp8)
{
	enum weight_type *type = xmalloc(p->tensors * sizeof *type);
	size_t i;

	for (i = 0; i < p->tensors; i++)
		type[i] = WEIGHT_BF16;
	for (i = 0; i < p->parts; i++) {
		const struct st_tensor *t = safetensors_find(from, p->part[i].name);

		if (!t || (t->dtype == ST_F8_E4M3 ? fp8 == WEIGHT_F32 : !st_is_bfloat(t)))
			type[p->part[i].tensor] = WEIGHT_F32;
	}
	return type;
}

/* ---- values laid out like the numbers ---- */

void params_declare(const struct params *p, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype)
{
	size_t i;

	for (i = 0; i < p->parts; i++) {
		char *name = xasprintf("%s%s", prefix, p->part[i].name);

		safetensors_declare(w, name, p->part[i].fixed && !*prefix ? ST_F32 : dtype, p->part[i].shape, p->part[i].ndim);
		free(name);
	}
}

static void write_numbers(struct safetensors_writer *w, const void *host, int64_t n, enum st_dtype dtype)
{
	if (dtype == ST_F32)
		safetensors_write(w, host, n);
	else
		safetensors_write_raw(w, host, n);
}

/* n numbers of that type, backend memory */
static void write_part(const struct params *p, struct safetensors_writer *w, const void *values, int64_t n, enum st_dtype dtype)
{
	size_t size = st_dtype_size(dtype);
	char *host = xmalloc((size_t)(n < PIECE ? n : PIECE) * size);
	int64_t done, piece;

	for (done = 0; done < n; done += piece) {
		piece = n - done < PIECE ? n - done : PIECE;
		p->be->download(p->be, host, (const char *)values + (size_t)done * size, (size_t)piece * size);
		write_numbers(w, host, piece, dtype);
	}
	free(host);
}

void params_write(const struct params *p, struct safetensors_writer *w, const void *values, enum st_dtype dtype)
{
	size_t i, size = st_dtype_size(dtype);
	char *host = xmalloc((size_t)PIECE * size);

	for (i = 0; i < p->parts; i++) {
		int64_t at = p->part[i].offset, end = at + part_count(&p->part[i]), n;

		for (; at < end; at += n) {
			n = end < shares_end(p, at) ? end - at : shares_end(p, at) - at;
			n = n < PIECE ? n : PIECE;
			shares_bring(p, values, size, at, n, host);
			if (w)
				write_numbers(w, host, n, dtype);
		}
	}
	free(host);
}

/* What is own of a part's values into `values` [p->owned] (backend memory), their shape checked. */
static int read_part(const struct params *p, const struct part *part, const struct safetensors *from, const char *name, char *values,
		     enum st_dtype dtype, struct err *e)
{
	const struct st_tensor *t = find_part(part, from, name, e);
	size_t size = st_dtype_size(dtype);
	int64_t first, n = params_own(p, part->offset, part_count(part), &first), done, piece;
	const int64_t skip = first - part->offset;
	float *wide;
	void *host;
	int rc = 0;

	if (!t)
		return -1;
	if (t->dtype != dtype && dtype == ST_I16)
		return err_set(e, "tensor '%s' is of type %s, not I16", name, st_dtype_name(t->dtype));
	values += (size_t)(first - p->own) * size;
	if (n && t->dtype == dtype)
		p->be->upload(p->be, values, t->data + (size_t)skip * size, (size_t)n * size);
	if (n == 0 || t->dtype == dtype) {
		safetensors_forget(from, t);
		return 0;
	}
	wide = xmalloc((size_t)PIECE * sizeof *wide);
	host = dtype == ST_F32 ? wide : xmalloc((size_t)PIECE * size);
	for (done = 0; done < n && rc == 0; done += piece) {
		piece = n - done < PIECE ? n - done : PIECE;
		rc = safetensors_floats(from, t, skip + done, piece, wide, e);
		if (rc == 0 && dtype != ST_F32)
			st_narrow(dtype, wide, piece, host);
		if (rc == 0)
			p->be->upload(p->be, values + (size_t)done * size, host, (size_t)piece * size);
	}
	if (host != wide)
		free(host);
	free(wide);
	safetensors_forget(from, t);
	return rc;
}

int params_read(const struct params *p, const struct safetensors *from, const char *prefix, void *values, enum st_dtype dtype, struct err *e)
{
	size_t i;

	for (i = 0; i < p->parts; i++) {
		char *name = xasprintf("%s%s", prefix, p->part[i].name);
		int rc = read_part(p, &p->part[i], from, name, values, dtype, e);

		free(name);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- the numbers ---- */

void params_save(const struct params *p, struct safetensors_writer *w)
{
	size_t i;

	params_declare(p, w, "", p->kept == KEPT_BF16 ? ST_BF16 : p->kept == KEPT_F16 ? ST_F16 : ST_F32);
	for (i = 0; i < p->parts; i++) {
		const struct part *part = &p->part[i];
		int64_t n = part_count(part);

		if (part->fixed)
			write_part(p, w, p->tensor[part->tensor]->data, n, ST_F32);
		else if (p->kept == KEPT_BF16)
			write_part(p, w, p->half + part->offset, n, ST_BF16);
		else
			write_part(p, w, p->theta + part->offset, n, ST_F32);
	}
}

/* What is finer than the numbers, under names that begin so; values NULL: nothing is */
struct fine { const char *prefix; void *values; enum st_dtype dtype; };

static struct fine fine_of(const struct params *p)
{
	return p->kept == KEPT_BF16 ? (struct fine){"low.", p->low, ST_I16} : (struct fine){"master.", p->master, ST_F32};
}

void params_declare_fine(const struct params *p, struct safetensors_writer *w)
{
	const struct fine f = fine_of(p);

	if (f.values)
		params_declare(p, w, f.prefix, f.dtype);
}

void params_write_fine(const struct params *p, struct safetensors_writer *w)
{
	const struct fine f = fine_of(p);

	if (f.values)
		params_write(p, w, f.values, f.dtype);
}

int params_read_fine(struct params *p, const struct safetensors *from, struct err *e)
{
	const struct fine f = fine_of(p);
	char *name = xasprintf("%s%s", f.prefix, p->part[0].name);
	bool there = f.values && safetensors_find(from, name);

	free(name);
	return there ? params_read(p, from, f.prefix, f.values, f.dtype, e) : 0;
}

/* A tensor of another type than the one it was declared as */
static int write_converted(struct safetensors_writer *w, const struct safetensors *from, const struct st_tensor *t, struct err *e)
{
	float *wide = xmalloc((size_t)(t->count < PIECE ? t->count : PIECE) * sizeof *wide);
	int64_t done, piece;
	int rc = 0;

	for (done = 0; done < t->count && rc == 0; done += piece) {
		piece = t->count - done < PIECE ? t->count - done : PIECE;
		rc = safetensors_floats(from, t, done, piece, wide, e);
		if (rc == 0)
			safetensors_write(w, wide, piece);
	}
	free(wide);
	return rc;
}

int params_copy(const struct params *p, struct safetensors_writer *w, const struct safetensors *from, enum weight_type fp8, struct err *e)
{
	enum st_dtype of_fp8 = fp8 == WEIGHT_BF16 ? ST_BF16 : ST_F32;
	const struct st_tensor *t;
	size_t i;

	for (i = 0; i < p->parts; i++) {
		t = find_part(&p->part[i], from, p->part[i].name, e);
		if (!t)
			return -1;
		safetensors_declare(w, t->name, t->dtype == ST_F8_E4M3 ? of_fp8 : t->dtype, t->shape, t->ndim);
	}
	for (i = 0; i < p->parts; i++) {
		t = safetensors_find(from, p->part[i].name);
		if (t->dtype != ST_F8_E4M3)
			safetensors_write_raw(w, t->data, t->count);
		else if (write_converted(w, from, t, e) < 0)
			return -1;
		safetensors_forget(from, t);
	}
	return 0;
}
