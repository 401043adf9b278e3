/* Writing: the header from what was declared, then the numbers through one buffer. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/map.h"
#include "model/safetensors.h"
#include "record/json.h"

#define CHUNK ((int64_t)1 << 18)        /* numbers converted and written at a time */

struct declared {
	enum st_dtype dtype;
	int64_t count;
};

struct safetensors_writer {
	char *path;
	int fd;
	struct buf header;
	bool begun;                     /* the header is written: no more declarations */
	struct declared *item;
	size_t n, cap, at;              /* at: the item that is being written */
	int64_t done;                   /* numbers of it that are */
	int64_t end;                    /* bytes declared */
	struct map names;
	unsigned char *chunk;
	bool failed;
	struct err error;               /* the first */
};

struct safetensors_writer *safetensors_create(const char *path, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct safetensors_writer *w;

	if (fd < 0) {
		err_errno(e, "%s", path);
		return NULL;
	}
	w = xcalloc(1, sizeof *w);
	w->path = xstrdup(path);
	w->fd = fd;
	w->chunk = xmalloc((size_t)CHUNK * 4);
	buf_str(&w->header, "{\"__metadata__\":{\"format\":\"pt\"}");
	return w;
}

static void put(struct safetensors_writer *w, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n && !w->failed) {
		ssize_t k = write(w->fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0) {
			err_errno(&w->error, "%s", w->path);
			w->failed = true;
			return;
		}
		p += k;
		n -= (size_t)k;
	}
}

void safetensors_declare(struct safetensors_writer *w, const char *name, enum st_dtype dtype, const int64_t *shape, int ndim)
{
	struct js *text = js_new_string(name, strlen(name));
	int64_t count = 1, bytes;
	size_t before = w->names.n;
	int i;

	assert(!w->begun);
	*map_put(&w->names, name, strlen(name)) = 1;
	assert(w->names.n == before + 1);
	(void)before;
	buf_char(&w->header, ',');
	js_write(text, 0, &w->header);
	js_free(text);
	buf_printf(&w->header, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name(dtype));
	for (i = 0; i < ndim; i++) {
		buf_printf(&w->header, "%s%lld", i ? "," : "", (long long)shape[i]);
		count *= shape[i];
	}
	bytes = count * (int64_t)st_dtype_size(dtype);
	buf_printf(&w->header, "],\"data_offsets\":[%lld,%lld]}", (long long)w->end, (long long)(w->end + bytes));
	w->end += bytes;
	w->item = xgrow(w->item, &w->cap, w->n + 1, sizeof *w->item);
	w->item[w->n++] = (struct declared){dtype, count};
}

static void begin(struct safetensors_writer *w)
{
	uint64_t length;

	buf_char(&w->header, '}');
	while (w->header.n % 8)
		buf_char(&w->header, ' ');
	length = w->header.n;
	put(w, &length, 8);
	put(w, w->header.p, w->header.n);
	w->begun = true;
}

/* To nearest, ties to even. */
static uint16_t half(float x)
{
	uint32_t u, sign;
	float f;

	memcpy(&u, &x, 4);
	sign = u >> 16 & 0x8000;
	u &= 0x7fffffff;
	if (u > 0x7f800000)                     /* NaN */
		return (uint16_t)(sign | 0x7e00);
	if (u >= 0x477ff000)                    /* 65520 and more: infinity */
		return (uint16_t)(sign | 0x7c00);
	if (u < 0x38800000) {                   /* subnormal: 0.5's last place is one unit of them, and the sum rounds to it */
		memcpy(&f, &u, 4);
		f += 0.5f;
		memcpy(&u, &f, 4);
		return (uint16_t)(sign | (u - 0x3f000000));
	}
	u += 0xfff + (u >> 13 & 1);
	return (uint16_t)(sign | (u - 0x38000000) >> 13);
}

static uint16_t bfloat(float x)
{
	uint32_t u;

	memcpy(&u, &x, 4);
	if ((u & 0x7fffffff) > 0x7f800000)      /* a NaN stays one, whatever bits are cut off */
		return (uint16_t)(u >> 16 | 0x40);
	return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

void st_narrow(enum st_dtype d, const float *from, int64_t n, void *to)
{
	unsigned char *p = to;
	int64_t i;

	if (d == ST_F32)
		memcpy(to, from, (size_t)n * 4);
	for (i = 0; d != ST_F32 && i < n; i++) {
		uint16_t h = d == ST_F16 ? half(from[i]) : bfloat(from[i]);

		memcpy(p + 2 * i, &h, 2);
	}
}

/* Steps over what has all its numbers, tensors without any included. */
static void skip_full(struct safetensors_writer *w)
{
	while (w->at < w->n && w->done == w->item[w->at].count) {
		w->at++;
		w->done = 0;
	}
}

/* x: floats, or what is declared. */
static void write_numbers(struct safetensors_writer *w, const void *x, int64_t n, bool raw)
{
	const unsigned char *p = x;

	if (!w->begun)
		begin(w);
	while (n) {
		const struct declared *d;
		size_t size;
		int64_t k;

		skip_full(w);
		assert(w->at < w->n);
		d = &w->item[w->at];
		size = raw ? st_dtype_size(d->dtype) : 4;
		k = d->count - w->done;
		if (k > n)
			k = n;
		if (raw || d->dtype == ST_F32) {
			put(w, p, (size_t)k * size);
		} else {
			if (k > CHUNK)
				k = CHUNK;
			st_narrow(d->dtype, (const float *)p, k, w->chunk);
			put(w, w->chunk, (size_t)k * 2);
		}
		w->done += k;
		p += (size_t)k * size;
		n -= k;
	}
}

void safetensors_write(struct safetensors_writer *w, const float *x, int64_t n)
{
	write_numbers(w, x, n, false);
}

void safetensors_write_raw(struct safetensors_writer *w, const void *x, int64_t n)
{
	write_numbers(w, x, n, true);
}

static void release(struct safetensors_writer *w)
{
	buf_free(&w->header);
	map_free(&w->names);
	free(w->item);
	free(w->chunk);
	free(w->path);
	free(w);
}

int safetensors_finish(struct safetensors_writer *w, struct err *e)
{
	int rc = 0;

	if (!w->begun)
		begin(w);
	skip_full(w);
	assert(w->failed || w->at == w->n);
	if (close(w->fd) < 0 && !w->failed) {
		err_errno(&w->error, "%s", w->path);
		w->failed = true;
	}
	if (w->failed)
		rc = err_set(e, "%s", w->error.msg);
	release(w);
	return rc;
}

void safetensors_discard(struct safetensors_writer *w)
{
	if (!w)
		return;
	close(w->fd);
	release(w);
}
