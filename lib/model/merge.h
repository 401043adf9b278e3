/* merge.h - an adapter and its base made into one model
 *
 *     struct checkpoint *ck = checkpoint_open("run/adapter", &e);
 *     model_merge(ck, be, "bfloat16", 5000000000, w, &e);             // config, companions and weights into w
 *
 * A merged weight is W + scale B A, computed in float32 and then rounded to the type that it is stored as. In 16 bits that may round away
 * a part of what a small adapter says; sampling from base and adapter does not.
 */
#ifndef MODEL_MERGE_H
#define MODEL_MERGE_H

#include "model/checkpoint.h"
#include "tensor/backend.h"

/* dtype NULL: the base's torch_dtype. shard_bytes as in safetensors_shard. */
int model_merge(const struct checkpoint *ck, struct backend *be, const char *dtype, int64_t shard_bytes, struct checkpoint_writer *w, struct err *e);

#endif
