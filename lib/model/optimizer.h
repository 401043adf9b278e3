/* optimizer.h - AdamW over all of a model's parameters, its state in and out of a checkpoint
 *
 *     struct optimizer *o = optimizer_new(m, &(struct optimizer_args){.beta1 = .9, .beta2 = .95, .eps = 1e-8, .clip = 1});
 *     optimizer_load(o, checkpoint, &e);              // resumes; fresh moments where the checkpoint has none
 *     ... gradients are added to m->grad ...
 *     double norm = optimizer_step(o, lr);            // clips, steps, clears the gradients; the norm before clipping
 *
 * Decoupled weight decay applies to matrices only (part.decay). Moments are float32, two for each parameter.
 */
#ifndef MODEL_OPTIMIZER_H
#define MODEL_OPTIMIZER_H

#include "model/model.h"

struct optimizer_args {
	double beta1, beta2, eps, weight_decay;
	double clip;                    /* the gradient's norm is brought down to this; 0: never */
};

struct optimizer {
	struct model *m;
	struct optimizer_args args;
	float *exp_avg, *exp_avg_sq;    /* backend [m->size] */
	int64_t step;                   /* steps made */
};

struct optimizer *optimizer_new(struct model *m, const struct optimizer_args *args);
void optimizer_free(struct optimizer *o);
double optimizer_step(struct optimizer *o, double learning_rate);

/* The folder optimizer/ of a checkpoint. load: 1 if it was there, 0 if not, -1 on error. */
int optimizer_load(struct optimizer *o, struct checkpoint *ck, struct err *e);
int optimizer_save(const struct optimizer *o, struct checkpoint_writer *w, struct err *e);

#endif
