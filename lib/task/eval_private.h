/* eval_private.h - what eval.c gathers and eval_table.c shows */
#ifndef TASK_EVAL_PRIVATE_H
#define TASK_EVAL_PRIVATE_H

#include "base/map.h"
#include "base/mem.h"
#include "task/eval.h"
#include "task/reflect.h"
#include "task/stat.h"
#include "task/verifier.h"

struct eval_sample {
	const char *id;
	size_t id_n;
	int64_t step, sample, arrival;
	double reward, correct;         /* NaN: not there; correct is 0 or 1 */
	double length;
	int ended;                      /* by finish_reason: 1 on its own, 0 cut short, -1 not said */
	bool format, mixes;
	int64_t reflections;
	const char *answer;             /* NULL: none */
	size_t answer_n;
	const struct verifier *verifier;
	const double *value;            /* (values) one for each name of eval.names that was known then; NaN: null or not there */
	size_t values;
};

struct eval_problem {
	const struct eval_sample **sample;      /* (n) by `sample`, once finished */
	size_t n, cap;
	int64_t scored, right;
};

struct eval_row {
	const char *file, *field, *value;       /* value: JSON text */
	size_t order;                           /* of its file and field, as first seen */
	struct map index;                       /* id NUL step -> problem + 1 */
	struct eval_problem *problem;           /* (n) by id and step, once finished */
	size_t n, cap;
	int64_t samples, unscored;
};

struct eval {
	struct eval_options o;
	const char *unit;               /* NULL: not decided yet */
	int64_t *pass, *cons;
	size_t passes, conses;
	struct reflect *reflect;
	struct arena arena;             /* samples and what they point to */
	struct map names;               /* of rewards: name -> index + 1 */
	struct map orders;              /* file, or file NUL field -> order */
	struct map keys;                /* of rows -> index + 1 */
	struct eval_row **row;
	size_t n, cap;
	int64_t arrivals;
	bool several;                   /* files */
};

/* One metric at each problem of a row: [row->n], NaN where it is left out. */
void eval_pass_values(const struct eval_row *row, int64_t k, double *to);
void eval_cons_values(const struct eval_row *row, int64_t k, double *to);
double eval_mean_of(const double *x, size_t n);                 /* of those that are no NaN; NaN if there are none */
struct stat_interval eval_interval(const struct eval *v, const struct eval_row *row, const double *x);

/* One figure of each sample (FIGURE_NAMED: the reward names.entry[arg]): what has one is gathered in `to` [row->samples]; how many. */
enum figure {
	FIGURE_REWARD, FIGURE_NAMED, FIGURE_LENGTH, FIGURE_ENDED_LENGTH, FIGURE_CLIPPED, FIGURE_FORMAT, FIGURE_REFLECTS, FIGURE_REFLECTIONS, FIGURE_MIXES
};
size_t eval_figures(const struct eval_row *row, enum figure f, size_t arg, double *to);

#endif
