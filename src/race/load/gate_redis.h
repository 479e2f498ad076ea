/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/gate_redis - the gate for Redis: many connections on one thread. A batch is commands
 * that leave in one write; a held batch is sent but its last byte, which is its release.
 *
 * See gate.h for what a client is, the invariants, threads and limits.
 * Errors: PAWL_E_INVALID (the URL), PAWL_E_IO (no connection, AUTH or SELECT refused),
 * PAWL_E_NOMEM.
 */
#ifndef PAWL_RACE_LOAD_GATE_REDIS_H
#define PAWL_RACE_LOAD_GATE_REDIS_H

#include <hiredis/hiredis.h>

#include "base/compiler.h"
#include "race/load/gate.h"

struct redis_gate;
struct redis_batch;

/* A command with its arguments, binary safe. All is copied. False: over GATE_BATCH_MAX or
 * GATE_BATCH_BYTES_MAX, or no memory; the batch is then not sent and the client ends as lost. */
bool pawl__redis_batch_add(struct redis_batch *batch, int argc, const char *const *argv,
                           const size_t *argv_len);

struct redis_app {
	void *data;
	/* Fill the client's next batch; false, or an empty batch: it has finished. replies has an
	 * entry per command of the batch that was sent last, in order; NULL = lost before it. They
	 * are valid for the call. */
	bool (*next)(void *data, const struct gate_turn *turn, redisReply *const *replies,
	             size_t replies_len, struct redis_batch *batch, struct gate_options *options);
};

/* redis://[[user]:password@]host[:port][/db], or unix:/path. Opens conns connections and one more
 * that wakes the server. */
PAWL_MUST_CHECK enum pawl_status pawl__redis_gate_new(const char *url, uint32_t conns,
                                                      int64_t open_ns, struct redis_gate **ret_gate,
                                                      struct pawl_error *err);
void pawl__redis_gate_free(struct redis_gate *gate);

/* Connections that a run has lost are made anew by the next one. */
PAWL_MUST_CHECK enum pawl_status
pawl__redis_gate_run(struct redis_gate *gate, const struct gate_plan *plan,
                     const struct redis_app *app, struct gate_result *ret, struct pawl_error *err);
void pawl__redis_gate_stop(struct redis_gate *gate);

#endif /* PAWL_RACE_LOAD_GATE_REDIS_H */
