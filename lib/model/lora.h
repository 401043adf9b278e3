/* lora.h - low-rank adapters on a model (Hu et al. 2022), their tensors named as PEFT names them
 *
 *     struct model *m = ...;                          // m->params frozen
 *     lora_declare(m, &config, NULL, &e);             // new, on config.targets; or on those modules that an adapter's tensors are of
 *     params_alloc_trained(&m->adapter, be, KEPT_F32);
 *     lora_init(m, seed);
 *     lora_switch(m, true);                           // op_linear adds them from now on
 *
 * The module "model.layers.0.self_attn.q_proj" has base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight [r, in] and
 * lora_B.weight [out, r]. Modules that can be adapted are those that a model multiplies by with op_linear: the projections of attention (of
 * latent attention all but kv_b_proj), of dense feed-forward layers and of experts that all tokens share.
 */
#ifndef MODEL_LORA_H
#define MODEL_LORA_H

#include "model/adapter.h"
#include "model/model.h"

/* from NULL: a new adapter. -1: no module has a target's name, or the adapter has tensors that mean nothing here. */
int lora_declare(struct model *m, const struct adapter_config *c, const struct safetensors *from, struct err *e);
void lora_init(struct model *m, uint64_t seed);         /* A uniform within 1/sqrt(in), keyed by name; B 0 */
void lora_switch(struct model *m, bool on);             /* whether op_linear adds it; at first it does not */

/* After passes have been made: that they have gone through every adapter. A family that multiplies by a weight without op_linear would train
 * nothing there. */
int lora_check(const struct model *m, struct err *e);

/* The adapted modules' last names, once each: NULL-terminated, borrowed from m->adapter's arena. */
const char *const *lora_modules(struct model *m, size_t *n);

/* Rows from .. from+rows-1 of a part of m->params, host memory, become those of the model with its adapter (m->adapter as PARAMS_READ). */
void lora_merge(const struct model *m, const struct part *part, int64_t from, int64_t rows, float *w);

#endif
