/* python.c - the zygote's code for an interpreter: harness/zygote.py loads it as /.r1/zygote.so */
#include <stdlib.h>

#include "jail.h"

#define EXPORT __attribute__((visibility("default")))

/* Serves; returns in the process of a program alone, with its job. The filter's n instructions stay the caller's. */
EXPORT const struct jail_job *r1_zygote(int socket, void *filter, int n, int uid, int gid, int keep_ids)
{
	struct jail_policy *p = calloc(1, sizeof *p);

	if (!p)
		exit(1);
	*p = (struct jail_policy){.filter = filter, .n = (uint16_t)n, .uid = (uid_t)uid, .gid = (gid_t)gid, .keep_ids = keep_ids, .interpreter = true};
	return jail_zygote(socket, p);
}

/* Tells the server that it serves. */
EXPORT void r1_ready(int socket)
{
	struct jail_report r = {.kind = JAIL_EXITED};

	jail_send(socket, &r, sizeof r, NULL, 0);
}

EXPORT int r1_argc(const struct jail_job *j)
{
	return (int)j->argc;
}

EXPORT int r1_envc(const struct jail_job *j)
{
	return (int)j->envc;
}

/* Arguments, then the environment */
EXPORT const char *r1_string(const struct jail_job *j, int i)
{
	return jail_string(j, (size_t)i + 1);
}
