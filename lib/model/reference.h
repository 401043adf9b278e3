/* reference.h - the reference model of a policy's KL term: one that is named, or the one that the policy's checkpoint carries
 *
 *     trainer_open(&t, ...);
 *     struct reference ref = {.trainer = &t, .every = 400};
 *     reference_score(&ref, rollout, n, tokens, &e);          // before trainer_begin: a model of its own is there and gone
 *     reference_keep(&ref, &e);                               // or this, where there is no KL term
 *     ... the step ...
 *     trainer_save(&t, path, reference_save, &ref, &e);
 *     reference_close(&ref);                                  // before trainer_close
 *
 * A checkpoint carries its reference as reference/model.safetensors, or reference/adapter_model.safetensors where an adapter is trained. What
 * carries none yet is its own reference, as it stands before the first step; an adapter's is its base. In a team all must have the same one. A step
 * that has another one, or none, leaves what is carried as it is.
 */
#ifndef MODEL_REFERENCE_H
#define MODEL_REFERENCE_H

#include "model/policy.h"
#include "model/trainer.h"

struct reference {
	struct trainer *trainer;        /* of the policy */
	const char *path;               /* a folder or an archive; NULL: the one that is carried */
	int64_t every;                  /* steps after which the policy becomes the carried one; 0: never */
	struct safetensors *carried;    /* after reference_score or reference_keep; NULL: none yet */
	bool begins;                    /* after reference_score: what is to be carried is the policy as it was read, or its base */
};

/* Sets r[i].reference, in passes of at most `tokens` tokens; the policy itself stays as it is. */
int reference_score(struct reference *ref, struct rollout *r, size_t n, int64_t tokens, struct err *e);
/* For a step that needs none. */
int reference_keep(struct reference *ref, struct err *e);

/* What trainer_save calls with the reference: into the checkpoint goes what the next step's is, if it carries one. */
int reference_save(void *ref, struct checkpoint_writer *w, struct err *e);

void reference_close(struct reference *ref);

#endif
