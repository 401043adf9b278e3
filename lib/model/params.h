/* params.h - named parameters: the tensors that a model multiplies by, and the parts of them that a checkpoint knows by name
 *
 *     struct params p = {0};
 *     struct tensor *qkv = params_add(&p, "model.layers.0", C, (struct param_part[]){{"self_attn.q_proj.weight", H * D}, ...}, 3);
 *     params_alloc_trained(&p, be, KEPT_F32);         // theta; the tensors point into it
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

enum params_use { PARAMS_READ, PARAMS_SAMPLE };

/* What numbers that are trained are kept as, and are computed with. The optimizer's are finer in the two others, so that no small step is lost:
 * KEPT_BF16  half [size], what is computed with, and low [owned], the rest of the float32 number (struct mixed in backend.h)
 * KEPT_F16   theta [size], numbers that float16 can say, in float32, and master [owned], the number itself */
enum params_kept { KEPT_F32, KEPT_BF16, KEPT_F16 };

struct part {
	char *name;                     /* as in the checkpoint: "model.layers.0.self_attn.q_proj.weight" */
	int64_t shape[2];
	int ndim;
	int64_t offset;                 /* into theta, floats */
	size_t tensor;                  /* which it is of ... */
	int64_t row;                    /* ... and from which row on (in vectors: from which number on) */
	bool decay;                     /* weight decay applies: matrices, not norms and biases */
	bool fixed;                     /* a vector that is never trained, and float32 in memory and files whatever the others are */
	bool begins;                    /* 0 where the file has none: it is about to be trained */
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
	int64_t count;                  /* parameters, without those that are fixed */
	bool trained;                   /* then backend memory [size], as `kept` says; else each tensor has memory of its own */
	bool joined;                    /* devices of a team speak to each other (shares.h) */
	int64_t own, owned;             /* numbers own .. own+owned-1 are this process's to train; a process alone: all */
	enum params_kept kept;
	float *theta, *master, *grad;   /* grad NULL until params_need_grad */
	uint16_t *half, *low;
	struct arena arena;
};

/* A tensor of `parts` parts that lie one behind the other: rows are added up, every part has `cols` columns (0: vectors, the tensor is
 * one row). Names are printf'ed from prefix and name: "prefix.name". */
struct param_part {
	const char *name;
	int64_t rows;
	bool fixed;                     /* a vector that is never trained; it is a tensor of its own */
	bool begins;
};
struct tensor *params_add(struct params *p, const char *prefix, int64_t cols, const struct param_part *part, int parts);

/* Memory for what was added, not cleared, for computing forward, and backward through the parameters to what is before them, by PARAMS_READ;
 * PARAMS_SAMPLE lays matrices out for few rows at once, forward only. type[tensors] says what each matrix is kept as (NULL: all float32);
 * vectors are float32. */
void params_alloc(struct params *p, struct backend *be, enum params_use use, const enum weight_type *type);
/* The same for training, all 0. */
void params_alloc_trained(struct params *p, struct backend *be, enum params_kept kept);
void params_need_grad(struct params *p);                /* gradients, all 0, which the tensors have from then on; once is enough */
/* After the optimizer changed the own numbers: what is computed with follows, everywhere. */
void params_follow(struct params *p);
/* Which of the numbers at .. at+n-1 are own: how many, and in *first the first of them. */
int64_t params_own(const struct params *p, int64_t at, int64_t n, int64_t *first);
/* Rows from .. from+rows-1 of a part (of a vector: numbers) from host memory, aligned to nothing, rounded or widened as types ask. */
void params_put(struct params *p, const struct part *part, int64_t from, int64_t rows, const void *host, enum weight_type type);
/* All parts from a file; what is F16 or F8_E4M3 is computed with as what it stands for. */
int params_load(struct params *p, const struct safetensors *from, struct err *e);
/* What a file's matrices are best kept as, [tensors], freed by the caller: bfloat16 those whose every number is one; what is F8_E4M3 as told. */
enum weight_type *params_types(const struct params *p, const struct safetensors *from, enum weight_type fp8);
bool params_half(const struct params *p);               /* some matrix is kept in bfloat16 */
void params_free(struct params *p);

/* Values [owned] laid out like the numbers (moments, say) under "prefix + name of the part": declared first, then written, in the order of
 * the parts. Without a prefix they are the numbers themselves: what is fixed is F32. `dtype` is that of the file in declare, of the memory in write and
 * read: F32 (which is converted), or BF16 or I16. Every process of a team writes, to NULL if it is not the first, which gets what the others have. */
void params_declare(const struct params *p, struct safetensors_writer *w, const char *prefix, enum st_dtype dtype);
void params_write(const struct params *p, struct safetensors_writer *w, const void *values, enum st_dtype dtype);
int params_read(const struct params *p, const struct safetensors *from, const char *prefix, void *values, enum st_dtype dtype, struct err *e);

/* The trained numbers as they are computed with: declares them and writes them. */
void params_save(const struct params *p, struct safetensors_writer *w);
/* What is finer than these, if anything is kept: "low." (I16) or "master." and the name. read: no error if the file has none; then params_follow. */
void params_declare_fine(const struct params *p, struct safetensors_writer *w);
void params_write_fine(const struct params *p, struct safetensors_writer *w);
int params_read_fine(struct params *p, const struct safetensors *from, struct err *e);

int params_check(const struct params *p, const struct safetensors *from, struct err *e);        /* every part is there, of its shape */
/* The parts as they stand in another file, but F8_E4M3 as told: declares them and writes them. */
int params_copy(const struct params *p, struct safetensors_writer *w, const struct safetensors *from, enum weight_type fp8, struct err *e);
int64_t part_count(const struct part *p);               /* numbers in it */

#endif
