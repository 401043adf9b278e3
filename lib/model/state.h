/* state.h - how far a run has come, in state.json of its checkpoint
 *
 * Read by r1-sample (which writes `step` into its records) and r1-update (which counts it on). A checkpoint without the file is at 0.
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "model/checkpoint.h"

struct state {
	int64_t step;           /* steps of training by r1-update, or of r1-distill */
	int64_t tokens;         /* tokens seen, prompts included */
};

int state_read(struct checkpoint *ck, struct state *s, struct err *e);
struct js *state_run(struct checkpoint *ck);            /* what was written as `run`; NULL: nothing */
/* run: what else a run's course depends on, to be asked about by who goes on with it; NULL: nobody asks */
int state_write(struct checkpoint_writer *w, const struct state *s, const struct js *run, struct err *e);

#endif
