/* request.h - runs as records: what is to be run in, what came of it out
 *
 *     struct requests *q = requests_new(&defaults);           // limits that a record does not name
 *     if (requests_serve(q, server, &record, watched, brief, &e) < 0) ...
 *     requests_free(q);
 *
 * Fields read: command, files, stdin, env, limits, tree, keep, save, load, peer. Fields set: verdict, exit, signal, cpu, wall, memory,
 * stdout, stderr, reason, kept, peer. r1-sandbox(1) says what they mean. Files saved under a name by one run are there for later ones
 * (load) as long as this process lives, the oldest going first where they take more than a quarter of a gigabyte.
 */
#ifndef SANDBOX_REQUEST_H
#define SANDBOX_REQUEST_H

#include "record/record.h"
#include "server.h"

struct requests;

struct requests *requests_new(const struct run *defaults);
void requests_free(struct requests *q);

/* brief: the record's own fields but `id` are dropped. -1: the record is bad (e says where), or, with *fatal, nothing can be run. */
int requests_serve(struct requests *q, struct server *s, struct record *r, int watched, bool brief, bool *fatal, struct err *e);

/* What came of a run, as fields of a record */
void request_answer(struct record *r, const struct run *run);

#endif
