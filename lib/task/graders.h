/* graders.h - rewards that models give: completions wait until there are many, are scored at once, and go on in the order in which they came
 *
 *     struct graders *g = graders_new(be, "auto", put, writer);       // int put(void *writer, struct record *r, struct err *e)
 *     graders_reward_model(g, "run/helpful:0.5,as=helpful,on=summary", &e);
 *     graders_value_model(g, "run/critic", &e);
 *     while (...)
 *             if (graders_put(g, &record, &e) < 0) ...                // -1: the record is bad; -2: all is over
 *     rc = graders_flush(g, &e);
 *     graders_free(g);
 *
 * A reward model is a checkpoint with a scalar head (task/scorer.h). It adds a member to `rewards` and its share to `reward`, and leaves what stands
 * there as it is. A value model gives `values`: what it expects before each token of the completion.
 */
#ifndef TASK_GRADERS_H
#define TASK_GRADERS_H

#include "record/record.h"
#include "task/reward.h"
#include "tensor/backend.h"

struct graders;

/* template: how questions become prompts, a name or a file, borrowed; "auto": by the checkpoint's own */
struct graders *graders_new(struct backend *be, const char *template, int (*put)(void *arg, struct record *r, struct err *e), void *arg);
/* DIR[:WEIGHT][,as=NAME][,on=response|summary][,sigmoid=yes|no][,at-most=X] */
int graders_reward_model(struct graders *g, const char *spec, struct err *e);
int graders_value_model(struct graders *g, const char *path, struct err *e);
const struct plugin *graders_about(void);               /* a reward model's options, for --help */
bool graders_any(const struct graders *g);

/* Takes the record over (r is empty then) unless it is bad. */
int graders_put(struct graders *g, struct record *r, struct err *e);
int graders_flush(struct graders *g, struct err *e);    /* those that wait now: where the next one may take its time, and at the end */
size_t graders_means(const struct graders *g, struct reward_mean *to, size_t max);
void graders_free(struct graders *g);

#endif
