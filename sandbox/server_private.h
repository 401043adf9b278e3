/* server_private.h - what server.c and outside.c share */
#ifndef SANDBOX_SERVER_PRIVATE_H
#define SANDBOX_SERVER_PRIVATE_H

#include "enter.h"
#include "server.h"

#define MIB ((int64_t)1 << 20)

struct server {
	struct server_options options;
	struct jail_policy policy;
	struct view view;
	struct zygote zygote;
	struct cgroups cgroups;
	char *folder[CGROUP_SLOTS];     /* without namespaces: where the boxes lie */
	int interpreter;                /* its socket; -1: not started, -2: cannot be */
};

/* A box as the server sees it, from outside */
struct outside {
	struct run *r;
	int slot;
	int report, out, err, in;       /* -1: closed */
	size_t in_at;                   /* what of the pumped input is held: [in_at, in_n) of block */
	size_t in_n;
	char *block;
	bool in_over;                   /* nothing more to read */
	bool over, flooded, stopped;
	bool reported;
	struct jail_report last;
	double deadline;                /* when it should be over by far */
	double stop_at;                 /* when it is stopped; 0: it need not be */
	pid_t packer;                   /* streams the tree */
};

int outside_start(struct server *s, struct outside *b, size_t runs, int channel, int zygote, struct err *e);

/* Until all boxes have ended and their pipes are empty; -1 if one does not end, -2 if nobody waits for the result any more. */
int outside_drive(struct outside *b, size_t n, int watched);

/* Says what came of it, in b->r. */
void outside_judge(struct server *s, struct outside *b);
void outside_close(struct outside *b);

/* A file in memory that nobody changes any more; -1. */
int sealed(const char *name, const void *p, size_t n, struct err *e);

#endif
