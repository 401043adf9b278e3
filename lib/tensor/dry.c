#include "tensor/dry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"

#define UNUSED __attribute__((unused))

/* Blocks have addresses that no processor of 64 bits lets a program use, and no memory: so neither a limit of addresses (ulimit -v) nor a
 * kernel that has few of them (39 bits, on some boards) is in the way of a big model. */
#define FIRST (1ull << 52)
#define LAST (1ull << 55)
#define PAGE 4096
_Static_assert(sizeof(void *) == 8, "a machine of 64 bits is needed");

struct dry {
	struct map sizes;               /* of the blocks, by address */
	uint64_t next;                  /* address */
	size_t used, peak;
};

static void *alloc(struct backend *be, size_t bytes)
{
	struct dry *d = be->state;
	void *p = (void *)(uintptr_t)d->next;

	if (bytes > LAST - d->next) {
		fprintf(stderr, "out of addresses: %zu bytes wanted\n", bytes);
		abort();
	}
	d->next += (bytes / PAGE + 1) * PAGE;
	*map_put(&d->sizes, &p, sizeof p) = (int64_t)bytes;
	d->used += bytes;
	if (d->used > d->peak)
		d->peak = d->used;
	return p;
}

static void give_back(struct backend *be, void *p)
{
	struct dry *d = be->state;
	int64_t *size;

	if (!p)
		return;
	size = map_get(&d->sizes, &p, sizeof p);
	d->used -= (size_t)*size;
	*size = 0;
}

static void destroy(struct backend *be)
{
	struct dry *d = be->state;

	map_free(&d->sizes);
	free(d);
	free(be);
}

static void download(UNUSED struct backend *be, void *host, UNUSED const void *from, size_t bytes)
{
	memset(host, 0, bytes);
}

static struct packed *pack(struct backend *be, int64_t n, int64_t k, enum weight_type type, bool panels)
{
	struct packed *p = xmalloc(sizeof *p);

	*p = (struct packed){.n = n, .k = k, .type = type, .panels = panels};
	p->data = alloc(be, (size_t)(n * k) * (type == WEIGHT_BF16 ? 2 : 4));
	return p;
}

static void pack_rows(UNUSED struct backend *be, UNUSED struct packed *p, UNUSED int64_t from, UNUSED int64_t rows, UNUSED const void *host,
		      UNUSED enum weight_type type)
{
}

static void unpack(struct backend *be, struct packed *p)
{
	if (p)
		give_back(be, p->data);
	free(p);
}

static void sample(UNUSED struct backend *be, UNUSED float *logits, int64_t rows, UNUSED int64_t vocab, UNUSED const struct sampling *how,
		   int32_t *id, float *logprob)
{
	memset(id, 0, (size_t)rows * sizeof *id);
	memset(logprob, 0, (size_t)rows * sizeof *logprob);
}

static void squares(UNUSED struct backend *be, UNUSED const float *x, int64_t n, double *part)
{
	memset(part, 0, (size_t)((n + SQUARES - 1) / SQUARES) * sizeof *part);
}

static void zero(UNUSED struct backend *be, UNUSED void *p, UNUSED size_t bytes)
{
}

static void copy(UNUSED struct backend *be, UNUSED void *to, UNUSED const void *from, UNUSED size_t bytes)
{
}

static void gemm(UNUSED struct backend *be, UNUSED const struct gemm *g)
{
}

static void embed(UNUSED struct backend *be, UNUSED float *out, UNUSED const float *table, UNUSED const int32_t *id, UNUSED int64_t rows,
		  UNUSED int64_t cols)
{
}

static void embed_packed(UNUSED struct backend *be, UNUSED float *out, UNUSED const struct packed *table, UNUSED const int32_t *id,
			 UNUSED int64_t rows)
{
}

static void embed_back(UNUSED struct backend *be, UNUSED float *dtable, UNUSED const float *dout, UNUSED const int32_t *id, UNUSED int64_t rows,
		       UNUSED int64_t cols, UNUSED int64_t vocab)
{
}

static void rmsnorm(UNUSED struct backend *be, UNUSED const struct norm *n, UNUSED void *out)
{
}

static void rmsnorm_back(UNUSED struct backend *be, UNUSED const struct norm *n, UNUSED const void *dout, UNUSED float *dx, UNUSED float *dw,
			 UNUSED bool accumulate)
{
}

static void head_norms(UNUSED struct backend *be, UNUSED const struct head_norms *h)
{
}

static void head_norms_back(UNUSED struct backend *be, UNUSED const struct head_norms *h, UNUSED void *d, UNUSED float *dw, UNUSED float *dw2)
{
}

static void rope(UNUSED struct backend *be, UNUSED const struct rope *r)
{
}

static void attention(UNUSED struct backend *be, UNUSED const struct attention *a)
{
}

static void attention_back(UNUSED struct backend *be, UNUSED const struct attention *a, UNUSED const void *dout, UNUSED void *dqkv)
{
}

static void latent(UNUSED struct backend *be, UNUSED const struct latent *a)
{
}

static void latent_back(UNUSED struct backend *be, UNUSED const struct latent *a, UNUSED const float *dout, UNUSED float *dq, UNUSED float *dkeys)
{
}

static void route(UNUSED struct backend *be, UNUSED const struct routing *r, UNUSED const float *logits, UNUSED int32_t *id, UNUSED float *weight,
		  UNUSED float *score, UNUSED int64_t rows)
{
}

static void route_back(UNUSED struct backend *be, UNUSED const struct routing *r, UNUSED const float *dweight, UNUSED const int32_t *id,
		       UNUSED const float *score, UNUSED float *dlogits, UNUSED int64_t rows)
{
}

static void combine(UNUSED struct backend *be, UNUSED float *out, UNUSED const float *x, UNUSED const int32_t *place, UNUSED const float *weight,
		    UNUSED int64_t rows, UNUSED int64_t top, UNUSED int64_t cols, UNUSED bool accumulate)
{
}

static void weigh_back(UNUSED struct backend *be, UNUSED float *dweight, UNUSED float *d, UNUSED float *x, UNUSED const float *weight,
		       UNUSED int64_t rows, UNUSED int64_t cols)
{
}

static void columns(UNUSED struct backend *be, UNUSED const struct columns *c)
{
}

static void swiglu(UNUSED struct backend *be, UNUSED void *out, UNUSED const void *gate_up, UNUSED int64_t rows, UNUSED int64_t cols,
		   UNUSED bool half)
{
}

static void swiglu_back(UNUSED struct backend *be, UNUSED void *dgate_up, UNUSED const void *dout, UNUSED const void *gate_up,
			UNUSED int64_t rows, UNUSED int64_t cols, UNUSED bool half)
{
}

static void add(UNUSED struct backend *be, UNUSED float *out, UNUSED const float *a, UNUSED const float *b, UNUSED int64_t n)
{
}

static void bias_back(UNUSED struct backend *be, UNUSED float *dbias, UNUSED const void *dout, UNUSED int64_t rows, UNUSED int64_t cols,
		      UNUSED bool half)
{
}

static void logprob(UNUSED struct backend *be, UNUSED const float *logits, UNUSED const int32_t *target, UNUSED float inv_temperature,
		    UNUSED float *out, UNUSED float *entropy, UNUSED int64_t rows, UNUSED int64_t vocab)
{
}

static void logprob_back(UNUSED struct backend *be, UNUSED float *logits, UNUSED const int32_t *target, UNUSED float inv_temperature,
			 UNUSED const float *dlogprob, UNUSED const float *dentropy, UNUSED int64_t rows, UNUSED int64_t vocab,
			 UNUSED bool half)
{
}

static void adamw(UNUSED struct backend *be, UNUSED float *w, UNUSED float *m, UNUSED float *v, UNUSED const float *g, UNUSED int64_t n,
		  UNUSED const struct adamw *a)
{
}

static void adamw_mixed(UNUSED struct backend *be, UNUSED const struct mixed *x, UNUSED int64_t n, UNUSED const struct adamw *a)
{
}

static void split(UNUSED struct backend *be, UNUSED uint16_t *half, UNUSED uint16_t *low, UNUSED const float *x, UNUSED int64_t n)
{
}

static void widen(UNUSED struct backend *be, UNUSED float *to, UNUSED const uint16_t *from, UNUSED int64_t n)
{
}

static void round_half(UNUSED struct backend *be, UNUSED float *to, UNUSED const float *from, UNUSED int64_t n)
{
}

static void scale(UNUSED struct backend *be, UNUSED float *x, UNUSED float by, UNUSED int64_t n)
{
}

struct backend *backend_dry_new(const struct backend *like)
{
	struct backend *be = xmalloc(sizeof *be);
	struct dry *d = xcalloc(1, sizeof *d);

	*be = (struct backend){
		.half_rows = like && like->half_rows, .half_keys = like && like->half_keys, .logits_at_once = like ? like->logits_at_once : CPU_LOGITS,
		.name = "dry", .what = "dry: computes nothing, counts memory", .alloc = alloc, .free = give_back, .zero = zero, .copy = copy,
		.upload = copy, .download = download, .destroy = destroy, .gemm = gemm, .pack = pack, .pack_rows = pack_rows,
		.unpack = unpack, .embed = embed, .embed_packed = embed_packed,
		.embed_back = embed_back, .rmsnorm = rmsnorm, .rmsnorm_back = rmsnorm_back, .head_norms = head_norms,
		.head_norms_back = head_norms_back, .rope = rope, .attention = attention, .attention_back = attention_back, .latent = latent, .latent_back = latent_back, .route = route, .route_back = route_back,
		.combine = combine, .weigh_back = weigh_back, .columns = columns, .swiglu = swiglu, .swiglu_back = swiglu_back, .add = add, .bias_back = bias_back,
		.logprob = logprob, .logprob_back = logprob_back, .sample = sample, .adamw = adamw,
		.adamw_mixed = adamw_mixed, .split = split, .widen = widen, .round_half = round_half, .squares = squares, .scale = scale,
	};
	d->next = FIRST;
	be->state = d;
	return be;
}

size_t backend_dry_peak(const struct backend *be)
{
	const struct dry *d = be->state;

	return d->peak;
}

size_t backend_dry_used(const struct backend *be)
{
	const struct dry *d = be->state;

	return d->used;
}
