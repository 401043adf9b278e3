/* summary.h - what a person wants to know of a model before it is used: its size, what is with it, the memory that it needs
 *
 *     struct summary s;
 *     if (summary_read(&s, "run/policy", 0, 16, &e) == 0)
 *             summary_text(&s, &text);                         // "run/policy\n  family       qwen2\n ..."
 *     summary_free(&s);
 *
 * Weights are not read, only the headers that say where they are; each must be there and have the shape that the family asks for. The memory
 * is measured: a pass and a sampler's weights go through the motions on the dry backend (dry.h).
 */
#ifndef MODEL_SUMMARY_H
#define MODEL_SUMMARY_H

#include "model/model.h"
#include "model/state.h"

#define SUMMARY_LORA_RANK 16

struct memory {                 /* in bytes */
	int64_t length, sequences;
	int64_t sampler;                /* weights, as sampling keeps them */
	int64_t cache_per_token;        /* keys and values */
	int64_t cache;                  /* of all sequences at their full length */
	int64_t trainer;                /* weights, gradients, moments; of an adapter: its own, and the weights that are read */
	int64_t lora;                   /* what that would be with a new adapter of rank SUMMARY_LORA_RANK on all modules; 0: it is an adapter */
	int64_t activations;            /* of a pass of `length` tokens */
	int64_t recomputing;            /* the same with --recompute */
	int64_t sampling, training;     /* the sums */
};

struct summary {
	const char *path;
	struct config config;
	struct model *shapes;           /* without weights */
	struct checkpoint *ck;          /* NULL: only a config.json was given */
	int64_t head;                   /* parameters of embedding and head */
	int64_t adapter;                /* parameters of a low-rank adapter; 0: it is none */
	const char *dtype;              /* of the weights: "BF16", "mixed"; of a config.json alone: what its torch_dtype says */
	int64_t bytes;                  /* the weights take in the file, or would */
	size_t unused;                  /* tensors that the family does not ask for */
	const char *first_unused;
	int64_t tokens;                 /* of the tokenizer; 0: none */
	bool template, optimizer;
	struct state state;
	struct memory memory;
};

/* A checkpoint, or a config.json alone. Memory is told for `sequences` of `length` tokens (0: the context, up to 4096). On error, too,
 * s is ready for summary_free. */
int summary_read(struct summary *s, const char *path, int64_t length, int64_t sequences, struct err *e);
void summary_free(struct summary *s);

/* Lines for people without the last one's end; an object for programs. Added to `to`. */
void summary_text(const struct summary *s, struct buf *to);
void summary_json(const struct summary *s, struct buf *to);

/* How many tokens a tokenizer.json can give: the largest id of all, and 1. */
int summary_count_tokens(const char *text, size_t n, const char *name, int64_t *count, struct err *e);

#endif
