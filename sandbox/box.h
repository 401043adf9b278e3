/* box.h - process 1 of a box: what box.c and watch.c share */
#ifndef SANDBOX_BOX_H
#define SANDBOX_BOX_H

#include <time.h>

#include "jail.h"

struct box {
	const struct jail_policy *policy;
	const struct jail_job *job;
	const char *folder;             /* /box, or where the box lies without namespaces */
	int report;                     /* the socket to the server */
	pid_t child;                    /* the program */
	double started;                 /* by the monotonic clock */
	int status;                     /* how it ended */
	int64_t memory;                 /* the largest that was seen */
};

double box_seconds(clockid_t clock);

/* Until the program ends or has used too much: why it was over. SIGCHLD is blocked and has a handler. */
enum jail_end box_watch(struct box *b);

/* No process of the box but this one is left behind. */
void box_kill_all(struct box *b);

#endif
