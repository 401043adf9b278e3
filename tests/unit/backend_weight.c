/* Weights in the backend's keeping: put in by parts, looked up again, rounded as the format asks; the same on all instruction sets. */
#include "backend_util.h"

static uint16_t bfloat(float x)
{
	uint32_t bits, low, up;

	memcpy(&bits, &x, sizeof bits);
	low = bits & 0xffff;
	up = bits >> 16;
	return (uint16_t)(low > 0x8000 || (low == 0x8000 && up % 2) ? up + 1 : up);
}

static float value(uint16_t h)
{
	uint32_t bits = (uint32_t)h << 16;
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

/* Rows of host numbers at an odd address, some at a time */
static void put(struct backend *be, struct packed *p, const void *host, enum weight_type type, const int64_t *parts, int n)
{
	size_t item = type == WEIGHT_BF16 ? 2 : 4;
	int64_t at = 0;
	int i;

	for (i = 0; i < n; at += parts[i++]) {
		size_t bytes = (size_t)(parts[i] * p->k) * item;
		char *odd = xmalloc(bytes + 1);

		memcpy(odd + 1, (const char *)host + (size_t)(at * p->k) * item, bytes);
		be->pack_rows(be, p, at, parts[i], odd + 1, type);
		free(odd);
	}
}

static void check(struct backend *be, int64_t k, const int64_t *parts, int n, bool panels, enum weight_type type, enum weight_type from)
{
	int64_t rows = 0, i, j;
	float *w, *out;
	uint16_t *h;
	int32_t *id;
	struct packed *p;

	for (i = 0; i < n; i++)
		rows += parts[i];
	w = random_floats(be, rows * k, 1);
	out = random_floats(be, (rows + 1) * k, 1);
	h = xmalloc((size_t)(rows * k) * sizeof *h);
	id = be->alloc(be, (size_t)(rows + 1) * sizeof *id);
	for (i = 0; i < rows * k; i++) {
		if (i % 5 == 0) {               /* just between two bfloat16 numbers */
			uint32_t bits;

			memcpy(&bits, w + i, sizeof bits);
			bits = (bits & 0xffff0000) | 0x8000;
			memcpy(w + i, &bits, sizeof bits);
		}
		h[i] = bfloat(w[i]);
	}
	p = be->pack(be, rows, k, type, panels);
	put(be, p, from == WEIGHT_BF16 ? (void *)h : (void *)w, from, parts, n);
	for (i = 0; i <= rows; i++)
		id[i] = (int32_t)(i * 7 % rows);
	be->embed_packed(be, out, p, id, rows + 1);
	for (i = 0; i <= rows; i++)
		for (j = 0; j < k; j++) {
			float want = type == WEIGHT_F32 && from == WEIGHT_F32 ? w[id[i] * k + j] : value(h[id[i] * k + j]);

			if (memcmp(&want, &out[i * k + j], sizeof want))
				TEST_FAIL("%s: %lld rows of %lld, panels %d, type %d from %d: [%d,%lld] is %.9g, not %.9g", be->what,
					  (long long)rows, (long long)k, panels, type, from, id[i], (long long)j, out[i * k + j], want);
		}
	be->unpack(be, p);
	be->free(be, w);
	be->free(be, out);
	be->free(be, id);
	free(h);
}

static void special(struct backend *be)
{
	static const uint32_t in[] = {0x7f800000, 0xff800000, 0x7f800001, 0xffffffff, 0x7f7fffff, 0x00000001, 0x80008000, 0x3f808000, 0x3f818000};
	static const uint32_t out[] = {0x7f800000, 0xff800000, 0x7fc00000, 0xffff0000, 0x7f800000, 0x00000000, 0x80000000, 0x3f800000, 0x3f820000};
	struct packed *p = be->pack(be, 1, 9, WEIGHT_BF16, false);
	float *row = be->alloc(be, sizeof in);
	int32_t *id = be->alloc(be, sizeof *id);

	*id = 0;
	be->pack_rows(be, p, 0, 1, in, WEIGHT_F32);
	be->embed_packed(be, row, p, id, 1);
	CHECK_MEM(row, sizeof out, out, sizeof out);
	be->unpack(be, p);
	be->free(be, row);
	be->free(be, id);
}

int main(void)
{
	static const int64_t parts[][4] = {{16, 16, 32}, {40}, {7, 5, 21, 9}, {1, 1, 17}, {3}};
	static const int count[] = {3, 1, 4, 3, 1};
	struct backend *be;

	EACH_BACKEND(be) {
		int i, kind;

		test_rng = rng_new(3, 4);
		for (i = 0; i < 5; i++)
			for (kind = 0; kind < 8; kind++) {
				check(be, 24, parts[i], count[i], kind & 1, kind & 2 ? WEIGHT_BF16 : WEIGHT_F32, kind & 4 ? WEIGHT_BF16 : WEIGHT_F32);
				check(be, 1 + below(600), parts[i], count[i], kind & 1, kind & 2 ? WEIGHT_BF16 : WEIGHT_F32,
				      kind & 4 ? WEIGHT_BF16 : WEIGHT_F32);
			}
		special(be);
		backend_close(be);
	}
	return 0;
}
