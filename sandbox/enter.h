/* enter.h - the zygote's beginning: its namespaces, its ids, its tree */
#ifndef SANDBOX_ENTER_H
#define SANDBOX_ENTER_H

#include "base/err.h"
#include "jail.h"
#include "view.h"

struct zygote {
	pid_t pid;
	int socket;
	bool user_namespace;            /* else: as root, without one */
	bool own_ids;                   /* the program runs under the server's own user: no other may be mapped */
};

/* Starts the zygote; p->uid, gid and keep_ids are set to what it found. */
int zygote_start(struct zygote *z, struct jail_policy *p, const struct view *v, struct err *e);
void zygote_stop(struct zygote *z);

#endif
