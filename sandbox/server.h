/* server.h - runs untrusted programs in boxes, one after another, or two that talk with each other
 *
 *     struct server_options o = {0};
 *     struct server *s = server_open(&o, &e);                 // NULL: this machine cannot jail, and e says what is in the way
 *     struct run r = run_new();
 *     r.command = (const char *const[]){"python3", "main.py", NULL};
 *     r.file = &(struct run_file){"main.py", text, n, 0644}, r.files = 1;
 *     if (server_run(s, &r, 1, -1, &e) < 0) ...               // nothing was run
 *     printf("%s %.3f\n", r.verdict, r.cpu);
 *     run_free(&r);
 *     server_close(s);
 *
 * Every file is written anew for each run; nothing of one run is there in the next.
 */
#ifndef SANDBOX_SERVER_H
#define SANDBOX_SERVER_H

#include "base/buf.h"
#include "base/err.h"
#include "cgroup.h"
#include "jail.h"
#include "view.h"

struct server_options {
	const char *const *show;        /* (shows) what else of the host is to be seen, read-only */
	size_t shows;
	bool unsafe;                    /* without namespaces: rlimits, the filter, and good faith */
	bool no_cgroup;
	bool no_interpreter;            /* start python3 anew for each run */
};

struct run_file {
	const char *name;               /* relative, no ".." (run_name_ok) */
	const void *p;
	size_t n;
	unsigned mode;
};

struct run {
	/* What is asked: all borrowed */
	const char *const *command, *const *env;        /* NULL behind the last; env may be NULL and comes on top of the box's own */
	const struct run_file *file;
	size_t files;
	const char *const *keep;        /* files to be handed over at the end: names without '/' */
	size_t keeps;
	const char *tree;               /* an archive or a folder whose files are put into the box; or NULL */
	struct jail_limits limits;
	int64_t output;                 /* bytes of stdout, and of stderr */
	const void *in;                 /* stdin: in_n bytes, */
	size_t in_n;
	int in_fd;                      /* or what is read there; -1 */
	int out_fd, err_fd;             /* where the output goes; -1: into out and err */

	/* What came of it */
	const char *verdict;            /* OK, RE, TLE, MLE, OLE, or IE: not the program's fault */
	int status;                     /* as wait() has it; -1: it never ran or was taken down with its box */
	bool started;
	double cpu, wall;               /* seconds */
	int64_t memory;                 /* bytes at most */
	struct buf out, err;
	int out_lost, err_lost;         /* why, as errno has it, output could not be written to out_fd, err_fd; 0: all was */
	int *kept;                      /* (keeps) descriptors, -1: there is no such regular file */
	char why[256];                  /* a few words, "" if there is nothing to say */
};

struct run run_new(void);               /* the usual limits */
void run_free(struct run *r);           /* what came of it */
bool run_name_ok(const char *name);     /* relative, without "." and ".." and empty parts */

struct server;

struct server *server_open(const struct server_options *o, struct err *e);
void server_close(struct server *s);

/* Runs r[0], or r[0] and r[1] connected by a socket (descriptor 3 of both); the second is stopped when the first has ended. The runs are
 * given up when nobody reads `watched` any more (a pipe or socket; -1: none). -1: nothing could be run. */
int server_run(struct server *s, struct run *r, size_t n, int watched, struct err *e);

/* What there is: "namespaces", "user", ... as JSON members, for --check. */
void server_describe(const struct server *s, struct buf *to);

#endif
