/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sqlite/load - fill the wanted entries of a working set from one connection.
 */
#ifndef PAWL_STORE_SQLITE_LOAD_H
#define PAWL_STORE_SQLITE_LOAD_H

#include "base/compiler.h"
#include "core/ws.h"
#include "store/sqlite/answers.h"
#include "store/sqlite/conn.h"

struct loader {
	struct conn *conn;
	struct ws *ws;
	int64_t retention_us;
	const struct answers *answers;
	const struct answer_probe *probes; /* one for each wanted answer; NULL: probe now */
	bool by_sql;   /* the memory of answers is empty but for its seed: read_only */
	bool take_due; /* show accounts as if their due holds had been expired */
};

PAWL_MUST_CHECK enum pawl_status pawl__load_wanted(struct loader *l, struct pawl_error *err);

#endif /* PAWL_STORE_SQLITE_LOAD_H */
