/* ops.h - the operations of the tape: each computes its result at once and, while the tape records, can go backward
 *
 * Shape letters as in backend.h. Activations are of float32 but for those said to be rows: these are of bfloat16 where the tape's are
 * (tape.h's half_rows), and may be what comes in where `rows` is said of it. Index arrays (`id`, `position`, `row`) are backend memory (tape_upload) and must live until the
 * tape is reset. Weights are stored [out, in], as checkpoints have them.
 */
#ifndef TENSOR_OPS_H
#define TENSOR_OPS_H

#include "tensor/tape.h"

int32_t *tape_upload(struct tape *t, const int32_t *host, int64_t n);          /* backend copy until the reset */

/* table [V, C], id [N] -> [N, C]. Gradient: table. */
struct tensor *op_embedding(struct tape *t, struct tensor *table, const int32_t *id, int64_t rows);

/* x [N, C], row [R] -> [R, C]: those rows of x. Gradient: x. */
struct tensor *op_rows(struct tape *t, struct tensor *x, const int32_t *row, int64_t rows);

/* x [N, C], w [1, C] -> rows [N, C]: x / sqrt(mean(x^2) + eps) * w. Gradient: x, w. */
struct tensor *op_rmsnorm(struct tape *t, struct tensor *x, struct tensor *w, float eps);

/* In place: each of the first H + G heads of rows x [N, ...] by itself, H queries with w [1, D], then G keys with w2; returns x. Gradient: x, w, w2. */
struct tensor *op_rmsnorm_heads(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *w2, float eps, int64_t heads, int64_t kv_heads,
				int64_t head_dim);

/* x [N, K] (or rows), w [M, K], bias [1, M] or NULL -> [N, M]: x w^T + bias, and what w->lora adds. Gradient: x, w, bias. */
struct tensor *op_linear(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias);
struct tensor *op_linear_rows(struct tape *t, struct tensor *x, struct tensor *w, struct tensor *bias);        /* the same, as rows */
/* The same and `to` [N, M], which is the residual stream. Gradient: x, w, bias, to. */
struct tensor *op_linear_add(struct tape *t, struct tensor *to, struct tensor *x, struct tensor *w, struct tensor *bias);

/* For op_linear: adds w->lora's part to out = x w^T. Gradient: x, A, B. */
void op_lora(struct tape *t, struct tensor *out, struct tensor *x, struct tensor *w);

/* Rotates in place the first `heads` heads of rows x [N, ...]; returns x. cos_sin [positions, D] as in backend.h. Gradient: x. */
struct tensor *op_rope(struct tape *t, struct tensor *x, const int32_t *position, const float *cos_sin, int64_t heads, int64_t head_dim);

/* What a flat batch looks like to attention. */
struct sequences {
	const struct seq *seq;          /* host; must live until the tape is reset */
	int64_t seqs;
	struct kv_cache *cache;         /* NULL in training */
};
/* Rows qkv [N, (H+2G)*D] -> rows [N, H*D], causal within each sequence. Gradient: qkv (without a cache only). */
struct tensor *op_attention(struct tape *t, struct tensor *qkv, const struct sequences *s, int64_t layer, int64_t heads, int64_t kv_heads,
			    int64_t head_dim, float scale);

/* Multi-head latent attention (op/latent.c). R kv_lora_rank, Dn, Dr and Dv the widths of a head: not rotated, rotated, of a value. kv_b is
 * [H*(Dn+Dv), R], of dense rows where it is packed. interleaved as in struct rope. */
struct latent_shape {
	int64_t heads, rank, nope, rope, value;         /* H R Dn Dr Dv */
	bool interleaved;
};
/* x [N, R+Dr] (kv_a's output), w [1, R] -> [N, R+Dr]: what the cache holds. Gradient: x, w. */
struct tensor *op_latent_keys(struct tape *t, struct tensor *x, struct tensor *w, float eps, const int32_t *position, const float *cos_sin,
			      const struct latent_shape *s);
/* q [N, H*(Dn+Dr)] -> [N, H*(R+Dr)]. Gradient: q, kv_b. */
struct tensor *op_latent_queries(struct tape *t, struct tensor *q, struct tensor *kv_b, const int32_t *position, const float *cos_sin,
				 const struct latent_shape *s);
/* -> [N, H*R], causal within each sequence. Gradient: q, keys (without a cache only). */
struct tensor *op_latent(struct tape *t, struct tensor *q, struct tensor *keys, const struct sequences *seqs, int64_t layer,
			 const struct latent_shape *s, float scale);
/* x [N, H*R] -> [N, H*Dv]. Gradient: x, kv_b. */
struct tensor *op_latent_values(struct tape *t, struct tensor *x, struct tensor *kv_b, const struct latent_shape *s);

/* logits [N, E] -> weights [N, K]; *id is set to their experts, [N, K] backend memory (struct routing; its bias must live until the reset).
 * Gradient: logits. */
struct tensor *op_route(struct tape *t, struct tensor *logits, const struct routing *how, int32_t **id);

struct expert {
	struct tensor *gate_up, *down;  /* [2F, C], [C, F] */
};
/* x [N, C], weight [N, K], id [N, K] -> [N, C]: sum over a row's experts, in rising order, of weight * down(silu(gate(x)) * up(x)). The rows
 * of an expert are one product. `expert` [experts] must live until the reset. Gradient: x, weight, the experts. */
struct tensor *op_experts(struct tape *t, struct tensor *x, struct tensor *weight, const int32_t *id, const struct expert *expert, int64_t experts);

/* Rows gate_up [N, 2F] -> rows [N, F]: silu(gate) * up. Gradient: gate_up. */
struct tensor *op_swiglu(struct tape *t, struct tensor *gate_up);

/* a + b, both [N, C]. Gradient: both. */
struct tensor *op_add(struct tape *t, struct tensor *a, struct tensor *b);

/* run(t, x, arg), which is of x's shape and of no activation but x. Where the tape records nothing, what is made on the way, x among it, is there
 * until the next but one begins; where it recomputes, it is given back at once, and on the way back it is made once more, by the same calls and so
 * to the same bits. `arg` (size bytes) is copied; what it points to must live until the reset. Segments do not lie in one another. Gradient: x,
 * and what run's own ops have. */
typedef struct tensor *segment_run(struct tape *t, struct tensor *x, const void *arg);
struct tensor *op_segment(struct tape *t, struct tensor *x, segment_run *run, const void *arg, size_t size);

/* Log-probabilities of targets under softmax(x w^T / temperature) without ever holding [N, V]: logits are made, reduced and dropped
 * some rows at a time (the backend's logits_at_once, whatever N), and made again on the way back. The number of rows at once
 * changes no bit of the results, and of gradients only that of w, by rounding.
 *     x [N, C] (or rows), w [V, C], target [N] (backend) -> logprob [N], entropy [N] (nats; backend memory of the tape).
 * Its gradient is seeded by op_logprob_seed before tape_backward. Gradient: x, w. */
struct logprobs {
	float *logprob, *entropy;       /* entropy NULL if not wanted */
	struct node *node;              /* NULL when nothing is recorded; dies with the next op recorded */
};
struct logprobs op_logprob(struct tape *t, struct tensor *x, struct tensor *w, const int32_t *target, float inv_temperature, bool want_entropy);
/* dloss/dlogprob [N] and dloss/dentropy [N] or NULL, host memory. */
void op_logprob_seed(struct tape *t, const struct logprobs *l, const float *dlogprob, const float *dentropy);

#endif
