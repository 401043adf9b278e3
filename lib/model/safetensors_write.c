/* Writing: headers from what was declared, then the numbers through one buffer; in one file or in shards, each begun when the one before is full. */
#include <assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/map.h"
#include "model/safetensors.h"
#include "record/json.h"

#define CHUNK ((int64_t)1 << 18)        /* numbers converted and written at a time */

struct declared {
	char *name;
	enum st_dtype dtype;
	int64_t shape[ST_DIMS], count;
	int ndim;
	int shard;
};

struct safetensors_writer {
	char *path;
	int fd;
	bool begun;                     /* no more declarations */
	int64_t limit;                  /* bytes of a shard; 0: one file */
	int shards, shard;              /* how many there are, and which is being written */
	struct declared *item;
	size_t n, cap, at;              /* at: the item that is being written */
	int64_t done;                   /* numbers of it that are */
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
	w->shards = 1;
	w->chunk = xmalloc((size_t)CHUNK * 4);
	return w;
}

void safetensors_shard(struct safetensors_writer *w, int64_t bytes)
{
	assert(!w->begun);
	w->limit = bytes;
}

static void fail(struct safetensors_writer *w, const char *path)
{
	if (!w->failed)
		err_errno(&w->error, "%s", path);
	w->failed = true;
}

static void put(struct safetensors_writer *w, const void *p, size_t n)
{
	if (!w->failed && file_put(w->fd, p, n) < 0)
		fail(w, w->path);
}

void safetensors_declare(struct safetensors_writer *w, const char *name, enum st_dtype dtype, const int64_t *shape, int ndim)
{
	struct declared *d;
	size_t before = w->names.n;
	int i;

	assert(!w->begun && ndim <= ST_DIMS);
	*map_put(&w->names, name, strlen(name)) = 1;
	assert(w->names.n == before + 1);
	(void)before;
	w->item = xgrow(w->item, &w->cap, w->n + 1, sizeof *w->item);
	d = &w->item[w->n++];
	*d = (struct declared){.name = xstrdup(name), .dtype = dtype, .count = 1, .ndim = ndim};
	for (i = 0; i < ndim; i++) {
		d->shape[i] = shape[i];
		d->count *= shape[i];
	}
}

static int64_t bytes_of(const struct declared *d)
{
	return d->count * (int64_t)st_dtype_size(d->dtype);
}

/* A shard takes tensors as they come until the next would make it too large. */
static void deal(struct safetensors_writer *w)
{
	int64_t size = 0;
	size_t i;

	w->shards = 1;
	for (i = 0; i < w->n; i++) {
		if (w->limit && size && size + bytes_of(&w->item[i]) > w->limit) {
			w->shards++;
			size = 0;
		}
		w->item[i].shard = w->shards - 1;
		size += bytes_of(&w->item[i]);
	}
}

/* "a/model.safetensors" is "a/model-00001-of-00002.safetensors" */
static char *shard_path(const struct safetensors_writer *w, int shard)
{
	static const char suffix[] = ".safetensors";
	size_t n = strlen(w->path), k = strlen(suffix);

	if (w->shards == 1)
		return xstrdup(w->path);
	assert(n > k && !strcmp(w->path + n - k, suffix));
	return xasprintf("%.*s-%05d-of-%05d%s", (int)(n - k), w->path, shard + 1, w->shards, suffix);
}

static void write_header(struct safetensors_writer *w)
{
	struct buf h = {0};
	int64_t end = 0;
	uint64_t length;
	size_t i;
	int k;

	buf_str(&h, "{\"__metadata__\":{\"format\":\"pt\"}");
	for (i = 0; i < w->n; i++) {
		const struct declared *d = &w->item[i];
		struct js *text;

		if (d->shard != w->shard)
			continue;
		text = js_new_str(d->name);
		buf_char(&h, ',');
		js_write(text, 0, &h);
		js_free(text);
		buf_printf(&h, ":{\"dtype\":\"%s\",\"shape\":[", st_dtype_name(d->dtype));
		for (k = 0; k < d->ndim; k++)
			buf_printf(&h, "%s%lld", k ? "," : "", (long long)d->shape[k]);
		buf_printf(&h, "],\"data_offsets\":[%lld,%lld]}", (long long)end, (long long)(end + bytes_of(d)));
		end += bytes_of(d);
	}
	buf_char(&h, '}');
	while (h.n % 8)
		buf_char(&h, ' ');
	length = h.n;
	put(w, &length, 8);
	put(w, h.p, h.n);
	buf_free(&h);
}

static void close_file(struct safetensors_writer *w)
{
	if (w->fd >= 0 && close(w->fd) < 0)
		fail(w, w->path);
	w->fd = -1;
}

static void begin_shard(struct safetensors_writer *w, int shard)
{
	char *path = shard_path(w, shard);

	close_file(w);
	w->shard = shard;
	w->fd = w->failed ? -1 : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (w->fd < 0)
		fail(w, path);
	else
		write_header(w);
	free(path);
}

static void begin(struct safetensors_writer *w)
{
	w->begun = true;
	deal(w);
	if (w->shards == 1) {
		write_header(w);
		return;
	}
	close_file(w);
	unlink(w->path);
	begin_shard(w, 0);
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
		if (w->at < w->n && w->item[w->at].shard != w->shard)
			begin_shard(w, w->item[w->at].shard);
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
	size_t i;

	for (i = 0; i < w->n; i++)
		free(w->item[i].name);
	map_free(&w->names);
	free(w->item);
	free(w->chunk);
	free(w->path);
	free(w);
}

/* "model.safetensors.index.json": which file has which tensor */
static int write_index(const struct safetensors_writer *w, struct err *e)
{
	struct js *index = js_object(), *metadata = js_object(), *map = js_object();
	char *path = xasprintf("%s.index.json", w->path);
	struct buf text = {0};
	int64_t total = 0;
	size_t i;
	int rc;

	for (i = 0; i < w->n; i++) {
		char *file = shard_path(w, w->item[i].shard), *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file;

		js_set(map, w->item[i].name, js_new_str(name));
		total += bytes_of(&w->item[i]);
		free(file);
	}
	js_set(metadata, "total_size", js_new_int(total));
	js_set(index, "metadata", metadata);
	js_set(index, "weight_map", map);
	js_write(index, 2, &text);
	buf_char(&text, '\n');
	rc = file_write(path, text.p, text.n, e);
	buf_free(&text);
	js_free(index);
	free(path);
	return rc;
}

int safetensors_finish(struct safetensors_writer *w, struct err *e)
{
	int rc;

	if (!w->begun)
		begin(w);
	skip_full(w);
	assert(w->failed || w->at == w->n);
	close_file(w);
	rc = w->failed ? err_set(e, "%s", w->error.msg) : 0;
	if (rc == 0 && w->shards > 1)
		rc = write_index(w, e);
	release(w);
	return rc;
}

void safetensors_discard(struct safetensors_writer *w)
{
	if (!w)
		return;
	close_file(w);
	release(w);
}
