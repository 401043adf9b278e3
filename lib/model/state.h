/* state.h - how far a run has come, and which run it is: state.json of its checkpoint
 *
 * Read by r1-sample (which writes `step` into its records) and r1-update (which counts it on). A checkpoint without the file is at 0.
 *
 *     struct js *run = js_object();                           // what the run's course depends on
 *     run_set_hash(run, "model", checkpoint_hash(ck));        // what it began with
 *     run_set_hash(run, "data", hash);
 *     run_set_option(run, opts, "lr");                        // --lr
 *     if (run_check(run, there, "run/sft", "run/base", &e) < 0) ...   // there: state_member(ck, "run") of the checkpoint that is gone on with
 *     state_write(w, &state, run, since, &e);
 */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base/opt.h"
#include "model/checkpoint.h"

struct state {
	int64_t step;           /* steps of training by r1-update, or of r1-distill */
	int64_t tokens;         /* tokens seen, prompts included */
};

int state_read(struct checkpoint *ck, struct state *s, struct err *e);
/* A number of steps or tokens, of state.json or the optimizer's */
int state_count(const struct checkpoint_file *f, const struct js *j, const char *name, int64_t *to, struct err *e);
struct js *state_member(struct checkpoint *ck, const char *name);       /* what was written as `run` or `since`, the caller's; NULL: nothing */
/* run: NULL where nobody asks; since: sums over the steps since the last metrics record, NULL where there are none */
int state_write(struct checkpoint_writer *w, const struct state *s, const struct js *run, const struct js *since, struct err *e);

void run_set_hash(struct js *run, const char *name, uint64_t hash);
void run_set_option(struct js *run, const struct opt *opts, const char *name);  /* its value: a number, or text */
/* -1 and e where a member is another one in `there` (what only one of them has is not compared; NULL: nothing was written). path: the checkpoint;
 * model: what the run is said to have begun with. */
int run_check(const struct js *run, const struct js *there, const char *path, const char *model, struct err *e);

#endif
