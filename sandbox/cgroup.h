/* cgroup.h - control groups, version 2 or 1, where this process may make them: the exact limits of memory and processes
 *
 *     struct cgroups c;
 *     cgroups_open(&c);                                       // c.v 0: there are none, c.why says why
 *     if (cgroup_begin(&c, 0, &limits, &e) < 0) ...           // group 0 is empty: set its limits, forget what was
 *     ... a process writes "0" to each of c.group[0].procs[0 .. c.n - 1] ...
 *     cgroup_end(&c, 0, &use);
 *     cgroups_close(&c);
 *
 * The groups are made once for a server and used for run after run: making one takes longer than a small program does. A second
 * process, outside of everything that runs here, takes them away should this one be killed.
 */
#ifndef SANDBOX_CGROUP_H
#define SANDBOX_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "jail.h"

enum { CGROUP_SLOTS = 2, CGROUP_TREES = 3 };

struct cgroup {
	char *path[CGROUP_TREES];               /* one folder in each hierarchy */
	int procs[CGROUP_TREES];
	int64_t kills, cpu;                     /* as they stood at the begin */
	int64_t memory, processes;              /* limits as they stand; 0: none yet */
};

struct cgroups {
	int v;                                  /* version: 2, 1, or 0 for none */
	int n;                                  /* hierarchies */
	bool memory, pids, cpuacct;             /* what they limit and count */
	char *parent[CGROUP_TREES];             /* the folders that hold the slots' */
	struct cgroup group[CGROUP_SLOTS];
	int alive;                              /* the pipe whose end tells the other process */
	char why[256];
};

struct cgroup_use {
	int64_t memory;                         /* bytes at most, 0: not known */
	double cpu;                             /* seconds, 0: not known */
	bool killed;                            /* for memory */
};

void cgroups_open(struct cgroups *c);
void cgroups_close(struct cgroups *c);
int cgroup_begin(struct cgroups *c, int slot, const struct jail_limits *l, struct err *e);
void cgroup_end(struct cgroups *c, int slot, struct cgroup_use *use);

#endif
