/* sandbox.h - programs are run by another process, r1-sandbox, that reads runs and writes what came of them, line by line
 *
 *     struct sandbox *s = sandbox_open(NULL, &e);             // NULL: the r1-sandbox beside this program, or the one of PATH
 *     struct js *answer = sandbox_run(s, request, 30, &e);    // request: as r1-sandbox(1) has it; taken over
 *     js_string(js_get(answer, "verdict"), NULL);
 *     js_free(answer);
 *     sandbox_close(s);
 *
 * One thread at a time. If this process ends, however it does, r1-sandbox sees the end of its input and output, kills what runs and ends.
 */
#ifndef TASK_SANDBOX_H
#define TASK_SANDBOX_H

#include "base/err.h"
#include "record/json.h"

struct sandbox;

/* command: another program and options to run in its place, parted by blanks ("r1-sandbox --show /opt", "ssh host r1-sandbox"). */
struct sandbox *sandbox_open(const char *command, struct err *e);
void sandbox_close(struct sandbox *s);

/* What came of it; NULL where nothing can be run any more: it ended, or did not answer within `patience` seconds. */
struct js *sandbox_run(struct sandbox *s, struct js *request, double patience, struct err *e);

#endif
