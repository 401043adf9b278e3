/* adapter.h - what adapter_config.json says of a low-rank adapter (LoRA), as PEFT writes it
 *
 *     struct adapter_config c;
 *     if (adapter_config_parse(&c, text, n, "run/adapter/adapter_config.json", &e) < 0) ...
 *     adapter_config_free(&c);
 *
 * A setting that changes what is computed and that is not supported (DoRA, trained biases, ranks that differ from module to module ...) is
 * refused by its name. The document is kept and written back.
 */
#ifndef MODEL_ADAPTER_H
#define MODEL_ADAPTER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "record/json.h"

#define ADAPTER_CONFIG "adapter_config.json"
#define ADAPTER_WEIGHTS "adapter_model.safetensors"

struct adapter_config {
	char *base;                     /* base_model_name_or_path */
	int64_t rank;                   /* r */
	double alpha;                   /* lora_alpha */
	bool rslora;                    /* use_rslora: scaled by alpha / sqrt(r) instead of alpha / r */
	char *targets;                  /* of a new one: "q_proj,v_proj" or "all". NULL: the tensors of the adapter say */
	struct js *json;                /* NULL: a new one */
};

/* `name` stands in front of messages. c is ready for adapter_config_free also on error. */
int adapter_config_parse(struct adapter_config *c, const char *text, size_t n, const char *name, struct err *e);
struct adapter_config adapter_config_new(const char *base, int64_t rank, double alpha, const char *targets);    /* copies both texts */
int adapter_scope_check(const struct js *j, struct err *e);     /* adapter_scope.c: whether what says which modules are meant can be read */
/* Whether it means that module ("model.layers.0.self_attn.q_proj"): 1, 0 with the setting by which it does not, -1. */
int adapter_scope(const struct adapter_config *c, const char *module, const char **key, struct err *e);
float adapter_scale(const struct adapter_config *c);    /* what B A is multiplied by */
/* For a new one: the adapted modules' last names, and the pattern of those that have such a name and are not adapted (NULL: there are none) */
void adapter_config_write(const struct adapter_config *c, const char *const *module, size_t modules, const char *exclude, struct buf *to);
void adapter_config_free(struct adapter_config *c);

#endif
