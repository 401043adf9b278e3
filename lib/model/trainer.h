/* trainer.h - what r1-update and r1-distill share: a checkpoint made ready to be trained, and written again
 *
 *     struct trainer_args a = TRAINER_DEFAULTS;
 *     struct opt opts[] = {..., TRAINER_OPTIMIZER(&a), ...};
 *     struct trainer t = {0};
 *     if (trainer_open(&t, "run/policy", be, &a, &e) < 0) ...         // the weights
 *     if (trainer_begin(&t, true, &e) < 0) ...                        // gradients and moments; resumes
 *     ... gradients by passes through t.model, optimizer_step(t.optimizer, lr) ...
 *     trainer_save(&t, "run/policy", NULL, NULL, &e);                 // config, companions, weights, optimizer/, state.json
 *     trainer_close(&t);
 *
 * A model's weights are trained, or, with --lora or where the path is an adapter's, a low-rank adapter alone: then the checkpoint that is
 * written is the adapter.
 *
 * What is between the two takes no memory for training yet: a reference model can be there and gone.
 */
#ifndef MODEL_TRAINER_H
#define MODEL_TRAINER_H

#include "base/opt.h"
#include "model/optimizer.h"
#include "model/state.h"

struct trainer_args {
	double beta1, beta2, eps, weight_decay, max_grad_norm;
	const char *moments, *dtype;
	double shard_size;              /* 1e9 bytes */
	int64_t lora;                   /* rank of a low-rank adapter that is trained instead of the weights; 0: none, or the checkpoint's */
	double lora_alpha;              /* 0: twice the rank */
	const char *lora_targets;
	uint64_t seed;                  /* of the rounding of moments, of a new adapter */
	int64_t replicas;               /* that a step is dealt to; 0: as many as there are processes (replicas.h) */
	int64_t tokens;                 /* of a pass, at most; 0: as pass_tokens() has it */
	bool recompute;                 /* of tapes: layers' activations are not kept but made again on the way back */
	bool scalar;                    /* a model that scores texts is trained: one, or a language model that becomes one */
};
#define TRAINER_DEFAULTS {.beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8, .max_grad_norm = 1, .moments = "auto", .dtype = "auto", .shard_size = MODEL_SHARD_GB, .lora_targets = "all"}
#define TRAINER_OPTIMIZER(a) \
	{"beta1", 0, OPT_FLOAT, &(a)->beta1, "B", "AdamW", 0, 0.999999}, \
	{"beta2", 0, OPT_FLOAT, &(a)->beta2, "B", "AdamW", 0, 0.999999}, \
	{"adam-eps", 0, OPT_FLOAT, &(a)->eps, "E", "AdamW", 0, 1}, \
	{"weight-decay", 0, OPT_FLOAT, &(a)->weight_decay, "W", "decoupled, matrices only", 0, 1e9}, \
	{"max-grad-norm", 0, OPT_FLOAT, &(a)->max_grad_norm, "N", "clip the gradient's norm; 0: never", 0, 1e9}, \
	{"moments", 0, OPT_CHOICE, &(a)->moments, "auto|float32|bfloat16", "what AdamW's moments are kept as; auto: as the checkpoint has them"}
#define TRAINER_SHARD_SIZE(at) {"shard-size", 0, OPT_FLOAT, at, "GB", "write more weights than that as several files; 0: never", 0, 1e9}
#define TRAINER_DTYPE(a) \
	{"dtype", 0, OPT_CHOICE, &(a)->dtype, "auto|float32|bfloat16|float16", "what weights are computed with and saved as; auto: the config's torch_dtype"}, \
	TRAINER_SHARD_SIZE(&(a)->shard_size)

#define TRAINER_LORA(a) \
	OPT_HEADING("Low-rank adapter (LoRA)"), \
	{"lora", 0, OPT_INT, &(a)->lora, "RANK", "train an adapter of that rank on the frozen weights; 0: only if the model is one", 0, 65536}, \
	{"lora-alpha", 0, OPT_FLOAT, &(a)->lora_alpha, "A", "what it adds is scaled by A / RANK; 0: twice the rank", 0, 1e9}, \
	{"lora-targets", 0, OPT_STRING, &(a)->lora_targets, "LIST", "modules that it adapts: q_proj,v_proj,... or all"}

#define TRAINER_TOKENS(a) \
	{"tokens", 0, OPT_INT, &(a)->tokens, "N", "tokens in one pass, at most: memory, not results; 0: 2048, on a GPU 16384", 0, 1e12}, \
	{"recompute", 0, OPT_FLAG, &(a)->recompute, NULL, "keep only what goes into each layer, and compute the rest again: memory, not results"}, \
	{"replicas", 0, OPT_INT, &(a)->replicas, "N", "deal each step to N replicas, as mpirun -n N does; 0: as many as there are processes", 0, 4096}

struct trainer {
	const struct trainer_args *args;
	struct backend *be;
	struct checkpoint *ck;
	struct model *model;
	struct optimizer *optimizer;    /* after trainer_begin */
	struct state state;             /* the checkpoint's; to be counted on */
	int64_t tokens;                 /* of a pass, at most */
	const struct js *run, *since;   /* NULL, or what is written beside it (state.h) */
};

/* Before all else: this process finds those that it was started together with (base/team.h); -1: --replicas are not as many, or their options
 * are not the same. From then on every process makes the same calls, of which the first one alone writes. */
int trainer_join(const struct trainer_args *a, const struct opt *opts, struct err *e);
/* Options that contradict each other: -1. output: where it is written, NULL where the model is. */
int trainer_check(const struct trainer_args *a, const char *model, const char *output, struct err *e);
/* In a team, all must find the same there, in trainer_begin, too. With a->lora and a path that is no adapter: a new one, on that model as its base. */
int trainer_open(struct trainer *t, const char *path, struct backend *be, const struct trainer_args *a, struct err *e);
/* resume: the checkpoint's moments and what is finer than its weights, 1 if they were there. Otherwise, or without any, all begins anew: 0. */
int trainer_begin(struct trainer *t, bool resume, struct err *e);
/* A line on stderr if a pass beside all else will not fit the memory that there is: the device's free memory, or this machine's. Passes are of t->tokens
 * at most, but a sequence is never cut; `all`, `longest`: what all sequences have, and one. */
void trainer_warn_memory(const struct trainer *t, int64_t all, int64_t longest);
/* The checkpoint, whole or not at all; in a team all call it, and the first one writes. also: NULL, or adds to it what the program alone has. */
int trainer_save(const struct trainer *t, const char *path, int (*also)(void *arg, struct checkpoint_writer *w, struct err *e), void *arg, struct err *e);
void trainer_close(struct trainer *t);

#endif
