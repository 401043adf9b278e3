/* create.h - new models: a configuration, random weights, a tokenizer
 *
 *     model_create(&config, "run/base", &(struct create_args){.tokenizer = "tokenizer.json", .seed = 1, .name = "config.json"}, &e);
 *
 * The weights are model_init's: keyed by the seed and each tensor's name, whatever the number of threads. They are made and written piece by
 * piece: a model may be larger than the memory.
 */
#ifndef MODEL_CREATE_H
#define MODEL_CREATE_H

#include "model/config.h"

struct create_args {
	const char *tokenizer;          /* a tokenizer.json, or a folder whose tokenizer and templates are taken; NULL: none */
	const char *name;               /* of the configuration, for messages */
	uint64_t seed;
	int threads;                    /* 0: one for each core */
	int64_t shard_bytes;            /* as in model_save */
	bool quiet;                     /* no progress */
};

/* Writes a checkpoint of that configuration, in its torch_dtype, as `path`: whole or not at all. */
int model_create(const struct config *c, const char *path, const struct create_args *a, struct err *e);

#endif
