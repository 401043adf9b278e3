/* python.c - the zygote's code for an interpreter: harness/zygote.py loads it as /.r1/zygote.so */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jail.h"

#define EXPORT __attribute__((visibility("default")))

/* The interpreter's own, around a fork that it does not make itself */
void PyOS_BeforeFork(void);
void PyOS_AfterFork_Child(void);

/* Serves; returns in the process of a program alone, with its job. The filter's n instructions stay the caller's. */
EXPORT const struct jail_job *r1_zygote(int socket, void *filter, int n, int uid, int gid, int keep_ids)
{
	struct jail_policy *p = calloc(1, sizeof *p);
	const struct jail_job *j;

	if (!p)
		exit(1);
	*p = (struct jail_policy){.filter = filter, .n = (uint16_t)n, .uid = (uid_t)uid, .gid = (gid_t)gid, .keep_ids = keep_ids, .interpreter = true};
	PyOS_BeforeFork();
	j = jail_zygote(socket, p);
	PyOS_AfterFork_Child();
	signal(SIGPIPE, SIG_IGN);       /* as python3 does when it starts */
	signal(SIGXFSZ, SIG_IGN);
	return j;
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

/* The number of its environment's strings; 0: it is this process's */
EXPORT int r1_envc(const struct jail_job *j)
{
	const char *s = jail_string(j, 1 + j->argc);
	uint32_t i;

	for (i = 0; i < j->envc && environ[i] && !strcmp(environ[i], s); i++)
		s += strlen(s) + 1;
	return i == j->envc && !environ[i] ? 0 : (int)j->envc;
}

/* Arguments, then the environment */
EXPORT const char *r1_string(const struct jail_job *j, int i)
{
	return jail_string(j, (size_t)i + 1);
}
