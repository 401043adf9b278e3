/* Safetensors: what is written is read back, byte for byte the same each time; what is wrong in a file is said and never believed. */
#include "test.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "model/safetensors.h"

static char *scratch(const char *name)
{
	return file_join(test_scratch(), name);
}

static void write_sample(const char *path, const float *x)
{
	struct err e;
	struct safetensors_writer *w = safetensors_create(path, &e);

	CHECK(w);
	safetensors_declare(w, "b.weight", ST_F32, (int64_t[]){3, 5}, 2);
	safetensors_declare(w, "empty", ST_F32, (int64_t[]){0, 7}, 2);
	safetensors_declare(w, "a \"quoted\" name", ST_BF16, (int64_t[]){7}, 1);
	safetensors_declare(w, "half", ST_F16, (int64_t[]){1, 2, 3}, 3);
	safetensors_declare(w, "one", ST_F32, NULL, 0);
	safetensors_write(w, x, 4);             /* any pieces, over the borders of tensors too */
	safetensors_write(w, x + 4, 20);
	safetensors_write(w, x + 24, 5);
	CHECK(safetensors_finish(w, &e) == 0);
}

static void round_trip(void)
{
	char *p = scratch("a.safetensors"), *q = scratch("b.safetensors");
	struct buf a = {0}, b = {0};
	float x[29], y[16];
	struct safetensors *s;
	const struct st_tensor *t;
	uint64_t header;
	struct err e;
	int i;

	for (i = 0; i < 29; i++)
		x[i] = (float)(i - 14) / 8;     /* exact in every type */
	write_sample(p, x);
	write_sample(q, x);
	CHECK(file_read(p, &a, &e) == 0 && file_read(q, &b, &e) == 0);
	CHECK_MEM(a.p, a.n, b.p, b.n);
	memcpy(&header, a.p, 8);
	CHECK_INT(header % 8, 0);
	CHECK(strstr(a.p + 8, "{\"__metadata__\":{\"format\":\"pt\"},\"b.weight\":{\"dtype\":\"F32\",\"shape\":[3,5],\"data_offsets\":[0,60]}"));

	s = safetensors_open(p, &e);
	CHECK(s);
	CHECK_INT(s->n, 5);
	CHECK(!safetensors_find(s, "c"));
	t = safetensors_find(s, "b.weight");
	CHECK(t && t->dtype == ST_F32 && t->ndim == 2 && t->shape[0] == 3 && t->shape[1] == 5 && t->count == 15);
	CHECK(safetensors_floats(s, t, 0, 15, y, &e) == 0);
	CHECK_MEM(y, 60, x, 60);
	CHECK(safetensors_floats(s, t, 13, 2, y, &e) == 0);
	CHECK_MEM(y, 8, x + 13, 8);
	t = safetensors_find(s, "a \"quoted\" name");
	CHECK(t && t->dtype == ST_BF16 && t->bytes == 14);
	CHECK(safetensors_floats(s, t, 0, 7, y, &e) == 0);
	CHECK_MEM(y, 28, x + 15, 28);
	t = safetensors_find(s, "half");
	CHECK(t && t->ndim == 3 && safetensors_floats(s, t, 0, 6, y, &e) == 0);
	CHECK_MEM(y, 24, x + 22, 24);
	t = safetensors_find(s, "one");
	CHECK(t && t->ndim == 0 && t->count == 1 && safetensors_floats(s, t, 0, 1, y, &e) == 0 && y[0] == x[28]);
	t = safetensors_find(s, "empty");
	CHECK(t && t->count == 0 && t->bytes == 0);
	safetensors_close(s);
	buf_free(&a);
	buf_free(&b);
	free(p);
	free(q);
}

/* What a 16-bit pattern means, from the definition. */
static double meaning(unsigned h, int exponent_bits, int fraction_bits)
{
	int bias = (1 << (exponent_bits - 1)) - 1, exponent = (int)(h >> fraction_bits) & ((1 << exponent_bits) - 1);
	int fraction = (int)(h & ((1u << fraction_bits) - 1));
	double sign = h >> 15 ? -1 : 1;

	if (exponent == (1 << exponent_bits) - 1)
		return fraction ? NAN : sign * INFINITY;
	if (!exponent)
		return sign * ldexp(fraction, 1 - bias - fraction_bits);
	return sign * ldexp((1 << fraction_bits) + fraction, exponent - bias - fraction_bits);
}

static void all_patterns(enum st_dtype dtype, int exponent_bits, int fraction_bits)
{
	char *p = scratch("patterns.safetensors");
	const int n = 1 << 16;
	float *x = xmalloc((size_t)n * 4), *y = xmalloc((size_t)n * 4);
	const struct st_tensor *t;
	struct safetensors_writer *w;
	struct safetensors *s;
	struct err e;
	int i;

	for (i = 0; i < n; i++)
		x[i] = (float)meaning((unsigned)i, exponent_bits, fraction_bits);
	w = safetensors_create(p, &e);
	CHECK(w);
	safetensors_declare(w, "x", dtype, (int64_t[]){n}, 1);
	safetensors_write(w, x, n);
	CHECK(safetensors_finish(w, &e) == 0);
	s = safetensors_open(p, &e);
	t = safetensors_find(s, "x");
	CHECK(safetensors_floats(s, t, 0, n, y, &e) == 0);
	for (i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, t->data + 2 * i, 2);
		if (isnan(x[i])) {
			CHECK(isnan(y[i]));
			continue;
		}
		CHECK_INT(h, i);                /* writing is exact ... */
		CHECK_MEM(&y[i], 4, &x[i], 4);  /* and so is reading */
	}
	safetensors_close(s);
	free(x);
	free(y);
	free(p);
}

/* Numbers between two neighbours go to the nearer one, and from the middle to the even one. */
static void rounding(enum st_dtype dtype, int exponent_bits, int fraction_bits)
{
	char *p = scratch("rounding.safetensors");
	int top = ((1 << exponent_bits) - 1) << fraction_bits, i, n = 0;
	float *x = xmalloc((size_t)top * 12);
	int *want = xmalloc((size_t)top * 3 * sizeof *want);
	const struct st_tensor *t;
	struct safetensors_writer *w;
	struct safetensors *s;
	struct err e;

	for (i = 0; i + 1 < top; i++) {
		double lo = meaning((unsigned)i, exponent_bits, fraction_bits), hi = meaning((unsigned)i + 1, exponent_bits, fraction_bits);
		float middle = (float)((lo + hi) / 2);

		if (middle == 0 || (double)middle != (lo + hi) / 2)
			continue;
		x[n] = middle, want[n++] = i + (i & 1);
		x[n] = nextafterf(middle, 0), want[n++] = i;
		x[n] = nextafterf(middle, INFINITY), want[n++] = i + 1;
	}
	CHECK(n > 10000);
	w = safetensors_create(p, &e);
	safetensors_declare(w, "x", dtype, (int64_t[]){n}, 1);
	safetensors_write(w, x, n);
	CHECK(safetensors_finish(w, &e) == 0);
	s = safetensors_open(p, &e);
	t = safetensors_find(s, "x");
	for (i = 0; i < n; i++) {
		uint16_t h;

		memcpy(&h, t->data + 2 * i, 2);
		CHECK_INT(h, want[i]);
	}
	safetensors_close(s);
	free(x);
	free(want);
	free(p);
}

/* A file made of this header and so many bytes of data. */
static struct safetensors *from(const char *header, size_t data, struct err *e, char **memory)
{
	struct safetensors *s = safetensors_new();
	uint64_t n = strlen(header);
	char *p = xcalloc(8 + n + data, 1);

	memcpy(p, &n, 8);
	memcpy(p + 8, header, n);
	*memory = p;
	e->msg[0] = 0;
	if (safetensors_add(s, "x.safetensors", p, 8 + n + data, e) == 0)
		return s;
	safetensors_close(s);
	return NULL;
}

static void check_bad(const char *header, size_t data, const char *want)
{
	struct err e;
	char *memory;
	struct safetensors *s = from(header, data, &e, &memory);

	CHECK(!s);
	CHECK_STR(e.msg, want);
	free(memory);
}

static void bad_headers(void)
{
	struct safetensors *s;
	char *memory;
	struct err e;

	s = from("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]},\"b\":{\"dtype\":\"U8\",\"shape\":[2,2],\"data_offsets\":[0,4]}}   ", 12, &e,
		 &memory);
	CHECK(s && s->n == 2);
	CHECK_STR(s->tensor[0].name, "b");      /* in the data's order */
	safetensors_close(s);
	free(memory);
	s = from("{}", 0, &e, &memory);
	CHECK(s && s->n == 0);
	safetensors_close(s);
	free(memory);

	check_bad("[]", 0, "x.safetensors: not a safetensors file (its header is no JSON object)");
	check_bad("", 0, "x.safetensors: not a safetensors file (its header is no JSON object)");
	check_bad("{\"a\":3}", 0, "x.safetensors: 'a': is a number, not an object");
	check_bad("{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x.safetensors: 'a': 'dtype' is missing, not a string");
	check_bad("{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "x.safetensors: 'a': dtype 'F33' is not known");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "x.safetensors: 'a': 'shape' is missing, not an array");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4,
		  "x.safetensors: 'a': 'shape' must hold whole numbers that are not negative");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4,
		  "x.safetensors: 'a': 'shape' must hold whole numbers that are not negative");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
		  "x.safetensors: 'a': 'shape' has 9 dimensions; at most 8 can be read");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}}", 4,
		  "x.safetensors: 'a': 'shape' has a product that is too large");
	check_bad("{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
		  "x.safetensors: 'a': its data are 0 bytes, which its shape and type do not make");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4,
		  "x.safetensors: 'a': its data are 4 bytes, which its shape and type do not make");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4,
		  "x.safetensors: 'a': 'data_offsets' is not an array of two whole numbers");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "x.safetensors: 'a': 'data_offsets' [4, 0] are no range");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 4, "x.safetensors: 'a': 'data_offsets' [-4, 0] are no range");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
		  "x.safetensors: 'a': its data end at byte 8, but the file has only 4 (cut short?)");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8,
		  "x.safetensors: the data of 'b' overlap those of 'a'");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8, "x.safetensors: no tensor has the bytes from 0 to 4 of the data (before 'a')");
	check_bad("{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 7, "x.safetensors: the data end at byte 4, but the file has 7");
	check_bad("{\"__metadata__\":{\"format\":1}}", 0, "x.safetensors: '__metadata__' must hold strings only");
}

static void bad_files(void)
{
	char *p = scratch("bad.safetensors");
	float x[29] = {0};
	struct buf good = {0};
	struct err e;
	size_t n;

	write_sample(p, x);
	CHECK(file_read(p, &good, &e) == 0);
	for (n = 0; n < good.n; n++) {          /* cut anywhere, it is refused */
		CHECK(truncate(p, (off_t)(good.n - 1 - n)) == 0);
		CHECK(!safetensors_open(p, &e));
		CHECK(strstr(e.msg, "bad.safetensors: "));
	}
	CHECK(file_write(p, "\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, &e) == 0 && !safetensors_open(p, &e));
	CHECK(strstr(e.msg, "bad.safetensors: not a safetensors file (its header would have 9223372036854775807 bytes)"));
	CHECK(!safetensors_open(test_scratch(), &e) && strstr(e.msg, "not a regular file"));
	CHECK(!safetensors_open("/nonexistent/x.safetensors", &e));
	CHECK_STR(e.msg, "/nonexistent/x.safetensors: No such file or directory");
	buf_free(&good);
	free(p);
}

static void shards(void)
{
	static const char index[] = "{\"metadata\":{},\"weight_map\":{\"x\":\"m-1.safetensors\",\"y\":\"m-2.safetensors\",\"z\":\"m-2.safetensors\"}}";
	static const char *const wrong[][2] = {
		{"{\"weight_map\":{\"x\":\"m-2.safetensors\",\"y\":\"m-2.safetensors\",\"z\":\"m-2.safetensors\"}}", "'x' should be in m-2.safetensors and is not"},
		{"{\"weight_map\":{\"x\":\"m-1.safetensors\",\"y\":\"m-2.safetensors\"}}", "is not in the index"},
		{"{\"weight_map\":{\"x\":\"../m-1.safetensors\"}}", "the file of 'x' is not the name of a file beside the index"},
		{"{\"weight_map\":{\"x\":\"m-3.safetensors\"}}", "m-3.safetensors: No such file or directory"},
		{"{\"weight_map\":{\"x\":7}}", "the file of 'x' is not the name of a file beside the index"},
		{"{\"weight_map\":[]}", "'weight_map' is an array, not an object with tensors"},
		{"{\"weight_map\":", "index.json:1:"},
	};
	char *one = scratch("m-1.safetensors"), *two = scratch("m-2.safetensors"), *path = scratch("model.safetensors.index.json");
	struct safetensors_writer *w;
	struct safetensors *s;
	struct err e;
	float x[3] = {1, 2, 3};
	size_t i;

	w = safetensors_create(one, &e);
	safetensors_declare(w, "x", ST_F32, (int64_t[]){1}, 1);
	safetensors_write(w, x, 1);
	CHECK(safetensors_finish(w, &e) == 0);
	w = safetensors_create(two, &e);
	safetensors_declare(w, "z", ST_F32, (int64_t[]){1}, 1);
	safetensors_declare(w, "y", ST_F32, (int64_t[]){1}, 1);
	safetensors_write(w, x + 1, 2);
	CHECK(safetensors_finish(w, &e) == 0);
	CHECK(file_write(path, index, strlen(index), &e) == 0);
	s = safetensors_open(path, &e);
	CHECK(s && s->n == 3);
	CHECK_STR(strrchr(safetensors_file(s, safetensors_find(s, "y")->file), '/'), "/m-2.safetensors");
	safetensors_close(s);
	for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		CHECK(file_write(path, wrong[i][0], strlen(wrong[i][0]), &e) == 0);
		CHECK(!safetensors_open(path, &e));
		if (!strstr(e.msg, wrong[i][1]))
			CHECK_STR(e.msg, wrong[i][1]);
	}
	/* one name in two files */
	s = safetensors_open(one, &e);
	i = (size_t)open(one, O_RDONLY);
	CHECK(safetensors_add_fd(s, "again", (int)i, &e) < 0 && strstr(e.msg, "again: 'x' is also in "));
	close((int)i);
	safetensors_close(s);
	free(one);
	free(two);
	free(path);
}

/* Shards as they are written: no more than the limit in each unless one tensor is larger, the numbers as in one file. */
static void written_shards(void)
{
	static const int64_t counts[] = {10, 20, 0, 200, 5, 5, 90};     /* floats */
	static const int files[] = {0, 0, 0, 1, 2, 2, 2};               /* of 400 bytes */
	char *path = scratch("many.safetensors"), *index = scratch("many.safetensors.index.json"), name[8];
	struct safetensors_writer *w;
	struct safetensors *s;
	float x[330], y[200];
	struct err e;
	int64_t at = 0;
	int i, k;

	for (i = 0; i < 330; i++)
		x[i] = (float)i;
	for (k = 0; k < 2; k++) {
		w = safetensors_create(path, &e);
		safetensors_shard(w, k ? 1320 : 400);   /* 1320 is all of it */
		for (i = 0; i < 7; i++) {
			snprintf(name, sizeof name, "t%d", i);
			safetensors_declare(w, name, ST_F32, &counts[i], 1);
		}
		safetensors_write(w, x, 17);
		safetensors_write(w, x + 17, 313);
		CHECK(safetensors_finish(w, &e) == 0);
		CHECK_INT(file_exists(path), k);
		s = safetensors_open(k ? path : index, &e);
		if (!s)
			TEST_FAIL("%s", e.msg);
		CHECK_INT(s->n, 7);
		for (i = 0, at = 0; i < 7; at += counts[i++]) {
			const struct st_tensor *t;
			char want[64];

			snprintf(name, sizeof name, "t%d", i);
			snprintf(want, sizeof want, "/many-0000%d-of-00003.safetensors", files[i] + 1);
			t = safetensors_find(s, name);
			CHECK(t && t->count == counts[i]);
			CHECK_STR(strrchr(safetensors_file(s, t->file), '/'), k ? "/many.safetensors" : want);
			CHECK(safetensors_floats(s, t, 0, t->count, y, &e) == 0);
			CHECK_MEM(y, (size_t)counts[i] * sizeof *y, x + at, (size_t)counts[i] * sizeof *x);
		}
		safetensors_close(s);
	}
	free(path);
	free(index);
}

static void other_types(void)
{
	struct err e;
	char *memory;
	struct safetensors *s = from("{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, &e, &memory);
	float x;

	CHECK(s && safetensors_floats(s, &s->tensor[0], 0, 1, &x, &e) < 0);
	CHECK_STR(e.msg, "x.safetensors: 'a' is of type I64; only F32, F16, BF16 and F8_E4M3 can be computed with");
	safetensors_close(s);
	free(memory);
}

/* All bytes as F8_E4M3, in 16 rows, with a scale for each block of 8 rows and 6 columns, from any number on */
static void eight_bits(void)
{
	static const char header[] = "{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[16,16],\"data_offsets\":[0,256]},"
				     "\"a_scale_inv\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[256,280]},"
				     "\"b\":{\"dtype\":\"F8_E4M3\",\"shape\":[1,1],\"data_offsets\":[280,281]}}";
	static const float scale[6] = {1, 0.5f, -3, 1e-3f, 7, 0.1f};
	struct err e;
	char *memory;
	struct safetensors *s = from(header, 281, &e, &memory);
	unsigned char *data;
	float x[256];
	int i, first;

	CHECK(s && s->n == 3);
	data = (unsigned char *)(uintptr_t)s->tensor[0].data;
	for (i = 0; i < 256; i++)
		data[i] = (unsigned char)i;
	memcpy(data + 256, scale, sizeof scale);
	CHECK(safetensors_floats(s, &s->tensor[0], 0, 256, x, &e) < 0);
	CHECK_STR(e.msg, "x.safetensors: 'a_scale_inv' has not a scale for each block of 128 by 128");
	safetensors_blocks(s, 8, 6);
	for (first = 0; first < 256; first += 37) {
		CHECK(safetensors_floats(s, &s->tensor[0], first, 256 - first, x, &e) == 0);
		for (i = first; i < 256; i++) {
			const int exponent = i / 8 % 16, fraction = i % 8;
			const double size = exponent ? (1 + fraction / 8.0) * pow(2, exponent - 7) : fraction / 8.0 * pow(2, -6);
			const float by = scale[i / 16 / 8 * 3 + i % 16 / 6];

			if (i % 128 == 127)
				CHECK(isnan(x[i - first]));
			else
				CHECK(x[i - first] == (float)(i < 128 ? size : -size) * by);
		}
	}
	CHECK(safetensors_floats(s, &s->tensor[2], 0, 1, x, &e) < 0);
	CHECK_STR(e.msg, "x.safetensors: 'b' is of type F8_E4M3 and has no 'b_scale_inv' beside it");
	safetensors_close(s);
	free(memory);
}

/* The hash of two tensors, `small` and `large`, in one file or in one each */
static uint64_t hash_of(float *small, float *large, int64_t n, bool large_first, int64_t shard)
{
	char *dir = scratch("hashed"), *p = file_join(dir, "model.safetensors"), *index = file_join(dir, "model.safetensors.index.json");
	struct safetensors_writer *w;
	struct safetensors *s;
	uint64_t h;
	struct err e;
	int i;

	CHECK(file_remove_tree(dir, &e) == 0 && file_make_dirs(dir, &e) == 0);
	w = safetensors_create(p, &e);
	CHECK(w);
	safetensors_shard(w, shard);
	for (i = 0; i < 2; i++)
		safetensors_declare(w, i == large_first ? "small" : "large", ST_F32, (int64_t[]){i == large_first ? 9 : n}, 1);
	for (i = 0; i < 2; i++)
		safetensors_write(w, i == large_first ? small : large, i == large_first ? 9 : n);
	CHECK(safetensors_finish(w, &e) == 0);
	s = safetensors_open(shard ? index : p, &e);
	CHECK(s);
	h = safetensors_hash(s);
	safetensors_close(s);
	free(dir);
	free(p);
	free(index);
	return h;
}

/* Other numbers, another hash: at the ends of a large tensor, anywhere in a small one; files and order do not matter. */
static void hashes(void)
{
	static float large[1 << 18], small[9];
	const int64_t n = 1 << 18, at[] = {0, n - 1};
	uint64_t h = hash_of(small, large, n, false, 0);
	int i;

	CHECK(h == hash_of(small, large, n, true, 0));
	CHECK(h == hash_of(small, large, n, false, 64));
	CHECK(h != hash_of(small, large, n - 1, false, 0));
	for (i = 0; i < 9; i++) {
		small[i] = 1;
		CHECK(h != hash_of(small, large, n, false, 0));
		small[i] = 0;
	}
	for (i = 0; i < 2; i++) {
		large[at[i]] = 1;
		CHECK(h != hash_of(small, large, n, false, 0));
		large[at[i]] = 0;
	}
	CHECK(h == hash_of(small, large, n, false, 0));
}

static void disk_full(void)
{
	static float x[1 << 16];
	struct err e;
	struct safetensors_writer *w = safetensors_create("/dev/full", &e);

	CHECK(w);
	safetensors_declare(w, "x", ST_F32, (int64_t[]){1 << 16}, 1);
	safetensors_write(w, x, 1 << 16);
	CHECK(safetensors_finish(w, &e) < 0);
	CHECK_STR(e.msg, "/dev/full: No space left on device");
	CHECK(!safetensors_create("/nonexistent/x", &e));
}

int main(void)
{
	round_trip();
	all_patterns(ST_F16, 5, 10);
	all_patterns(ST_BF16, 8, 7);
	rounding(ST_F16, 5, 10);
	rounding(ST_BF16, 8, 7);
	bad_headers();
	bad_files();
	shards();
	written_shards();
	other_types();
	eight_bits();
	hashes();
	disk_full();
	return 0;
}
