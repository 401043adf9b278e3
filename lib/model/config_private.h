/* config_private.h - config.json, inside: how a setting is read and what is said of one that cannot be */
#ifndef MODEL_CONFIG_PRIVATE_H
#define MODEL_CONFIG_PRIVATE_H

#include "model/config.h"

/* Settings that are absent or null are `absent` (config_size: 0 there means that it must not be). -1 and e otherwise. */
int config_size(const struct js *j, const char *key, int64_t absent, int64_t max, int64_t *to, struct err *e);        /* 1 .. max */
int config_count(const struct js *j, const char *key, int64_t absent, int64_t max, int64_t *to, struct err *e);       /* 0 .. max */
int config_number(const struct js *j, const char *key, double absent, double min, double *to, struct err *e);         /* finite */
int config_bool(const struct js *j, const char *key, bool absent, bool *to, struct err *e);
int config_refuse(const char *key, const struct js *value, const char *more, struct err *e);    /* "'key' = value is not supported" */

int config_rope(struct config *c, const struct js *j, struct err *e);           /* config_rope.c: after the shape is known */
int config_deepseek(struct config *c, const struct js *j, struct err *e);       /* config_deepseek.c: in place of head_dim */
int config_quantization(struct config *c, const struct js *j, struct err *e);

#endif
