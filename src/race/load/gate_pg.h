/* SPDX-License-Identifier: Apache-2.0 */
/*
 * race/load/gate_pg - the gate for PostgreSQL: many connections on one thread, libpq in pipeline
 * mode. A batch is statements that are sent together and ended by one Sync: without BEGIN they are
 * one implicit transaction, and after an error the rest of the batch is skipped by the server. Held
 * back is everything: the release of a batch is the one write of its messages and the Sync.
 *
 * See gate.h for what a client is, the invariants, threads and limits.
 * Errors: PAWL_E_IO (no connection; err->text says why, without the password), PAWL_E_INVALID
 * (conninfo), PAWL_E_NOMEM.
 */
#ifndef PAWL_RACE_LOAD_GATE_PG_H
#define PAWL_RACE_LOAD_GATE_PG_H

#include <libpq-fe.h>

#include "base/compiler.h"
#include "race/load/gate.h"

struct pg_gate;
struct pg_batch;

enum pg_reply_class {
	PG_OK,      /* rows or a command tag: see result */
	PG_ERROR,   /* sqlstate says which; result has the rest */
	PG_SKIPPED, /* an earlier statement of the batch had an error */
	PG_NONE,    /* the connection was lost before its reply */
};

struct pg_reply {
	enum pg_reply_class class;
	char sqlstate[6];       /* "" unless PG_ERROR */
	const PGresult *result; /* NULL unless PG_OK or PG_ERROR; valid for the call */
};

/* Parameters and results are texts. NULL in params = SQL NULL. */
struct pg_statement {
	const char *sql; /* one statement; or, when prepared, its name */
	bool prepared;
	int params_len;
	const char *const *params;
};

/* All is copied. False: over GATE_BATCH_MAX or GATE_BATCH_BYTES_MAX, or no memory; the batch is
 * then not sent and the client ends as lost. */
bool pawl__pg_batch_add(struct pg_batch *batch, const struct pg_statement *statement);

struct pg_app {
	void *data;
	/* Fill the client's next batch; false, or an empty batch: it has finished. replies has an
	 * entry per statement of the batch that was sent last. */
	bool (*next)(void *data, const struct gate_turn *turn, const struct pg_reply *replies,
	             size_t replies_len, struct pg_batch *batch, struct gate_options *options);
};

/* Opens conns connections and one more that wakes the server and counts who waits for locks. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_gate_new(const char *conninfo, uint32_t conns,
                                                   int64_t open_ns, struct pg_gate **ret_gate,
                                                   struct pawl_error *err);
void pawl__pg_gate_free(struct pg_gate *gate);

/* For setup between runs (PREPARE, SET): blocking calls of libpq, outside pipeline mode. Valid
 * until the next run or free. i may be conns: the extra connection. NULL: it was lost. */
PGconn *pawl__pg_gate_conn(struct pg_gate *gate, uint32_t i);

/* Connections that a run has lost are made anew by the next run (without what setup had done). A
 * transaction that a client left open is rolled back when its run ends. */
PAWL_MUST_CHECK enum pawl_status pawl__pg_gate_run(struct pg_gate *gate,
                                                   const struct gate_plan *plan,
                                                   const struct pg_app *app,
                                                   struct gate_result *ret, struct pawl_error *err);
void pawl__pg_gate_stop(struct pg_gate *gate);

#endif /* PAWL_RACE_LOAD_GATE_PG_H */
