/* Reading: the checks of a file, names, conversion to float32. */
#include "model/safetensors.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/map.h"
#include "base/rng.h"
#include "record/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little endian and so must the machine be");

#define HEADER_MAX ((uint64_t)100 << 20)        /* what other readers accept too */

struct source {
	char *name;
	void *map;              /* NULL: memory of the caller's */
	size_t size;
};

struct safetensors_private {
	struct source *source;
	int sources;
	size_t sources_cap, tensors_cap;
	struct map names;       /* to the index in tensor[]; also holds the names */
	int64_t block[2];       /* of F8_E4M3 */
};

static const struct {
	const char *name;
	size_t size;
} dtypes[] = {
	[ST_BOOL] = {"BOOL", 1}, [ST_U8] = {"U8", 1}, [ST_I8] = {"I8", 1}, [ST_F8_E4M3] = {"F8_E4M3", 1}, [ST_F8_E5M2] = {"F8_E5M2", 1},
	[ST_I16] = {"I16", 2}, [ST_U16] = {"U16", 2}, [ST_F16] = {"F16", 2}, [ST_BF16] = {"BF16", 2}, [ST_I32] = {"I32", 4},
	[ST_U32] = {"U32", 4}, [ST_F32] = {"F32", 4}, [ST_F64] = {"F64", 8}, [ST_I64] = {"I64", 8}, [ST_U64] = {"U64", 8},
};

const char *st_dtype_name(enum st_dtype d)
{
	return dtypes[d].name;
}

size_t st_dtype_size(enum st_dtype d)
{
	return dtypes[d].size;
}

struct safetensors *safetensors_new(void)
{
	struct safetensors *s = xcalloc(1, sizeof *s);

	s->private = xcalloc(1, sizeof *s->private);
	safetensors_blocks(s, 128, 128);
	return s;
}

void safetensors_close(struct safetensors *s)
{
	int i;

	if (!s)
		return;
	for (i = 0; i < s->private->sources; i++) {
		struct source *f = &s->private->source[i];

		if (f->map)
			munmap(f->map, f->size);
		free(f->name);
	}
	free(s->private->source);
	map_free(&s->private->names);
	free(s->private);
	free(s->tensor);
	free(s);
}

static int find_dtype(const char *name, enum st_dtype *d)
{
	size_t i;

	for (i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
		if (!strcmp(name, dtypes[i].name)) {
			*d = (enum st_dtype)i;
			return 0;
		}
	return -1;
}

static int read_shape(struct st_tensor *t, const struct js *shape, struct err *e)
{
	size_t i;

	if (!js_is_array(shape))
		return err_set(e, "'shape' is %s, not an array", js_type(shape));
	if (js_size(shape) > ST_DIMS)
		return err_set(e, "'shape' has %zu dimensions; at most %d can be read", js_size(shape), ST_DIMS);
	t->ndim = (int)js_size(shape);
	t->count = 1;
	for (i = 0; i < js_size(shape); i++) {
		const struct js *d = js_at(shape, i);

		if (!js_is_int(d) || js_int(d) < 0)
			return err_set(e, "'shape' must hold whole numbers that are not negative");
		t->shape[i] = js_int(d);
		if (__builtin_mul_overflow(t->count, t->shape[i], &t->count))
			return err_set(e, "'shape' has a product that is too large");
	}
	return 0;
}

/* One entry of the header; `size` is that of the data behind it. *begin: where in them. */
static int read_entry(struct st_tensor *t, size_t *begin, const struct js *entry, size_t size, struct err *e)
{
	const struct js *dtype = js_get(entry, "dtype"), *offsets = js_get(entry, "data_offsets");
	int64_t from, to, want;

	if (!js_is_object(entry))
		return err_set(e, "is %s, not an object", js_type(entry));
	if (!js_is_string(dtype))
		return err_set(e, "'dtype' is %s, not a string", js_type(dtype));
	if (find_dtype(js_string(dtype, NULL), &t->dtype) < 0)
		return err_set(e, "dtype '%.32s' is not known", js_string(dtype, NULL));
	if (read_shape(t, js_get(entry, "shape"), e) < 0)
		return -1;
	if (!js_is_array(offsets) || js_size(offsets) != 2 || !js_is_int(js_at(offsets, 0)) || !js_is_int(js_at(offsets, 1)))
		return err_set(e, "'data_offsets' is not an array of two whole numbers");
	from = js_int(js_at(offsets, 0));
	to = js_int(js_at(offsets, 1));
	if (from < 0 || to < from)
		return err_set(e, "'data_offsets' [%lld, %lld] are no range", (long long)from, (long long)to);
	if ((uint64_t)to > size)
		return err_set(e, "its data end at byte %lld, but the file has only %zu (cut short?)", (long long)to, size);
	if (__builtin_mul_overflow(t->count, (int64_t)dtypes[t->dtype].size, &want) || want != to - from)
		return err_set(e, "its data are %lld bytes, which its shape and type do not make", (long long)(to - from));
	*begin = (size_t)from;
	t->bytes = (size_t)want;
	return 0;
}

struct located {
	struct st_tensor t;
	size_t begin;
};

static int by_begin(const void *pa, const void *pb)
{
	const struct located *a = pa, *b = pb;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	if (a->t.bytes != b->t.bytes)           /* an empty one before that which begins there */
		return a->t.bytes < b->t.bytes ? -1 : 1;
	return strcmp(a->t.name, b->t.name);
}

/* Sorted tensors must cover the data exactly. */
static int check_cover(const struct located *x, size_t n, size_t size, struct err *e)
{
	size_t end = 0, i;

	for (i = 0; i < n; i++) {
		if (x[i].begin < end)
			return err_set(e, "the data of '%.200s' overlap those of '%.200s'", x[i].t.name, x[i - 1].t.name);
		if (x[i].begin > end)
			return err_set(e, "no tensor has the bytes from %zu to %zu of the data (before '%.200s')", end, x[i].begin, x[i].t.name);
		end = x[i].begin + x[i].t.bytes;
	}
	if (end != size)
		return err_set(e, "the data end at byte %zu, but the file has %zu", end, size);
	return 0;
}

static int check_metadata(const struct js *m, struct err *e)
{
	struct js_iter it;

	if (!js_is_object(m))
		return err_set(e, "'__metadata__' is %s, not an object", js_type(m));
	for (it = js_each(m); js_next(&it);)
		if (!js_is_string(it.value))
			return err_set(e, "'__metadata__' must hold strings only");
	return 0;
}

static int read_header(struct located *x, size_t *count, const struct js *header, size_t size, struct err *e)
{
	struct js_iter it;
	size_t n = 0;

	for (it = js_each(header); js_next(&it);) {
		if (!strcmp(it.key, "__metadata__")) {
			if (check_metadata(it.value, e) < 0)
				return -1;
			continue;
		}
		x[n].t.name = it.key;
		if (read_entry(&x[n].t, &x[n].begin, it.value, size, e) < 0)
			return err_prefix(e, "'%.200s'", it.key);
		n++;
	}
	*count = n;
	qsort(x, n, sizeof *x, by_begin);
	return check_cover(x, n, size, e);
}

static int append(struct safetensors *s, const struct located *x, size_t n, const unsigned char *data, struct err *e)
{
	struct safetensors_private *p = s->private;
	size_t i;

	s->tensor = xgrow(s->tensor, &p->tensors_cap, s->n + n, sizeof *s->tensor);
	for (i = 0; i < n; i++) {
		size_t len = strlen(x[i].t.name);
		int64_t *at = map_get(&p->names, x[i].t.name, len);
		struct st_tensor *t = &s->tensor[s->n];

		if (at)
			return err_set(e, "'%.200s' is also in %s", x[i].t.name, p->source[s->tensor[*at].file].name);
		*map_put(&p->names, x[i].t.name, len) = (int64_t)s->n;
		*t = x[i].t;
		t->name = p->names.entry[p->names.n - 1].key;
		t->data = data + x[i].begin;
		t->file = p->sources - 1;
		s->n++;
	}
	return 0;
}

static int add(struct safetensors *s, const unsigned char *p, size_t n, struct err *e)
{
	struct located *x;
	struct js *header;
	uint64_t length;
	size_t count = 0;
	int rc;

	if (n < 8)
		return err_set(e, "too short to be a safetensors file (%zu bytes)", n);
	memcpy(&length, p, 8);
	if (length > HEADER_MAX)
		return err_set(e, "not a safetensors file (its header would have %llu bytes)", (unsigned long long)length);
	if (length > n - 8)
		return err_set(e, "the header of %llu bytes goes beyond the end of the file (cut short?)", (unsigned long long)length);
	if (!length || p[8] != '{')
		return err_set(e, "not a safetensors file (its header is no JSON object)");
	header = js_parse((const char *)p + 8, (size_t)length, "header", e);
	if (!header)
		return -1;
	x = xcalloc(js_size(header), sizeof *x);
	rc = read_header(x, &count, header, n - 8 - (size_t)length, e);
	if (rc == 0)
		rc = append(s, x, count, p + 8 + length, e);
	free(x);
	js_free(header);
	return rc;
}

static struct source *add_source(struct safetensors *s, const char *name)
{
	struct safetensors_private *p = s->private;

	p->source = xgrow(p->source, &p->sources_cap, (size_t)p->sources + 1, sizeof *p->source);
	p->source[p->sources] = (struct source){.name = xstrdup(name)};
	return &p->source[p->sources++];
}

int safetensors_add(struct safetensors *s, const char *name, const void *p, size_t n, struct err *e)
{
	add_source(s, name);
	return add(s, p, n, e) < 0 ? err_prefix(e, "%s", name) : 0;
}

int safetensors_add_fd(struct safetensors *s, const char *name, int fd, struct err *e)
{
	struct source *f = add_source(s, name);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_errno(e, "%s", name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, "%s: not a regular file", name);
	if (st.st_size < 8)
		return err_set(e, "%s: too short to be a safetensors file (%lld bytes)", name, (long long)st.st_size);
	f->size = (size_t)st.st_size;
	f->map = mmap(NULL, f->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (f->map == MAP_FAILED) {
		f->map = NULL;
		return err_errno(e, "%s", name);
	}
	return add(s, f->map, f->size, e) < 0 ? err_prefix(e, "%s", name) : 0;
}

/* The index's answer to "which file", against ours. `first` is the source that was the first of this index. */
static int check_weight_map(const struct safetensors *s, const struct map *files, int first, const struct js *map, struct err *e)
{
	struct js_iter it;
	size_t i;

	for (it = js_each(map); js_next(&it);) {
		const struct st_tensor *t = safetensors_find(s, it.key);
		size_t len;
		const char *file = js_string(it.value, &len);

		if (!t || t->file != first + (int)*map_get(files, file, len))
			return err_set(e, "'%.200s' should be in %s and is not", it.key, file);
	}
	for (i = 0; i < s->n; i++)
		if (s->tensor[i].file >= first && !js_get(map, s->tensor[i].name))
			return err_set(e, "'%.200s' in %s is not in the index", s->tensor[i].name, safetensors_file(s, s->tensor[i].file));
	return 0;
}

static int add_index(struct safetensors *s, const char *name, const struct js *index,
		     int (*open_file)(void *, struct safetensors *, const char *, struct err *), void *arg, struct err *e)
{
	const struct js *map = js_get(index, "weight_map");
	struct map files = {0};
	int first = s->private->sources, rc = 0;
	struct js_iter it;

	if (!js_is_object(map) || !js_size(map))
		return err_set(e, "%s: 'weight_map' is %s, not an object with tensors", name, js_type(map));
	for (it = js_each(map); rc == 0 && js_next(&it);) {
		size_t len, count = files.n;
		const char *file = js_string(it.value, &len);

		if (!file || !len || strlen(file) != len || strchr(file, '/') || file[0] == '.') {
			rc = err_set(e, "%s: the file of '%.200s' is not the name of a file beside the index", name, it.key);
			break;
		}
		if (map_get(&files, file, len))
			continue;
		*map_put(&files, file, len) = (int64_t)count;
		rc = open_file(arg, s, file, e);
	}
	if (rc == 0 && check_weight_map(s, &files, first, map, e) < 0)
		rc = err_prefix(e, "%s", name);
	map_free(&files);
	return rc;
}

int safetensors_add_index(struct safetensors *s, const char *name, const char *text, size_t n,
			  int (*open)(void *arg, struct safetensors *s, const char *file, struct err *e), void *arg, struct err *e)
{
	struct js *index = js_parse(text, n, name, e);
	int rc;

	if (!index)
		return -1;
	rc = add_index(s, name, index, open, arg, e);
	js_free(index);
	return rc;
}

static int add_path(struct safetensors *s, const char *path, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;     /* a fifo must not make us wait */

	if (fd < 0)
		return err_errno(e, "%s", path);
	rc = safetensors_add_fd(s, path, fd, e);
	close(fd);
	return rc;
}

static int add_beside(void *arg, struct safetensors *s, const char *file, struct err *e)
{
	const char *index = arg, *slash = strrchr(index, '/');
	char *path = xasprintf("%.*s%s", slash ? (int)(slash + 1 - index) : 0, index, file);
	int rc = add_path(s, path, e);

	free(path);
	return rc;
}

struct safetensors *safetensors_open(const char *path, struct err *e)
{
	struct safetensors *s = safetensors_new();
	size_t n = strlen(path);
	struct buf text = {0};
	int rc;

	if (n > 5 && !strcmp(path + n - 5, ".json")) {
		rc = file_read(path, &text, e);
		if (rc == 0)
			rc = safetensors_add_index(s, path, text.p, text.n, add_beside, (void *)path, e);
		buf_free(&text);
	} else {
		rc = add_path(s, path, e);
	}
	if (rc < 0) {
		safetensors_close(s);
		return NULL;
	}
	return s;
}

const struct st_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
	int64_t *at = map_get(&s->private->names, name, strlen(name));

	return at ? &s->tensor[*at] : NULL;
}

void safetensors_forget(const struct safetensors *s, const struct st_tensor *t)
{
	const struct source *f = &s->private->source[t->file];
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)t->data + page - 1) / page * page;
	uintptr_t to = ((uintptr_t)t->data + t->bytes) / page * page;

	if (f->map && from < to)
		madvise((void *)from, to - from, MADV_DONTNEED);
}

const char *safetensors_file(const struct safetensors *s, int file)
{
	return s->private->source[file].name;
}

uint64_t safetensors_hash(const struct safetensors *s)
{
	const size_t pieces = 64, piece = 4096;
	uint64_t sum = 0;
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		const struct st_tensor *t = &s->tensor[i];
		uint64_t h = hash_mix(hash_mix(hash_str(t->name), t->dtype), hash_bytes(t->shape, (size_t)t->ndim * sizeof *t->shape));

		if (t->bytes <= pieces * piece)
			h = hash_mix(h, hash_bytes(t->data, t->bytes));
		for (k = 0; t->bytes > pieces * piece && k < pieces; k++)
			h = hash_mix(h, hash_bytes(t->data + (t->bytes - piece) * k / (pieces - 1), piece));
		sum += h;
	}
	return sum;
}

/* Sign, exponent and fraction are moved to their places; the product mends the exponent's bias, for subnormal numbers too. */
static void from_half(const unsigned char *p, int64_t n, float *to)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		uint16_t h;
		uint32_t magnitude, bits;
		float f;

		memcpy(&h, p + 2 * i, 2);
		magnitude = (uint32_t)(h & 0x7fff) << 13;
		memcpy(&f, &magnitude, 4);
		f *= 0x1p112f;
		memcpy(&bits, &f, 4);
		bits |= magnitude >= 0x7c00u << 13 ? 0x7f800000u : 0;           /* infinity and NaN */
		bits |= (uint32_t)(h & 0x8000) << 16;
		memcpy(&to[i], &bits, 4);
	}
}

static void from_bfloat(const unsigned char *p, int64_t n, float *to)
{
	int64_t i;

	for (i = 0; i < n; i++) {
		uint16_t h;
		uint32_t bits;

		memcpy(&h, p + 2 * i, 2);
		bits = (uint32_t)h << 16;
		memcpy(&to[i], &bits, 4);
	}
}

int st_widen(enum st_dtype d, const void *from, int64_t n, float *to)
{
	if (d == ST_F32)
		memcpy(to, from, (size_t)n * 4);
	else if (d == ST_F16)
		from_half(from, n, to);
	else if (d == ST_BF16)
		from_bfloat(from, n, to);
	else
		return -1;
	return 0;
}

/* A half of 11 significant bits has to have its last three 0 (its exponent always fits); the subnormal ones, m 2^-24, as many more as it has
 * significant bits beyond 8. */
static bool half_is_bfloat(uint16_t h)
{
	unsigned m = h & 0x3ff;

	if ((h & 0x7c00) == 0x7c00)
		return true;
	if (h & 0x7c00)
		return (m & 7) == 0;
	return m == 0 || 32 - __builtin_clz(m) - __builtin_ctz(m) <= 8;
}

bool st_is_bfloat(const struct st_tensor *t)
{
	int64_t i;

	for (i = 0; t->dtype == ST_F16 && i < t->count; i++) {
		uint16_t h;

		memcpy(&h, t->data + 2 * i, 2);
		if (!half_is_bfloat(h))
			return false;
	}
	return t->dtype == ST_BF16 || t->dtype == ST_F16;
}

void safetensors_blocks(struct safetensors *s, int64_t rows, int64_t cols)
{
	s->private->block[0] = rows;
	s->private->block[1] = cols;
}

/* Sign, 4 bits of exponent with a bias of 7, 3 of fraction; S.1111.111 is NaN. */
static float from_e4m3(unsigned char h)
{
	const int exponent = h >> 3 & 15, fraction = h & 7;
	const float magnitude = exponent ? ldexpf((float)(8 + fraction), exponent - 10) : ldexpf((float)fraction, -9);

	return (h & 127) == 127 ? NAN : h & 128 ? -magnitude : magnitude;
}

static int fp8_floats(const struct safetensors *s, const struct st_tensor *t, int64_t from, int64_t n, float *to, struct err *e)
{
	const int64_t rows = s->private->block[0], cols = s->private->block[1], width = t->ndim == 2 ? t->shape[1] : 1;
	char *name = xasprintf("%s_scale_inv", t->name);
	const struct st_tensor *scale = safetensors_find(s, name);
	float table[256], *by;
	int64_t i, across, some;

	free(name);
	if (!scale)
		return err_set(e, "%s: '%.200s' is of type F8_E4M3 and has no '%.200s_scale_inv' beside it", safetensors_file(s, t->file), t->name, t->name);
	across = (width + cols - 1) / cols;
	if (t->ndim != 2 || scale->ndim != 2 || scale->shape[0] != (t->shape[0] + rows - 1) / rows || scale->shape[1] != across)
		return err_set(e, "%s: '%.200s_scale_inv' has not a scale for each block of %lld by %lld", safetensors_file(s, t->file), t->name,
			       (long long)rows, (long long)cols);
	by = xmalloc((size_t)scale->count * sizeof *by + 1);
	if (st_widen(scale->dtype, scale->data, scale->count, by) < 0) {
		free(by);
		return err_set(e, "%s: '%.200s' is of type %s; only F32, F16 and BF16 can be scales", safetensors_file(s, t->file), scale->name,
			       dtypes[scale->dtype].name);
	}
	for (i = 0; i < 256; i++)
		table[i] = from_e4m3((unsigned char)i);
	for (; n > 0; n -= some, from += some) {        /* what is left of a row's block at a time */
		const int64_t col = from % width;
		const float one = by[from / width / rows * across + col / cols];

		some = cols - col % cols < width - col ? cols - col % cols : width - col;
		some = some < n ? some : n;
		for (i = 0; i < some; i++)
			*to++ = table[t->data[from + i]] * one;
	}
	free(by);
	return 0;
}

int safetensors_floats(const struct safetensors *s, const struct st_tensor *t, int64_t from, int64_t n, float *to, struct err *e)
{
	if (t->dtype == ST_F8_E4M3)
		return fp8_floats(s, t, from, n, to, e);
	if (st_widen(t->dtype, t->data + (size_t)from * dtypes[t->dtype].size, n, to) < 0)
		return err_set(e, "%s: '%.200s' is of type %s; only F32, F16, BF16 and F8_E4M3 can be computed with", safetensors_file(s, t->file), t->name,
			       dtypes[t->dtype].name);
	return 0;
}
