/* model.h - a language model: its parameters, and its forward pass by the family's own file
 *
 *     struct model *m = model_load("run/policy", be, MODEL_SAMPLE, &e);
 *     struct tensor *h = model_hidden(m, &tape, id, position, N, &sequences);         // [N, C], after the last norm
 *     struct logprobs l = op_logprob(&tape, h, m->head, target, 1 / temperature, true);
 *     model_free(m);
 *
 * All parameters lie in one array of floats (and so do their gradients), in the order in which the family declares them, so that the
 * optimizer and the norm of the gradient are one call. Tensors that are used together lie behind each other and are one matrix
 * (q, k and v; gate and up): a `part` is what the checkpoint knows by a name, a tensor is what the forward pass multiplies by.
 *
 * A family is one file of lib/model/family/ with a `const struct family family_NAME` at its end: it declares its parameters and states
 * its forward pass; the backward pass comes from the tape.
 */
#ifndef MODEL_MODEL_H
#define MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "tensor/ops.h"

struct model;

struct part {
	char *name;                     /* as in the checkpoint: "model.layers.0.self_attn.q_proj.weight" */
	int64_t shape[2];
	int ndim;
	int64_t offset;                 /* into theta, floats */
	bool decay;                     /* weight decay applies: matrices, not norms and biases */
};

struct family {
	const char *model_type;         /* config.json's "model_type" */
	/* Declares every parameter by model_param and keeps what it needs in m->net (memory of m->arena). */
	void (*declare)(struct model *m);
	/* [N, C]: the last norm's output for a flat batch. */
	struct tensor *(*forward)(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows,
				  const struct sequences *s);
};
extern const struct family *const family_table[];

enum model_use { MODEL_SAMPLE, MODEL_TRAIN, MODEL_SCORE };      /* weights packed; gradients; neither */

struct model {
	const struct family *family;
	struct config config;
	struct backend *be;
	struct part *part;
	size_t parts, parts_cap;
	struct tensor **tensor;         /* one for each model_param; data and grad point into theta and grad */
	int64_t *tensor_offset;
	size_t tensors, tensors_cap;
	int64_t size;                   /* floats in theta, gaps included */
	int64_t count;                  /* parameters */
	float *theta, *grad;            /* backend memory; grad NULL unless trained */
	float *cos_sin;                 /* rope's table for the positions reserved so far */
	int64_t positions;
	struct tensor *embed, *head;    /* [V, C]; one and the same when tied */
	void *net;
	struct arena arena;
};

/* A tensor of `parts` parts that lie one behind the other: rows are added up, every part has `cols` columns (0: vectors, the tensor is
 * one row). Names are printf'ed from prefix and name: "prefix.name". */
struct param_part {
	const char *name;
	int64_t rows;
};
struct tensor *model_param(struct model *m, const char *prefix, int64_t cols, const struct param_part *part, int parts);

/* A folder or an archive. NULL and e on error. */
struct model *model_load(const char *path, struct backend *be, enum model_use use, struct err *e);
struct model *model_from_checkpoint(const struct checkpoint *ck, struct backend *be, enum model_use use, struct err *e);
/* A model of that configuration with weights of 0. be NULL: its parts alone, their names and shapes, without memory for weights. */
struct model *model_new(const struct config *c, struct backend *be, enum model_use use, struct err *e);
void model_init(struct model *m, uint64_t seed);        /* normal(0, initializer_range) matrices, norms 1, biases 0, keyed by name */
/* What model_init gives numbers from .. from+n-1 of a part, into host memory. */
void model_init_part(const struct model *m, const struct part *p, uint64_t seed, int64_t from, int64_t n, float *w);
void model_pack(struct model *m);                       /* (again) after theta changed, for MODEL_SAMPLE */
void model_free(struct model *m);

/* Adds the model's tensors to a checkpoint that is being written. */
int model_save(const struct model *m, struct checkpoint_writer *w, struct err *e);

/* Any values laid out like theta (moments) under "prefix + name of the part": declared first, then written, in the order of the parts. */
void model_declare_parts(const struct model *m, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype);
void model_write_parts(const struct model *m, struct safetensors_writer *w, const float *values);
int model_read_parts(const struct model *m, const struct safetensors *from, const char *prefix, float *values, struct err *e);
int model_check_parts(const struct model *m, const struct safetensors *from, const char *prefix, struct err *e);       /* there, of that shape */
int64_t part_count(const struct part *p);               /* numbers in it */

void model_reserve_positions(struct model *m, int64_t positions);      /* rope's table at least that long */
struct tensor *model_hidden(struct model *m, struct tape *t, const int32_t *id, const int32_t *position, int64_t rows, const struct sequences *s);

#endif
