/* params.h - named parameters: the tensors that a model multiplies by, and the parts of them that a checkpoint knows by name
 *
 *     struct params p = {0};
 *     struct tensor *qkv = params_add(&p, "model.layers.0", C, (struct param_part[]){{"self_attn.q_proj.weight", H * D}, ...}, 3);
 *     params_alloc(&p, be, PARAMS_TRAIN, NULL);       // theta and grad; the tensors point into them
 *     params_load(&p, file, &e);
 *     params_free(&p);
 *
 * Numbers that are trained lie in one array of floats (and so do their gradients), in the order in which they were added, so that the
 * optimizer and the norm of the gradient are one call. Tensors that are used together lie behind each other and are one matrix (q, k and v; gate and
 * up): a `part` is what the checkpoint knows by a name, a tensor is what the forward pass multiplies by.
 */
#ifndef MODEL_PARAMS_H
#define MODEL_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "model/safetensors.h"
#include "tensor/ops.h"

enum params_use { PARAMS_TRAIN, PARAMS_READ, PARAMS_SAMPLE };

struct part {
	char *name;                     /* as in the checkpoint: "model.layers.0.self_attn.q_proj.weight" */
	int64_t shape[2];
	int ndim;
	int64_t offset;                 /* into theta, floats */
	size_t tensor;                  /* which it is of ... */
	int64_t row;                    /* ... and from which row on (in vectors: from which number on) */
	bool decay;                     /* weight decay applies: matrices, not norms and biases */
};

struct params {
	struct backend *be;             /* NULL: names and shapes alone */
	struct part *part;
	size_t parts, parts_cap;
	struct tensor **tensor;         /* one for each params_add */
	int64_t *tensor_offset;
	size_t *tensor_part;            /* its first part */
	size_t tensors, tensors_cap;
	int64_t size;                   /* floats in theta, gaps included */
	int64_t count;                  /* parameters */
	float *theta, *grad;            /* backend memory [size] if they are trained; else NULL, and each tensor has memory of its own */
	struct arena arena;
};

/* A tensor of `parts` parts that lie one behind the other: rows are added up, every part has `cols` columns (0: vectors, the tensor is
 * one row). Names are printf'ed from prefix and name: "prefix.name". */
struct param_part {
	const char *name;
	int64_t rows;
};
struct tensor *params_add(struct params *p, const char *prefix, int64_t cols, const struct param_part *part, int parts);

/* Memory for what was added. PARAMS_TRAIN: theta and grad, both 0. Otherwise not cleared, for computing forward, and backward through the
 * parameters to what is before them, by PARAMS_READ; PARAMS_SAMPLE lays matrices out for few rows at once, forward only. Then
 * type[tensors] says what each matrix is kept as (NULL: all float32); vectors are float32. */
void params_alloc(struct params *p, struct backend *be, enum params_use use, const enum weight_type *type);
/* Rows from .. from+rows-1 of a part (of a vector: numbers) from host memory, aligned to nothing, rounded or widened as types ask. */
void params_put(struct params *p, const struct part *part, int64_t from, int64_t rows, const void *host, enum weight_type type);
/* All parts from a file; what is F16 is computed with as what it stands for. */
int params_load(struct params *p, const struct safetensors *from, struct err *e);
/* What a file's matrices are best kept as, [tensors], freed by the caller: bfloat16 those whose every number is one. */
enum weight_type *params_types(const struct params *p, const struct safetensors *from);
void params_free(struct params *p);

/* Any values laid out like theta (moments) under "prefix + name of the part": declared first, then written, in the order of the parts. */
void params_declare(const struct params *p, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype);
void params_write(const struct params *p, struct safetensors_writer *w, const float *values);
int params_read(const struct params *p, const struct safetensors *from, const char *prefix, float *values, struct err *e);
int params_check(const struct params *p, const struct safetensors *from, const char *prefix, struct err *e);    /* there, of that shape */
/* The parts as they stand in another file: declares them and writes them. */
int params_copy(const struct params *p, struct safetensors_writer *w, const struct safetensors *from, struct err *e);
int64_t part_count(const struct part *p);               /* numbers in it */

#endif
