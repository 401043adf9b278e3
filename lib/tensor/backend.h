/* backend.h - the coarse operations that a model needs, behind one table of functions: the CPU's, CUDA's
 *
 *     struct backend *be = backend_open("cpu", 0, &e);             // threads: 0 is all cores
 *     float *y = be->alloc(be, n * sizeof *y);
 *     be->gemm(be, &(struct gemm){.m = M, .n = N, .k = K, .a = x, .lda = K, .b = w, .ldb = K, .trans_b = true, .c = y, .ldc = N});
 *     be->free(be, y);
 *     backend_close(be);
 *
 * Shape letters, everywhere in lib/tensor and lib/model:
 *     N tokens of a flat batch (all sequences one behind the other, no padding)   C width of the residual stream
 *     H query heads   G key/value heads (H % G == 0; query head h reads key/value head h / (H/G))   D width of a head
 *     F width of the feed-forward layer   V vocabulary   S sequences   T length of one sequence   L layers
 *
 * All matrices are row-major float32. A pointer is backend memory unless its comment says host. "(+)=" means: adds to what is
 * there if the call's `accumulate` is set, overwrites otherwise.
 *
 * What is a void * here may be of bfloat16 where the call's `half` says so, on a backend that has half_rows: activations between products and
 * what is pointwise, of which a model of 16 bits needs no more. The CPU has float32 alone.
 *
 * Determinism. Every result is a function of its own row's (and, in gradients of weights, its own column's) inputs alone, summed
 * in an order that depends on the mathematical index only - never on the number of rows, threads, the way memory is packed or
 * the instruction set. On the CPU, in particular:
 *   - a matrix product's element is one chain  acc = 0; for k = 0..K-1: acc = fma(a_k, b_k, acc)  in k's order, then (+) C or bias;
 *   - a sum over a row of C, V or keys goes to 16 lanes, element i to lane i % 16, in i's order, and the lanes are added in a
 *     fixed tree (i with i+8, i+4, i+2, i+1);
 *   - exp and log are our own polynomials, the same operations on every instruction set.
 * So a prompt computed alone, in a batch, token by token through the cache, or in training gives the same bits, and AVX2, AVX-512 and
 * the portable code give the same bits.
 *
 * cpu-bf16 differs in products of A with a packed weight of bfloat16 (trans_a apart) and, where `half` is set, in those of trans_a with what is not
 * packed (gradients of weights, and of latent attention's keys). A is rounded to bfloat16 first, to nearest, and B too unless it is a weight; the
 * chain is of pairs, the second of a pair first: for k = 0, 2, ..: acc = fma(a_k+1, b_k+1, acc), acc = fma(a_k, b_k, acc), numbers below 2^-126
 * taken for 0. Where `half_keys` is set, attention takes keys and values rounded to bfloat16. All else is alike: a row's bits depend on nothing
 * but the row.
 *
 * Threads: a backend is used by one thread at a time; it spreads the work over its pool itself.
 */
#ifndef TENSOR_BACKEND_H
#define TENSOR_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* C[m,n] (+)= op(A)[m,k] * op(B)[k,n] + bias[n].   op(A) = A[m,k] with row stride lda, or, with trans_a, A is stored [k,m];
 * op(B) = B[k,n] with row stride ldb, or, with trans_b, B is stored [n,k] (the way weights are). */
struct gemm {
	int64_t m, n, k;
	const void *a, *b;
	void *c;
	int64_t lda, ldb, ldc;
	bool trans_a, trans_b, accumulate;
	bool a_half, b_half, c_half;
	const float *bias;              /* [n] or NULL; added after the chain */
	const float *plus;              /* [m,n] as C lies, or NULL; added in the end (then accumulate, c_half and bias are not set) */
	const struct packed *packed;    /* if not NULL: B is W[k,n] or, with trans_b, W[n,k] as be->pack has it; b and ldb are not looked at */
	int64_t packed_row;             /* B begins at that row of W (dense rows only) */
	int64_t batch;                  /* so many products (0 is 1), whose A, B and C are so many floats (of a packed B: rows of W) apart; */
	int64_t step_a, step_b, step_c; /* without bias. Each element is a function of its own product alone. */
};

/* A weight W[n,k] in the backend's own keeping: float32 or bfloat16, in dense rows or in panels, which are laid out for products with any
 * number of rows (few above all) and can be multiplied by with trans_b only. A bfloat16 stands for the float32 with the same upper half:
 * whatever is computed has the bits that it has with those float32 numbers (but see be->rounds). Made by be->pack, freed by be->unpack. */
enum weight_type { WEIGHT_F32, WEIGHT_BF16 };
struct packed {
	int64_t n, k;
	enum weight_type type;
	bool panels;
	void *data;
};

/* Keys and values of past tokens, in pages of KV_PAGE tokens: a page may stand in the tables of several sequences (the prompt of
 * a group). For `attention`, K of one layer and page is [G][D][KV_PAGE] (keys side by side; CUDA has [G][KV_PAGE][D]: nobody else looks into
 * pages), V is [G][KV_PAGE][D]; for `latent`, K is [KV_PAGE][K] (a row for each token) and there is no V. */
#define KV_PAGE 16
struct kv_cache {
	int64_t layers, pages;
	int64_t k_width, v_width;       /* numbers of a token in one layer: G*D each; for `latent` its K, and 0 */
	bool half;                      /* bfloat16 (`attention` alone); else float32 */
	void *k, *v;                    /* [layers][pages][width * KV_PAGE] each */
};
/* Bytes of one layer's page of keys or of values, `width` numbers a token */
static inline size_t kv_page_bytes(const struct kv_cache *c, int64_t width)
{
	return (size_t)(width * KV_PAGE) * (c->half ? sizeof(uint16_t) : sizeof(float));
}

/* One sequence of a flat batch: rows row .. row+n-1 of the activations are its positions past .. past+n-1. */
struct seq {
	int64_t row;
	int32_t n, past;
	const int32_t *page;            /* host: page[p] holds positions p*KV_PAGE ..; NULL when there is no cache (then past = 0) */
};

/* RMS norm: rstd = 1/sqrt(mean(x^2) + eps) per row (Zhang and Sennrich 2019, eq. 4). */
struct norm {
	int64_t rows, cols;
	const float *x, *w;             /* [rows, cols], [cols] */
	float *rstd;                    /* [rows], kept for the way back; NULL if there is none */
	float eps;
	bool half;                      /* of out and dout */
};

/* The same of heads, in place: each of `heads` heads of every row by itself, the first `queries` of them with w, the others with w2. */
struct head_norms {
	int64_t rows, heads, queries, head_dim, stride;
	void *x;                        /* row i, head h at x[i * stride + h * head_dim] */
	const float *w, *w2;            /* [head_dim] */
	void *raw;                      /* [rows, heads, head_dim] of x's type: what was there, for the way back */
	float *rstd;                    /* [rows, heads]; both NULL if there is none */
	float eps;
	bool half;                      /* of x, raw and d */
};

/* Rotary positions (Su et al. 2021, eq. 34): every head of D numbers of every row, from x to out, which may be the same. */
struct rope {
	int64_t rows, heads, head_dim;
	const void *x;                  /* row i, head h at x[i * x_stride + h * x_head] */
	void *out;
	int64_t x_stride, x_head, out_stride, out_head;
	const int32_t *position;        /* [rows] */
	const float *cos_sin;           /* [positions][D]: D/2 cosines, then D/2 sines */
	bool interleaved;               /* pairs are (2i, 2i + 1); else (i, i + D/2), the convention of Hugging Face's Llama and Qwen2 */
	bool inverse;                   /* turns back (the gradient) */
	bool half;                      /* of x and out */
};

struct attention {
	int64_t rows, heads, kv_heads, head_dim;        /* N H G D */
	float scale;                    /* scores are scale * q.k; causal */
	const void *qkv;                /* [N, (H+2G)*D]: q heads, k heads, v heads, rotated already; row stride qkv_stride */
	int64_t qkv_stride;
	void *out;                      /* [N, H*D], row stride H*D */
	float *lse;                     /* [N, H] natural log of the sum of exp of the scores; NULL if nobody asks */
	const struct seq *seq;          /* host */
	int64_t seqs;
	struct kv_cache *cache;         /* NULL in training; else keys and values of the new rows are written into their pages first */
	int64_t layer;
	bool half;                      /* of qkv, out and, on the way back, dout and dqkv */
	bool half_keys;                 /* keys and values are rounded to bfloat16, and pages of it; where half is, this is */
};

/* Attention over one row of keys for all heads, the values being the first R of its K numbers: multi-head latent attention (DeepSeek-V2,
 * arXiv:2405.04434, section 2.1.2) after the up-projections of keys and values have been taken into the queries and the output. */
struct latent {
	int64_t rows, heads, key_dim, value_dim;        /* N H K R; R <= K */
	float scale;                    /* scores are scale * q.k; causal */
	const float *q;                 /* [N, H*K] */
	const float *keys;              /* [N, K] */
	float *out;                     /* [N, H*R] */
	float *lse;                     /* [N, H], or NULL */
	const struct seq *seq;          /* host */
	int64_t seqs;
	struct kv_cache *cache;         /* NULL in training; else the new rows' keys are written into their pages first */
	int64_t layer;
};

/* to[i*ld_to + j] (+)= from[i*ld + j] */
struct columns {
	int64_t rows, cols, ld_to, ld;
	void *to;
	const void *from;
	bool to_half, from_half, accumulate;
};

/* Which experts a token goes to and with what weights (DeepSeek-V3, arXiv:2412.19437, eq. 12-16, as transformers computes it). With
 * s = sigmoid(logits) and c = s + bias: a group of E/groups experts counts as the sum of its two largest c; outside of the top_groups best
 * groups c becomes 0; the `top` largest c are chosen (of equals the first). Their weights are scale * s, or, normalized,
 * scale * s / (sum of the chosen s + 1e-20). */
struct routing {
	int64_t experts, groups, top_groups, top;       /* E and K below */
	bool normalize;
	float scale;
	const float *bias;              /* [E] */
};

#define SQUARES ((int64_t)16384)

struct adamw {                          /* Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019, algorithm 2 */
	float lr, beta1, beta2, eps, weight_decay;
	int64_t step;                   /* counted from 1, for the bias corrections */
	float grad_scale;               /* the gradient is multiplied by it first (clipping) */
};

/* What AdamW works on where it is not all float32. A weight w is either float32 or a bfloat16 `half` (the one nearest to it, which the model is
 * computed with) and the rest: the bits of w are (half << 16) + low, low taken as a signed number. Moments are float32, or bfloat16, rounded up
 * or down at random with the chances that keep the mean: number i's draw is keyed by (seed, step, first + i). */
struct mixed {
	float *w;                       /* [n], or NULL: half and low */
	uint16_t *half, *low;
	float *m, *v;                   /* [n], or NULL: m16 and v16 */
	uint16_t *m16, *v16;
	const float *g;
	uint64_t seed;
	int64_t first;                  /* a multiple of 4 */
};

/* What is asked of a row of logits when the next token is drawn (host memory throughout). Order: logits / temperature; softmax
 * (the logprob is taken here); top_k; top_p; min_p; renormalise; inverse of the cumulative distribution in order of token id. */
struct sampling {
	float temperature;              /* 0: greedy (the lowest id among equals; logprob at temperature 1) */
	float top_p, min_p;             /* 1 and 0 are off */
	int32_t top_k;                  /* 0 is off */
	double uniform;                 /* in [0, 1) */
};

/* What a backend has to know of a team (base/team.h), to have its devices speak to each other */
struct backend_team {
	int rank, size;
	void (*broadcast)(void *data, size_t bytes);
	bool (*any)(bool here);
};

struct backend {
	const char *name;               /* "cpu", "cpu-bf16", "cuda" */
	char what[160];                 /* for people: "cpu: avx2 kernels, 2 threads" */
	bool rounds;                    /* what bfloat16 weights are multiplied by is rounded to bfloat16 (cpu-bf16, cuda) */
	bool half_rows;                 /* takes and gives activations in bfloat16 (cuda) */
	bool half_keys;                 /* keeps keys and values of a model of 16 bits in bfloat16 (cpu-bf16, cuda) */
	int64_t logits_at_once;         /* so many of them are worth their memory: as few as a product is fast with (op_logprob) */
	void *state;
	/* The model at hand is one of 16 bits (model_hidden says so): operands of products that are float32 may be rounded to bfloat16 on the way in.
	 * cpu computes in float32 all the same, and cpu-bf16 does but for the gradients of weights. */
	bool half;

	void *(*alloc)(struct backend *, size_t bytes);         /* 64-byte aligned at least, not cleared; dies when there is none */
	void (*free)(struct backend *, void *);
	void (*zero)(struct backend *, void *, size_t bytes);
	void (*copy)(struct backend *, void *to, const void *from, size_t bytes);
	void (*upload)(struct backend *, void *to, const void *host, size_t bytes);
	void (*download)(struct backend *, void *host, const void *from, size_t bytes);
	void (*destroy)(struct backend *);
	size_t (*room)(struct backend *);                       /* the device's free memory in bytes; NULL where memory is the machine's */

	void (*gemm)(struct backend *, const struct gemm *);
	/* Room for W[n,k], not cleared; then rows from .. from+rows-1 of it from dense rows in host memory (aligned to nothing), which are
	 * widened, or rounded to nearest, as the types ask. A panel's rows are written from the first on. */
	struct packed *(*pack)(struct backend *, int64_t n, int64_t k, enum weight_type type, bool panels);
	void (*pack_rows)(struct backend *, struct packed *, int64_t from, int64_t rows, const void *host, enum weight_type type);
	void (*unpack)(struct backend *, struct packed *);      /* NULL is fine */

	/* out[i,:] = table[id[i],:], by embed_packed from W;  dtable[id[i],:] += dout[i,:] in i's order */
	void (*embed)(struct backend *, float *out, const float *table, const int32_t *id, int64_t rows, int64_t cols);
	void (*embed_packed)(struct backend *, float *out, const struct packed *table, const int32_t *id, int64_t rows);
	void (*embed_back)(struct backend *, float *dtable, const float *dout, const int32_t *id, int64_t rows, int64_t cols, int64_t vocab);

	/* out = x * rstd * w. Back: dx (+)= , dw[cols] += (NULL: not wanted); dx may be dout, if that is float32. */
	void (*rmsnorm)(struct backend *, const struct norm *, void *out);
	void (*rmsnorm_back)(struct backend *, const struct norm *, const void *dout, float *dx, float *dw, bool accumulate);

	/* Back: d, which lies as x does, becomes the gradient of what was there; dw[head_dim], dw2 += (NULL: not wanted). */
	void (*head_norms)(struct backend *, const struct head_norms *);
	void (*head_norms_back)(struct backend *, const struct head_norms *, void *d, float *dw, float *dw2);

	void (*rope)(struct backend *, const struct rope *);

	/* Back: dqkv [N, (H+2G)*D] (stride qkv_stride) is overwritten, from dout [N, H*D], and out, lse, qkv of the way there. */
	void (*attention)(struct backend *, const struct attention *);
	void (*attention_back)(struct backend *, const struct attention *, const void *dout, void *dqkv);

	/* Back: dq [N, H*K] and dkeys [N, K] are overwritten, from dout [N, H*R] and out, lse, q, keys of the way there. */
	void (*latent)(struct backend *, const struct latent *);
	void (*latent_back)(struct backend *, const struct latent *, const float *dout, float *dq, float *dkeys);

	/* id [N, K]: the experts of each row of logits [N, E], in rising order; weight [N, K]; score [N, K]: their s. Back: dlogits is
	 * overwritten; nothing flows to the bias. */
	void (*route)(struct backend *, const struct routing *, const float *logits, int32_t *id, float *weight, float *score, int64_t rows);
	void (*route_back)(struct backend *, const struct routing *, const float *dweight, const int32_t *id, const float *score, float *dlogits,
			   int64_t rows);
	/* out[i,:] (+)= sum over j < top of weight[i*top+j] * x[place[i*top+j],:], in j's order; weight NULL: all are 1 */
	void (*combine)(struct backend *, float *out, const float *x, const int32_t *place, const float *weight, int64_t rows, int64_t top,
			int64_t cols, bool accumulate);
	/* For y = weight[i] * (x[i,:] A^T), where d is the gradient of y times A: dweight[i] = d[i,:] . x[i,:]; then d[i,:] and x[i,:] are
	 * multiplied by weight[i], to be the gradient of x and what A's gradient is made of. */
	void (*weigh_back)(struct backend *, float *dweight, float *d, float *x, const float *weight, int64_t rows, int64_t cols);
	void (*columns)(struct backend *, const struct columns *);

	/* gate_up is [N, 2F]: out[N,F] = silu(gate) * up. Back: dgate_up is overwritten. half: of all of them */
	void (*swiglu)(struct backend *, void *out, const void *gate_up, int64_t rows, int64_t cols, bool half);
	void (*swiglu_back)(struct backend *, void *dgate_up, const void *dout, const void *gate_up, int64_t rows, int64_t cols, bool half);

	void (*add)(struct backend *, float *out, const float *a, const float *b, int64_t n);  /* out = a + b; may be the same as either */
	/* dbias += column sums of dout (half: it is) */
	void (*bias_back)(struct backend *, float *dbias, const void *dout, int64_t rows, int64_t cols, bool half);

	/* For each row of logits [rows, V], x = logits * inv_temperature: logprob = x[target] - lse(x), entropy = lse - sum p x (nats).
	 * target, logprob, entropy are backend memory; entropy may be NULL. Back overwrites logits by their gradient
	 *     inv_temperature * (dlogprob * (onehot - p)  -  dentropy * p * (log p + entropy));   dentropy may be NULL.
	 * half: by bfloat16, in the first half of each row's memory. */
	void (*logprob)(struct backend *, const float *logits, const int32_t *target, float inv_temperature, float *logprob, float *entropy,
			int64_t rows, int64_t vocab);
	void (*logprob_back)(struct backend *, float *logits, const int32_t *target, float inv_temperature, const float *dlogprob,
			     const float *dentropy, int64_t rows, int64_t vocab, bool half);

	/* Draws a token for each row of logits [rows, V] (backend memory, overwritten); how, id and logprob are host arrays of `rows`. The
	 * logprob has the bits that `logprob` gives for that token. */
	void (*sample)(struct backend *, float *logits, int64_t rows, int64_t vocab, const struct sampling *how, int32_t *id, float *logprob);

	/* w, m, v [n] are updated from g [n]. squares: part [ceil(n / SQUARES)] (host) become the sums of x[i]^2 of SQUARES numbers each. */
	void (*adamw)(struct backend *, float *w, float *m, float *v, const float *g, int64_t n, const struct adamw *);
	void (*squares)(struct backend *, const float *x, int64_t n, double *part);
	/* The same where a part of it is kept in 16 bits */
	void (*adamw_mixed)(struct backend *, const struct mixed *, int64_t n, const struct adamw *);
	/* x[n] in two halves, as struct mixed has them;  to = from as float32, or rounded to what float16 can say */
	void (*split)(struct backend *, uint16_t *half, uint16_t *low, const float *x, int64_t n);
	void (*widen)(struct backend *, float *to, const uint16_t *from, int64_t n);
	void (*round_half)(struct backend *, float *to, const float *from, int64_t n);
	void (*scale)(struct backend *, float *x, float by, int64_t n);

	/* join: a team's devices find each other, once; -1 in all, and why, where they cannot. Then at[r] .. at[r+1]-1 are process r's numbers of an array
	 * that all have. team_sum: its own of x become ((x_0 + x_1) + x_2) + ..., x_r being what process r has; the others are undefined. team_spread: its
	 * own of x, weights of `bytes` each, go to all. NULL: this backend's numbers go by the host. */
	int (*join)(struct backend *, const struct backend_team *, struct err *e);
	void (*team_sum)(struct backend *, float *x, const int64_t *at);
	void (*team_spread)(struct backend *, void *x, size_t bytes, const int64_t *at);
};

/* "cpu", "cpu-bf16", "cuda". NULL: not built, or no device */
struct backend *backend_open(const char *name, int threads, struct err *e);
void backend_close(struct backend *be);

/* be->pack and be->pack_rows of all of w[n,k] (host). */
struct packed *backend_pack(struct backend *be, const float *w, int64_t n, int64_t k, enum weight_type type, bool panels);

#define CPU_LOGITS ((int64_t)32 << 20)          /* logits_at_once */
struct backend *backend_cpu_new(int threads);
struct backend *backend_cuda_load(struct err *e);       /* cuda.c; backend_open("cuda") */
/* As backend_cpu_new, with the kernels of one instruction set: "avx512", "avx2", "portable"; NULL if this machine lacks it. */
struct backend *backend_cpu_new_isa(int threads, const char *isa);
struct backend *backend_bf16_new(int threads);
struct backend *backend_bf16_new_isa(int threads, const char *isa);            /* those, and "avx512bf16" */

#endif
