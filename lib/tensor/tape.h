/* tape.h - matrices, and the tape that remembers how they were made so that gradients can be had
 *
 *     struct tape t = tape_new(be);
 *     t.record = true;                                        // training; sampling leaves it false and keeps one layer or two (op_segment)
 *     struct tensor *h = op_embedding(&t, table, ids, N);     // [N, C]
 *     h = op_rmsnorm(&t, h, w, 1e-6f);                        // ops.h: each op computes at once
 *     ...
 *     tape_backward(&t);                                      // in reverse; gradients of parameters are added to theirs
 *     tape_reset(&t);                                         // activations gone, memory kept
 *     tape_free(&t);
 *
 * An activation and its gradient belong to the tape and end with tape_reset. A parameter belongs to the model (model.h); where
 * its `grad` is NULL it is frozen. Gradients of activations are made when the first contribution comes and given back as soon as
 * the op that made the activation has gone backward, so that few of them live at once.
 *
 * An op is one file of lib/tensor/op/: forward, backward and the check of shapes in one place. Shapes that do not fit are bugs
 * and abort, naming the op.
 */
#ifndef TENSOR_TAPE_H
#define TENSOR_TAPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "tensor/backend.h"

/* What a low-rank adapter adds to the products by a weight W[M,K] whose rows are several parts (q, k and v): for each adapted part, from its
 * first row on, scale B_p A_p, with B_p [rows of the part, rank] and A [parts * rank, K], the A_p one behind the other. */
struct lora {
	int64_t rank, parts;
	float scale;
	struct tensor *a;
	struct lora_part {
		struct tensor *b;
		int64_t row;
	} *part;
	bool used;                      /* out: op_linear has come by */
};

struct tensor {
	int64_t rows, cols;
	void *data;                     /* [rows, cols] of float32, or of bfloat16 if `half`; backend memory */
	void *grad;                     /* alike. Parameters: where gradients are added, or NULL. Activations: see tape_grad */
	bool is_param;
	bool half;                      /* activations alone */
	bool in_rows;                   /* parameters: where they are packed, then in dense rows */
	struct lora *lora;              /* of a weight of op_linear, or NULL */
	struct packed *packed;          /* parameters that are kept in another layout or type; then data is NULL */
};

struct tape;
struct node {
	const char *op;
	void (*backward)(struct tape *, struct node *);
	struct tensor *in[3], *out;
	void *aux;                      /* what the op keeps for the way back, until the reset */
};

struct tape {
	struct backend *be;
	bool record;
	bool recompute;                 /* op_segment keeps nothing of what is in between: on the way back it is made again */
	bool half;                      /* of the model that computed last: backend.h's `half`, for the way back */
	bool half_rows;                 /* of that model: ops that may (ops.h) give bfloat16 */
	struct arena host;              /* tensors, nodes' aux */
	struct node *node;
	size_t n, cap;
	struct tape_chunk *chunk, *current;     /* backend memory, bump-allocated */
	struct tape_free *spare;        /* gradients given back */
	size_t used, peak;              /* bytes of backend memory */
	struct tape *inner[2];          /* of op_segment, with memory of their own; NULL: there was none */
	int turn;                       /* which of them is next */
};

struct tape tape_new(struct backend *be);
void tape_free(struct tape *t);
void tape_reset(struct tape *t);
size_t tape_peak(const struct tape *t);         /* bytes of backend memory that it takes at most, what segments take with it */
/* Runs every op's backward in reverse order. The last op's (or several ops') gradients must have been set by their seeds. */
void tape_backward(struct tape *t);

/* For ops. */
struct tensor *tape_tensor(struct tape *t, int64_t rows, int64_t cols);        /* of float32; data not cleared */
struct tensor *tape_tensor_of(struct tape *t, bool half, int64_t rows, int64_t cols);
static inline size_t tensor_bytes(const struct tensor *x)                      /* of its data */
{
	return (size_t)(x->rows * x->cols) * (x->half ? sizeof(uint16_t) : sizeof(float));
}
/* Number i of x's data or gradient, which is `all` */
static inline void *tensor_at(const struct tensor *x, const void *all, int64_t i)
{
	return (char *)all + i * (int64_t)(x->half ? sizeof(uint16_t) : sizeof(float));
}
void *tape_memory(struct tape *t, size_t bytes);                               /* backend memory until the reset */
/* Memory asked for since the mark is free again. No tensor, gradient or what a node keeps may be among it. */
struct tape_mark {
	struct tape_chunk *chunk;
	size_t in_chunk, used;
};
struct tape_mark tape_mark(const struct tape *t);
void tape_release(struct tape *t, struct tape_mark m);
struct node *tape_record(struct tape *t, const char *op, void (*backward)(struct tape *, struct node *), struct tensor *out);
void tape_check(bool ok, const char *op, const char *what);                    /* aborts with a line if not ok */

/* The gradient of x, to be written to. *accumulate says whether it holds something already (add) or not (overwrite). For a frozen
 * parameter: NULL. */
void *tape_grad(struct tape *t, struct tensor *x, bool *accumulate);
/* Gives x the buffer `grad` (from tape_grad of another activation that is done with it), if x has none yet; else adds it. */
void tape_pass_grad(struct tape *t, struct tensor *x, struct tensor *from);

#endif
