/* optimizer.h - AdamW over all of a model's parameters, its state in and out of a checkpoint
 *
 *     struct optimizer *o = optimizer_new(&m->params, &(struct optimizer_args){.beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1});
 *     optimizer_load(o, checkpoint, &e);              // resumes; fresh moments where the checkpoint has none
 *     ... gradients are added to m->params.grad ...
 *     double norm = optimizer_step(o, lr);            // clips, steps, clears the gradients; the norm before clipping
 *
 * Decoupled weight decay applies to matrices only (part.decay). The optimizer's own numbers are float32 whatever the model is computed with
 * (enum params_kept), so that steps too small for 16 bits add up. Two moments for each parameter are float32, or bfloat16 rounded at
 * random by draws that are keyed by the seed, the step and the parameter. In a team each process has them of its share of the parameters alone
 * (shares.h), and all make these calls.
 */
#ifndef MODEL_OPTIMIZER_H
#define MODEL_OPTIMIZER_H

#include "model/model.h"

struct optimizer_args {
	double beta1, beta2, eps, weight_decay;
	double clip;                    /* the gradient's norm is brought down to this; 0: never */
	bool half_moments;
	uint64_t seed;                  /* of their rounding */
};

struct optimizer {
	struct params *p;
	struct optimizer_args args;
	void *exp_avg, *exp_avg_sq;     /* backend [p->owned], of `dtype` */
	enum st_dtype dtype;            /* ST_F32 or ST_BF16 */
	int64_t step;                   /* steps made */
};

struct optimizer *optimizer_new(struct params *p, const struct optimizer_args *args);         /* makes room for gradients, too */
void optimizer_free(struct optimizer *o);
double optimizer_step(struct optimizer *o, double learning_rate);

/* The folder optimizer/ of a checkpoint: moments, steps, and what is finer than the weights. load: 1 if it was there, 0 if not, -1 on error, or where
 * it is not the same to all of a team. save: w is NULL where this process is not the first. */
int optimizer_load(struct optimizer *o, struct checkpoint *ck, struct err *e);
int optimizer_half_moments(struct checkpoint *ck, bool *half, struct err *e);    /* whether the moments there are bfloat16 */
int optimizer_save(const struct optimizer *o, struct checkpoint_writer *w, struct err *e);

#endif
