/* view.h - the system as a jailed program sees it: a small read-only tree, mounted once for all boxes of a server
 *
 *     /usr and what of /bin, /sbin, /lib* stands beside it    the host's, read-only, nosuid, nodev
 *     /etc           alternatives, the dynamic loader's cache, the time zone; passwd, group, hosts, nsswitch.conf of our own
 *     /dev           null, zero, full, random, urandom; fd, stdin, stdout, stderr, shm are links
 *     /proc          each box's own: its own processes and nothing else
 *     /box           each box's private tmpfs: work (its folder and home), tmp, shm; /tmp is a link to it
 *     /.r1           the harnesses of sandbox/harness/, and zygote.so
 *
 * Nothing else of the host is there: no /home, /root, /var, /run, /sys, no other /dev, no other /etc.
 */
#ifndef SANDBOX_VIEW_H
#define SANDBOX_VIEW_H

#include <stdbool.h>
#include <stddef.h>

struct view_text {              /* a file of our own */
	const char *name;       /* below /.r1 */
	const void *p;
	size_t n;
};

struct view {
	const char *const *show;        /* (shows) further files and folders of the host to be seen, read-only: PATH or PATH:AT */
	size_t shows;
};

/* The harnesses, as the build made them; name NULL behind the last */
extern const struct view_text view_harness[];

/* In the zygote, after its namespaces are made: makes this tree the root. Returns what failed (errno says why), or NULL. */
const char *view_enter(const struct view *v, char *what, size_t n);

#endif
