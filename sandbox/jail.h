/* jail.h - what the three processes of the jail share
 *
 *     server   outside: reads what is to be run, makes the box's descriptors, reads its output, says the verdict   (server.c)
 *     zygote   in its own user, mount, network, time and cgroup namespaces, in which the read-only view of the system is mounted
 *              once; makes a box for each run by one clone()                                                        (zygote.c, view.c)
 *     init     process 1 of a box's own pid, mount, ipc and uts namespaces: mounts the private tmpfs and /proc, starts the program as a
 *              process without rights, watches its time and memory, and kills and reaps all that is left           (box.c)
 *
 * The server is the only one that sees the host; the program sees no descriptor of any of the three. Each of the three ends when the
 * one before it is gone (its socket is closed, and a parent-death signal), and with init ends every process of the box, by the kernel.
 * zygote.c, box.c and apply.c use nothing but the C library: they are also built as a shared object, which a started interpreter
 * loads in order to be a zygote itself (python.c).
 */
#ifndef SANDBOX_JAIL_H
#define SANDBOX_JAIL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What every program's environment begins with; a folder's HOME and TMPDIR follow. Python's hashes are the same every time. */
#define JAIL_ENVIRONMENT "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "USER=box", "PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"
#define JAIL_FOLDER "/box"              /* of the box, inside */

struct jail_limits {
	double cpu, wall;               /* seconds: of all processes together; of the clock */
	int64_t memory;                 /* bytes, of all processes together and of their files */
	int64_t disk, inodes;           /* of the private tmpfs: bytes, files */
	int64_t file, stack;            /* bytes: of one file; of a thread */
	int64_t processes, descriptors; /* processes and threads; open files of one process */
};

/* ---- from the server to the zygote: one message with descriptors for each run ---- */

enum { JAIL_RUN = 1, JAIL_INTERPRETER };
enum { JAIL_HAS_CHANNEL = 1, JAIL_HAS_TREE = 2 };
enum { JAIL_MAX_FDS = 16 };

/* The descriptors, in this order: job, report, stdin, stdout, stderr, channel if any, tree if any, then the cgroups' process files */
struct jail_message {
	uint32_t kind, flags, cgroups;
	uint32_t slot;                  /* 0 or 1: which of the two that may run at once; each is another user */
};

/* The job's memory file: this, then NUL-terminated strings (box folder, arguments, environment, names to keep), then for each file its
 * struct jail_file, name with NUL, bytes. */
struct jail_job {
	struct jail_limits limits;
	uint64_t size;                  /* of all of it */
	uint32_t argc, envc, keeps, files;
	uint32_t watch_memory;          /* no cgroup does */
	uint32_t extra_processes;       /* others that count for the same limit */
};

struct jail_file {
	uint32_t mode, name;            /* name: its length with the NUL */
	uint64_t size;
};

/* ---- from init to the server ---- */

enum jail_end {
	JAIL_EXITED,                    /* status says how */
	JAIL_CPU, JAIL_WALL, JAIL_MEMORY,
	JAIL_STOPPED,                   /* the server asked */
	JAIL_NOT_RUN,                   /* the command could not be started: error */
	JAIL_TREE,                      /* the tree could not be unpacked */
	JAIL_BROKEN                     /* the jail could not be made: what, error */
};

struct jail_report {
	int32_t kind;                   /* enum jail_end; or JAIL_KEPT: a file that was to be kept, as a descriptor, `error` its index */
	int32_t status, error;
	double cpu, wall;               /* seconds */
	int64_t memory;                 /* bytes: the largest of its processes, or the largest sum that was seen */
	char what[96];
};
enum { JAIL_KEPT = 100 };

/* ---- credentials and filters (apply.c) ---- */

struct jail_policy {
	struct sock_filter *filter;     /* (n) compiled by policy.c; NULL: this kernel has no seccomp (only with --unsafe) */
	uint16_t n;
	uid_t uid;                      /* of the program, as its namespace names it */
	gid_t gid;
	bool keep_ids;                  /* it runs under the server's own ids: there are no others */
	bool unsafe;                    /* no namespaces */
	bool interpreter;               /* jail_zygote returns in the program's process; else the job's command is executed there */
	int (*unpack)(int fd);          /* makes files of an archive's bytes in the working folder; says on stderr what is wrong */
};

/* Gives up every right for good: ids, capabilities, new privileges, system calls. Returns what failed, or NULL. */
const char *jail_apply(const struct jail_policy *p);
const char *jail_apply_limits(const struct jail_limits *l, bool watch_memory, uint32_t extra_processes);

/* ---- the zygote's loop (zygote.c, box.c) ---- */

/* Serves until the socket is closed; returns only to an interpreter, in a process that is the program of a box: jailed, with its job. */
const struct jail_job *jail_zygote(int socket, const struct jail_policy *p);

/* Process 1 of a box; fds as in jail_message. Returns like jail_zygote. */
const struct jail_job *jail_box(const struct jail_message *m, const int *fds, const struct jail_policy *p);

/* Where strings and files stand in a job. */
const char *jail_string(const struct jail_job *j, size_t i);

int jail_send(int socket, const void *p, size_t n, const int *fds, size_t fds_n);
/* Bytes of the message, 0 at the end, -1. *fds_n: how many descriptors came (close-on-exec) of at most JAIL_MAX_FDS. */
ssize_t jail_receive(int socket, void *p, size_t n, int *fds, size_t *fds_n);

#endif
